package pop3d

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"barid/auth"
	"barid/internal/vfs"
	"barid/internal/vfs/crash"
)

// putInto stores messages in alice's mailbox on a file system in memory.
func putInto(t *testing.T, fsys vfs.FS, dir string, n int, text string) {
	t.Helper()
	box := dir + "/alice@example.test"
	for _, sub := range []string{"/new", "/cur", "/tmp"} {
		must(t, fsys.MkdirAll(box+sub, 0o700))
	}
	for i := range n {
		f, err := fsys.Create(fmt.Sprintf("%s/new/%d.M1P1.example,S=%d,W=%d", box, 1700000000+i, len(text), wireSize(text)), 0o600)
		must(t, err)
		_, err = f.Write([]byte(text))
		must(t, errors.Join(err, f.Sync(), f.Close()))
	}
	must(t, fsys.SyncAll(box))
}

// inMemory makes a house whose mailboxes are on a file system in memory.
func inMemory(t *testing.T, messages int, text string) (*house, *crash.FS) {
	fsys := crash.New(1)
	h := newHouse(t, func(s *settings) { s.fs = fsys })
	putInto(t, fsys, h.dir, messages, text)
	return h, fsys
}

func TestFailedDeletionIsAnErrorAtQuit(t *testing.T) {
	h, fsys := inMemory(t, 3, letter)
	c := h.enter()
	c.send("DELE 1", "DELE 2")
	c.want("+OK *", "+OK *")
	fsys.SetFault(func(op crash.Op) error {
		if op.Kind == "Remove" && strings.Contains(op.Name, "1700000001") {
			return syscall.EIO
		}
		return nil
	})
	c.send("QUIT")
	c.want("-ERR [SYS/TEMP] some deleted messages not removed")
	c.wantEnd()
	fsys.SetFault(nil)
	c = h.enter()
	c.send("STAT")
	c.want("+OK 2 *")
}

func TestDeletionsThatQuitConfirmedSurviveAPowerCut(t *testing.T) {
	h, fsys := inMemory(t, 4, letter)
	c := h.enter()
	c.send("DELE 2", "DELE 4", "QUIT")
	c.want("+OK *", "+OK *", "+OK * (2 messages left)")
	entries, err := fsys.Crash().ReadDir(h.dir + "/alice@example.test/new")
	must(t, err)
	if len(entries) != 2 || entries[0].Name()[:10] != "1700000000" || entries[1].Name()[:10] != "1700000002" {
		t.Fatalf("after the power cut: %v", entries)
	}
}

func TestPowerCutAtAnyMomentOfQuitLosesNoOtherMessage(t *testing.T) {
	for cut := range 8 {
		h, fsys := inMemory(t, 3, letter)
		c := h.enter()
		c.send("DELE 1", "DELE 3")
		c.want("+OK *", "+OK *")
		fsys.CutAfter(fsys.Changes() + cut)
		c.send("QUIT")
		answer, err := c.conn.Line()
		must(t, err)
		confirmed := strings.HasPrefix(string(answer), "+OK")
		entries, err := fsys.Crash().ReadDir(h.dir + "/alice@example.test/new")
		must(t, err)
		kept := false
		for _, e := range entries {
			kept = kept || strings.HasPrefix(e.Name(), "1700000001")
		}
		if !kept || confirmed && len(entries) != 1 {
			t.Fatalf("cut after %d, confirmed %v: %v", cut, confirmed, entries)
		}
	}
}

func TestUnreadableMessageIsAnErrorAndTheSessionGoesOn(t *testing.T) {
	h, fsys := inMemory(t, 1, letter)
	c := h.enter()
	for _, kind := range []string{"Open", "ReadAt"} {
		fsys.SetFault(func(op crash.Op) error {
			if op.Kind == kind {
				return syscall.EIO
			}
			return nil
		})
		c.send("RETR 1")
		c.want("-ERR [SYS/TEMP] *")
	}
	fsys.SetFault(nil)
	c.send("RETR 1")
	if got := c.multi(); got != onTheWire(letter) {
		t.Fatalf("got %q", got)
	}
}

func TestHalfAMessageNeverLooksWhole(t *testing.T) {
	text := "Subject: x\n\n" + strings.Repeat("a line\n", 10_000)
	h, fsys := inMemory(t, 1, text)
	c := h.enter()
	var once sync.Mutex
	reads := 0
	fsys.SetFault(func(op crash.Op) error {
		once.Lock()
		defer once.Unlock()
		if op.Kind == "ReadAt" {
			if reads++; reads == 2 {
				return syscall.EIO
			}
		}
		return nil
	})
	c.send("RETR 1", "NOOP")
	c.want("+OK *")
	for {
		line, err := c.conn.Line()
		if err != nil {
			return
		}
		if string(line) == "." {
			t.Fatal("the reply was ended though half of the message is missing")
		}
	}
}

func TestMailboxThatDoesNotOpenHasItsCode(t *testing.T) {
	for fault, code := range map[error]string{
		syscall.EIO: "[SYS/TEMP]", syscall.ENOSPC: "[SYS/TEMP]", syscall.EACCES: "[SYS/PERM]", syscall.ENOTDIR: "[SYS/PERM]",
	} {
		h, fsys := inMemory(t, 1, letter)
		fsys.SetFault(func(op crash.Op) error {
			if op.Kind == "ReadDir" {
				return fault
			}
			return nil
		})
		c := h.dial()
		c.send("USER alice@example.test", "PASS wonderland")
		c.want("+OK *", "-ERR "+code+" *")
		fsys.SetFault(nil)
		c.send("USER alice@example.test", "PASS wonderland") // and it was not left in use
		c.want("+OK *", "+OK maildrop has 1 message *")
	}
}

// tick moves the clock of a house.
func (h *house) tick(now time.Time) { h.clock <- now }

func TestSilentSessionEndsWithoutAWordAndDeletesNothing(t *testing.T) {
	clock := make(chan time.Time)
	h := newHouse(t, func(s *settings) { s.clock = clock })
	h.clock = clock
	start := time.Now()
	h.fill(1, letter)
	c := h.enter()
	c.send("DELE 1")
	c.want("+OK *")
	h.tick(start.Add(AutologoutMin - time.Minute))
	c.send("NOOP")
	c.want("+OK")
	h.tick(start.Add(2*AutologoutMin - 2*time.Minute))
	c.send("NOOP")
	c.want("+OK")
	h.tick(start.Add(3*AutologoutMin + time.Minute))
	c.wantEnd()
	c = h.enterWhenFree()
	c.send("STAT")
	c.want("+OK 1 *")
}

func TestTalkingDoesNotBuyTimeBeforeTheLogin(t *testing.T) {
	clock := make(chan time.Time)
	h := newHouse(t, func(s *settings) { s.clock = clock })
	h.clock = clock
	start := time.Now()
	c := h.dial()
	for i := range 3 {
		h.tick(start.Add(time.Duration(i+1) * 15 * time.Second))
		c.send("LANG *")
		c.want("+OK *")
	}
	h.tick(start.Add(2 * time.Minute))
	c.wantEnd()
}

func TestFailedLoginIsHeldBackAndOthersAreNot(t *testing.T) {
	clock := make(chan time.Time)
	h := newHouse(t, func(s *settings) {
		s.clock = clock
		s.auth.Lockout = auth.Lockout{FailuresMax: -1, DelayMax: 10 * time.Second}
	})
	h.clock = clock
	start := time.Now()
	guess := h.dial()
	guess.send("USER alice@example.test", "PASS guess", "STAT")
	guess.want("+OK *")
	other := h.dial() // the guess is held back now, or will be
	other.send("USER bob@example.test", "PASS wonderland")
	other.want("+OK *", "+OK *")
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		guess.want("-ERR [AUTH] authentication failed", "-ERR log in first")
	}()
	for now := start; ; now = now.Add(time.Second) {
		select {
		case <-answered:
			if now.Equal(start) {
				t.Fatal("the answer was not held back")
			}
			return
		case clock <- now:
		}
	}
}

func TestLoginDelayHoldsForEachAccountAndEnds(t *testing.T) {
	var mu sync.Mutex
	now := time.Unix(1700000000, 0)
	h := newHouse(t, func(s *settings) {
		s.door.LoginDelay = time.Minute
		s.door.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	})
	leave := func(c *client) { c.send("QUIT"); c.want("+OK *") }
	leave(h.enter())
	c := h.dial()
	c.send("USER alice@example.test", "PASS wonderland")
	c.want("+OK *", "-ERR [LOGIN-DELAY] *")
	c.send("USER alice@example.test", "PASS wrong") // the delay tells nothing to who does not know the password
	c.want("+OK *", "-ERR [AUTH] *")
	c.send("USER bob@example.test", "PASS wonderland")
	c.want("+OK *", "+OK *")
	mu.Lock()
	now = now.Add(time.Minute)
	mu.Unlock()
	leave(h.enter())
}

func TestLoginDelaysAreForgotten(t *testing.T) {
	d := delays{least: time.Minute}
	now := time.Unix(1700000000, 0)
	for i := range 10_000 {
		d.entered(fmt.Sprint("user", i), now)
		now = now.Add(time.Second)
	}
	if len(d.last) > 130 {
		t.Fatalf("%d accounts are remembered, of 60 that matter", len(d.last))
	}
}
