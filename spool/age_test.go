package spool

import (
	"strings"
	"testing"
	"time"

	"barid/internal/vfs/crash"
)

func TestMessageExpiresWhileItsDestinationRests(t *testing.T) {
	a, c, p := newHosts(), newClock(), newReporter()
	a.set("smtp:dead", Dead)
	o := relayOptions(a, Limits{Workers: 2, Adaptive: true})
	o.Now, o.Reporter = c.Now, p
	o.Schedule.Lifetime = 10 * time.Minute
	s := open(t, o)
	must2(t)(submit(s, text(10, 1), to("s@x", "dead")))
	settleDown(s)
	waits := must2(t)(submit(s, text(10, 2), to("s@x", "dead")))
	s.mu.Lock()
	d := s.destinations.byKey["smtp:dead"]
	s.waitUntil(d, c.Now().Add(time.Hour).UnixNano()) // rests for longer
	s.mu.Unlock()
	s.sweep()
	if got := states(t, s, waits); got != "ready" {
		t.Errorf("state %q", got)
	}
	c.advance(11 * time.Minute)
	s.sweep()
	if got := p.waitFor(1)[0]; got != "r0@dead failed expired after 10m0s: connection refused" {
		t.Errorf("reported %q", got)
	}
	untilGone(s, waits)
	if st := s.Stats(); st.Expired != 1 || st.Failed != 1 {
		t.Errorf("%+v", st)
	}
	if n := a.attempts("dead"); n != 1 {
		t.Errorf("%d attempts", n)
	}
	closeSpool(t, s)
}

func TestLateMessageIsReportedOnceAcrossRestarts(t *testing.T) {
	fsys, c, p := crash.New(1), newClock(), newReporter()
	o := options(fsys, byAddress())
	o.Now, o.Reporter, o.WarnAfter, o.indexMin = c.Now, p, 4*time.Hour, 1
	s := open(t, o)
	id := must2(t)(submit(s, []byte("x"), envelope("goes@x", "waits@x", "waits@y")))
	settleDown(s)
	must(t, s.Hold(id, 2))
	s.sweep()
	c.advance(4*time.Hour + time.Second)
	s.sweep()
	if got := p.waitFor(1)[0]; got != "waits@x deferred full" {
		t.Errorf("reported %q", got)
	}
	for range 3 {
		settleDown(s)
		s.sweep()
		settleDown(s)
		closeSpool(t, s)
		s = open(t, o)
		c.advance(time.Hour)
		s.Wake() // an attempt, whose entry must not forget it
	}
	must(t, s.Release(id, 2))
	settleDown(s)
	s.sweep()
	if got := p.waitFor(2)[1]; got != "waits@y deferred full" {
		t.Errorf("reported %q", got)
	}
	settleDown(s)
	closeSpool(t, s)
	if n := len(p.waitFor(2)); n != 2 {
		t.Errorf("%d reports", n)
	}
}

func TestNobodyIsWarnedAgainAboutWhatNeedsNoReport(t *testing.T) {
	fsys, c, p := crash.New(1), newClock(), newReporter()
	p.silent = true
	o := options(fsys, byAddress())
	o.Now, o.Reporter, o.WarnAfter = c.Now, p, time.Hour
	s := open(t, o)
	id := must2(t)(submit(s, []byte("x"), envelope("waits@x")))
	settleDown(s)
	c.advance(2 * time.Hour)
	for range 3 {
		s.sweep()
		settleDown(s)
		closeSpool(t, s)
		s = open(t, o)
	}
	settleDown(s)
	if got := states(t, s, id); got != "deferred" && got != "ready" {
		t.Errorf("state %q", got)
	}
	if n := len(p.waitFor(1)); n != 1 {
		t.Errorf("asked %d times", n)
	}
	closeSpool(t, s)
}

func TestSweepPassesOverTheYoungAndSurvivesThatMessagesEnd(t *testing.T) {
	c := newClock()
	o := options(crash.New(1), heldAgent())
	o.Now, o.Reporter, o.WarnAfter = c.Now, newReporter(), time.Hour
	s := open(t, o)
	var ids []ID
	for i := range 10 {
		ids = append(ids, must2(t)(submit(s, text(10, i), envelope("a@x"))))
		c.advance(10 * time.Minute)
	}
	settleDown(s)
	s.mu.Lock()
	from := s.ages.newCursor()
	from.at = s.messages[ids[2]]
	s.mu.Unlock()
	must(t, s.Delete(ids[2]))
	must(t, s.Delete(ids[0]))
	must(t, s.Delete(ids[9]))
	s.mu.Lock()
	if from.at != s.messages[ids[3]] || s.ages.oldest != s.messages[ids[1]] || s.ages.newest != s.messages[ids[8]] {
		t.Errorf("the list of ages is broken")
	}
	s.mu.Unlock()
	_, more := s.sweepSome(from)
	s.mu.Lock()
	if at := from.at; more || at == nil || at.id != ids[4] { // 60 minutes old, and not more
		t.Errorf("the sweep ended at %v, more: %v", at, more)
	}
	s.ages.drop(from)
	s.mu.Unlock()
	closeSpool(t, s)
	if !strings.HasPrefix(s.expiredText("x"), "expired after 120h") {
		t.Errorf("%s", s.expiredText("x"))
	}
}
