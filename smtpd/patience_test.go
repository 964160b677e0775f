package smtpd

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"barid/internal/dialog"
	"barid/internal/loop"
)

// ticking makes a house whose loop has a clock that only the test moves.
func ticking(t *testing.T, change func(*settings)) (h *house, later func(time.Duration)) {
	clock := make(chan time.Time)
	h = newHouse(t, func(s *settings) {
		s.clock = clock
		if change != nil {
			change(s)
		}
	})
	now := time.Now()
	return h, func(d time.Duration) {
		now = now.Add(d)
		clock <- now
		clock <- now // the first is done with
	}
}

// trickle sends something that is not answered, and waits until the session
// of the first connection has seen it.
func (h *house) trickle(c *client, text string) {
	h.t.Helper()
	before := h.guests.wait(0, func(guestState) bool { return true })
	c.sendRaw(text)
	h.guests.wait(0, func(s guestState) bool { return s.steps > before.steps })
}

// pour sends part of a message, and waits until the session of the first
// connection has taken it.
func (h *house) pour(c *client, text string) {
	h.t.Helper()
	before := h.guests.wait(0, func(guestState) bool { return true })
	c.sendRaw(text)
	h.guests.wait(0, func(s guestState) bool { return s.used >= before.used+len(text) })
}

const timeout = "421 4.4.2 mx.example.test Timeout*"

func TestClientThatTalksFirstIsRefused(t *testing.T) {
	h := newHouse(t, nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	c := h.connect(ln.Addr())
	c.send("EHLO client.example")
	h.listen(ln, h.opts) // accepted now, when the octets are there
	c.want("521 5.5.1 *")
	c.wantEnd()
	h.guests.waitGone()
	if !strings.Contains(h.log.String(), "talked before the greeting") {
		t.Errorf("the log:\n%s", h.log)
	}
	h.wantNothingLeft()
}

func TestClientThatTalksBehindItsProxyHeaderIsRefused(t *testing.T) {
	h := newHouse(t, func(s *settings) { s.listen.Proxy = func(netip.Addr) bool { return true } })
	c := h.connect(h.plain)
	c.send("PROXY TCP4 192.0.2.9 192.0.2.1 50000 25", "EHLO client.example")
	c.want("521 5.5.1 *")
	c.wantEnd()
}

func TestGreetingWaitsForClientsThatCannot(t *testing.T) {
	for _, implicit := range []bool{false, true} {
		h, later := ticking(t, func(s *settings) { s.door.GreetDelay = 2 * time.Second })
		hasty, patient := h.quiet(implicit), h.quiet(implicit)
		for i := range 2 {
			h.guests.wait(i, func(s guestState) bool { return s.wait == loop.WaitPause })
		}
		hasty.send("EHLO client.example")
		later(time.Second)
		later(2 * time.Second)
		hasty.want("521 5.5.1 *")
		hasty.wantEnd()
		patient.want("220 mx.example.test *")
		later(5*time.Minute - 2*time.Second) // of which it has all
		patient.say("NOOP", "250 *")
	}
}

// quiet connects, with TLS or without, and reads nothing.
func (h *house) quiet(implicit bool) *client {
	if !implicit {
		return h.connect(h.plain)
	}
	return h.connectTLS()
}

func TestSilentClientHearsThatItsTimeIsOver(t *testing.T) {
	h, later := ticking(t, nil)
	c := h.greet()
	later(4 * time.Minute)
	c.say("NOOP", "250 *")
	later(4 * time.Minute)
	c.envelope("", "alice@example.test")
	later(4 * time.Minute)
	c.data(note, "250 *")
	later(4 * time.Minute)
	c.envelope("", "alice@example.test")
	later(4 * time.Minute)
	c.say("RSET", "250 *")
	later(6 * time.Minute)
	c.want(timeout)
	c.wantEnd()
}

func TestTricklingCommandsBuyNoTime(t *testing.T) {
	long := strings.Repeat("x", 3000)
	for name, piece := range map[string]string{"a line": "N", "an endless line": long} {
		h, later := ticking(t, nil)
		c := h.greet()
		for range 4 {
			later(time.Minute)
			h.trickle(c, piece)
		}
		later(2 * time.Minute)
		line, err := c.conn.Line()
		if err != nil || !dialog.Match(timeout, string(line)) {
			t.Errorf("%s: %q, %v", name, line, err)
		}
	}
}

func TestEndlessLineLivesAsLongAsAMessage(t *testing.T) {
	h, later := ticking(t, nil)
	c := h.greet()
	for range 4 {
		later(4 * time.Minute)
		h.pour(c, strings.Repeat("x", bodyStride))
	}
	c.sendRaw("\r\n")
	c.want("500 5.5.2 *")
}

func TestMessageThatTricklesIsGivenUp(t *testing.T) {
	for _, command := range []string{"DATA", "BDAT 1000000"} {
		h, later := ticking(t, nil)
		c := h.greet()
		c.envelope("", "alice@example.test")
		if command == "DATA" {
			c.say("DATA", "354 *")
		} else {
			h.pour(c, command+"\r\n")
		}
		for range 5 { // enough each time
			later(2 * time.Minute)
			h.pour(c, strings.Repeat(strings.Repeat("x", 62)+"\r\n", bodyStride/64))
		}
		for range 2 { // and then not
			later(time.Minute)
			h.pour(c, "a little\r\n")
		}
		later(2 * time.Minute)
		c.want(timeout)
		c.wantEnd()
		h.guests.waitGone()
		h.wantNothingLeft()
		if n := h.spool.Stats().Accepted; n != 0 {
			t.Errorf("%s: %d accepted", command, n)
		}
	}
}

func TestMessageThatDoesNotBeginIsGivenUp(t *testing.T) {
	h, later := ticking(t, nil)
	c := h.greet()
	c.envelope("", "alice@example.test")
	c.say("DATA", "354 *")
	later(3*time.Minute + 2*time.Second)
	c.want(timeout)
}

func TestSkippedChunkHasTimeAsLongAsItComes(t *testing.T) {
	h, later := ticking(t, func(s *settings) { s.door.Engine.SizeMax = 1000 })
	c := h.greet()
	c.envelope("", "alice@example.test")
	h.pour(c, "BDAT 65536\r\n")
	for range 4 {
		later(4 * time.Minute)
		h.pour(c, strings.Repeat("x", 16384))
	}
	c.want("552 5.3.4 *")
}

func TestBetweenChunksIsTheTimeOfACommand(t *testing.T) {
	h, later := ticking(t, nil)
	c := h.greet()
	c.envelope("", "alice@example.test")
	for range 2 {
		c.sendRaw("BDAT 4\r\nA: b")
		c.want("250 *")
		later(4 * time.Minute)
	}
	c.sendRaw("BDAT 2 LAST\r\n\r\n")
	c.want("250 2.0.0 Ok: queued*")
}

func TestChunkHasItsTimeFromItsBeginning(t *testing.T) {
	h, later := ticking(t, nil)
	c := h.greet()
	c.envelope("", "alice@example.test")
	c.sendRaw("BDAT 4\r\nA: b")
	c.want("250 *")
	later(4 * time.Minute)
	h.pour(c, "BDAT 1000000\r\nthe")
	later(2 * time.Minute) // 6 since the last reply
	h.pour(c, "y trickle")
	later(70 * time.Second)
	c.want(timeout)
}

func TestTimeBeginsAnewAfterTheHandshake(t *testing.T) {
	h, later := ticking(t, nil)
	c := h.greet()
	c.say("STARTTLS", "220 *")
	must(t, c.conn.StartTLS())
	h.guests.wait(0, func(s guestState) bool { return s.wait == loop.WaitInput && s.steps >= 4 })
	later(4 * time.Minute)
	c.hello("EHLO client.example")
	later(6 * time.Minute)
	c.want(timeout)
}

func TestShutdownLetsATransactionFinish(t *testing.T) {
	h := newHouse(t, nil)
	idle, begun, amid := h.greet(), h.greet(), h.greet()
	begun.envelope("", "alice@example.test")
	amid.envelope("", "bob@example.test")
	amid.say("DATA", "354 *")
	amid.sendRaw("Subject: half\r\n")
	h.guests.wait(2, func(s guestState) bool { return s.taken && s.used > 80 })
	stopped := h.shutdown()
	idle.want("421 4.3.2 mx.example.test *")
	idle.wantEnd()
	begun.data(note, "250 2.0.0 Ok: queued*")
	begun.want("421 4.3.2 mx.example.test *")
	begun.wantEnd()
	amid.sendRaw("\r\n.\r\n")
	amid.want("250 2.0.0 Ok: queued*", "421 4.3.2 *")
	amid.wantEnd()
	must(t, <-stopped)
	if n := len(h.post.all()); n != 2 {
		t.Errorf("%d letters", n)
	}
	h.wantNothingLeft()
}

func TestShutdownEndsWhoHasGivenUpItsTransaction(t *testing.T) {
	h := newHouse(t, nil)
	c := h.greet()
	c.envelope("", "alice@example.test")
	stopped := h.shutdown()
	c.say("NOOP", "250 *") // it goes on for now
	c.say("RSET", "250 *")
	c.want("421 4.3.2 *")
	c.wantEnd()
	must(t, <-stopped)
}

func TestOverloadedServerSaysSo(t *testing.T) {
	h := newHouse(t, func(s *settings) { s.loop.MemoryMax = 1 })
	c := h.greet()
	c.say("NOOP", "250 *")
	c.sendRaw("NOO")
	c.want("421 4.3.1 mx.example.test *")
	c.wantEnd()
}
