package interop

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
)

// body is a message of about n octets, with CRLF.
func body(n int) string {
	const line = "A line of seventy octets or so, which is what most lines of mail look like\r\n"
	return "Subject: hostile\r\n\r\n" + strings.Repeat(line, n/len(line)+1)
}

// conversations are all but the greeting and EHLO of what would end with a
// message in alice's mailbox.
func conversations() []string {
	const envelope = "MAIL FROM:<attacker@elsewhere.test>\r\nRCPT TO:<" + alice + ">\r\n"
	small, large := body(2000), body(300_000) // the spool keeps the large one in a file of its own
	chunked := func(text string) string {
		half := len(text) / 2
		return fmt.Sprintf("%sBDAT %d\r\n%sBDAT %d LAST\r\n%s", envelope, half, text[:half], len(text)-half, text[half:])
	}
	return []string{
		envelope + "DATA\r\n" + small + ".\r\n",
		envelope + "DATA\r\n" + large + ".\r\n",
		chunked(small),
		chunked(large),
	}
}

// TestAbortedMessagesLeaveNothing breaks off at random octets of DATA and
// BDAT, in turn by closing, with a reset, and by closing one direction only.
func TestAbortedMessagesLeaveNothing(t *testing.T) {
	s := besiege(t)
	all := conversations()
	atOnce(400, 20, func(i int) {
		text := all[i%len(all)]
		c := s.attacker(t, "smtp")
		defer c.Close()
		c.hello(t, "smtp")
		// The last octets complete the message.
		if _, err := io.WriteString(c, text[:rand.IntN(len(text)-3)]); err != nil {
			t.Errorf("sending: %v", err)
		}
		switch i / len(all) % 3 {
		case 0:
			c.reset()
		case 1:
			if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Error(err)
			}
			c.wantEnd(t)
		}
	})
	s.relieve(t, 96*mega)
	if n := s.count(alice); n != 0 {
		t.Errorf("%d messages that were broken off came", n)
	}
}

// TestHalfClosedClientsAreServedAndClosed shuts down the client's direction in
// every phase: what was complete is answered, and then the server closes.
func TestHalfClosedClientsAreServedAndClosed(t *testing.T) {
	s := besiege(t)
	envelope := "EHLO x.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<" + alice + ">\r\n"
	for _, p := range []struct{ name, door, words, lastly string }{
		{"greeting", "smtp", "", "220"},
		{"amid a line", "smtp", "EHLO x.te", "220"},
		{"commands", "smtp", "EHLO x.test\r\nNOOP\r\n", "250"},
		{"transaction", "smtp", envelope, "250"},
		{"body", "smtp", envelope + "DATA\r\nSubject: x\r\n", "354"},
		{"message", "smtp", envelope + "DATA\r\nSubject: x\r\n\r\nhalf closed\r\n.\r\n", "250 2.0.0 Ok: queued"},
		{"chunk", "smtp", envelope + "BDAT 100\r\nSubject", "250"},
		{"STARTTLS", "smtp", "EHLO x.test\r\nSTARTTLS\r\n", "220"},
		{"STARTTLS and garbage", "smtp", "EHLO x.test\r\nSTARTTLS\r\ngarbage", "220"},
		{"AUTH", "submission", "EHLO x.test\r\nAUTH LOGIN\r\n", "334"},
		{"POP3 greeting", "pop3", "", "+OK"},
		{"POP3 commands", "pop3", "CAPA\r\n", "."},
		{"POP3 login", "pop3", "USER " + alice + "\r\nPASS wonderland\r\nSTAT\r\n", "+OK"},
		{"POP3 exchange", "pop3", "AUTH PLAIN\r\n", "+"},
		{"IMAP greeting", "imap", "", "* OK"},
		{"IMAP commands", "imap", "a CAPABILITY\r\n", "a OK"},
		{"IMAP login", "imap", "a LOGIN " + alice + " wonderland\r\nb SELECT INBOX\r\n", "b OK"},
		{"IMAP IDLE", "imap", "a LOGIN " + alice + " wonderland\r\nb SELECT INBOX\r\nc IDLE\r\n", "+"},
		{"IMAP message", "imap", "a LOGIN " + alice + " wonderland\r\nb APPEND INBOX {100}\r\nSubject", "+"},
		{"IMAP exchange", "imap", "a AUTHENTICATE PLAIN\r\n", "+"},
		{"LMTP message", "lmtp", strings.Replace(envelope, "EHLO", "LHLO", 1) + "DATA\r\nSubject: x\r\n\r\nhalf closed\r\n.\r\n", "250"},
		{"TLS before the handshake", "submissions", "", ""},
		{"TLS amid the handshake", "pop3s", "\x16\x03\x01\x02\x00\x01\x00", ""},
	} {
		t.Run(p.name, func(t *testing.T) {
			c := s.attacker(t, p.door)
			defer c.Close()
			greeting := ""
			if p.door != "submissions" && p.door != "pop3s" {
				greeting, _ = c.in.ReadString('\n') // who talks before it is refused
			}
			io.WriteString(c, p.words)
			if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			said := greeting + c.wantEnd(t)
			lines := strings.Split(strings.TrimSuffix(said, "\r\n"), "\r\n")
			if last := lines[len(lines)-1]; !strings.HasPrefix(last, p.lastly) {
				t.Errorf("the last line is %q, not %s; all: %q", last, p.lastly, said)
			}
		})
	}
	s.relieve(t, 64*mega)
}

// TestResetStormLeavesNothing connects and resets as fast as it can, in every
// phase.
func TestResetStormLeavesNothing(t *testing.T) {
	s := besiege(t)
	scenes := []struct{ door, words string }{
		{"smtp", ""},
		{"smtp", "EHLO x.test\r\n"},
		{"smtp", "EHLO x.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<" + alice + ">\r\nDATA\r\nSubject: x\r\n"},
		{"smtp", "EHLO x.test\r\nSTARTTLS\r\n\x16\x03\x01"},
		{"lmtp", "LHLO x.test\r\n"},
		{"pop3", "CAPA\r\n"},
		{"pop3", "USER " + alice + "\r\nPASS wonderland\r\n"},
		{"pop3s", "\x16\x03\x01\x02\x00\x01\x00"},
		{"imap", "a LOGIN " + alice + " wonderland\r\nb SELECT INBOX\r\nc IDLE\r\n"},
		{"imap", "a LOGIN " + alice + " wonderland\r\nb APPEND INBOX {100+}\r\nSubject"},
		{"submissions", ""},
	}
	atOnce(4000, 20, func(i int) {
		p := scenes[i%len(scenes)]
		c := s.attacker(t, p.door)
		io.WriteString(c, p.words) // whether it arrives or not
		c.reset()
	})
	s.relieve(t, 64*mega)
	if n := s.count(alice); n != 0 {
		t.Errorf("%d messages that were broken off came", n)
	}
}
