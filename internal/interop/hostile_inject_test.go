package interop

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// TestNothingAClientSaysBecomesAHeader puts what it can into names and
// addresses and looks at the message and at the log: there is no line, in
// either, that a client has made.
func TestNothingAClientSaysBecomesAHeader(t *testing.T) {
	s := besiege(t, "log.level=debug")
	tricks := []string{
		"x\tInjected: yes", "x\\nInjected: yes", "x%0aInjected: yes", "x\rInjected: yes", "x\nInjected: yes", "x\x00Injected: yes",
		"x\x0bInjected: yes", "x\x0cInjected: yes", "x\x1b[2JInjected: yes", "x\x7fInjected: yes", "x\u0085Injected: yes", "x\u2028Injected: yes", "x\u202eInjected: yes",
		"x)Injected: yes", "x(Injected: yes", "[x]Injected: yes", "[x\\]Injected: yes]", "x\";Injected: yes",
		"=?utf-8?q?=0AInjected:_yes?=", "x level=ERROR msg=\"Injected: yes\"", "x\" level=ERROR msg=Injected", "\xff\xfeInjected: yes",
	}
	for _, trick := range tricks {
		for _, words := range []string{
			"EHLO " + trick, "EHLO " + strings.ReplaceAll(trick, " ", ""), "HELO " + strings.ReplaceAll(trick, " ", ""),
			"MAIL FROM:<\"" + strings.ReplaceAll(trick, "\"", "\\\"") + "\"@b.test> SMTPUTF8", "MAIL FROM:<" + trick + "@b.test>",
			"MAIL FROM:<a@b.test> ENVID=" + strings.ReplaceAll(trick, " ", ""), "MAIL FROM:<a@b.test> AUTH=" + trick,
			"RCPT TO:<\"alice+" + strings.ReplaceAll(trick, "\"", "\\\"") + "\"@example.test>", "RCPT TO:<alice+" + trick + "@example.test>",
		} {
			injectAt(t, s, words)
		}
	}
	s.relieve(t, 64*mega)
	for name, text := range s.stored(t, alice) {
		header, _, _ := strings.Cut(text, "\n\n")
		for line := range strings.SplitSeq(header, "\n") {
			if strings.HasPrefix(line, "Injected") || strings.ContainsAny(line, "\r\x00\x0b\x0c\x1b\x7f") {
				t.Errorf("%s: %q", name, header)
			}
		}
	}
	s.stop(t)
	for line := range strings.Lines(s.log.String()) {
		if strings.HasPrefix(line, "Injected") || strings.ContainsAny(line, "\r\x00\x0b\x0c\x1b\x7f\u0085\u2028\u202e") || strings.Contains(line, " level=ERROR") && strings.HasPrefix(line, "time=") && !strings.Contains(line, "level=DEBUG") && !strings.Contains(line, "level=INFO") {
			t.Errorf("in the log: %q", line)
		}
	}
	t.Logf("%d of the tricks ended in a message", s.count(alice))
}

// injectAt says one hostile command, and has a message delivered when it is
// taken.
func injectAt(t *testing.T, s *besieged, words string) {
	t.Helper()
	c := s.attacker(t, "smtp")
	defer c.Close()
	c.hello(t, "smtp")
	verb := words[:4]
	if verb == "RCPT" {
		c.want(t, "250", "MAIL FROM:<a@b.test> SMTPUTF8\r\n")
	}
	io.WriteString(c, words+"\r\n")
	if said, err := c.reply(); err != nil || said[0] != '2' {
		return
	}
	switch verb {
	case "EHLO", "HELO":
		c.want(t, "250", "MAIL FROM:<a@b.test>\r\n")
		fallthrough
	case "MAIL":
		c.want(t, "250", "RCPT TO:<"+alice+">\r\n")
	}
	c.want(t, "354", "DATA\r\n")
	c.want(t, "250", fmt.Sprintf("Subject: %x\r\n\r\n.\r\n", words))
}

// TestGarbageInsteadOfAPROXYHeaderClosesTheConnection talks to doors that
// demand the header, from an address of which it is demanded.
func TestGarbageInsteadOfAPROXYHeaderClosesTheConnection(t *testing.T) {
	s := besiege(t, "proxy.trusted=127.0.0.66/32")
	v2 := "\r\n\r\n\x00\r\nQUIT\n"
	for _, words := range []string{
		"EHLO x.test\r\n", "PROXY\r\n", "PROXY TCP4 1.2.3.4\r\n", "PROXY TCP4 999.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 99999 2\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY " + strings.Repeat("A", 1000), strings.Repeat("\x00", 1000),
		v2 + "\x31\x11\x00\x0c" + strings.Repeat("\x00", 12), v2 + "\x21\x11\x00\x01\x00", v2 + "\x2f\x11\x00\x0c" + strings.Repeat("\x00", 12),
		v2 + "\x21\x11\xff\xff" + strings.Repeat("\xee", 65535), "\x16\x03\x01\x02\x00\x01\x00",
	} {
		for _, door := range []string{"smtp", "pop3", "submissions", "lmtp"} {
			c := s.attacker(t, door)
			io.WriteString(c, words)
			c.Conn.(interface{ CloseWrite() error }).CloseWrite()
			said := c.wantEnd(t)
			// The last but one is legal: a header of which most is not ours to know.
			if said != "" && !strings.HasPrefix(words, v2+"\x21\x11\xff") {
				t.Errorf("%s: %.60q was answered: %q", door, words, said)
			}
			c.Close()
		}
	}
	// The header is believed from that address, with its limits for each client.
	for i := range 100 {
		c := s.attacker(t, "smtp")
		fmt.Fprintf(c, "PROXY TCP4 192.0.2.%d 127.0.0.1 4000 25\r\n", i)
		c.want(t, "220", "")
		c.want(t, "250", "EHLO x.test\r\n")
		c.Close()
	}
	s.relieve(t, 64*mega)
}
