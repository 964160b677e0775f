package interop

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// overTLS is the connection after a handshake that is still to come.
func overTLS(c *caller) *caller {
	secured := tls.Client(c.Conn, trusting())
	return &caller{secured, bufio.NewReader(secured)}
}

// clientHello is the first record of a handshake.
func clientHello(t *testing.T) []byte {
	t.Helper()
	var sent tape
	// It fails for want of an answer.
	_ = tls.Client(&sent, trusting()).Handshake()
	if sent.Len() < 100 {
		t.Fatalf("a ClientHello of %d octets", sent.Len())
	}
	return sent.Bytes()
}

// tape keeps what is written to it, and has nothing to read.
type tape struct{ bytes.Buffer }

func (t *tape) Read([]byte) (int, error)         { return 0, io.EOF }
func (t *tape) Close() error                     { return nil }
func (t *tape) LocalAddr() net.Addr              { return nil }
func (t *tape) RemoteAddr() net.Addr             { return nil }
func (t *tape) SetDeadline(time.Time) error      { return nil }
func (t *tape) SetReadDeadline(time.Time) error  { return nil }
func (t *tape) SetWriteDeadline(time.Time) error { return nil }

// TestPlainTextAfterSTARTTLSIsNotExecuted puts a command behind STARTTLS in
// the same packet (CVE-2011-0411), at each door that has it. Either the
// connection ends, or the command is never answered.
func TestPlainTextAfterSTARTTLSIsNotExecuted(t *testing.T) {
	s := besiege(t)
	for _, p := range []struct{ door, words string }{
		{"smtp", "EHLO x.test\r\nSTARTTLS\r\nNOOP injected\r\n"},
		{"submission", "EHLO x.test\r\nSTARTTLS\r\nEHLO injected.test\r\n"},
		{"lmtp", "LHLO x.test\r\nSTARTTLS\r\nNOOP injected\r\n"},
		{"pop3", "STLS\r\nCAPA\r\n"},
		{"pop3", "STLS\r\nUSER " + alice + "\r\n"},
		{"imap", "a STARTTLS\r\nb LOGIN " + alice + " wonderland\r\n"},
	} {
		c := s.attacker(t, p.door)
		if _, err := c.in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, p.words)
		said := c.wantEnd(t)
		lines := strings.Split(strings.TrimSuffix(said, "\r\n"), "\r\n")
		if last := lines[len(lines)-1]; !strings.HasPrefix(last, "220") && !strings.HasPrefix(last, "+OK begin") && !strings.HasPrefix(last, "a OK") {
			t.Errorf("%s: after STARTTLS it said %q", p.door, last)
		}
		c.Close()
	}
	s.relieve(t, 64*mega)
}

// TestWhatWasSaidInTheClearIsForgotten gives a name before STARTTLS and looks
// for it after it.
func TestWhatWasSaidInTheClearIsForgotten(t *testing.T) {
	s := besiege(t)
	c := s.attacker(t, "smtp")
	c.hello(t, "smtp")
	c.want(t, "250", "MAIL FROM:<a@b.test>\r\n")
	c.want(t, "503", "STARTTLS\r\n")
	c.want(t, "250", "RSET\r\n")
	c.want(t, "220", "STARTTLS\r\n")
	c = overTLS(c)
	c.want(t, "503", "MAIL FROM:<a@b.test>\r\n")
	c.want(t, "250", "EHLO again.test\r\n")
	c.want(t, "250", "MAIL FROM:<a@b.test>\r\n")

	p := s.attacker(t, "pop3")
	p.hello(t, "pop3")
	p.want(t, "+OK", "USER "+alice+"\r\n")
	p.want(t, "+OK", "STLS\r\n")
	p = overTLS(p)
	p.want(t, "-ERR", "PASS wonderland\r\n")
	c.Close()
	p.Close()
	s.relieve(t, 64*mega)
}
