package interop

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"barid/internal/dialog"
)

// The dialogues of the engines, played to the binary: in the clear, and once
// more over TLS where they do not speak of TLS themselves. What the settings
// and the checks mean is told in smtpd/proto/testdata/README and docs/pop3.md.

// smtpKeys are the configuration keys behind the settings of SMTP scripts.
var smtpKeys = map[string]string{
	"size-max": "message.size-max", "received-max": "message.received-max", "rcpt-max": "message.recipients-max",
	"commands-max": "smtp.commands-max", "errors-max": "smtp.errors-max",
}

// smtpConfig turns the settings of a script into configuration.
func smtpConfig(t *testing.T, s *dialog.Script) (config []string) {
	config = append(config, "relay.allow=") // the client is a stranger, though it is on this host
	for _, kv := range s.Settings {
		switch key, value := kv[0], kv[1]; {
		case smtpKeys[key] != "":
			config = append(config, smtpKeys[key]+"="+value)
		case key == "trust":
			config = append(config, value+".trusted=127.0.0.0/8")
		case key == "auth-cleartext" && value == "yes":
			config = append(config, "auth.cleartext=always")
		case key == "tls" && value == "none":
			config = append(config, "tls.cert=", "tls.key=", "submissions.listen=", "pop3s.listen=", "imaps.listen=")
		case key == "mode", key == "tls", key == "auth-cleartext":
		default:
			t.Fatalf("%s.dlg: no configuration for the setting %s", s.Name, key)
		}
	}
	if s.Setting("auth-cleartext", "no") == "no" {
		config = append(config, "auth.cleartext=never")
	}
	if s.Setting("errors-max", "") == "" {
		config = append(config, "smtp.errors-max=1000")
	}
	return config
}

// play groups scripts by their configuration, runs a server for each group,
// and plays the scripts of the group to it.
func play(t *testing.T, pattern string, config func(*testing.T, *dialog.Script) []string, one func(*testing.T, *demo, *dialog.Script)) {
	scripts, err := dialog.Load(os.DirFS(filepath.Dir(pattern)), filepath.Base(pattern))
	if err != nil {
		t.Fatal(err)
	}
	groups := map[string][]*dialog.Script{}
	for _, s := range scripts {
		key := strings.Join(config(t, s), "\n")
		groups[key] = append(groups[key], s)
	}
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		failed := t.Failed()
		dir := t.TempDir()
		knownAccounts(t, dir)
		settings := append([]string{"auth.failures-max=0", "auth.delay-max=0"}, strings.FieldsFunc(key, func(r rune) bool { return r == '\n' })...)
		d := runDemo(t, dir, settings...)
		for _, s := range groups[key] {
			one(t, d, s)
		}
		d.stop(t)
		if t.Failed() && !failed {
			t.Logf("settings %q, the server's log:\n%s", settings, d.log)
		}
	}
}

// knownAccounts makes the accounts that the scripts know.
func knownAccounts(t *testing.T, dir string) {
	t.Helper()
	for name, text := range map[string]string{
		"users":     alice + ":{PLAIN}wonderland\n" + bob + ":{PLAIN}builder\n",
		"passwords": alice + " wonderland\n" + bob + " builder\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSMTPDialoguesOnTheBinary(t *testing.T) {
	play(t, "../../smtpd/proto/testdata/*.dlg", smtpConfig, func(t *testing.T, d *demo, s *dialog.Script) {
		door := map[string]string{"mx": "smtp", "submission": "submission", "lmtp": "lmtp"}[s.Setting("mode", "mx")]
		t.Run(s.Name, func(t *testing.T) {
			if s.Setting("tls", "") == "implicit" {
				d.converse(t, s, d.overTLS(t, "submissions"))
				return
			}
			d.converse(t, s, d.dial(t, door))
			if worksOverTLS(s) {
				d.converse(t, s, d.afterSTARTTLS(t, door))
			}
		})
	})
}

// worksOverTLS reports whether a script means the same behind STARTTLS: it
// does not speak of TLS, nor count the commands that led there.
func worksOverTLS(s *dialog.Script) bool {
	for _, key := range []string{"tls", "commands-max"} {
		if s.Setting(key, "") != "" {
			return false
		}
	}
	if s.Setting("mode", "mx") == "submission" && s.Setting("auth-cleartext", "no") == "no" || bytes.Contains(s.Input(), []byte("XCLIENT")) {
		return false
	}
	return !slices.ContainsFunc(s.Steps, func(st dialog.Step) bool {
		return st.Kind == dialog.TLS || st.Kind == dialog.HalfEOF || strings.Contains(st.Text+string(st.Data), "TLS")
	})
}

// converse plays a script and looks into the mailboxes.
func (d *demo) converse(t *testing.T, s *dialog.Script, conn dialog.Conn) {
	t.Helper()
	before := map[string]map[string]string{"alice": d.stored(t, alice), "bob": d.stored(t, bob)}
	// arrived are the messages that came since, newest last.
	arrived := func(user string) []string {
		now := d.stored(t, user+"@example.test")
		var texts []string
		for _, name := range slices.Sorted(maps.Keys(now)) {
			if _, old := before[user][name]; !old {
				texts = append(texts, now[name])
			}
		}
		return texts
	}
	counted := &counting{Conn: conn}
	dialog.Run(t, s, counted, dialog.Verbs{
		"MAILBOX": func(text string, _ []string) error {
			user, count, _ := strings.Cut(text, " ")
			want, err := strconv.Atoi(count)
			if err != nil {
				return err
			}
			return d.await(func() error {
				if got := len(arrived(user)); got != want {
					return fmt.Errorf("%s has %d messages, not %d", user, got, want)
				}
				return nil
			})
		},
		"MESSAGE": func(user string, block []string) error {
			return d.await(func() error {
				texts := arrived(user)
				if want := strings.Join(block, "\n") + "\n"; len(texts) == 0 || !strings.HasSuffix(texts[len(texts)-1], want) {
					return fmt.Errorf("%q is not the end of the newest of %q", want, texts)
				}
				return nil
			})
		},
		"RETURN-PATH": func(text string, _ []string) error {
			user, from, _ := strings.Cut(text, " ")
			return d.await(func() error {
				texts := arrived(user)
				if len(texts) == 0 || !strings.HasPrefix(texts[len(texts)-1], "Return-Path: "+from+"\n") {
					return fmt.Errorf("%s is not the return path of the newest of %q", from, texts)
				}
				return nil
			})
		},
	})
	// What is still on its way must not surprise the next script.
	if err := d.await(func() error {
		if got := len(arrived("alice")) + len(arrived("bob")); got < counted.accepted {
			return fmt.Errorf("%d messages were accepted, %d arrived", counted.accepted, got)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// counting counts the messages that the server accepts.
type counting struct {
	dialog.Conn
	accepted int
	last     string
}

// Line implements dialog.Conn.
func (c *counting) Line() ([]byte, error) {
	text, err := c.Conn.Line()
	// In LMTP a message is accepted by one such line per recipient.
	if said := string(text); strings.Contains(said, "queued as") && said != c.last {
		c.accepted++
		c.last = said
	}
	return text, err
}

// await waits until check finds nothing wrong, and returns what it found last.
func (d *demo) await(check func() error) error {
	pulse := time.NewTicker(5 * time.Millisecond)
	defer pulse.Stop()
	give := time.After(patience)
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-pulse.C:
		case <-give:
			return err
		}
	}
}

// trusting accepts the demonstration's own certificate.
func trusting() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

func (d *demo) dial(t *testing.T, door string) dialog.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", d.addr(t, door))
	if err != nil {
		t.Fatal(err)
	}
	return dialog.NewNet(conn, trusting(), patience)
}

func (d *demo) overTLS(t *testing.T, door string) dialog.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", d.addr(t, door), trusting())
	if err != nil {
		t.Fatal(err)
	}
	return dialog.NewNet(conn, nil, patience)
}

// afterSTARTTLS is a connection that has changed to TLS. Its first line is the
// greeting that it began with, so that a script finds what it expects.
func (d *demo) afterSTARTTLS(t *testing.T, door string) dialog.Conn {
	t.Helper()
	conn := d.dial(t, door)
	hello := "EHLO"
	if door == "lmtp" {
		hello = "LHLO"
	}
	greeting := line(t, conn)
	if err := errors.Join(conn.Send([]byte(hello+" client.example\r\n")), untilLast(conn), conn.Send([]byte("STARTTLS\r\n")), untilLast(conn), conn.StartTLS()); err != nil {
		t.Fatal(err)
	}
	return &greeted{conn, greeting}
}

func line(t *testing.T, conn dialog.Conn) []byte {
	t.Helper()
	text, err := conn.Line()
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(text)
}

// untilLast reads a reply to its last line.
func untilLast(conn dialog.Conn) error {
	for {
		text, err := conn.Line()
		if err != nil || len(text) < 4 || text[3] != '-' {
			return err
		}
	}
}

// greeted says a line before those that come.
type greeted struct {
	dialog.Conn
	first []byte
}

// Line implements dialog.Conn.
func (g *greeted) Line() ([]byte, error) {
	if text := g.first; text != nil {
		g.first = nil
		return text, nil
	}
	return g.Conn.Line()
}

func pop3Config(_ *testing.T, s *dialog.Script) (config []string) {
	clear := "auth.cleartext=never"
	for _, kv := range s.Settings {
		switch kv[0] {
		case "message":
		case "pop3.expire":
			config = append(config, kv[0]+"="+kv[1]+"d")
		case "auth.cleartext":
			clear = kv[0] + "=" + kv[1]
		default:
			config = append(config, kv[0]+"="+kv[1])
		}
	}
	return append(config, clear, "hostname=mail.example.test")
}

func TestPOP3DialoguesOnTheBinary(t *testing.T) {
	const data = "../../pop3d/proto/testdata"
	play(t, data+"/*.dlg", pop3Config, func(t *testing.T, d *demo, s *dialog.Script) {
		t.Run(s.Name, func(t *testing.T) {
			d.fill(t, data, s)
			d.converseOverPOP3(t, s, d.dial(t, "pop3"))
			if s.Setting("pop3.login-delay", "") == "" && s.Setting("auth.cleartext", "") == "always" && !speaksOfSTLS(s) {
				d.fill(t, data, s)
				d.converseOverPOP3(t, s, d.overTLS(t, "pop3s"))
			}
		})
	})
}

func speaksOfSTLS(s *dialog.Script) bool {
	return slices.ContainsFunc(s.Steps, func(st dialog.Step) bool {
		return st.Kind == dialog.TLS || st.Kind == dialog.HalfEOF || strings.Contains(st.Text+string(st.Data), "STLS")
	})
}

func (d *demo) converseOverPOP3(t *testing.T, s *dialog.Script, conn dialog.Conn) {
	t.Helper()
	dialog.Run(t, s, conn, dialog.Verbs{"MAILBOX": func(count string, _ []string) error {
		return d.await(func() error {
			if got := strconv.Itoa(d.count(alice)); got != count {
				return fmt.Errorf("%s messages are left, not %s", got, count)
			}
			return nil
		})
	}})
}

// fill puts the messages of a script into alice's mailbox, and nothing else,
// as another program would have delivered them.
func (d *demo) fill(t *testing.T, data string, s *dialog.Script) {
	t.Helper()
	box := filepath.Join(d.dir, "mail/example.test/alice")
	for _, sub := range []string{"new", "cur", "tmp"} {
		if err := errors.Join(os.RemoveAll(filepath.Join(box, sub)), os.MkdirAll(filepath.Join(box, sub), 0o700)); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for _, kv := range s.Settings {
		if kv[0] != "message" {
			continue
		}
		name, count, _ := strings.Cut(kv[1], " ")
		text, err := os.ReadFile(filepath.Join(data, name))
		if err != nil {
			t.Fatal(err)
		}
		copies := 1
		if count != "" {
			if copies, err = strconv.Atoi(count); err != nil {
				t.Fatal(err)
			}
		}
		for range copies {
			n++
			if err := os.WriteFile(filepath.Join(box, "new", fmt.Sprintf("%d.M%d.test", 1700000000+n, n)), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
