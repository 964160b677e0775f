package spool

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"barid/internal/vfs/crash"
)

func TestNothingAnsweredIsLostWhenPowerIsCutAfterAnyOperation(t *testing.T) {
	for cut := 0; ; cut++ {
		w := newWorld(uint64(cut))
		w.fsys.CutAfter(cut)
		w.work(6)
		if w.fsys.Changes() < cut {
			if cut < 50 {
				t.Fatalf("only %d operations", cut)
			}
			return
		}
		w.powerCut()
		w.calm = true
		w.judge(t, fmt.Sprintf("cut after %d", cut))
	}
}

func TestNothingAnsweredIsLostInALongLifeWithPowerCuts(t *testing.T) {
	for seed := range uint64(8) {
		w := newWorld(seed)
		for life := range 4 {
			w.fsys.CutAfter(w.fsys.Changes() + w.rng.IntN(400<<(life%3)))
			w.work(40)
			w.powerCut()
			if w.rng.IntN(2) == 0 { // cut again while it recovers
				w.fsys.CutAfter(w.rng.IntN(12))
				w.work(1)
				w.powerCut()
			}
		}
		w.calm = true
		w.judge(t, fmt.Sprintf("seed %d", seed))
	}
}

func TestRecoveryCanBeCutAnywhere(t *testing.T) {
	for seed := range uint64(4) {
		w := newWorld(seed)
		w.fsys.CutAfter(60 + int(seed)*17)
		w.work(8)
		w.powerCut()
		image, clock, durable := w.fsys, w.clock.Now(), w.durable
		for cut := 0; ; cut++ {
			// Each cut is a world of its own.
			w.fsys, w.clock.now, w.durable, w.calm = image.Crash(), clock, maps.Clone(durable), true
			w.fsys.CutAfter(cut)
			if s, err := w.open(); err == nil {
				settleDown(s)
				_ = s.Close(context.Background())
			}
			if w.fsys.Changes() < cut {
				break
			}
			w.powerCut()
			w.judge(t, fmt.Sprintf("seed %d, recovery cut after %d", seed, cut))
		}
	}
}

func TestFreedSegmentsNeverComeBackWithoutTheirEnd(t *testing.T) {
	fsys := crash.New(1)
	a := newAgent()
	a.deliver = func(_ *Job, r *JobRecipient) Outcome {
		if string(r.Address) == "stays@example.test" {
			return Outcome{Kind: Deferred, RetryAfter: time.Hour}
		}
		return Outcome{Kind: Delivered}
	}
	s := open(t, options(fsys, a))
	stays, err := submit(s, []byte("x"), envelope("stays@example.test"))
	must(t, err)
	for i := range 60 {
		_, err := submit(s, text(4000, i), envelope("alice@example.test"))
		must(t, err)
		if i%10 == 9 { // the entries shall be in many segments too
			settleDown(s)
			must(t, s.Checkpoint())
		}
	}
	if n := s.Stats().Segments; n < 4 {
		t.Fatalf("only %d segments", n)
	}
	must(t, s.Delete(stays)) // now all are freed at once
	untilFreed(s)
	for range 40 {
		a := newAgent()
		again := open(t, options(fsys.Crash(), a))
		settleDown(again)
		if len(a.got) > 0 {
			t.Fatalf("delivered again: %v", a.got[0])
		}
		closeSpool(t, again)
	}
	closeSpool(t, s)
}

func TestHalfMadeSparesAreRemovedAtStart(t *testing.T) {
	fsys := crash.New(1)
	closeSpool(t, open(t, options(fsys, newAgent())))
	f, err := fsys.Create("/spool/raw-0000000000000001", 0o600)
	must(t, err)
	must(t, f.Close())
	s := open(t, options(fsys, newAgent()))
	if _, err := fsys.Stat(f.Name()); err == nil {
		t.Errorf("still there")
	}
	closeSpool(t, s)
}

func TestSpoolSurvivesTheFailureOfAnyOperation(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EIO, syscall.ENOSPC, syscall.EINTR} {
		for nth := 1; ; nth += 1 + nth/15 {
			w := newWorld(uint64(nth))
			w.fsys.SetFault(crash.Nth(nth, 1+nth%3, errno))
			w.work(5)
			calls := w.fsys.Calls()
			w.fsys.SetFault(nil)
			what := fmt.Sprintf("%v from operation %d", errno, nth)
			w.work(2) // in the same world, without the fault: it must work again
			w.powerCut()
			w.calm = true
			w.judge(t, what)
			if calls < nth {
				break
			}
		}
	}
}

func TestRefusedMessagesNeverComeBackAfterAFailedSync(t *testing.T) {
	for seed := range uint64(40) {
		a := heldAgent()
		fsys := crash.New(seed)
		s := open(t, options(fsys, a))
		var kept, refused []ID
		var broken atomic.Bool
		onLogSync(fsys, func() error {
			if broken.CompareAndSwap(true, false) {
				return syscall.EIO
			}
			return nil
		})
		for i := range 12 {
			broken.Store(i%4 == 2)
			id, err := submit(s, text(700, i), envelope("alice@example.test"))
			switch {
			case err == nil:
				kept = append(kept, id)
			case errors.Is(err, ErrFailed):
				refused = append(refused, id)
				untilReopened(s)
			default:
				t.Fatal(err)
			}
		}
		settleDown(s)
		fsys.CutAfter(0)
		_ = s.Close(context.Background())
		s = open(t, options(fsys.Crash(), heldAgent()))
		for _, id := range kept {
			if _, err := s.Show(id); err != nil {
				t.Errorf("seed %d: %v was answered 250: %v", seed, id, err)
			}
		}
		for _, id := range refused {
			if _, err := s.Show(id); !errors.Is(err, ErrUnknown) {
				t.Errorf("seed %d: %v was answered 451 and came back: %v", seed, id, err)
			}
		}
		if len(refused) != 3 {
			t.Errorf("seed %d: %d refused", seed, len(refused))
		}
		closeSpool(t, s)
	}
}

// untilReopened returns when the log takes records again.
func untilReopened(s *Spool) {
	for s.refusal() != nil {
		s.nudge()
	}
}
