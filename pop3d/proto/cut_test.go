package proto

import (
	"os"
	"strings"
	"testing"

	"barid/internal/dialog"
)

var boxForFuzz = []string{"A: 1\n\n.\n..x\n", "B: \xc3\xbc\r\n\r\nbody\xff", "", "no empty line\n"}

// play gives the pieces to a fresh session and returns all that happened.
func play(pieces [][]byte) string {
	d := newDoor(boxForFuzz...)
	d.keepLogs, d.plain.ErrorsMax, d.gone = true, 20, 4
	transcript := d.greet()
	for _, piece := range pieces {
		out, open := d.feed(piece)
		transcript = append(transcript, out...)
		if !open || d.s.next == StartTLS {
			break
		}
	}
	return string(transcript) + d.journal.String()
}

func FuzzAnyCutOfTheInputIsTheSameConversation(f *testing.F) {
	scripts, err := dialog.Load(os.DirFS("testdata"), "*.dlg", "engine/*.dlg")
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range scripts {
		f.Add(s.Input(), []byte{0, 6, 1})
	}
	f.Add([]byte("USER alice@example.test\r\nPASS wonderland\r\nDELE 1\r\nRETR 2\r\nRETR 4\r\nTOP 2 1\r\nUTF8\r\nLIST\r\nUIDL\r\nRSET\r\nQUIT\r\n"), []byte{0})
	f.Fuzz(func(t *testing.T, input, cuts []byte) {
		dialog.CutEqual(t, input, cuts, play)
	})
}

// TestOverLongLinesAreCutEqual does what the fuzzer seldom reaches: lines
// around the two limits, with the CRLF torn apart.
func TestOverLongLinesAreCutEqual(t *testing.T) {
	for _, length := range []int{lineMax - 1, lineMax, lineMax + 1, lineMax + 2, lineEndlessMax - 1, lineEndlessMax, lineEndlessMax + 1} {
		for _, end := range []string{"\r\n", "\n", "\r", "\r\r\n", ""} {
			input := []byte(strings.Repeat("x", length) + end + "CAPA\r\n")
			for _, cuts := range [][]byte{{255}, {0, 255}, {254, 0}, {200, 3, 1}} {
				dialog.CutEqual(t, input, cuts, play)
			}
		}
	}
}

// unstuff undoes what AppendBody does, in the plainest way.
func unstuff(t *testing.T, reply []byte) string {
	t.Helper()
	text, ended := strings.CutSuffix(string(reply), ".\r\n")
	if !ended || text != "" && !strings.HasSuffix(text, "\r\n") {
		t.Fatalf("the reply does not end in a line with a dot: %q", reply)
	}
	var lines []string
	for _, line := range strings.SplitAfter(text, "\r\n") {
		if line == ".\r\n" {
			t.Fatalf("the reply ends too early: %q", reply)
		}
		lines = append(lines, strings.TrimPrefix(line, "."))
	}
	return strings.Join(lines, "")
}

// canonical is the text with CRLF at every end of line, and at the end.
func canonical(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return strings.ReplaceAll(ended(text), "\n", "\r\n")
}

// bodyOf sends a text through AppendBody, cut in pieces.
func bodyOf(o *Options, text string, lines int64, cuts []byte) []byte {
	var s Session
	s.Reset(o)
	s.drop.top, s.next = lines, AskMessage
	s.Answer(Answer{}, nil)
	var out []byte
	more := true
	for _, piece := range dialog.Split([]byte(text), cuts) {
		if more {
			out, more = s.AppendBody(out, piece)
			poison(piece)
		}
	}
	return s.EndBody(out)
}

func FuzzBodyComesBackWhole(f *testing.F) {
	for _, text := range append(boxForFuzz, "a\r", "a\r\n.\r\n", ".", "\n.\n", "\r\n\n") {
		f.Add(text, []byte{0}, int64(1))
	}
	f.Fuzz(func(t *testing.T, text string, cuts []byte, lines int64) {
		raw := &Options{RawHeaders: true}
		got := bodyOf(raw, text, everything, cuts)
		if want := canonical(text); unstuff(t, got) != want {
			t.Fatalf("%q became %q", text, got)
		}
		if int64(len(unstuff(t, got))) != wireSize(text) {
			t.Fatalf("the size of %q is not %d", text, wireSize(text))
		}
		surrogate := bodyOf(new(Options), text, everything, cuts)
		header, _, _ := strings.Cut("\r\n"+canonical(text), "\r\n\r\n")
		if gotHeader, _, _ := strings.Cut("\r\n"+unstuff(t, surrogate), "\r\n\r\n"); len(gotHeader) != len(header) || !isASCII([]byte(gotHeader)) {
			t.Fatalf("the surrogate of the header %q is %q", header, gotHeader)
		}
		if lines >= 0 && lines != everything {
			checkTop(t, text, lines, cuts)
		}
	})
}

// checkTop holds TOP against a plain reading of RFC 1939 section 7.
func checkTop(t *testing.T, text string, lines int64, cuts []byte) {
	t.Helper()
	var want strings.Builder
	header, left := true, lines
	for _, line := range strings.SplitAfter(canonical(text), "\r\n") {
		if !header {
			if left == 0 {
				break
			}
			left--
		}
		want.WriteString(line)
		header = header && line != "\r\n"
	}
	if got := unstuff(t, bodyOf(&Options{RawHeaders: true}, text, lines, cuts)); got != want.String() {
		t.Fatalf("TOP %d of %q is %q, not %q", lines, text, got, want.String())
	}
}
