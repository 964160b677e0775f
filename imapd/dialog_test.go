package imapd

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"

	"barid/auth"
	"barid/internal/dialog"
)

// TestDialogues runs the dialogues of the engine, and those that are the door's
// own, through the whole door.
func TestDialogues(t *testing.T) {
	scripts, err := dialog.Load(os.DirFS("."), "testdata/*.dlg", "proto/testdata/*.dlg")
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range scripts {
		t.Run(script.Name, func(t *testing.T) { runDialogue(t, script, false) })
		if overTLS(script) {
			t.Run(script.Name+"/tls", func(t *testing.T) { runDialogue(t, script, true) })
		}
	}
}

// overTLS reports whether a dialogue is the same under TLS from the start:
// those about STARTTLS and about passwords in the clear are not, nor are those
// that close half of a connection.
func overTLS(s *dialog.Script) bool {
	if s.Setting("auth.cleartext", "") != "always" {
		return false
	}
	for _, st := range s.Steps {
		if st.Kind == dialog.TLS || st.Kind == dialog.HalfEOF || strings.Contains(string(st.Data)+st.Text, "STARTTLS") {
			return false
		}
	}
	return true
}

func runDialogue(t *testing.T, script *dialog.Script, implicit bool) {
	h := newHouse(t, func(s *settings) { apply(t, script, s) })
	h.fillFor(script)
	address := h.plain
	if implicit {
		address = h.tls
	}
	raw, err := net.Dial("tcp", address.String())
	must(t, err)
	if implicit {
		raw = tls.Client(raw, h.roots)
	}
	var conn dialog.Conn = dialog.NewNet(raw, h.roots, patienceOfTests)
	if script.Setting("recent", "hidden") == "hidden" {
		conn = quiet{conn}
	}
	dialog.Run(t, script, conn, nil)
}

// quiet leaves out what this door says beyond the engine's dialogues, which are
// about no store.
type quiet struct{ dialog.Conn }

var (
	beyond = regexp.MustCompile(`^\* (\d+ RECENT|OK \[(CLOSED|MAILBOXID|UNSEEN).*|OK \[HIGHESTMODSEQ .*\] the last change)$`)
	recent = regexp.MustCompile(` \\Recent|\\Recent ?`)
)

func (q quiet) Line() ([]byte, error) {
	for {
		line, err := q.Conn.Line()
		if err != nil || !beyond.Match(line) {
			return recent.ReplaceAll(line, nil), err
		}
	}
}

func apply(t *testing.T, script *dialog.Script, s *settings) {
	t.Helper()
	s.auth.Cleartext = auth.Never
	var err error
	for _, kv := range script.Settings {
		switch kv[0] {
		case "message", "recent":
		case "auth.cleartext":
			s.auth.Cleartext, err = auth.ParseCleartext(kv[1])
		case "imap.separator":
			s.door.Separator = kv[1][0]
		default:
			t.Fatalf("unknown setting %s", kv[0])
		}
		must(t, err)
	}
}

// fillFor deposits the messages of a script, in order.
func (h *house) fillFor(script *dialog.Script) {
	h.t.Helper()
	at := 1700000000
	for _, kv := range script.Settings {
		if kv[0] == "message" {
			at++
			h.deposit(fmt.Sprintf("%d.M1P1.example", at), strings.ReplaceAll(kv[1], `\n`, "\n"))
		}
	}
}
