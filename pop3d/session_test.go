package pop3d

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"barid/internal/dialog"
)

const letter = "From: a@example.test\nSubject: hello\n\nThe first line.\n.\nThe last line.\n"

// onTheWire is a stored text as the client should see it.
func onTheWire(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }

// enterWhenFree logs alice in as soon as the mailbox is free.
func (h *house) enterWhenFree() *client {
	h.t.Helper()
	for range 10_000 {
		c := h.dial()
		c.send("USER alice@example.test", "PASS wonderland")
		c.want("+OK *")
		line, err := c.conn.Line()
		must(h.t, err)
		if dialog.Match("+OK maildrop has *", string(line)) {
			return c
		}
		if !dialog.Match("-ERR [IN-USE] *", string(line)) {
			h.t.Fatalf("got %q", line)
		}
		c.send("QUIT")
		c.want("+OK *")
	}
	h.t.Fatal("the mailbox stays in use")
	return nil
}

func TestSecondSessionOfAMailboxIsTurnedAwayAndMayTryAgain(t *testing.T) {
	h := newHouse(t, nil)
	first := h.enter()
	second := h.dial()
	second.send("USER alice@example.test", "PASS wonderland")
	second.want("+OK *", "-ERR [IN-USE] *")
	second.send("USER bob@example.test", "PASS wonderland")
	second.want("+OK *", "+OK maildrop has 0 messages (0 octets)")
	first.send("QUIT")
	first.want("+OK *")
	first.wantEnd()
	h.enter()
}

func TestMailboxIsFreeWhenQuitIsAnswered(t *testing.T) {
	h := newHouse(t, nil)
	h.fill(3, letter)
	for range 50 {
		c := h.enter()
		c.send("QUIT")
		c.want("+OK *") // the next one does not wait for the connection to close
	}
}

func TestDroppedConnectionFreesTheMailboxAndDeletesNothing(t *testing.T) {
	h := newHouse(t, nil)
	h.fill(2, letter)
	c := h.enter()
	c.send("DELE 1", "DELE 2", "STAT")
	c.want("+OK *", "+OK *", "+OK 0 0")
	c.raw.Close()
	c = h.enterWhenFree()
	c.send("STAT")
	c.want(fmt.Sprintf("+OK 2 %d", 2*wireSize(letter)))
	if left := h.left(); len(left) != 2 {
		t.Fatalf("left: %v", left)
	}
}

func TestDeleTakesEffectAtQuitOnly(t *testing.T) {
	h := newHouse(t, nil)
	h.fill(3, letter)
	before := h.left()
	c := h.enter()
	c.send("DELE 2")
	c.want("+OK *")
	if left := h.left(); !slices.Equal(left, before) {
		t.Fatalf("before QUIT: %v", left)
	}
	c.send("QUIT")
	c.want("+OK * (2 messages left)")
	if left := h.left(); !slices.Equal(left, []string{before[0], before[2]}) {
		t.Fatalf("after QUIT: %v", left)
	}
}

func TestUniqueIDsStayTheSameAcrossSessionsAndReaders(t *testing.T) {
	h := newHouse(t, nil)
	h.fill(3, letter)
	c := h.enter()
	c.send("UIDL")
	before := c.multi()
	c.send("QUIT")
	c.want("+OK *")
	// another program reads the second message
	box := filepath.Join(h.dir, "alice@example.test")
	name := filepath.Base(h.left()[1])
	must(t, os.Rename(filepath.Join(box, "new", name), filepath.Join(box, "cur", name+":2,S")))
	c = h.enter()
	c.send("UIDL")
	if after := c.multi(); after != before || strings.Count(after, "\r\n") != 3 {
		t.Fatalf("before:\n%safter:\n%s", before, after)
	}
	c.send("RETR 2")
	if got := c.multi(); got != onTheWire(letter) {
		t.Fatalf("got %q", got)
	}
}

func TestMessageRemovedByAnotherProgramIsAnError(t *testing.T) {
	h := newHouse(t, nil)
	h.fill(2, letter)
	c := h.enter()
	must(t, os.Remove(filepath.Join(h.dir, "alice@example.test", h.left()[0])))
	c.send("RETR 1", "TOP 1 5", "RETR 2", "DELE 1", "QUIT")
	c.want("-ERR [SYS/TEMP] *", "-ERR [SYS/TEMP] *")
	if got := c.multi(); got != onTheWire(letter) {
		t.Fatalf("got %q", got)
	}
	c.want("+OK message 1 deleted", "+OK * (1 message left)")
}

func TestMessagesThatAppearMeanwhileWaitForTheNextSession(t *testing.T) {
	h := newHouse(t, nil)
	h.fill(1, letter)
	c := h.enter()
	h.deposit("1800000000.M1P1.example", letter)
	c.send("STAT", "RETR 2", "DELE 1", "QUIT")
	c.want("+OK 1 *", "-ERR no such message, *", "+OK *", "+OK * (maildrop empty)")
	c = h.enter()
	c.send("STAT")
	c.want("+OK 1 *")
}

func TestManyRetrsInFlightAreAnsweredInOrder(t *testing.T) {
	h := newHouse(t, nil)
	const messages = 200
	for i := range messages {
		h.deposit(fmt.Sprintf("%d.M1P1.example", 1700000000+i), fmt.Sprintf("Subject: %d\n\n%s", i+1, strings.Repeat("x\n", i*20)))
	}
	c := h.enter()
	var commands []string
	for i := range messages {
		commands = append(commands, fmt.Sprintf("RETR %d", i+1))
	}
	c.send(commands...)
	for i := range messages {
		if got, want := c.multi(), onTheWire(fmt.Sprintf("Subject: %d\n\n%s", i+1, strings.Repeat("x\n", i*20))); got != want {
			t.Fatalf("message %d has %d octets, not %d", i+1, len(got), len(want))
		}
	}
}

func TestLargeMessageComesWholeToASlowReader(t *testing.T) {
	h := newHouse(t, nil)
	text := "Subject: large\n\n" + strings.Repeat("."+strings.Repeat("y", 70)+"\n", 200_000)
	h.deposit("1700000000.M1P1.example", text)
	c := h.enter()
	c.send("RETR 1", "TOP 1 100000", "NOOP") // nothing is read until all three are sent
	if got := c.multi(); got != onTheWire(text) {
		t.Fatalf("%d octets, not %d", len(got), len(onTheWire(text)))
	}
	if got := strings.Count(c.multi(), "\r\n"); got != 100_002 {
		t.Fatalf("TOP gave %d lines", got)
	}
	c.want("+OK")
}

func TestRetrievedMessagesAreMarkedAsSeenWhenAsked(t *testing.T) {
	for _, mark := range []bool{false, true} {
		h := newHouse(t, func(s *settings) { s.door.MarkSeen = mark })
		h.fill(3, letter)
		c := h.enter()
		c.send("RETR 1", "RETR 2", "TOP 3 0", "DELE 2", "QUIT")
		for range 3 {
			c.multi()
		}
		c.want("+OK *", "+OK *")
		seen := 0
		for _, name := range h.left() {
			if strings.HasPrefix(name, "cur/1700000000.") && strings.HasSuffix(name, ":2,S") {
				seen++
			}
		}
		if left := h.left(); len(left) != 2 || seen == 1 != mark {
			t.Fatalf("with MarkSeen %v: %v", mark, left)
		}
	}
}

func TestIdleSessionIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(session{}); size > 300 {
		t.Errorf("before the login a session is %d octets", size)
	}
	if size := unsafe.Sizeof(session{}) + unsafe.Sizeof(visit{}); size > 500 {
		t.Errorf("after the login a session is %d octets", size)
	}
}

func TestLogTellsWhoCameAndWhatTheyDidAndNoPassword(t *testing.T) {
	h := newHouse(t, nil)
	h.fill(2, letter)
	c := h.dial()
	c.send("USER alice@example.test", "PASS rabbit-hole")
	c.want("+OK *", "-ERR [AUTH] *")
	c.send("USER alice@example.test", "PASS wonderland", "RETR 1", "TOP 2 0", "DELE 1")
	c.want("+OK *", "+OK *")
	c.multi()
	c.multi()
	c.want("+OK *")
	c.send("QUIT")
	c.want("+OK *")
	c.wantEnd()
	log := h.log.String() // the session was logged before its connection closed
	for _, want := range []string{
		"pop3 login refused", "user=alice@example.test", "remote=127.0.0.1:", `msg="pop3 login"`, "account=alice@example.test", "mechanism=USER", "messages=2",
		`msg="pop3 logout"`, "reason=QUIT", "retrieved=1 top=1 deleted=1",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("no %s in\n%s", want, log)
		}
	}
	if strings.Contains(log, "rabbit-hole") || strings.Contains(log, "wonderland") {
		t.Errorf("a password in\n%s", log)
	}
}
