package spool

import (
	"runtime"
	"sync/atomic"
	"testing"

	"barid/internal/vfs/crash"
)

// An entry that a sync is carrying to the disk stands before whatever is queued
// now. A copy of the message made without that entry would outlive it: the
// oldest segments are freed first.
func TestMessageIsNotMovedWithoutTheHoldThatIsOnItsWayToTheDisk(t *testing.T) {
	fsys := crash.New(1)
	s := open(t, options(fsys, heldAgent()))
	id, err := submit(s, text(7000, 0), envelope("a@x"))
	must(t, err)
	oldest, active := fillUntilACopyNeedsANewSegment(t, s, id)

	syncing, proceed, held := make(chan bool), make(chan bool), make(chan error, 1)
	var looked, synced atomic.Bool
	fsys.SetFault(func(op crash.Op) error {
		switch {
		case op.Kind == "ReadAt" && op.Name == oldest && looked.CompareAndSwap(false, true):
			go func() { held <- s.Hold(id) }()
			<-syncing
		case op.Kind == "Sync" && op.Name == active && synced.CompareAndSwap(false, true):
			syncing <- true
			<-proceed
		}
		return nil
	})
	moved := make(chan int, 1)
	go func() {
		_, n, _ := s.moveSome()
		moved <- n
	}()
	for len(moved) == 0 && !s.messageQueued() {
		runtime.Gosched()
	}
	close(proceed)
	must(t, <-held)
	for n := <-moved; n == 0; { // it can move now that the hold is on the disk
		_, n, err = s.moveSome()
		must(t, err)
	}
	untilFreed(s)

	again := open(t, options(fsys.Crash(), newAgent()))
	if got := states(t, again, id); got != "held" {
		t.Errorf("the message was held, moved, and after a restart it is %s", got)
	}
	closeSpool(t, again)
	closeSpool(t, s)
}

// fillUntilACopyNeedsANewSegment fills the log with what is deleted at once, up
// to where a copy of the message does not fit but entries do. It names the files
// of the oldest segment, where the message is, and of the active one.
func fillUntilACopyNeedsANewSegment(t *testing.T, s *Spool, id ID) (oldest, active string) {
	t.Helper()
	for i := 1; ; i++ {
		filler, err := submit(s, text(2000, i), envelope("b@x"))
		must(t, err)
		settleDown(s)
		must(t, s.Delete(filler))
		s.mu.Lock()
		first, last := s.segments[0], s.segments[len(s.segments)-1]
		room := s.segmentSize - entryReserve(s.segmentSize) - last.end
		full := first != last && room < int64(s.messages[id].length)
		s.mu.Unlock()
		if full {
			return first.file.Name(), last.file.Name()
		}
	}
}

// messageQueued says whether a message waits behind the leader.
func (s *Spool) messageQueued() bool {
	s.commits.mu.Lock()
	defer s.commits.mu.Unlock()
	for _, r := range s.commits.queue {
		if r.kind == typeMessage {
			return true
		}
	}
	return false
}
