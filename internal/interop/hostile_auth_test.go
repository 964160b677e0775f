package interop

import (
	"encoding/base64"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
)

// TestGuessingFloodLocksOutTheGuesser tries passwords from one address, as
// fast as it can and at every door, while the neighbour and a user at another
// address log in. The address is locked out: then even the right password is
// of no use there, and elsewhere it is.
func TestGuessingFloodLocksOutTheGuesser(t *testing.T) {
	s := besiege(t, "auth.lockout-exempt=", "auth.failures-max=10", "auth.delay-max=1s", "auth.cleartext=always")
	var lockedOut atomic.Int64
	atOnce(200, 100, func(i int) {
		c := s.attacker(t, []string{"pop3", "submission"}[i%2])
		defer c.Close()
		if i%2 == 0 {
			c.want(t, "+OK", "")
			c.want(t, "+OK", "USER "+alice+"\r\n")
			if said := c.want(t, "-ERR", fmt.Sprintf("PASS guess%d\r\n", i)); strings.Contains(said, "[SYS/TEMP]") {
				lockedOut.Add(1)
			}
			return
		}
		c.hello(t, "submission")
		guess := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "\x00%s\x00guess%d", alice, i))
		switch said := c.want(t, "", "AUTH PLAIN "+guess+"\r\n"); {
		case strings.HasPrefix(said, "454"):
			lockedOut.Add(1)
		case !strings.HasPrefix(said, "535"):
			t.Errorf("a guess got %q", said)
		}
	})
	if n := lockedOut.Load(); n < 100 {
		t.Errorf("only %d of 200 guesses met a lock", n)
	}
	for from, code := range map[string]string{"127.0.0.66": "-ERR", "127.0.0.77": "+OK"} {
		c, err := dialFrom(s.addr(t, "pop3"), from)
		if err != nil {
			t.Fatal(err)
		}
		c.want(t, "+OK", "")
		c.want(t, "+OK", "USER "+alice+"\r\n")
		c.want(t, code, "PASS wonderland\r\n")
		c.Close()
	}
	s.relieve(t, 96*mega)
}

// TestFloodOfHashesKeepsNobodyOut makes the server compute expensive hashes:
// guesses at names that may or may not exist, from many addresses.
func TestFloodOfHashesKeepsNobodyOut(t *testing.T) {
	s := besiegeIn(t, t.TempDir(), "auth.failures-max=0", "auth.delay-max=0")
	atOnce(60, 30, func(i int) {
		c, err := dialFrom(s.addr(t, "pop3"), fmt.Sprintf("127.0.1.%d", i+1))
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		c.want(t, "+OK", "")
		c.want(t, "+OK", fmt.Sprintf("USER nobody%d@example.test\r\n", i))
		c.want(t, "-ERR", "PASS x\r\n")
	})
	s.relieve(t, 160*mega)
}

// TestSecondSessionIsToldThatTheMailboxIsInUse has two sessions on one
// mailbox, and the first one end by a reset: what it marked is not deleted.
func TestSecondSessionIsToldThatTheMailboxIsInUse(t *testing.T) {
	s := besiege(t)
	sendLarge(t, s)
	login := func(code string) *caller {
		c := s.attacker(t, "pop3")
		c.want(t, "+OK", "")
		c.want(t, "+OK", "USER "+alice+"\r\n")
		if said := c.want(t, code, "PASS wonderland\r\n"); code == "-ERR" && !strings.Contains(said, "[IN-USE]") {
			t.Errorf("the second session heard %q", said)
		}
		return c
	}
	first := login("+OK")
	first.want(t, "+OK", "DELE 1\r\n")
	for range 10 {
		login("-ERR").Close()
	}
	first.reset()
	if err := s.await(func() error {
		c := s.attacker(t, "pop3")
		defer c.Close()
		c.want(t, "+OK", "")
		c.want(t, "+OK", "USER "+alice+"\r\n")
		if said := c.want(t, "", "PASS wonderland\r\n"); !strings.HasPrefix(said, "+OK") {
			return fmt.Errorf("the mailbox is still in use: %q", said)
		}
		c.want(t, "+OK 1 ", "STAT\r\n")
		c.want(t, "+OK", "RETR 1\r\n")
		return nil // and gone amid the message
	}); err != nil {
		t.Error(err)
	}
	s.relieve(t, 64*mega)
	if n := s.count(alice); n != 1 {
		t.Errorf("%d messages are left", n)
	}
}
