package smtpd

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"barid/auth"
	"barid/internal/dialog"
	"barid/smtpd/proto"
)

// TestDialogues runs the dialogues of the engine through the whole door.
func TestDialogues(t *testing.T) {
	scripts, err := dialog.Load(os.DirFS("proto/testdata"), "*.dlg", "engine/*.dlg")
	must(t, err)
	for _, script := range scripts {
		t.Run(script.Name, func(t *testing.T) { runDialogue(t, script, script.Setting("tls", "") == "implicit") })
		if sameUnderTLS(script) {
			t.Run(script.Name+"/tls", func(t *testing.T) { runDialogue(t, script, true) })
		}
	}
}

// sameUnderTLS reports whether a dialogue is the same under TLS from the
// start: those about STARTTLS and about what may be said in the clear are not,
// nor are those that close half of a connection.
func sameUnderTLS(s *dialog.Script) bool {
	for _, st := range s.Steps {
		if st.Kind == dialog.TLS || st.Kind == dialog.HalfEOF || strings.Contains(string(st.Data)+st.Text+strings.Join(st.Block, ""), "STARTTLS") {
			return false
		}
	}
	return s.Setting("tls", "") == "" && (s.Setting("mode", "") != "submission" || s.Setting("auth-cleartext", "") == "yes")
}

func runDialogue(t *testing.T, script *dialog.Script, implicit bool) {
	h := newHouse(t, func(s *settings) { apply(t, script, s) })
	address := h.plain
	if implicit {
		address = h.tls
	}
	raw, err := net.Dial("tcp", address.String())
	must(t, err)
	if implicit {
		raw = tls.Client(raw, h.roots)
	}
	dialog.Run(t, script, dialog.NewNet(raw, h.roots, patienceOfTests), h.verbs())
	h.guests.waitGone()
	h.wantNothingLeft()
}

// verbs are the checks that a script may ask for; see proto/testdata/README.
func (h *house) verbs() dialog.Verbs {
	return dialog.Verbs{
		"MAILBOX": func(text string, _ []string) error {
			user, count, _ := strings.Cut(text, " ")
			if got := strconv.Itoa(len(h.post.boxOf(user + "@example.test"))); got != count {
				return fmt.Errorf("%s has %s messages", user, got)
			}
			return nil
		},
		"MESSAGE": func(user string, block []string) error {
			l, err := h.newest(user)
			if err != nil {
				return err
			}
			if _, text := l.received(); text != strings.Join(block, "\n")+"\n" {
				return fmt.Errorf("the message is\n%q", text)
			}
			return nil
		},
		"RETURN-PATH": func(text string, _ []string) error {
			user, from, _ := strings.Cut(text, " ")
			l, err := h.newest(user)
			if err == nil && "<"+l.from+">" != from {
				err = fmt.Errorf("it is <%s>", l.from)
			}
			return err
		},
	}
}

func (h *house) newest(user string) (letter, error) {
	box := h.post.boxOf(user + "@example.test")
	if len(box) == 0 {
		return letter{}, fmt.Errorf("the mailbox of %s is empty", user)
	}
	return box[len(box)-1], nil
}

// apply makes the settings of a script those of a house.
func apply(t *testing.T, script *dialog.Script, s *settings) {
	t.Helper()
	everybody := func(netip.Addr) bool { return true }
	e := &s.door.Engine
	for _, kv := range script.Settings {
		number, _ := strconv.Atoi(kv[1])
		switch kv[0] {
		case "mode":
			e.Mode = map[string]proto.Mode{"mx": proto.MX, "submission": proto.Submission, "lmtp": proto.LMTP}[kv[1]]
		case "tls":
			e.TLS = map[string]proto.TLSPolicy{"offered": proto.TLSOffered, "implicit": proto.TLSOffered, "required": proto.TLSRequired}[kv[1]]
		case "auth-cleartext":
			s.auth.Cleartext = map[string]auth.Cleartext{"yes": auth.Always}[kv[1]]
		case "trust":
			if kv[1] == "xclient" {
				s.door.XClient = everybody
			} else {
				s.door.XForward = everybody
			}
		case "size-max":
			e.SizeMax = int64(number)
		case "header-max":
			e.HeaderMax = int64(number)
		case "line-max":
			e.BodyLineMax = int64(number)
		case "received-max":
			e.ReceivedMax = number
		case "mail-max":
			e.MailMax = number
		case "rcpt-max":
			e.RcptMax = number
		case "rcpt-domain-max":
			e.RcptDomainMax = number
		case "commands-max":
			e.CommandsMax = number
		case "errors-max":
			e.ErrorsMax = number
		default:
			t.Fatalf("unknown setting %s", kv[0])
		}
	}
}
