package dialog

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// shout is a server for these tests: it answers every line in capitals and
// closes after QUIT.
type shout struct {
	line   []byte
	closed bool
}

func (s *shout) feed(p []byte) ([]byte, bool) {
	s.line = append(s.line, p...)
	var out []byte
	for !s.closed {
		i := bytes.IndexByte(s.line, '\n')
		if i < 0 {
			break
		}
		out = append(out, bytes.ToUpper(s.line[:i+1])...)
		s.closed = bytes.HasPrefix(s.line, []byte("quit"))
		s.line = s.line[i+1:]
	}
	return out, !s.closed && p != nil
}

func memory() *Memory {
	m := &Memory{Feed: new(shout).feed, TLS: func() error { return nil }}
	m.Greet([]byte("HELLO\r\n"))
	return m
}

// failure is a testing.TB that remembers the first failure.
type failure struct {
	testing.TB
	text string
}

func (f *failure) Helper() {}

func (f *failure) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	panic(f)
}

func (f *failure) Errorf(format string, args ...any) {
	if f.text == "" {
		f.text = format
		for _, a := range args {
			if s, ok := a.(string); ok {
				f.text += "\n" + s
			}
		}
	}
}

func play(t *testing.T, text string, verbs Verbs) (problem string) {
	t.Helper()
	s, err := Parse("x.dlg", text)
	if err != nil {
		t.Fatal(err)
	}
	f := &failure{TB: t}
	defer func() {
		if r := recover(); r != nil && r != any(f) {
			panic(r)
		}
		problem = f.text
	}()
	Run(f, s, memory(), verbs)
	return f.text
}

func TestScriptsInTestdataRunInMemoryAndOverTCP(t *testing.T) {
	scripts, err := Load(os.DirFS("testdata"), "*.dlg")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scripts {
		Run(t, s, memory(), Verbs{"COUNT": func(string, []string) error { return nil }})
		client, server := net.Pipe()
		go serve(server)
		Run(t, s, NewNet(client, nil, time.Minute), Verbs{"COUNT": func(string, []string) error { return nil }})
	}
}

func serve(c net.Conn) {
	defer c.Close()
	var s shout
	buf := make([]byte, 100)
	c.Write([]byte("HELLO\r\n"))
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		out, open := s.feed(buf[:n])
		if len(out) > 0 { // a pipe waits for a reader even of nothing
			c.Write(out)
		}
		if !open {
			return
		}
	}
}

func TestWrongAnswerFailsAndNamesTheLine(t *testing.T) {
	for script, want := range map[string]string{
		"S: HELLO\nC: a\nS: B":               "expected B",
		"S: HELLO\nS: more":                  "the other side waits",
		"S: HELLO\nC: quit\nS: QUIT\nS: x":   "EOF",
		"S: HELLO\nEND":                      "the other side waits",
		"S: HELLO\nC: a\nEND":                "said more: A",
		"S: HELLO\nC: a":                     "unread",
		"S~ ^HELL$":                          "expected ^HELL$",
		"S: HELLO\nCHECK 1":                  "no verb CHECK",
		"S: HELLO\nFAIL":                     "this fails",
		"C: a\nTLS":                          "unread before",
		"S: HELLO\nC| a\\n\nS: A":            "CRLF alone",
		"S: HELLO\nC| a\\rb\\r\\n\nS: A\\rB": "CRLF alone",
	} {
		verbs := Verbs{"FAIL": func(string, []string) error { return errors.New("this fails") }}
		got := play(t, script, verbs)
		if want == "unread" && got != "" {
			continue // the text of an error value is not kept by the recorder
		}
		if !strings.Contains(got, want) {
			t.Errorf("%q: got %q, want %q", script, got, want)
		}
	}
}

func TestVerbGetsItsTextAndBlock(t *testing.T) {
	var got []string
	verbs := Verbs{"BOX": func(text string, block []string) error {
		got = append([]string{text}, block...)
		return nil
	}}
	if p := play(t, "S: HELLO\nBOX alice 1\n| one\n|\n| two  x\n", verbs); p != "" {
		t.Fatal(p)
	}
	if s := strings.Join(got, ";"); s != "alice 1;one;;two  x" {
		t.Fatalf("got %q", s)
	}
}

func TestReplyOfManyLines(t *testing.T) {
	const hello = "S: HELLO\nC| 250-a\\r\\n250-size 1\\r\\n250 z\\r\\n\n"
	for check, want := range map[string]string{
		"R: 250":                       "",
		"R: 250 SIZE *; Z; !B; A":      "",
		"R: 250 !SIZE *":               "the pattern !SIZE *",
		"R: 250 B":                     "the pattern B",
		"R: 251":                       "expected a reply 251",
		"R: 250\nC: 250-a\nR: 250":     "the other side waits",
		"R: 250\nC: word\nR: 250 WORD": "got WORD",
	} {
		if got := play(t, hello+check, nil); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q: got %q, want %q", check, got, want)
		}
	}
}

func TestParseRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, text := range []string{"c: x", "S: a\n> late setting", "| lonely", `C| \q`, `C| \`, `C| \xzz`, `C| \x1`, "S~ (", "R: 2", "C* x y", "?"} {
		if _, err := Parse("x", text); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

func TestEscapesAndRepeats(t *testing.T) {
	s, err := Parse("x", "> a 1\n> a  two words \nC| \\r\\n\\0\\\\\\t\\xfF\nC* 3 ab\\n\nC:\nC:  x")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(s.Input()), "\r\n\x00\\\t\xffab\nab\nab\n\r\n x\r\n"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	if s.Setting("a", "") != "two words" || s.Setting("b", "none") != "none" {
		t.Fatalf("settings %v", s.Settings)
	}
}

func TestMatchStars(t *testing.T) {
	for _, c := range []struct {
		pattern, line string
		want          bool
	}{
		{"250 *", "250 ok", true}, {"250 *", "250 ", true}, {"250 *", "250", false}, {"*", "", true},
		{"a*b*c", "a--b--bc", true}, {"a*b", "ab!", false}, {"x", "x", true}, {"x", "xy", false},
	} {
		if Match(c.pattern, c.line) != c.want {
			t.Errorf("Match(%q, %q) is not %v", c.pattern, c.line, c.want)
		}
	}
}

func TestCutEqualSeesADifference(t *testing.T) {
	count := func(pieces [][]byte) string { return strings.Repeat("x", len(pieces)) }
	f := &failure{TB: t}
	func() {
		defer func() { _ = recover() }()
		CutEqual(f, []byte("abc"), []byte{0}, count)
	}()
	if f.text == "" {
		t.Fatal("a session that counts pieces was called cut-equal")
	}
	join := func(pieces [][]byte) string { return string(bytes.Join(pieces, nil)) }
	CutEqual(t, []byte("abcdefgh"), []byte{0, 1, 2}, join)
}

func TestNetReportsTheEnd(t *testing.T) {
	client, server := net.Pipe()
	go server.Close()
	n := NewNet(client, nil, time.Minute)
	if _, err := n.Line(); err != io.EOF {
		t.Fatalf("got %v", err)
	}
	if n.StartTLS() == nil {
		t.Fatal("TLS without a configuration")
	}
}

// parrot is a client for these tests: it says every line of the server again,
// and closes after one that begins with 221.
func parrot() *Memory {
	var line []byte
	return &Memory{Feed: func(p []byte) ([]byte, bool) {
		line = append(line, p...)
		i := bytes.LastIndexByte(line, '\n') + 1
		out := line[:i:i]
		line = line[i:]
		return out, p != nil && !bytes.HasPrefix(out, []byte("221"))
	}, TLS: func() error { return nil }}
}

func TestServePlaysTheServer(t *testing.T) {
	s, err := Parse("x", "S: 220 * hello\nC: 220*lo\nS| half\nS| \\x20line\\r\\n\nC: half line\nS* 2 ab\\r\\n\nC: ab\nC: ab\nTLS\nVERB\nS: 221\nC: 221\nEND")
	if err != nil {
		t.Fatal(err)
	}
	Serve(t, s, parrot(), Verbs{"VERB": func(string, []string) error { return nil }})
}

func TestServeFindsWhatIsWrong(t *testing.T) {
	for script, want := range map[string]string{
		"S: a\nC: b":           "expected b",
		"C: a":                 "the other side waits",
		"S: 221\nC: 221\nC: a": "EOF",
		"S: a\nC: a\nEND":      "the other side waits",
		"S: a\nC| a\\r\\n":     "with C:",
		"S~ a":                 "with S:",
		"EOF\nC: a":            "EOF",
	} {
		s, err := Parse("x", script)
		if err != nil {
			t.Fatal(err)
		}
		f := &failure{TB: t}
		func() {
			defer func() { _ = recover() }()
			Serve(f, s, parrot(), nil)
		}()
		if !strings.Contains(f.text, want) {
			t.Errorf("%q: got %q, want %q", script, f.text, want)
		}
	}
}
