package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
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
	lately   map[key]bool  // the same, in this life: an earlier one may have forgotten
	durable  map[key]bool  // in a mailbox for good
	finished map[key]bool  // the spool said so, durably: must never come back
	held     map[key]bool  // the spool said so, durably
	reports  map[ID][]key  // what the reports are about that were ever written
	nobody   map[key]bool  // was to be told, or it cannot be said what became of it
	log      *slog.Logger
	indexMin int
	calm     bool // everything is delivered at the first attempt
	asked    int  // for reports
	errs     []error
}

func newWorld(seed uint64) *world {
	return &world{
		fsys: crash.New(seed), clock: newClock(), indexMin: 1 + int(seed%3)*30, rng: rand.New(rand.NewPCG(seed, 1)),
		sent: map[ID][]byte{}, count: map[ID]int{}, kept: map[ID]bool{}, fresh: map[key]bool{}, lately: map[key]bool{},
		durable: map[key]bool{}, finished: map[key]bool{}, held: map[key]bool{},
		reports: map[ID][]key{}, nobody: map[key]bool{},
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
	if !w.calm {
		job.Health, job.HealthText = Health(dice(key{job.ID, 0}, job.Attempt)%4), "dice"
	}
	for i := range job.Recipients {
		r := &job.Recipients[i]
		k := key{job.ID, int(r.index)}
		if w.finished[k] || w.held[k] {
			w.wrong("%v: delivered though finished %v, held %v", k, w.finished[k], w.held[k])
		}
		if want := fmt.Sprintf("r%d@example.test", r.index); w.reports[job.ID] == nil && string(r.Address) != want {
			w.wrong("%v: address %q", k, r.Address)
		}
		if string(r.Dest) != job.destination.key {
			w.wrong("%v: for %s, in a job for %s", k, r.Dest, job.destination.key)
		}
		r.Outcome = w.outcome(k, r.Attempt)
		if r.Outcome.Kind == Delivered {
			w.fresh[k], w.lately[k] = true, true
		}
	}
}

func (w *world) outcome(k key, attempt int) Outcome {
	if w.calm {
		return Outcome{Kind: Delivered}
	}
	switch h := dice(k, attempt); {
	case h < 10:
		return Outcome{Kind: Delivered, Action: Action(h % 4)}
	case h < 15:
		return Outcome{Kind: Deferred, Status: "4.2.0", Text: "not today"}
	default:
		return Outcome{Kind: Failed, Status: "5.1.1", Text: "never"}
	}
}

// dice is a number from 0 to 15.
func dice(k key, n int) uint64 {
	return (uint64(k.id)*31 + uint64(k.index)*7 + uint64(n)) * 0x9e3779b97f4a7c15 >> 60
}

// Report implements Reporter.
func (w *world) Report(job *Job, to *Writer) (*Envelope, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var about []key
	for i := range job.Recipients {
		k := key{job.ID, int(job.Recipients[i].index)}
		about = append(about, k)
		if job.Recipients[i].Outcome.Kind == Failed && w.finished[k] {
			w.wrong("%v: reported as failed though finished", k)
		}
		if len(job.Envelope.ReturnPath) == 0 {
			w.nobody[k] = true
		}
	}
	w.asked++
	if !w.calm && w.asked%5 == 0 {
		return nil, errors.New("the dice say no")
	}
	if len(job.Envelope.ReturnPath) == 0 {
		return nil, nil
	}
	body := fmt.Append(nil, about)
	w.sent[to.id], w.count[to.id], w.reports[to.id] = body, 1, about
	if _, err := to.Write(body); err != nil {
		return nil, err
	}
	return &Envelope{Recipients: []Recipient{{Address: job.Envelope.ReturnPath, Dest: []byte("smtp:reports")}}}, nil
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
	clear(w.lately)
	o := options(w.fsys, w)
	o.Now, o.Reporter, o.WarnAfter = w.clock.Now, w, 20*time.Minute
	o.Schedule.Lifetime = 2 * time.Hour
	o.Agents["smtp"] = w
	o.Limits = map[string]Limits{"smtp": {Workers: 3, Recipients: 2, Adaptive: true}}
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
		agent := [...]string{"local", "smtp"}[rng.IntN(2)]
		e.Recipients = append(e.Recipients, Recipient{
			Address: []byte(address), Dest: fmt.Appendf(nil, "%s:%d", agent, rng.IntN(3)), Notify: Notify(rng.IntN(16)),
		})
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
	for k := range w.lately {
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
			w.mark(w.nobody, id, open, true) // may be gone or not
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
			s.sweep()
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
			if k := (key{id, i}); !w.accounted(k, there) {
				t.Errorf("%s: %v was answered 250 and is lost", what, k)
			}
		}
	}
	for _, err := range w.errs {
		t.Errorf("%s: %v", what, err)
	}
	w.mu.Unlock()
	if st := s.Stats(); st.Damaged != 0 {
		t.Errorf("%s: a power cut passed for damage: %+v", what, st)
	}
	closeSpool(t, s)
	bodies, _ := w.fsys.ReadDir("/spool/spill")
	for _, d := range bodies {
		if id, err := ParseID(d.Name()); err != nil || s.messages[id] == nil {
			t.Errorf("%s: the body %s belongs to no message", what, d.Name())
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

// accounted says that a recipient is there, or delivered, or deleted, or that a
// report on it is.
func (w *world) accounted(k key, there map[key]bool) bool {
	if there[k] || w.durable[k] || w.finished[k] || w.nobody[k] {
		return true
	}
	for id, about := range w.reports {
		if slices.Contains(about, k) && w.accounted(key{id, 0}, there) {
			return true
		}
	}
	return false
}
