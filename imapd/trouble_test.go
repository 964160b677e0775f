package imapd

import (
	"strings"
	"testing"
	"time"
	"unsafe"
)

func TestShutdownSaysByeToThoseWhoWait(t *testing.T) {
	h := newHouse(t, nil)
	idle, waiting := h.open("INBOX"), h.enter()
	idle.send("i IDLE")
	idle.want("+ *")
	done := h.shutdown()
	idle.want("* BYE [UNAVAILABLE] *")
	idle.wantEnd()
	waiting.want("* BYE [UNAVAILABLE] *")
	waiting.wantEnd()
	must(t, <-done)
}

func TestShutdownLetsAnAppendFinish(t *testing.T) {
	h := newHouse(t, nil)
	c := h.enter()
	c.send("a APPEND INBOX {10}")
	c.want("+ *")
	done := h.shutdown()
	c.send("0123456789")
	c.want("a OK [APPENDUID * 1] *", "* BYE [UNAVAILABLE] *")
	c.wantEnd()
	must(t, <-done)
}

func TestASilentClientHearsBye(t *testing.T) {
	clock := make(chan time.Time)
	h := newHouse(t, func(s *settings) { s.clock = clock })
	c := h.enter()
	clock <- time.Now().Add(20 * time.Minute)
	c.ok("NOOP")
	clock <- time.Now().Add(45 * time.Minute)
	c.ok("NOOP")
	clock <- time.Now().Add(100 * time.Minute)
	c.want("* BYE *")
	c.wantEnd()
}

func TestWhoDoesNotLogInIsSentAway(t *testing.T) {
	clock := make(chan time.Time)
	h := newHouse(t, func(s *settings) { s.clock = clock })
	c := h.dial()
	c.ok("NOOP")
	clock <- time.Now().Add(2 * time.Minute)
	c.want("* BYE *")
	c.wantEnd()
}

func TestTheLogSaysWhoCameAndWhoDidNot(t *testing.T) {
	h := newHouse(t, nil)
	c := h.dial()
	c.no("LOGIN alice@example.test wrong", "NO [AUTHENTICATIONFAILED] *")
	c.ok("LOGIN alice@example.test wonderland")
	c.send("x LOGOUT")
	c.want("* BYE *", "x OK *")
	c.wantEnd()
	h.loop.Close()
	for _, want := range []string{"imap login refused", "imap login\"", "imap logout", "account=alice@example.test", "mechanism=LOGIN"} {
		if !strings.Contains(h.log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, h.log)
		}
	}
	if strings.Contains(h.log.String(), "wonderland") || strings.Contains(h.log.String(), "=wrong") {
		t.Error("the log tells a password")
	}
}

// A session that waits must stay small: this is what ten thousand of them
// multiply.
func TestAnIdleSessionIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(session{}); n > 320 {
		t.Errorf("a session takes %d octets", n)
	}
	if n := unsafe.Sizeof(selected{}); n > 112 {
		t.Errorf("a selected mailbox takes %d octets", n)
	}
}
