package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"barid/internal/vfs"
	"barid/internal/vfs/crash"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Unix(1_800_000_000, 0)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// testAgent is an agent that does as it is told, and remembers.
type testAgent struct {
	mu      sync.Mutex
	changed *sync.Cond
	// deliver says what becomes of a recipient; nil: Delivered.
	deliver func(job *Job, r *JobRecipient) Outcome
	sync    func() error
	got     []deliveryRecord
	bodies  map[ID][]byte
	errs    []error
	gate    chan struct{} // when not nil, each delivery waits for it
}

type deliveryRecord struct {
	id      ID
	address string
	attempt int
	outcome Kind
}

func newAgent() *testAgent {
	a := &testAgent{bodies: map[ID][]byte{}}
	a.changed = sync.NewCond(&a.mu)
	return a
}

func (a *testAgent) Deliver(ctx context.Context, job *Job) {
	if a.gate != nil {
		select {
		case <-a.gate:
		case <-ctx.Done():
			return
		}
	}
	body, err := job.ReadAll(nil)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.errs = append(a.errs, err)
	}
	a.bodies[job.ID] = body
	for i := range job.Recipients {
		r := &job.Recipients[i]
		r.Outcome = Outcome{Kind: Delivered}
		if a.deliver != nil {
			r.Outcome = a.deliver(job, r)
		}
		a.got = append(a.got, deliveryRecord{job.ID, string(r.Address), r.Attempt, r.Outcome.Kind})
	}
	a.changed.Broadcast()
}

func (a *testAgent) Sync() error {
	a.mu.Lock()
	sync := a.sync
	a.mu.Unlock()
	if sync != nil {
		return sync()
	}
	return nil
}

// waitFor returns when n recipients in all were tried.
func (a *testAgent) waitFor(n int) []deliveryRecord {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.got) < n {
		a.changed.Wait()
	}
	return append([]deliveryRecord(nil), a.got...)
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func options(fsys vfs.FS, agent Agent) Options {
	return Options{
		FS: fsys, Dir: "/spool", SegmentSize: 64 << 10, SpillSize: 8 << 10, ReserveBytes: 1,
		Agents: map[string]Agent{"local": agent}, Workers: 2, Log: quiet(),
		CheckpointInterval: time.Hour,
	}
}

func open(t testing.TB, o Options) *Spool {
	t.Helper()
	s, err := Open(o)
	must(t, err)
	return s
}

func closeSpool(t testing.TB, s *Spool) {
	t.Helper()
	must(t, s.Close(context.Background()))
}

func envelope(addresses ...string) *Envelope {
	e := &Envelope{ReturnPath: []byte("sender@example.org"), Client: []byte("[192.0.2.1]")}
	for _, a := range addresses {
		e.Recipients = append(e.Recipients, Recipient{Address: []byte(a), Dest: []byte("local:" + a)})
	}
	return e
}

// submit commits one message.
func submit(s *Spool, body []byte, e *Envelope) (ID, error) {
	w := s.Writer()
	defer w.Release()
	id, err := w.Begin()
	if err != nil {
		return 0, err
	}
	if _, err := w.Write(body); err != nil {
		return 0, err
	}
	return id, w.Commit(e)
}

func text(n, seed int) []byte {
	line := fmt.Appendf(nil, "line of message %d\n", seed)
	return bytes.Repeat(line, n/len(line)+1)[:n]
}

// settleDown returns when nothing runs and nothing may run now. Whoever moved
// the clock has only woken the spool; without looking at it here, what has
// become due could begin to run at any time after.
func settleDown(s *Spool) {
	s.releaseDue()
	for !s.settled() {
		runtime.Gosched()
	}
}

func (s *Spool) settled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.agents {
		if q.ring.first != nil || q.running > 0 {
			return false
		}
	}
	if s.reporter != nil {
		for _, m := range s.messages {
			if m.reporting || m.inReports {
				return false
			}
		}
	}
	return true
}

// heldAgent defers everything, so that messages stay.
func heldAgent() *testAgent {
	a := newAgent()
	a.deliver = func(*Job, *JobRecipient) Outcome { return Outcome{Kind: Deferred, RetryAfter: time.Hour} }
	return a
}

func TestMessageIsDeliveredAsItCame(t *testing.T) {
	for _, size := range []int{0, 1, 4096, 8 << 10, 8<<10 + 1, 70_000, 300_000} {
		a := newAgent()
		s := open(t, options(crash.New(1), a))
		body := text(size, 1)
		id, err := submit(s, body, envelope("alice@example.test", "bob@example.test"))
		must(t, err)
		got := a.waitFor(2)
		settleDown(s)
		slices.SortFunc(got, func(a, b deliveryRecord) int { return strings.Compare(a.address, b.address) })
		if got[0].id != id || got[0].address != "alice@example.test" || got[1].address != "bob@example.test" {
			t.Fatalf("size %d: delivered %v", size, got)
		}
		if !bytes.Equal(a.bodies[id], body) || len(a.errs) > 0 {
			t.Fatalf("size %d: body of %d bytes, errors %v", size, len(a.bodies[id]), a.errs)
		}
		must(t, s.Checkpoint())
		if st := s.Stats(); st.Messages != 0 || st.Delivered != 2 || st.Accepted != 1 {
			t.Fatalf("size %d: %+v", size, st)
		}
		closeSpool(t, s)
		if names, err := s.fs.ReadDir("/spool/spill"); err != nil || len(names) != 0 {
			t.Fatalf("size %d: bodies left: %v, %v", size, names, err)
		}
	}
}

func TestEnvelopeComesBackWhole(t *testing.T) {
	e := &Envelope{
		ReturnPath: []byte("a@b"), EnvID: []byte("x y"), Account: []byte("alice"), Client: []byte("h"),
		Ret: RetHeaders, Body: BodyBinary, SMTPUTF8: true,
		Recipients: []Recipient{{
			Address: []byte("c@d"), Original: []byte("e@f"), ORcpt: []byte("rfc822;e@f"),
			Dest: []byte("local:c@d"), Notify: NotifyDelay | NotifyFailure,
		}},
	}
	a := heldAgent()
	s := open(t, options(crash.New(1), a))
	id, err := submit(s, []byte("x"), e)
	must(t, err)
	settleDown(s)
	sum, err := s.Show(id)
	must(t, err)
	if fmt.Sprintf("%v", sum.Envelope) != fmt.Sprintf("%v", *e) {
		t.Fatalf("got  %v\nwant %v", sum.Envelope, *e)
	}
	closeSpool(t, s)
}

func TestQueueComesBackAfterClose(t *testing.T) {
	fsys := crash.New(1)
	a := heldAgent()
	s := open(t, options(fsys, a))
	want := map[ID][]byte{}
	for i := range 40 {
		body := text(1000*(i%12), i)
		id, err := submit(s, body, envelope("alice@example.test"))
		must(t, err)
		want[id] = body
	}
	settleDown(s)
	closeSpool(t, s)

	s = open(t, options(fsys, newAgent()))
	n := 0
	for sum, err := range s.List(Filter{}) {
		must(t, err)
		c, err := s.OpenBody(sum.ID)
		must(t, err)
		got, err := io.ReadAll(c)
		must(t, err)
		must(t, c.Close())
		if !bytes.Equal(got, want[sum.ID]) || sum.Recipients[0].State != StateDeferred || sum.Recipients[0].Attempts != 1 {
			t.Fatalf("%v: %d bytes, %+v", sum.ID, len(got), sum.Recipients)
		}
		n++
	}
	if n != len(want) {
		t.Fatalf("%d messages came back, want %d", n, len(want))
	}
	if id := s.nextID(); want[id] != nil {
		t.Fatalf("ID %v given twice", id)
	}
	closeSpool(t, s)
}

func TestIDsGrowAcrossRestartsWhateverTheClockSays(t *testing.T) {
	fsys := crash.New(1)
	c := newClock()
	o := options(fsys, newAgent())
	o.Now = c.Now
	last := ID(0)
	for range 5 {
		s := open(t, o)
		id, err := submit(s, []byte("x"), envelope("alice@example.test"))
		must(t, err)
		if id <= last {
			t.Errorf("%v after %v", id, last)
		}
		last = id
		settleDown(s)
		must(t, s.Checkpoint())
		closeSpool(t, s)
		s = open(t, o) // now the message is in no segment any more
		untilFreed(s)
		closeSpool(t, s)
		c.advance(-time.Hour)
	}
}

func TestDeferredRecipientIsTriedWhenDueAndOnlyThen(t *testing.T) {
	c := newClock()
	a := newAgent()
	a.deliver = func(job *Job, r *JobRecipient) Outcome {
		if string(r.Address) == "bob@example.test" && r.Attempt < 3 {
			return Outcome{Kind: Deferred, Status: "4.2.2", Text: "full"}
		}
		return Outcome{Kind: Delivered}
	}
	o := options(crash.New(1), a)
	o.Now = c.Now
	s := open(t, o)
	id, err := submit(s, []byte("x"), envelope("alice@example.test", "bob@example.test"))
	must(t, err)
	settleDown(s)
	sum, err := s.Show(id)
	must(t, err)
	bob := sum.Recipients[1]
	if bob.State != StateDeferred || bob.Attempts != 1 || bob.Last.Text != "full" || bob.Last.Status != "4.2.2" {
		t.Fatalf("bob: %+v", bob)
	}
	if pause := bob.Due.Sub(c.Now()); pause < 4*time.Minute || pause > 6*time.Minute {
		t.Fatalf("tried again after %v", pause)
	}
	for n := 3; n <= 4; n++ {
		s.releaseDue()
		if st := s.Stats(); st.Ready+st.Running != 0 {
			t.Fatalf("tried too early: %+v", st)
		}
		c.advance(20 * time.Minute)
		s.Wake()
		got := a.waitFor(n)
		settleDown(s)
		if got[n-1].address != "bob@example.test" || got[n-1].attempt != n-1 {
			t.Fatalf("attempt: %+v", got[n-1])
		}
		if n == 3 {
			sum, err = s.Show(id)
			must(t, err)
			if len(sum.Recipients[1].History) != 2 {
				t.Fatalf("history: %+v", sum.Recipients[1].History)
			}
		}
	}
	must(t, s.Checkpoint())
	if _, err := s.Show(id); !errors.Is(err, ErrUnknown) {
		t.Fatalf("done, and still there: %v", err)
	}
	closeSpool(t, s)
}
