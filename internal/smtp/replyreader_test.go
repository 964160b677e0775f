package smtp

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// readReplies reads pieces as they come and returns all that was found.
func readReplies(t testing.TB, pieces ...[]byte) string {
	var r ReplyReader
	var in []byte
	var found strings.Builder
	for _, p := range pieces {
		in = append(in, p...)
		for {
			lent := in
			if len(in) < 10000 {
				lent = bytes.Clone(in)
			}
			n, line, part, err := r.Read(lent)
			if n > len(in) || n == 0 && part != NoLine || err != nil && part != NoLine {
				t.Fatalf("consumed %d of %d, part %d, %v", n, len(in), part, err)
			}
			if part != NoLine {
				fmt.Fprintf(&found, "%q\n", line)
			}
			if len(in) < 10000 {
				clear(lent)
			}
			if in = in[n:]; err != nil {
				fmt.Fprintf(&found, "%v\n", err)
				return found.String()
			}
			if part == LastLine {
				fmt.Fprintf(&found, "= %d %v %q in %d\n", r.Code, r.Status, r.Text, r.Lines)
			}
			if len(r.Text) > ReplyTextMax || FindControl(r.Text) >= 0 || !utf8.Valid(r.Text) {
				t.Fatalf("kept %q", r.Text)
			}
			if n == 0 {
				break
			}
		}
	}
	return found.String()
}

func TestRepliesAreRead(t *testing.T) {
	for wire, want := range map[string]string{
		"250 ok\r\n":                           `= 250 0.0.0 "ok" in 1`,
		"250\r\n":                              `= 250 0.0.0 "" in 1`,
		"250 \r\n":                             `= 250 0.0.0 "" in 1`,
		"299 2.1.0 ok\n":                       `= 299 2.1.0 "ok" in 1`,
		"250-a\r\n250-b\r\n250 c\r\n":          `= 250 0.0.0 "a b c" in 3`,
		"250-\r\n250-a\r\n250\r\n":             `= 250 0.0.0 "a" in 3`,
		"550-5.1.1 no\r\n550 5.1.1 way\r\n":    `= 550 5.1.1 "no way" in 2`,
		"550-no\r\n550 5.1.1 way\r\n":          `= 550 5.1.1 "no way" in 2`,
		"550 5.1.1\r\n":                        `= 550 5.1.1 "" in 1`,
		"550 4.1.1 no\r\n":                     `= 550 0.0.0 "4.1.1 no" in 1`,
		"550 5.1 no\r\n":                       `= 550 0.0.0 "5.1 no" in 1`,
		"550 5.1.1x no\r\n":                    `= 550 0.0.0 "5.1.1x no" in 1`,
		"550 55.1.1 no\r\n":                    `= 550 0.0.0 "55.1.1 no" in 1`,
		"550 5.1234.1 no\r\n":                  `= 550 0.0.0 "5.1234.1 no" in 1`,
		"354 3.0.0 go\r\n":                     `= 354 0.0.0 "3.0.0 go" in 1`,
		"250 a\x00b\tc\x7f\xff\r\n":            `= 250 0.0.0 "a?b c??" in 1`,
		"250 ok\r\n451 4.3.0 busy\r\n":         `= 451 4.3.0 "busy" in 1`,
		"2500 ok\r\n":                          ErrNotAReply.Error(),
		"25 ok\r\n":                            ErrNotAReply.Error(),
		"150 ok\r\n":                           ErrNotAReply.Error(),
		"650 ok\r\n":                           ErrNotAReply.Error(),
		"\r\n":                                 ErrNotAReply.Error(),
		"250-a\r\n251 b\r\n":                   ErrNotAReply.Error(),
		strings.Repeat("x", ReplyLineMax):      ErrNotAReply.Error(),
		strings.Repeat("250-ok\r\n", ReplyMax): ErrEndlessReply.Error(),
	} {
		if got := readReplies(t, []byte(wire)); !strings.HasSuffix(got, want+"\n") {
			t.Errorf("%.60q: got %s, want %s", wire, got, want)
		}
	}
}

func TestReplyIsOnlyReadWhenItsLineIsWhole(t *testing.T) {
	var r ReplyReader
	for _, in := range []string{"", "2", "250 ok", "250 ok\r"} {
		if n, _, part, err := r.Read([]byte(in)); n != 0 || part != NoLine || err != nil {
			t.Errorf("%q: %d, %d, %v", in, n, part, err)
		}
	}
}

func TestLineOverTheLimitIsCutOffAndItsReplyCounts(t *testing.T) {
	got := readReplies(t, []byte("550-a\r\n550-5.1.1 "+strings.Repeat("ø", ReplyMax/4)+"\r\n550 b\r\n250 ok\r\n"))
	text := "a " + strings.Repeat("ø", (ReplyTextMax-2)/2)
	if want := fmt.Sprintf("\"a\"\n\"\"\n\"b\"\n= 550 5.1.1 %q in 3\n\"ok\"\n= 250 0.0.0 \"ok\" in 1\n", text); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestStatusConsumesAWholeCodeOrNothing(t *testing.T) {
	for text, want := range map[string]Status{"5.1.1": {5, 1, 1}, "2.0.0 ok": {2, 0, 0}, "4.999.999 x": {4, 999, 999}} {
		line := Text(text)
		if s, ok := line.Status(); s != want || !ok || !line.Empty() && line[0] != ' ' {
			t.Errorf("%q: %v, %v, rest %q", text, s, ok, line)
		}
	}
	for _, text := range []string{"5.1.1.", "3.1.1", "5..1", "", "5.1", "5.1.", "x"} {
		line := Text(text)
		if s, ok := line.Status(); ok || s != (Status{}) || string(line) != text {
			t.Errorf("%q: %v, rest %q", text, s, line)
		}
	}
}

// FuzzReplyReader: any cut of the input gives the same replies, and what is
// kept of them is bounded and clean (see readReplies).
func FuzzReplyReader(f *testing.F) {
	for _, s := range []string{"250-a\r\n250 b\r\n", "550 5.1.1 no\n2", "220-\r\n\r\n", "250 \xff\xc3\xb8\r\r\n"} {
		f.Add([]byte(s), uint16(1), uint8(0))
	}
	f.Add([]byte("250-x"), uint16(3), uint8(255))
	f.Fuzz(func(t *testing.T, wire []byte, cut uint16, repeat uint8) {
		if len(wire) > 1000 {
			return
		}
		wire = append(bytes.Repeat(wire, int(repeat)+1), wire...)
		var pieces [][]byte
		for rest := wire; len(rest) > 0; {
			k := min(len(rest), int(cut)+1)
			pieces = append(pieces, rest[:k])
			rest = rest[k:]
		}
		if whole, cut := readReplies(t, wire), readReplies(t, pieces...); whole != cut {
			t.Fatalf("whole:\n%s\ncut:\n%s", whole, cut)
		}
	})
}

func TestErrorsOfRepliesAreTold(t *testing.T) {
	var r ReplyReader
	if _, _, _, err := r.Read([]byte("hello\r\n")); !errors.Is(err, ErrNotAReply) {
		t.Error(err)
	}
	r.Reset()
	if n, _, part, err := r.Read([]byte("250 ok\r\n")); n != 8 || part != LastLine || err != nil {
		t.Error(n, part, err)
	}
}
