package imapd

import (
	"testing"

	"barid/internal/loop"
)

// watched is a session that tells what it holds whenever it waits for input.
type watched struct {
	*session
	holds chan<- bool
}

func (w watched) Step(c *loop.Conn, in []byte) (int, loop.Wait) {
	n, wait := w.session.Step(c, in)
	if wait == loop.WaitInput {
		w.holds <- w.work != nil
	}
	return n, wait
}

func TestASessionThatWaitsHoldsNoMemoryOfACommand(t *testing.T) {
	holds := make(chan bool, 1000)
	h := newHouse(t, func(s *settings) {
		s.wrap = func(door func(*loop.Conn) loop.Session) func(*loop.Conn) loop.Session {
			return func(c *loop.Conn) loop.Session { return watched{door(c).(*session), holds} }
		}
	})
	h.fill(100, letter)
	c := h.open("INBOX")
	for _, command := range []string{
		"NOOP", "FETCH 1:* (FLAGS ENVELOPE BODY[])", `STORE 1:* +FLAGS (\Deleted)`, "EXPUNGE", "LIST \"\" *",
		"APPEND INBOX {5+}\r\nhello", "BAD", "STATUS INBOX (MESSAGES)",
	} {
		c.do(command)
	}
	c.send("i IDLE")
	c.want("+ *")
	c.send("DONE")
	c.want("i OK *")
	c.send("x LOGOUT")
	c.skipTo("x OK *")
	c.wantEnd()
	h.loop.Close()
	close(holds)
	waits := 0
	for held := range holds {
		waits++
		if held {
			t.Fatal("a session that waits has kept the memory of a command")
		}
	}
	if waits < 10 {
		t.Fatalf("it has waited %d times only", waits)
	}
}
