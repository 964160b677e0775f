package spool

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"barid/internal/vfs/crash"
)

// syncGate lets a test stand between the log and its syncs.
type syncGate struct {
	begun   chan struct{} // gets one value for each sync of a segment that begins
	proceed chan error    // and the sync waits for its result here
}

func gateSyncs(fsys *crash.FS) *syncGate {
	g := &syncGate{begun: make(chan struct{}), proceed: make(chan error)}
	onLogSync(fsys, func() error {
		g.begun <- struct{}{}
		return <-g.proceed
	})
	return g
}

// onLogSync makes each sync of the log, and no other, do something before and
// fail with its error. Only the log writes with WriteVAt.
func onLogSync(fsys *crash.FS, do func() error) {
	var mu sync.Mutex
	written := map[string]bool{}
	fsys.SetFault(func(op crash.Op) error {
		mu.Lock()
		if op.Kind == "WriteVAt" {
			written[op.Name] = true
		}
		due := op.Kind == "Sync" && written[op.Name]
		if due {
			delete(written, op.Name)
		}
		mu.Unlock()
		if due {
			return do()
		}
		return nil
	})
}

// queued returns when n records wait behind the leader.
func (s *Spool) queued(n int) {
	for {
		s.commits.mu.Lock()
		have := len(s.commits.queue)
		s.commits.mu.Unlock()
		if have == n {
			return
		}
		runtime.Gosched()
	}
}

func TestLoneCommitIsOneWriteAndOneSync(t *testing.T) {
	fsys := crash.New(1)
	a := newAgent()
	a.gate = make(chan struct{})
	s := open(t, options(fsys, a))
	for i := range 3 {
		before := s.Stats()
		_, err := submit(s, text(4096, i), envelope("alice@example.test"))
		must(t, err)
		if after := s.Stats(); after.Syncs != before.Syncs+1 || after.Batches != before.Batches+1 {
			t.Fatalf("%d syncs, %d batches", after.Syncs-before.Syncs, after.Batches-before.Batches)
		}
	}
	close(a.gate)
	closeSpool(t, s)
}

func TestCommitsDuringASyncShareTheNextOne(t *testing.T) {
	fsys := crash.New(1)
	a := heldAgent()
	s := open(t, options(fsys, a))
	gate := gateSyncs(fsys)
	var senders sync.WaitGroup
	send := func(i int) {
		if _, err := submit(s, text(300, i), envelope("alice@example.test")); err != nil {
			t.Error(err)
		}
	}
	senders.Go(func() { send(0) })
	<-gate.begun
	for i := range 50 {
		senders.Go(func() { send(1 + i) })
	}
	s.queued(50)
	gate.proceed <- nil
	<-gate.begun
	s.queued(0)
	gate.proceed <- nil
	senders.Wait()
	fsys.SetFault(nil)
	if st := s.Stats(); st.Accepted != 51 || st.Batches != 1+2 {
		t.Fatalf("%d messages in %d batches, want 51 in 1 at opening and 2", st.Accepted, st.Batches)
	}
	closeSpool(t, s)
}

func TestNobodyIsToldYesWhenTheSharedSyncFails(t *testing.T) {
	for errno, want := range map[syscall.Errno]error{syscall.EIO: ErrFailed, syscall.ENOSPC: ErrFull} {
		fsys := crash.New(1)
		s := open(t, options(fsys, heldAgent()))
		gate := gateSyncs(fsys)
		var senders sync.WaitGroup
		send := func(i int) {
			if id, err := submit(s, text(300, i), envelope("alice@example.test")); !errors.Is(err, want) {
				t.Errorf("%v: %v answered %v, want %v", errno, id, err, want)
			}
		}
		senders.Go(func() { send(0) })
		<-gate.begun
		for i := range 9 {
			senders.Go(func() { send(1 + i) })
		}
		s.queued(9)
		go func() { <-gate.begun; gate.proceed <- nil }() // of the reopening
		gate.proceed <- errno
		senders.Wait()
		untilReopened(s)
		fsys.SetFault(nil)
		if _, err := submit(s, text(300, 99), envelope("alice@example.test")); err != nil {
			t.Errorf("after reopening: %v", err)
		}
		closeSpool(t, s)
	}
}

func TestCloseFinishesWhatIsQueuedAndRefusesTheRest(t *testing.T) {
	fsys := crash.New(1)
	s := open(t, options(fsys, heldAgent()))
	gate := gateSyncs(fsys)
	answers := make(chan error)
	w := s.Writer()
	_, err := w.Begin()
	must(t, err)
	go func() {
		_, err := submit(s, []byte("x"), envelope("alice@example.test"))
		answers <- err
	}()
	<-gate.begun
	closed := make(chan error)
	go func() { closed <- s.Close(context.Background()) }()
	for s.refusal() == nil {
		runtime.Gosched()
	}
	if err := w.Commit(envelope("alice@example.test")); !errors.Is(err, ErrClosed) {
		t.Errorf("Commit during Close: %v", err)
	}
	if _, err := w.Begin(); !errors.Is(err, ErrClosed) {
		t.Errorf("Begin during Close: %v", err)
	}
	w.Release()
	go func() {
		for range gate.begun {
			gate.proceed <- nil
		}
	}()
	gate.proceed <- nil
	must(t, <-answers)
	must(t, <-closed)
	close(gate.begun)
	fsys.SetFault(nil)
	s = open(t, options(fsys, heldAgent()))
	if st := s.Stats(); st.Messages != 1 {
		t.Errorf("%d messages", st.Messages)
	}
	closeSpool(t, s)
}

func TestCloseEndsTheContextOfDeliveriesThatTakeTooLong(t *testing.T) {
	fsys := crash.New(1)
	a := newAgent()
	a.gate = make(chan struct{}) // never opened
	s := open(t, options(fsys, a))
	id, err := submit(s, []byte("x"), envelope("alice@example.test"))
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	must(t, s.Close(ctx))
	if err := s.Close(ctx); !errors.Is(err, ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
	s = open(t, options(fsys, heldAgent()))
	if _, err := s.Show(id); err != nil {
		t.Errorf("the message that was not delivered: %v", err)
	}
	closeSpool(t, s)
}

func TestFullDiskRefusesMessagesAndTakesThemAgain(t *testing.T) {
	fsys := crash.New(1)
	c := newClock()
	a := newAgent()
	o := options(fsys, a)
	o.Now = c.Now
	s := open(t, o)
	a.mu.Lock()
	a.deliver = func(*Job, *JobRecipient) Outcome { return Outcome{Kind: Delivered} }
	a.mu.Unlock()
	fsys.SetCapacity(crash.Capacity{Bytes: 400 << 10, Files: 100})
	accepted := 0
	var err error
	for i := 0; err == nil; i++ {
		c.advance(1e9)
		if _, err = submit(s, text(4000, i), envelope("alice@example.test")); err == nil {
			accepted++
		}
	}
	if !errors.Is(err, ErrFull) || accepted < 40 {
		t.Fatalf("after %d messages: %v", accepted, err)
	}
	a.waitFor(accepted)
	settleDown(s)
	must(t, s.Checkpoint()) // there is room for this
	if st := s.Stats(); st.Messages != 0 {
		t.Fatalf("%d messages left", st.Messages)
	}
	untilFreed(s)
	c.advance(1e9)
	if _, err = submit(s, text(4000, 0), envelope("alice@example.test")); err != nil {
		t.Fatalf("after the queue was emptied: %v", err)
	}
	closeSpool(t, s)
}

// untilFreed returns when the log is one segment again.
func untilFreed(s *Spool) {
	for s.Stats().Segments > 1 {
		s.nudge()
	}
}

func TestEnvelopeThatCannotBeStoredIsRefusedForGood(t *testing.T) {
	s := open(t, options(crash.New(1), heldAgent()))
	huge := envelope("alice@example.test")
	huge.ReturnPath = make([]byte, 70_000)
	stranger := envelope("alice@example.test")
	stranger.Recipients[0].Dest = []byte("pigeon:x")
	wide := envelope()
	for range 2000 {
		wide.Recipients = append(wide.Recipients, envelope("a-rather-long-address@example.test").Recipients[0])
	}
	for name, e := range map[string]*Envelope{"no recipient": envelope(), "long string": huge, "unknown agent": stranger, "too large": wide} {
		if _, err := submit(s, []byte("x"), e); !errors.Is(err, ErrEnvelope) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if st := s.Stats(); st.Accepted != 0 || st.Messages != 0 {
		t.Errorf("%+v", st)
	}
	closeSpool(t, s)
}
