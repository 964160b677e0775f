package spool

import (
	"context"
	"fmt"
	"testing"
	"time"

	"barid/internal/vfs/crash"
)

// hostsAgent delivers at once what goes to hosts that live, and defers the
// rest.
type hostsAgent struct {
	*testAgent
	health map[string]Health // by destination key; Healthy when it is not there
}

func newHosts() *hostsAgent {
	a := &hostsAgent{testAgent: newAgent(), health: map[string]Health{}}
	a.deliver = func(job *Job, r *JobRecipient) Outcome {
		if job.Health == Healthy {
			return Outcome{Kind: Delivered}
		}
		return Outcome{Kind: Deferred, Status: "4.4.1", Text: job.HealthText, RetryAfter: time.Minute}
	}
	return a
}

func (a *hostsAgent) Deliver(ctx context.Context, job *Job) {
	a.mu.Lock()
	job.Health = Healthy
	if h, ok := a.health[string(job.Recipients[0].Dest)]; ok {
		job.Health, job.HealthText = h, "connection refused"
	}
	a.mu.Unlock()
	a.testAgent.Deliver(ctx, job)
}

func (a *hostsAgent) set(dest string, h Health) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.health[dest] = h
}

// attempts is how often something was tried for addresses that end so.
func (a *hostsAgent) attempts(host string) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range a.got {
		if d.address[len(d.address)-len(host):] == host {
			n++
		}
	}
	return n
}

func TestDestinationThatIsDeadRestsAndHoldsNobodyUp(t *testing.T) {
	a, c := newHosts(), newClock()
	a.set("smtp:dead", Dead)
	o := relayOptions(a, Limits{Workers: 4, Adaptive: true})
	o.Now = c.Now
	s := open(t, o)
	for i := range 100 {
		must2(t)(submit(s, text(10, i), to("s@x", "dead")))
		must2(t)(submit(s, text(10, i), to("s@x", "alive")))
	}
	settleDown(s)
	if n := a.attempts("alive"); n != 100 {
		t.Errorf("%d attempts at the one that lives", n)
	}
	first := a.attempts("dead")
	if first < 1 || first > windowFirst {
		t.Errorf("%d attempts at the dead one before it rests", first)
	}
	pause := restPauseMin
	for i := range 8 { // probes
		c.advance(pause / 2)
		s.releaseDue()
		settleDown(s)
		if n := a.attempts("dead"); n != first+i {
			t.Errorf("%d attempts in the rest before probe %d", n-first-i, i)
		}
		c.advance(pause)
		s.releaseDue()
		settleDown(s)
		if n := a.attempts("dead"); n != first+i+1 {
			t.Errorf("%d attempts as probe %d", n-first-i, i)
		}
		pause = min(2*pause, restPauseMax)
	}
	a.set("smtp:dead", Healthy)
	c.advance(2 * restPauseMax)
	s.releaseDue()
	settleDown(s)
	if st := s.Stats(); st.Delivered != 200 {
		t.Errorf("after it came back: %+v", st)
	}
	closeSpool(t, s)
}

func TestWindowFollowsWhatIsLearned(t *testing.T) {
	s := open(t, relayOptions(newAgent(), Limits{Workers: 20, Concurrency: 12, Adaptive: true}))
	s.mu.Lock()
	d := s.destination([]byte("smtp:x"))
	if d.window != windowFirst {
		t.Errorf("begins at %d", d.window)
	}
	learn := func(h Health, times int, epoch uint32) {
		for range times {
			s.learn(d, &Job{Health: h, epoch: epoch})
		}
	}
	learn(Healthy, 4, d.epoch)
	if d.window != 5 {
		t.Errorf("%d before a windowful of successes", d.window)
	}
	learn(Healthy, 1, d.epoch)
	if d.window != 6 {
		t.Errorf("%d after a windowful of successes", d.window)
	}
	learn(Healthy, 1000, d.epoch)
	if d.window != 12 {
		t.Errorf("%d is over the limit", d.window)
	}
	learn(Busy, 12, d.epoch) // begun at the same time
	if d.window != 6 {
		t.Errorf("%d after one wave of busy", d.window)
	}
	for range 5 {
		learn(Busy, 1, d.epoch)
	}
	if d.window != 1 || d.resting {
		t.Errorf("%d after all was busy, rests %v", d.window, d.resting)
	}
	learn(Healthy, 100, d.epoch)
	d.running = 3
	before := d.epoch
	learn(Dead, deathsMax-1, before)
	if d.window != 1 || d.resting {
		t.Errorf("%d after a few deaths, rests %v", d.window, d.resting)
	}
	learn(Dead, 1, before)
	if !d.resting || d.restPause != restPauseMin || d.reason != "" {
		t.Errorf("rests %v for %v: %s", d.resting, d.restPause, d.reason)
	}
	learn(Dead, 5, before) // what ran meanwhile
	if d.restPause != restPauseMin {
		t.Errorf("rests for %v", d.restPause)
	}
	d.running = 0
	s.mu.Unlock()
	closeSpool(t, s)
}

func TestMailingDoesNotHoldUpTheNextMessage(t *testing.T) {
	a := newAgent()
	a.gate = make(chan struct{})
	s := open(t, relayOptions(a, Limits{Workers: 1}))
	for i := range 50 {
		must2(t)(submit(s, text(10, i), to("mailing@x", "a")))
	}
	one := must2(t)(submit(s, text(10, 1), to("somebody@x", "a")))
	e := to("mailing@x", "a")
	e.Account = []byte("else")
	other := must2(t)(submit(s, text(10, 1), e))
	for range 5 {
		a.gate <- struct{}{}
	}
	got := a.waitFor(4)
	places := map[ID]int{}
	for i, d := range got {
		places[d.id] = i
	}
	if places[one] == 0 || places[other] == 0 {
		t.Errorf("order %v, the single messages are %v and %v", got, one, other)
	}
	close(a.gate)
	got = a.waitFor(52)
	last := ID(0)
	for _, d := range got {
		if d.id == one || d.id == other {
			continue
		}
		if d.id < last {
			t.Errorf("%v after %v", d.id, last)
		}
		last = d.id
	}
	closeSpool(t, s)
}

func TestBeginningsOfDeliveriesAreSpaced(t *testing.T) {
	a, c := newHosts(), newClock()
	o := relayOptions(a, Limits{Workers: 4})
	o.Now = c.Now
	o.Destination = func(dest []byte) DestinationLimits {
		if string(dest) == "smtp:slow" {
			return DestinationLimits{Interval: time.Minute, Concurrency: 1}
		}
		return DestinationLimits{}
	}
	s := open(t, o)
	for i := range 5 {
		must2(t)(submit(s, text(10, i), to("s@x", "slow")))
		must2(t)(submit(s, text(10, i), to("s@x", "fast")))
	}
	for i := range 5 {
		settleDown(s)
		if slow, fast := a.attempts("slow"), a.attempts("fast"); slow != i+1 || fast != 5 {
			t.Errorf("after %d minutes %d slow ones and %d fast ones", i, slow, fast)
		}
		c.advance(59 * time.Second)
		s.releaseDue()
		settleDown(s)
		if n := a.attempts("slow"); n != i+1 {
			t.Errorf("%d after %d minutes and 59 seconds", n, i)
		}
		c.advance(time.Second)
		s.releaseDue()
	}
	closeSpool(t, s)
}

func TestSendersTakeTurnsAfterRecoveryToo(t *testing.T) {
	fsys := crash.New(1)
	o := options(fsys, nil)
	o.Workers, o.indexMin = -1, 1
	s := open(t, o)
	for i := range 40 { // in several segments, of which some get an index
		must2(t)(submit(s, text(4000, i), envelope("a@x")))
	}
	e := envelope("a@x")
	e.ReturnPath = []byte("somebody@x")
	one := must2(t)(submit(s, text(10, 1), e))
	indexed := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.segments[0].index.seq != 0
	}
	for !indexed() {
		s.nudge()
	}
	for s.Stats().Segments < 5 { // so that an open record tells of it
		must2(t)(submit(s, text(4000, 1), envelope("a@x")))
	}
	closeSpool(t, s)
	a := newAgent()
	o = options(fsys, a)
	o.Workers = 1
	s = open(t, o)
	got := a.waitFor(41)
	for i, d := range got {
		if d.id == one && i > 2 {
			t.Errorf("the single message came as number %d", i)
		}
	}
	closeSpool(t, s)
}

func BenchmarkDecision(b *testing.B) {
	for _, queued := range []int{1000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("queued=%d", queued), func(b *testing.B) { benchmarkDecision(b, queued) })
	}
}

// benchmarkDecision takes jobs and gives them back as if delivery was deferred
// at once, with so many messages ready for 10,000 destinations.
func benchmarkDecision(b *testing.B, queued int) {
	o := relayOptions(newAgent(), Limits{Workers: 100, Adaptive: true})
	s := open(b, o)
	s.mu.Lock()
	q := s.agentOf([]byte("smtp:"))
	q.closed = true // no worker takes part
	seg := s.segments[0]
	for i := range queued {
		m := s.newMessage(1)
		m.id, m.sender, m.segment = ID(i+1), uint32(i%1000), seg
		s.assign(&m.single[0], s.destination(fmt.Appendf(nil, "smtp:host%d", i%10_000)))
		s.insert(m)
		s.ages.add(m)
		s.schedule(m)
	}
	q.closed = false
	q.workers = q.limits.Workers
	s.mu.Unlock()
	job := &Job{spool: s}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		s.mu.Lock()
		if !s.nextJob(q, job) {
			b.Fatal("nothing to do")
		}
		m, d := job.message, job.destination
		s.setState(m, &m.single[0], StateReady)
		m.single[0].marks = 0
		q.running--
		d.running--
		m.busy--
		job.unpin()
		s.schedule(m)
		s.mu.Unlock()
	}
	b.StopTimer()
	s.mu.Lock()
	clear(s.messages)
	seg.live = 0
	q.workers = 0
	s.mu.Unlock()
	_ = s.Close(context.Background())
}

func TestFlushEndsARest(t *testing.T) {
	for name, flush := range map[string]func(s *Spool) int{
		"all":         func(s *Spool) int { n, _ := s.Flush(Filter{}); return n },
		"address":     func(s *Spool) int { n, _ := s.Flush(Filter{Recipient: []byte("@dead")}); return n },
		"destination": func(s *Spool) int { return s.FlushDestination([]byte("smtp:dead")) },
	} {
		a, c := newHosts(), newClock()
		a.set("smtp:dead", Dead)
		o := relayOptions(a, Limits{Workers: 1, Adaptive: true})
		o.Now = c.Now
		s := open(t, o)
		for i := range 10 {
			must2(t)(submit(s, text(10, i), to("s@x", "dead")))
		}
		settleDown(s)
		var status DestinationStatus
		for d := range s.Destinations() {
			status = d
		}
		if status.Key != "smtp:dead" || status.Ready != 9 || status.Deferred != 1 || status.Window != 1 ||
			status.Health != Dead || status.Reason != "connection refused" || !status.RestsUntil.After(c.Now()) {
			t.Errorf("%s: %+v", name, status)
		}
		if st := s.Stats(); st.Resting != 1 || st.Recipients[StateReady] != 9 || st.Oldest.IsZero() {
			t.Errorf("%s: %+v", name, st)
		}
		a.set("smtp:dead", Healthy)
		if n := flush(s); n != 10 {
			t.Errorf("%s: %d messages", name, n)
		}
		settleDown(s)
		if st := s.Stats(); st.Delivered != 10 || st.Resting != 0 {
			t.Errorf("%s: %+v", name, st)
		}
		closeSpool(t, s)
	}
}
