package smtpd

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"barid/auth"
	"barid/internal/dialog"
	"barid/smtpd/proto"
	"barid/spool"
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

// TestRoutingDialogues runs those about where mail goes, and who may send it there.
func TestRoutingDialogues(t *testing.T) {
	scripts, err := dialog.Load(os.DirFS("testdata"), "*.dlg")
	must(t, err)
	for _, script := range scripts {
		t.Run(script.Name, func(t *testing.T) { runDialogue(t, script, false) })
	}
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
		"ENVELOPE": func(_ string, block []string) error {
			letters := h.post.all()
			if len(letters) == 0 {
				return errors.New("nothing was accepted")
			}
			got := letters[len(letters)-1].envelope()
			if strings.Join(got, "\n") != strings.Join(block, "\n") {
				return fmt.Errorf("the recipients are\n%s", strings.Join(got, "\n"))
			}
			return nil
		},
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
	maps := map[string]*string{"alias": &s.route.AliasFile, "virtual": &s.route.VirtualFile, "transport": &s.route.TransportFile, "recipient": &s.route.RelayRecipientFile}
	everybody := func(netip.Addr) bool { return true }
	e := &s.door.Engine
	for _, kv := range script.Settings {
		number, _ := strconv.Atoi(kv[1])
		if name := maps[kv[0]]; name != nil {
			addLine(t, name, kv[1])
			continue
		}
		switch kv[0] {
		case "relay":
			allow(t, &s.door, kv[1])
		case "relay-domain":
			s.route.RelayDomains = append(s.route.RelayDomains, kv[1])
		case "smarthost":
			s.route.Smarthost = kv[1]
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

// addLine adds a line to a map, which it makes when there is none.
func addLine(t *testing.T, name *string, line string) {
	t.Helper()
	text := ""
	if *name == "" {
		*name = filepath.Join(t.TempDir(), "map")
	} else {
		before, err := os.ReadFile(*name)
		must(t, err)
		text = string(before)
	}
	writeFile(t, *name, text+line+"\n")
}

// allow lets the clients of a network, or one client, relay.
func allow(t *testing.T, door *Options, network string) {
	t.Helper()
	if !strings.Contains(network, "/") {
		ip, err := netip.ParseAddr(network)
		must(t, err)
		network = netip.PrefixFrom(ip, ip.BitLen()).String()
	}
	p, err := netip.ParsePrefix(network)
	must(t, err)
	before := door.Relay
	door.Relay = func(a netip.Addr) bool { return p.Contains(a) || before != nil && before(a) }
}

// envelope is the recipients of a letter as ENVELOPE shows them.
func (l letter) envelope() (lines []string) {
	for _, to := range l.to {
		line := to.dest + " " + to.address
		if to.original != "" {
			line += " original=" + to.original
		}
		if to.orcpt != "" {
			line += " orcpt=" + to.orcpt
		}
		if to.notify != 0 {
			line += " notify=" + occasions(to.notify)
		}
		lines = append(lines, line)
	}
	return lines
}

func occasions(n spool.Notify) string {
	var all []string
	for _, o := range []struct {
		is   spool.Notify
		name string
	}{{spool.NotifyNever, "NEVER"}, {spool.NotifySuccess, "SUCCESS"}, {spool.NotifyFailure, "FAILURE"}, {spool.NotifyDelay, "DELAY"}} {
		if n&o.is != 0 {
			all = append(all, o.name)
		}
	}
	return strings.Join(all, ",")
}
