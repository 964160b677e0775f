package interop

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// hello is how a client begins at a door, and what it hears.
func (c *caller) hello(t *testing.T, door string) {
	t.Helper()
	switch door {
	case "pop3":
		c.want(t, "+OK", "")
	case "lmtp":
		c.want(t, "220", "")
		c.want(t, "250", "LHLO attacker.test\r\n")
	default:
		c.want(t, "220", "")
		c.want(t, "250", "EHLO attacker.test\r\n")
	}
}

// TestLinesWithoutEndCostNoMemory holds thousands of connections open, each
// amid a line of which the end does not come.
func TestLinesWithoutEndCostNoMemory(t *testing.T) {
	s := besiege(t)
	const each, octets = 2000, 96 << 10
	junk := strings.Repeat("A", octets)
	doors := []string{"smtp", "pop3", "lmtp"}
	callers := make([]*caller, each*len(doors))
	atOnce(len(callers), 50, func(i int) {
		c := s.attacker(t, doors[i%len(doors)])
		c.hello(t, doors[i%len(doors)])
		// POP3 closes amid a line that long.
		if _, err := io.WriteString(c, junk); err != nil && doors[i%len(doors)] != "pop3" {
			t.Errorf("%s: %v", doors[i%len(doors)], err)
		}
		callers[i] = c
	})
	atOnce(len(callers), 50, func(i int) {
		c := callers[i]
		defer c.Close()
		if doors[i%len(doors)] == "pop3" {
			if said := c.wantEnd(t); !strings.HasPrefix(said, "-ERR") && said != "" {
				t.Errorf("POP3 said %q", said)
			}
			return
		}
		c.want(t, "500", "\r\n")
		c.want(t, "250", "NOOP\r\n")
	})
	s.relieve(t, 96*mega)
}

// TestNonsenseGetsTheRightReply sends each piece of nonsense to a new
// connection, which has to go on afterwards, unless it must be closed.
func TestNonsenseGetsTheRightReply(t *testing.T) {
	s := besiege(t)
	open := "MAIL FROM:<a@b.test>\r\nRCPT TO:<" + alice + ">\r\n"
	for _, n := range []struct{ name, door, before, words, code string }{
		{"NUL in a command", "smtp", "", "NO\x00OP\r\n", "5"},
		{"NULs only", "smtp", "", strings.Repeat("\x00", 1000) + "\r\n", "5"},
		{"8-bit verb", "smtp", "", "N\xd6\xd6P\r\n", "500"},
		{"8-bit address", "smtp", "", "MAIL FROM:<\xff\xfe@b.test>\r\n", "5"},
		{"bare LF", "smtp", "", "NOOP\nNOOP\r\n", ""},
		{"unknown verb", "smtp", "", "FROBNICATE all\r\n", "500"},
		{"empty line", "smtp", "", "\r\n", "500"},
		{"RCPT before MAIL", "smtp", "", "RCPT TO:<" + alice + ">\r\n", "503"},
		{"DATA before RCPT", "smtp", "MAIL FROM:<a@b.test>\r\n", "DATA\r\n", "554"},
		{"MAIL in MAIL", "smtp", "MAIL FROM:<a@b.test>\r\n", "MAIL FROM:<a@b.test>\r\n", "503"},
		{"MAIL before EHLO of its own", "lmtp", "", "EHLO x.test\r\n", "500"},
		{"absurd SIZE", "smtp", "", "MAIL FROM:<a@b.test> SIZE=99999999999999999999999999\r\n", "5"},
		{"large SIZE", "smtp", "", "MAIL FROM:<a@b.test> SIZE=9223372036854775807\r\n", "552"},
		{"negative SIZE", "smtp", "", "MAIL FROM:<a@b.test> SIZE=-1\r\n", "501"},
		{"two SIZEs", "smtp", "", "MAIL FROM:<a@b.test> SIZE=1 SIZE=2\r\n", "5"},
		{"absurd BDAT", "smtp", open, "BDAT 99999999999999999999999999\r\n", ""},
		{"negative BDAT", "smtp", open, "BDAT -1 LAST\r\n", ""},
		{"BDAT of letters", "smtp", open, "BDAT LAST\r\n", ""},
		{"binary DATA", "smtp", "MAIL FROM:<a@b.test> BODY=BINARYMIME\r\nRCPT TO:<" + alice + ">\r\n", "DATA\r\n", "503"},
		{"broken base64", "submission", "", "AUTH PLAIN !!!!\r\n", "501"},
		{"broken base64 in a response", "submission", "", "AUTH LOGIN\r\n=\x01=\r\n", "334"},
		{"base64 of nothing", "submission", "", "AUTH PLAIN =\r\n", "5"},
		{"endless response", "submission", "", "AUTH PLAIN " + strings.Repeat("A", 20000) + "\r\n", "500"},
		{"unknown mechanism", "submission", "", "AUTH GSSAPI\r\n", "504"},
		{"NUL in POP3", "pop3", "", "NO\x00OP\r\n", "-ERR"},
		{"8-bit in POP3", "pop3", "", "\xff\xfe\xfd\r\n", "-ERR"},
		{"unknown verb in POP3", "pop3", "", "FROBNICATE\r\n", "-ERR"},
		{"RETR before the login", "pop3", "", "RETR 1\r\n", "-ERR"},
		{"PASS before USER", "pop3", "", "PASS x\r\n", "-ERR"},
		{"broken base64 in POP3", "pop3", "", "AUTH PLAIN !!!!\r\n", "-ERR"},
		{"HTTP", "smtp", "", "GET / HTTP/1.1\r\n", ""},
	} {
		t.Run(n.name, func(t *testing.T) {
			c := s.attacker(t, n.door)
			defer c.Close()
			c.hello(t, n.door)
			for words := range strings.SplitAfterSeq(n.before, "\r\n") {
				if words != "" {
					c.want(t, "250", words)
				}
			}
			fmt.Fprint(c, n.words)
			if got, err := c.reply(); n.code != "" && (err != nil || !strings.HasPrefix(got, n.code)) {
				t.Errorf("want %s, got %q, %v", n.code, got, err)
			} else {
				t.Logf("%q", got)
			}
		})
	}
	s.relieve(t, 64*mega)
}

// TestEndlessHeaderIsRefused sends messages that are header and nothing else,
// many at once.
func TestEndlessHeaderIsRefused(t *testing.T) {
	s := besiege(t)
	line := "X-Endless: " + strings.Repeat("h", 900) + "\r\n"
	header := strings.Repeat(line, 3*mega/len(line))
	atOnce(20, 10, func(int) {
		c := s.attacker(t, "smtp")
		defer c.Close()
		c.hello(t, "smtp")
		c.want(t, "250", "MAIL FROM:<a@b.test>\r\n")
		c.want(t, "250", "RCPT TO:<"+alice+">\r\n")
		c.want(t, "354", "DATA\r\n")
		c.want(t, "55", header+".\r\n")
		c.want(t, "250", "NOOP\r\n")
	})
	s.relieve(t, 96*mega)
	if n := s.count(alice); n != 0 {
		t.Errorf("%d messages came", n)
	}
}
