package dialog

import (
	"strings"
	"testing"
)

// Serve plays the server of the script to the client at the other end of conn,
// and closes it. The first step that goes wrong ends the test, with the name
// of the script and its line.
func Serve(t testing.TB, s *Script, conn Conn, verbs Verbs) {
	t.Helper()
	var said []string // what the client said, for the error message
	for i := range s.Steps {
		st := &s.Steps[i]
		if problem := serveStep(st, conn, verbs, &said); problem != "" {
			conn.Close()
			t.Fatalf("%s.dlg:%d: %s\nthe client said before:\n  %s",
				s.Name, st.Line, problem, strings.Join(tail(said, 12), "\n  "))
		}
	}
	if err := conn.Close(); err != nil {
		t.Errorf("%s.dlg: at the end: %v", s.Name, err)
	}
}

func serveStep(st *Step, conn Conn, verbs Verbs, said *[]string) string {
	switch st.Kind {
	case Say:
		return describe("sending", conn.Send(st.Data))
	case Expect:
		return describe("sending", conn.Send([]byte(st.Text+"\r\n")))
	case Send:
		if string(st.Data) != st.Text+"\r\n" {
			return "a client is expected to say lines, with C:"
		}
		return expect(&Step{Kind: Expect, Text: st.Text}, conn, said)
	case ExpectRE, Reply:
		return "a server says what it says, with S:"
	}
	return runStep(st, conn, verbs, said)
}
