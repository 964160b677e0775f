package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"barid/internal/vfs/crash"
)

// key is a recipient of a message.
type key struct {
	id    ID
	index int
}

// world is a spool with its senders and mailboxes, and the oracle that knows
// what must never happen.
type world struct {
	fsys  *crash.FS
	clock *clock
	rng   *rand.Rand // of the one goroutine that runs the workload

	mu       sync.Mutex
	sent     map[ID][]byte // all that was ever tried
	count    map[ID]int    // its recipients
	kept     map[ID]bool   // answered 250
	fresh    map[key]bool  // in a mailbox, perhaps not durably
	durable  map[key]bool  // in a mailbox for good
	finished map[key]bool  // the spool said so, durably: must never come back
	held     map[key]bool  // the spool said so, durably
	log      *slog.Logger
	indexMin int
	calm     bool // everything is delivered at the first attempt
	errs     []error
}

func newWorld(seed uint64) *world {
	return &world{
		fsys: crash.New(seed), clock: newClock(), indexMin: 1 + int(seed%3)*30, rng: rand.New(rand.NewPCG(seed, 1)),
		sent: map[ID][]byte{}, count: map[ID]int{}, kept: map[ID]bool{}, fresh: map[key]bool{},
		durable: map[key]bool{}, finished: map[key]bool{}, held: map[key]bool{},
	}
}

func (w *world) wrong(format string, args ...any) {
	w.errs = append(w.errs, fmt.Errorf(format, args...))
}

// Deliver implements Agent.
func (w *world) Deliver(_ context.Context, job *Job) {
	body, err := job.ReadAll(nil)
	w.mu.Lock()
	defer w.mu.Unlock()
	if errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINTR) {
		return // deferred
	}
	if err != nil {
		w.wrong("%v: cannot be read: %v", job.ID, err)
		return
	}
	if want, ok := w.sent[job.ID]; !ok || !bytes.Equal(body, want) {
		w.wrong("%v: delivered %d bytes that were never sent so", job.ID, len(body))
	}
	for i := range job.Recipients {
		r := &job.Recipients[i]
		k := key{job.ID, int(r.index)}
		if w.finished[k] || w.held[k] {
			w.wrong("%v: delivered though finished %v, held %v", k, w.finished[k], w.held[k])
		}
		if want := fmt.Sprintf("r%d@example.test", r.index); string(r.Address) != want {
			w.wrong("%v: address %q", k, r.Address)
		}
		if string(r.Dest) != job.destination.key {
			w.wrong("%v: for %s, in a job for %s", k, r.Dest, job.destination.key)
		}
		r.Outcome = w.outcome(k, r.Attempt)
		if r.Outcome.Kind == Delivered {
			w.fresh[k] = true
		}
	}
}

func (w *world) outcome(k key, attempt int) Outcome {
	if w.calm {
		return Outcome{Kind: Delivered}
	}
	switch h := (uint64(k.id)*31 + uint64(k.index)*7 + uint64(attempt)) * 0x9e3779b97f4a7c15 >> 60; {
	case h < 10:
		return Outcome{Kind: Delivered}
	case h < 15:
		return Outcome{Kind: Deferred, Status: "4.2.0", Text: "not today"}
	default:
		return Outcome{Kind: Failed, Status: "5.1.1", Text: "never"}
	}
}

// Sync implements Agent.
func (w *world) Sync() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for k := range w.fresh {
		w.durable[k] = true
	}
	return nil
}

func (w *world) open() (*Spool, error) {
	o := options(w.fsys, w)
	o.Now = w.clock.Now
	o.indexMin = w.indexMin
	if w.log != nil {
		o.Log = w.log
	}
	return Open(o)
}

// send submits messages from several goroutines at once.
func (w *world) send(s *Spool, n int) {
	var senders sync.WaitGroup
	for range 3 {
		seed := w.rng.Uint64()
		senders.Go(func() {
			rng := rand.New(rand.NewPCG(seed, 2))
			for range n {
				w.sendOne(s, rng)
			}
		})
	}
	senders.Wait()
}

func (w *world) sendOne(s *Spool, rng *rand.Rand) {
	writer := s.Writer()
	defer writer.Release()
	id, err := writer.Begin()
	if err != nil {
		return
	}
	size := rng.IntN(5000)
	if rng.IntN(8) == 0 {
		size = 8<<10 + rng.IntN(30_000) // spills
	}
	body := text(size, int(id))
	e := envelope()
	for i := range 1 + rng.IntN(3) {
		address := fmt.Sprintf("r%d@example.test", i)
		e.Recipients = append(e.Recipients, Recipient{Address: []byte(address), Dest: fmt.Appendf(nil, "local:%d", rng.IntN(5))})
	}
	w.mu.Lock()
	w.sent[id], w.count[id] = body, len(e.Recipients)
	w.mu.Unlock()
	for len(body) > 0 {
		n := min(1+rng.IntN(4000), len(body))
		if _, err := writer.Write(append(writer.AvailableBuffer(n), body[:n]...)); err != nil {
			break
		}
		body = body[n:]
	}
	if rng.IntN(10) == 0 {
		return // aborted
	}
	if err := writer.Commit(e); err == nil {
		w.mu.Lock()
		w.kept[id] = true
		w.mu.Unlock()
	}
}

// checkpoint makes the oracle strict about what is done.
func (w *world) checkpoint(s *Spool) {
	settleDown(s)
	w.mu.Lock()
	var done []key
	for k := range w.fresh {
		done = append(done, k)
	}
	w.mu.Unlock()
	if s.Checkpoint() == nil {
		w.mu.Lock()
		for _, k := range done {
			w.finished[k] = true
		}
		w.mu.Unlock()
	}
}

// decide lets the operator do something to a random message.
func (w *world) decide(s *Spool) {
	settleDown(s)
	ids := s.ids(&Filter{})
	if len(ids) == 0 {
		return
	}
	id := ids[w.rng.IntN(len(ids))]
	switch w.rng.IntN(3) {
	case 0:
		open := undelivered(s, id)
		if s.Hold(id) == nil {
			w.mark(w.held, id, open, true)
		}
	case 1:
		w.mark(w.held, id, undelivered(s, id), false)
		_ = s.Release(id)
	case 2:
		open := undelivered(s, id)
		w.mark(w.held, id, open, false)
		if s.Delete(id) == nil {
			w.mark(w.finished, id, open, true)
		} else {
			w.mu.Lock()
			delete(w.kept, id) // may be gone or not
			w.mu.Unlock()
		}
	}
}

// undelivered are the recipients about which an operator can still decide.
func undelivered(s *Spool, id ID) (indices []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.messages[id]
	if m == nil {
		return nil
	}
	for i, r := range m.recipients() {
		if r.state != StateDelivered && !r.state.final() {
			indices = append(indices, i)
		}
	}
	return indices
}

func (w *world) mark(set map[key]bool, id ID, indices []int, value bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, i := range indices {
		set[key{id, i}] = value
	}
}

// work is one life of the program.
func (w *world) work(rounds int) {
	s, err := w.open()
	if err != nil {
		return
	}
	for range rounds {
		w.send(s, 1+w.rng.IntN(4))
		switch w.rng.IntN(6) {
		case 0, 1, 2:
			w.checkpoint(s)
		case 3:
			w.decide(s)
		case 4:
			w.clock.advance(time.Duration(w.rng.IntN(60)) * time.Minute)
			s.Wake()
		}
	}
	settleDown(s)
	_ = s.Close(context.Background())
}

// powerCut makes the next life see what the disk kept.
func (w *world) powerCut() {
	w.fsys = w.fsys.Crash()
	clear(w.fresh)
	w.clock.advance(time.Second)
}

// judge opens the spool a last time and demands that all is there.
func (w *world) judge(t *testing.T, what string) {
	t.Helper()
	s, err := w.open()
	if err != nil {
		t.Fatalf("%s: cannot open: %v", what, err)
	}
	settleDown(s)
	there := map[key]bool{}
	for sum, err := range s.List(Filter{}) {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		for i, r := range sum.Recipients {
			there[key{sum.ID, i}] = !r.State.final()
			if w.held[key{sum.ID, i}] && r.State != StateHeld {
				t.Errorf("%s: %v is %v, was held", what, sum.ID, r.State)
			}
		}
	}
	w.mu.Lock()
	for id := range w.kept {
		for i := range w.count[id] {
			if k := (key{id, i}); !there[k] && !w.durable[k] && !w.finished[k] {
				t.Errorf("%s: %v was answered 250 and is lost", what, k)
			}
		}
	}
	for _, err := range w.errs {
		t.Errorf("%s: %v", what, err)
	}
	w.mu.Unlock()
	bodies, _ := w.fsys.ReadDir("/spool/spill")
	for _, d := range bodies {
		if id, err := ParseID(d.Name()); err != nil || s.pin(&Job{spool: s}, id, &Summary{}) != nil {
			t.Errorf("%s: the body %s belongs to no message", what, d.Name())
		}
	}
	if st := s.Stats(); st.Damaged != 0 {
		t.Errorf("%s: a power cut passed for damage: %+v", what, st)
	}
	closeSpool(t, s)
	if t.Failed() {
		t.FailNow()
	}
}

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
	for seed := range uint64(16) {
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
	for seed := range uint64(12) {
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
		for nth := 1; ; nth += 1 + nth/40 {
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
