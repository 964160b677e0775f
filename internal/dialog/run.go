package dialog

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// A Conn is the client's end of a conversation.
type Conn interface {
	// Send gives bytes to the server.
	Send(p []byte) error
	// Line returns the next line of the server without its CRLF, valid until
	// the next call; io.EOF when the server has closed.
	Line() ([]byte, error)
	// StartTLS switches both sides to TLS.
	StartTLS() error
	// CloseWrite ends what the client sends; it still reads.
	CloseWrite() error
	// Close ends the conversation. A Conn that can know reports lines that
	// nobody has read.
	Close() error
}

// Verbs are the callbacks of a test, by name: each gets the rest of its line
// and the lines below it that begin with |.
type Verbs map[string]func(text string, block []string) error

// Run plays the script over conn and closes it. The first step that goes
// wrong ends the test, with the name of the script and its line.
func Run(t testing.TB, s *Script, conn Conn, verbs Verbs) {
	t.Helper()
	var said []string // what the server said, for the error message
	for i := range s.Steps {
		st := &s.Steps[i]
		if problem := runStep(st, conn, verbs, &said); problem != "" {
			conn.Close()
			t.Fatalf("%s.dlg:%d: %s\nthe server said before:\n  %s",
				s.Name, st.Line, problem, strings.Join(tail(said, 12), "\n  "))
		}
	}
	if err := conn.Close(); err != nil {
		t.Errorf("%s.dlg: at the end: %v", s.Name, err)
	}
}

func runStep(st *Step, conn Conn, verbs Verbs, said *[]string) string {
	switch st.Kind {
	case Send:
		return describe("sending", conn.Send(st.Data))
	case Expect, ExpectRE:
		return expect(st, conn, said)
	case Reply:
		return expectReply(st, conn, said)
	case TLS:
		return describe("TLS", conn.StartTLS())
	case HalfEOF:
		return describe("closing the sending half", conn.CloseWrite())
	case End:
		line, err := conn.Line()
		if err == nil {
			return "the other side said more: " + string(line)
		}
		if !errors.Is(err, io.EOF) {
			return describe("waiting for the end", err)
		}
		return ""
	case Say:
		return "S| and S* are for scripts that are served to a client"
	}
	call := verbs[st.Name]
	if call == nil {
		return "this test has no verb " + st.Name
	}
	return describe(st.Name, call(st.Text, st.Block))
}

func expect(st *Step, conn Conn, said *[]string) string {
	line, err := conn.Line()
	if err != nil {
		return describe("expected "+st.Text+", got", err)
	}
	got := string(line)
	*said = append(*said, got)
	if st.Kind == ExpectRE && st.RE.MatchString(got) || st.Kind == Expect && Match(st.Text, got) {
		return ""
	}
	return "expected " + st.Text + "\n  got " + got
}

// expectReply reads lines until the one with a space after its code.
func expectReply(st *Step, conn Conn, said *[]string) string {
	var texts []string
	for {
		line, err := conn.Line()
		if err != nil {
			return describe("expected a reply "+st.Text+", got", err)
		}
		got := string(line)
		*said = append(*said, got)
		if len(got) < 4 || got[:3] != st.Name || got[3] != ' ' && got[3] != '-' {
			return "expected a reply " + st.Name + "\n  got " + got
		}
		texts = append(texts, got[4:])
		if got[3] == ' ' {
			return matchReply(st.Block, texts)
		}
	}
}

func matchReply(patterns, texts []string) string {
	for _, p := range patterns {
		unwanted := strings.HasPrefix(p, "!")
		has := slices.ContainsFunc(texts, func(text string) bool {
			return Match(strings.TrimPrefix(p, "!"), text)
		})
		if has == unwanted {
			return "the reply and the pattern " + p + ":\n  " + strings.Join(texts, "\n  ")
		}
	}
	return ""
}

func describe(what string, err error) string {
	if err == nil {
		return ""
	}
	return what + ": " + err.Error()
}

func tail(lines []string, n int) []string {
	return lines[max(0, len(lines)-n):]
}

// Split cuts input into pieces whose lengths are given by cuts: piece i has
// cuts[i]+1 bytes, and when the cuts are used up they begin again. Without
// cuts the input stays whole. The pieces are copies, so a driver may
// overwrite each one after use.
func Split(input, cuts []byte) [][]byte {
	var pieces [][]byte
	for i := 0; len(input) > 0; i++ {
		n := len(input)
		if len(cuts) > 0 {
			n = min(n, int(cuts[i%len(cuts)])+1)
		}
		pieces = append(pieces, append([]byte(nil), input[:n]...))
		input = input[n:]
	}
	return pieces
}

// CutEqual plays the input to two fresh sessions, whole and cut in pieces,
// and fails unless both transcripts are the same. play gives the pieces to a
// new session one after the other and returns all that happened: replies,
// questions, bodies.
func CutEqual(t testing.TB, input, cuts []byte, play func(pieces [][]byte) string) {
	t.Helper()
	whole := play(Split(input, nil))
	cut := play(Split(input, cuts))
	if whole != cut {
		t.Fatalf("cut at %v the conversation is another one\ninput %q\nwhole:\n%s\ncut:\n%s", cuts, input, whole, cut)
	}
}
