package spool

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"barid/internal/vfs/crash"
)

// relayOptions are options with an agent "smtp" of the given limits.
func relayOptions(a Agent, l Limits) Options {
	o := options(crash.New(1), newAgent())
	o.Agents["smtp"] = a
	o.Limits = map[string]Limits{"smtp": l}
	return o
}

// to is an envelope with recipients at the given destinations of agent smtp.
func to(sender string, hosts ...string) *Envelope {
	e := &Envelope{ReturnPath: []byte(sender)}
	for i, h := range hosts {
		e.Recipients = append(e.Recipients, Recipient{Address: fmt.Appendf(nil, "r%d@%s", i, h), Dest: []byte("smtp:" + h)})
	}
	return e
}

// jobsAgent notes each job as "destination n".
type jobsAgent struct {
	*testAgent
	jobs []string
}

func (a *jobsAgent) Deliver(ctx context.Context, job *Job) {
	a.mu.Lock()
	for i := range job.Recipients {
		if string(job.Recipients[i].Dest) != string(job.Recipients[0].Dest) {
			a.errs = append(a.errs, fmt.Errorf("%v: a job for two destinations", job.ID))
		}
	}
	a.jobs = append(a.jobs, fmt.Sprintf("%s %d", job.Recipients[0].Dest, len(job.Recipients)))
	a.mu.Unlock()
	a.testAgent.Deliver(ctx, job)
}

func TestJobHasOneDestinationAndNoMoreRecipientsThanTheLimit(t *testing.T) {
	a := &jobsAgent{testAgent: newAgent()}
	s := open(t, relayOptions(a, Limits{Workers: 1, Recipients: 2}))
	id, err := submit(s, []byte("x"), to("s@x", "a", "b", "a", "a", "a", "b", "a"))
	must(t, err)
	a.waitFor(7)
	settleDown(s)
	if got, want := fmt.Sprint(a.jobs), "[smtp:a 2 smtp:b 2 smtp:a 2 smtp:a 1]"; got != want || len(a.errs) != 0 {
		t.Errorf("jobs %v, want %v; %v", got, want, a.errs)
	}
	must(t, s.Checkpoint())
	if got := states(t, s, id); got != "gone" {
		t.Errorf("state %q", got)
	}
	closeSpool(t, s)
}

func TestRestOfABigMessageWaitsBehindTheOthers(t *testing.T) {
	a := newAgent()
	a.gate = make(chan struct{})
	s := open(t, relayOptions(a, Limits{Workers: 1, Recipients: 2}))
	must2(t)(submit(s, []byte("x"), to("s@x", "a")))
	for s.Stats().Running == 0 {
		runtime.Gosched()
	}
	big := must2(t)(submit(s, []byte("x"), to("s@x", "a", "a", "a", "a")))
	small := must2(t)(submit(s, []byte("x"), to("s@x", "a")))
	close(a.gate)
	got := a.waitFor(6)
	var order []ID
	for _, d := range got[1:] {
		order = append(order, d.id)
	}
	if want := []ID{big, big, small, big, big}; fmt.Sprint(order) != fmt.Sprint(want) {
		t.Errorf("order %v, want %v", order, want)
	}
	closeSpool(t, s)
}

// must2 fails the test on an error beside an ID.
func must2(t testing.TB) func(ID, error) ID {
	return func(id ID, err error) ID {
		t.Helper()
		must(t, err)
		return id
	}
}

func TestReleasedWhileRunningIsNotDeliveredTwiceAtATime(t *testing.T) {
	a := newAgent()
	a.gate = make(chan struct{})
	a.deliver = func(_ *Job, r *JobRecipient) Outcome {
		return Outcome{Kind: Deferred, RetryAfter: time.Hour}
	}
	s := open(t, options(crash.New(1), a))
	id := must2(t)(submit(s, []byte("x"), envelope("a@x")))
	for s.Stats().Running == 0 {
		runtime.Gosched()
	}
	must(t, s.Hold(id))
	must(t, s.Release(id))
	if st := s.Stats(); st.Running != 1 {
		t.Fatalf("%d deliveries of one recipient", st.Running)
	}
	a.gate <- struct{}{}
	a.waitFor(1)
	a.gate <- struct{}{} // released, so it is tried again
	a.waitFor(2)
	settleDown(s)
	if got := states(t, s, id); got != "deferred" {
		t.Errorf("state %q", got)
	}
	closeSpool(t, s)
}

func TestIdleSpoolHasNoWorkers(t *testing.T) {
	a := newAgent()
	o := options(crash.New(1), a)
	o.workerPatience = time.Millisecond
	s := open(t, o)
	if n := s.Stats().Workers; n != 0 {
		t.Errorf("%d workers before there was work", n)
	}
	for i := range 20 {
		must2(t)(submit(s, text(100, i), envelope("a@x")))
	}
	a.waitFor(20)
	for s.Stats().Workers > 0 {
		runtime.Gosched()
	}
	must2(t)(submit(s, text(100, 1), envelope("a@x")))
	a.waitFor(21)
	closeSpool(t, s)
}

func TestNoMoreWorkersThanTheLimitOfEachAgent(t *testing.T) {
	a := newAgent()
	a.gate = make(chan struct{})
	s := open(t, relayOptions(a, Limits{Workers: 3, Concurrency: 2}))
	for i := range 12 {
		must2(t)(submit(s, text(10, i), to("s@x", fmt.Sprint(i/4))))
	}
	for s.Stats().Running < 3 {
		runtime.Gosched()
	}
	s.mu.Lock()
	for key, d := range s.destinations.byKey {
		if d.running > 2 {
			t.Errorf("%d at a time to %s", d.running, key)
		}
	}
	s.mu.Unlock()
	if st := s.Stats(); st.Workers != 3 || st.Running != 3 {
		t.Errorf("%+v", st)
	}
	close(a.gate)
	a.waitFor(12)
	closeSpool(t, s)
}

func TestSpoolWithoutWorkersChangesNothing(t *testing.T) {
	fsys := crash.New(1)
	s := open(t, options(fsys, heldAgent()))
	id := must2(t)(submit(s, []byte("x"), envelope("a@x", "b@x")))
	settleDown(s)
	closeSpool(t, s)
	o := options(fsys, nil)
	o.Workers = -1
	s = open(t, o)
	must(t, s.Hold(id, 0))
	must(t, s.Release(id, 1))
	more := must2(t)(submit(s, []byte("x"), envelope("c@x")))
	if got := states(t, s, id) + ", " + states(t, s, more); got != "held ready, ready" {
		t.Errorf("states %q", got)
	}
	closeSpool(t, s)
	a := newAgent()
	s = open(t, options(fsys, a))
	a.waitFor(2)
	settleDown(s)
	if got := states(t, s, id) + ", " + states(t, s, more); got != "held delivered, delivered" {
		t.Errorf("states %q", got)
	}
	closeSpool(t, s)
}

func TestDestinationsAreKeptWhileNeededAndAFewLonger(t *testing.T) {
	fsys := crash.New(1)
	a := newAgent()
	a.deliver = func(_ *Job, r *JobRecipient) Outcome {
		if string(r.Address) == "stays@x" {
			return Outcome{Kind: Deferred, RetryAfter: time.Hour}
		}
		return Outcome{Kind: Delivered}
	}
	o := options(fsys, a)
	s := open(t, o)
	stays := must2(t)(submit(s, []byte("x"), envelope("stays@x")))
	for i := range emptyMax + 50 {
		must2(t)(submit(s, []byte("x"), envelope(fmt.Sprintf("u%d@x", i))))
		if i%200 == 199 {
			settleDown(s)
			must(t, s.Checkpoint())
		}
	}
	settleDown(s)
	must(t, s.Checkpoint())
	check := func() {
		t.Helper()
		s.mu.Lock()
		defer s.mu.Unlock()
		known := &s.destinations
		if d := known.byKey["local:stays@x"]; d == nil || d.recipients != 1 || d.states[StateDeferred] != 1 {
			t.Errorf("the destination that is needed: %+v", d)
		}
		if n := len(known.byKey); n > emptyMax+1 || len(known.known)-len(known.unused) != n {
			t.Errorf("%d known by key, %d by index, %d free", n, len(known.known), len(known.unused))
		}
	}
	check()
	closeSpool(t, s)
	s = open(t, o)
	settleDown(s)
	check()
	must(t, s.Delete(stays))
	s.mu.Lock()
	if n := s.destinations.empty.count; n == 0 || len(s.messages) != 0 || len(s.flows) != 0 {
		t.Errorf("%d empty destinations, %d messages, %d flows", n, len(s.messages), len(s.flows))
	}
	s.mu.Unlock()
	closeSpool(t, s)
}

func TestOtherLayoutIsRefusedAndNotTakenForDamage(t *testing.T) {
	fsys, _, segment := sample(t)
	f, err := fsys.OpenWrite(segment)
	must(t, err)
	p := make([]byte, headerSize)
	_, err = f.ReadAt(p, 0)
	must(t, err)
	p[3]--
	binary.LittleEndian.PutUint32(p[36:], checksum(p[:36]))
	_, err = f.WriteAt(p, 0)
	must(t, err)
	must(t, f.Close())
	if _, err := Open(options(fsys, newAgent())); !errors.Is(err, ErrLayout) {
		t.Errorf("opened: %v", err)
	}
}
