package smtpd

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"unsafe"

	"barid/smtpd/proto"
)

// whole is all that a client sends that knows its server, after EHLO: a message
// in DATA, one in chunks, both large enough to get a file of their own.
func whole() string {
	text := onTheWire(long)
	return "MAIL FROM:<sender@client.example> RET=FULL\r\nRCPT TO:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n" + text + ".\r\n" +
		"MAIL FROM:<> BODY=8BITMIME\r\nRCPT TO:<alice@example.test>\r\n" +
		"BDAT " + itoa(len(text)) + "\r\n" + text + "BDAT 3\r\nabcBDAT 2 LAST\r\n\r\n" +
		"QUIT\r\n"
}

func TestConnectionLostAnywhereLeavesNothingBehind(t *testing.T) {
	h := newHouse(t, nil)
	all := "EHLO client.example\r\n" + whole()
	var cuts []int
	for at := 0; at <= len(all); at++ {
		if inText := at > 200 && strings.Contains(all[at-100:min(at+100, len(all))], "A line of forty octets"); !inText || at%9973 == 0 {
			cuts = append(cuts, at)
		}
	}
	for i, at := range cuts {
		c := h.dial()
		c.sendRaw(all[:at])
		if i%2 == 0 {
			must(t, c.raw.(*net.TCPConn).SetLinger(0)) // a reset, perhaps before all was read
		}
		c.raw.Close()
	}
	if n := h.guests.waitGone(); n != len(cuts) {
		t.Errorf("%d sessions of %d", n, len(cuts))
	}
	h.wantNothingLeft()
	for _, l := range h.post.all() {
		if _, text := l.received(); text != long && text != long+"abc\n" {
			t.Errorf("a message of %d octets came through", len(text))
		}
	}
}

func TestPipelinedSessionThatIsHalfClosedIsAnswered(t *testing.T) {
	h := newHouse(t, nil)
	c := h.greet()
	c.sendRaw(whole())
	must(t, c.conn.CloseWrite())
	c.want("250 2.1.0 *", "250 2.1.5 *", "250 2.1.5 *", "354 *", "250 2.0.0 Ok: queued*", "250 2.1.0 *", "250 2.1.5 *",
		"250 2.0.0 *", "250 2.0.0 *", "250 2.0.0 Ok: queued*", "221 *")
	c.wantEnd()
	h.guests.waitGone()
	h.wantNothingLeft()
	if n := len(h.post.all()); n != 2 {
		t.Errorf("%d letters", n)
	}
}

func TestMessageThatIsGivenUpLeavesNothing(t *testing.T) {
	h := newHouse(t, nil)
	text := onTheWire(long)
	for _, end := range []struct{ send, want string }{
		{"RSET\r\n", "250 *"},
		{"RSET\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n", "250 2.0.0 *"}, // with the next on its heels
		{"EHLO again.example\r\n", "250-*"},
		{"QUIT\r\n", "221 *"},
		{"NOOP\nNOOP\r\n", "521 *"},
		{"BDAT x\r\n", "521 *"},
		{"BDAT 5\r\nworse", "250 *"},
		{"BDAT 5\r\nwo", ""},
		{"BDAT 5 LAST\r\n", ""},
		{"BDAT 5 LAST\r\nwo\ns\n", "521 *"},
		{"MAIL FROM:<>\r\n", "503 *"},
		{"", ""},
	} {
		c := h.greet()
		c.envelope("sender@client.example", "alice@example.test")
		c.sendRaw("BDAT " + itoa(len(text)) + "\r\n" + text)
		c.want("250 2.0.0 *")
		c.sendRaw(end.send)
		if end.want != "" {
			c.want(end.want)
		}
		c.raw.Close()
	}
	h.guests.waitGone()
	h.wantNothingLeft()
	if n := h.spool.Stats().Accepted; n != 0 {
		t.Errorf("%d accepted", n)
	}
}

func TestMessageOverTheSizeIsRefusedAndTakesNoRoom(t *testing.T) {
	const sizeMax = 60_000
	h := newHouse(t, func(s *settings) { s.door.Engine.SizeMax = sizeMax })
	c := h.greet()
	if offer := c.offer("SIZE"); offer != "SIZE 60000" {
		t.Errorf("%q", offer)
	}
	fits := strings.Repeat(strings.Repeat("x", 98)+"\n", sizeMax/100)
	over := fits + strings.Repeat("and more\n", 100_000)
	c.say("MAIL FROM:<> SIZE=60001", "552 5.3.4 *")
	c.say("MAIL FROM:<> SIZE=99999999999999999999999999", "501 5.5.4 *")
	for _, declared := range []string{"", " SIZE=100"} {
		c.say("MAIL FROM:<>"+declared, "250 *")
		c.say("RCPT TO:<alice@example.test>", "250 *")
		c.data(over, "552 5.3.4 *")
		c.say("MAIL FROM:<>"+declared, "250 *") // the transaction is over
		c.say("RCPT TO:<alice@example.test>", "250 *")
		chunk := onTheWire(over)[:40_000]
		c.sendRaw("BDAT 40000\r\n" + chunk)
		c.want("250 *")
		c.sendRaw("BDAT 40000 LAST\r\n" + chunk)
		c.want("552 5.3.4 *")
		c.say("MAIL FROM:<>"+declared, "250 *")
		c.say("RCPT TO:<alice@example.test>", "250 *")
		c.sendRaw("BDAT 9999999\r\n" + strings.Repeat("x", 9_999_999))
		c.want("552 5.3.4 *")
		c.say("RSET", "250 *")
	}
	if used := h.disk.Used().Bytes; used > 4<<20 {
		t.Errorf("%d octets of the disk are taken", used)
	}
	c.envelope("", "alice@example.test")
	c.data(fits, "250 2.0.0 Ok: queued*")
	if _, text := h.only().received(); text != fits {
		t.Errorf("%d octets came through", len(text))
	}
	c.say("QUIT", "221 *")
	h.guests.waitGone()
	h.wantNothingLeft()
}

func TestRepliesThatNobodyReadsAreBounded(t *testing.T) {
	for name, command := range map[string]string{
		"EHLO": "EHLO x\r\n", "RCPT": "RCPT TO:<a@b.c>\r\n", "unknown": "x\r\n", "HELP": "HELP\r\n",
	} {
		h := newHouse(t, nil)
		c := h.greet()
		c.say("MAIL FROM:<>", "250 *")
		const commands = 20_000 // 64 KiB of them come in one piece
		sent := make(chan error, 1)
		go func() {
			_, err := c.raw.Write([]byte(strings.Repeat(command, commands) + "QUIT\r\n"))
			sent <- err
		}()
		replies := 0
		lines := bufio.NewScanner(c.raw)
		for lines.Scan() && !strings.HasPrefix(lines.Text(), "221 ") {
			if lines.Text()[3] == ' ' {
				replies++
			}
		}
		must(t, lines.Err())
		must(t, <-sent)
		h.guests.waitGone()
		if s := h.guests.all[0].state; replies != commands || s.queuedMax > 2*queuedMax || s.namesMax > namesKept {
			t.Errorf("%s: %d replies, of which up to %d octets were queued; %d octets of names", name, replies, s.queuedMax, s.namesMax)
		}
	}
}

func TestLMTPRepliesForManyRecipientsAreBounded(t *testing.T) {
	h := newHouse(t, func(s *settings) { s.door.Engine.Mode = proto.LMTP })
	c := h.dial()
	c.hello("LHLO client.example")
	const recipients = 1000
	c.say("MAIL FROM:<>", "250 *")
	for i := range recipients {
		c.say(fmt.Sprintf("RCPT TO:<alice+%d@example.test>", i), "250 *")
	}
	c.data(note, "250 2.0.0 Ok: queued*")
	for range recipients - 1 {
		c.want("250 2.0.0 Ok: queued*")
	}
	c.say("QUIT", "221 *")
	h.guests.waitGone()
	if most := h.guests.all[0].state.queuedMax; most > 2*queuedMax {
		t.Errorf("%d octets were queued", most)
	}
	h.wantNothingLeft()
	if l := h.only(); len(l.to) != recipients {
		t.Errorf("%d recipients", len(l.to))
	}
}

// A client that says nothing for a while, wherever it is, costs what the
// package comment says.
func TestWhoWaitsHoldsNoTransaction(t *testing.T) {
	h := newHouse(t, inTheClear)
	c := h.dial()
	sent := 0
	for _, step := range []struct {
		send, want string
		lent       bool
	}{
		{"HELO client.example\r\n", "250 *", false},
		{"FROB\r\n", "500 *", false},
		{"AUTH PLAIN\r\n", "334 *", true},
		{"*\r\n", "501 *", false},
		{"AUTH PLAIN " + plain("alice@example.test", "wonderland") + "\r\n", "235 *", false},
		{"MAIL FROM:<bob@example.test>\r\n", "553 *", false},
		{"MAIL FROM:<alice@example.test>\r\n", "250 *", true},
		{"RCPT TO:<bob@example.test>\r\n", "250 *", true},
		{"DATA\r\n", "354 *", true},
		{"text\r\n.\r\n", "250 *", false},
		{"MAIL FROM:<alice@example.test>\r\n", "250 *", true},
		{"RSET\r\n", "250 *", false},
		{"STARTTLS\r\n", "220 *", false}, // during the handshake as well
	} {
		sent += len(step.send)
		c.sendRaw(step.send)
		c.want(step.want)
		if s := h.guests.wait(0, func(s guestState) bool { return s.used == sent }); s.lent != step.lent {
			t.Errorf("after %q lent is %v", step.send, s.lent)
		}
	}
	begun := h.dial()
	begun.sendRaw("NOO")
	if s := h.guests.wait(1, func(s guestState) bool { return s.steps > 1 }); s.lent {
		t.Error("half a command holds a transaction")
	}
}

func TestSessionThatWaitsIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(session{}); size > 128 {
		t.Errorf("a session has %d octets", size)
	}
}
