package pop3d

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"barid/auth"
	"barid/internal/dialog"
)

// TestDialogues runs the dialogues of the engine through the whole door.
func TestDialogues(t *testing.T) {
	scripts, err := dialog.Load(os.DirFS("proto/testdata"), "*.dlg", "engine/*.dlg")
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
// those about STLS and about passwords in the clear are not, nor are those that
// close half of a connection.
func overTLS(s *dialog.Script) bool {
	for _, st := range s.Steps {
		if st.Kind == dialog.TLS || st.Kind == dialog.HalfEOF || strings.Contains(string(st.Data)+st.Text, "STLS") {
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
	verbs := dialog.Verbs{"MAILBOX": func(text string, _ []string) error {
		if got := strconv.Itoa(len(h.left())); got != text {
			return fmt.Errorf("%s messages are left", got)
		}
		return nil
	}}
	dialog.Run(t, script, dialog.NewNet(raw, h.roots, patienceOfTests), verbs)
}

func apply(t *testing.T, script *dialog.Script, s *settings) {
	t.Helper()
	s.auth.Cleartext = auth.Never
	var err error
	for _, kv := range script.Settings {
		switch kv[0] {
		case "message":
		case "auth.cleartext":
			s.auth.Cleartext, err = auth.ParseCleartext(kv[1])
		case "pop3.expire":
			s.door.ExpireDays, err = strconv.Atoi(kv[1])
		case "pop3.login-delay":
			s.door.LoginDelay, err = time.ParseDuration(kv[1])
		default:
			t.Fatalf("unknown setting %s", kv[0])
		}
		must(t, err)
	}
}

// fillFor deposits the messages of a script, in order.
func (h *house) fillFor(script *dialog.Script) {
	h.t.Helper()
	must(h.t, os.MkdirAll(filepath.Join(h.dir, "alice@example.test", "new"), 0o700))
	must(h.t, os.MkdirAll(filepath.Join(h.dir, "alice@example.test", "cur"), 0o700))
	at := 1700000000
	for _, kv := range script.Settings {
		if kv[0] != "message" {
			continue
		}
		name, count, _ := strings.Cut(kv[1], " ")
		text, err := os.ReadFile(filepath.Join("proto", "testdata", name))
		must(h.t, err)
		times := 1
		if count != "" {
			times, err = strconv.Atoi(count)
			must(h.t, err)
		}
		for range times {
			at++
			h.deposit(fmt.Sprintf("%d.M1P1.example", at), string(text))
		}
	}
}
