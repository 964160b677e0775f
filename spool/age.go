package spool

import (
	"fmt"
	"time"
)

// Ageing: a message expires when an attempt ends in Deferred after its lifetime
// (worker.go). Where a destination rests there is no attempt; and who waits for
// hours should be told. So now and then somebody looks at the messages from the
// oldest on, as far as they are old enough for that to matter.

const (
	sweepPauseMin = time.Second
	sweepPauseMax = 5 * time.Minute
	sweepMax      = 1000 // messages in one hold of the lock
)

// runSweeps looks at old messages every few minutes, and more often when
// warnings shall come sooner than that.
func (s *Spool) runSweeps() {
	defer s.background.Done()
	pause := sweepPauseMax
	if s.warnAfter > 0 {
		pause = max(min(pause, s.warnAfter/2), sweepPauseMin)
	}
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		select {
		case <-s.closing:
			return
		case <-ticker.C:
			s.sweep()
		}
	}
}

// sweep makes those messages expire that are over their lifetime and wait at a
// destination that rests, and has those reported that are late.
func (s *Spool) sweep() {
	s.mu.Lock()
	from := s.ages.newCursor()
	s.mu.Unlock()
	defer s.endSweep(from)
	for more := true; more; {
		var expired []ID
		expired, more = s.sweepSome(from)
		if len(expired) == 0 {
			continue
		}
		_ = s.flush() // or a history would miss the last attempt; should it fail, the entries are written later
		for _, id := range expired {
			s.expire(id)
		}
	}
}

func (s *Spool) endSweep(c *cursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ages.drop(c)
}

// sweepSome looks at the next messages, and returns those that have expired;
// more is false when those that follow are too young.
func (s *Spool) sweepSome(from *cursor) (expired []ID, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for range sweepMax {
		m := from.at
		if m == nil {
			return expired, false
		}
		age := now.Sub(m.id.Time())
		old, late := age > s.retry.Lifetime, s.reporter != nil && s.warnAfter > 0 && age > s.warnAfter
		if !old && !late {
			return expired, false
		}
		from.at = m.next
		switch {
		case m.claimed:
		case old && s.anyRests(m):
			expired = append(expired, m.id)
		case !old && m.anyLate():
			m.late = true
			s.reportSoon(m)
		}
	}
	return expired, true
}

// rests says that a recipient is ready for a destination that rests. Under
// s.mu.
func (s *Spool) rests(r *recipientState) bool {
	return r.state == StateReady && s.destinationOf(r).resting
}

// anyRests says that a recipient of m is ready for a destination that rests.
// Under s.mu.
func (s *Spool) anyRests(m *message) bool {
	rs := m.recipients()
	for i := range rs {
		if s.rests(&rs[i]) {
			return true
		}
	}
	return false
}

func (m *message) anyLate() bool {
	rs := m.recipients()
	for i := range rs {
		if rs[i].isLate() {
			return true
		}
	}
	return false
}

// expire makes those recipients fail that wait for a destination that rests.
func (s *Spool) expire(id ID) {
	all := s.allOf(id)
	past := make([]entry, len(all))
	for i := range all {
		past[i].history, past[i].outcomes = s.history(id, uint16(i), nil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.messages[id]
	if m == nil || m.claimed {
		return // the next sweep finds it again
	}
	now := s.now()
	rs := m.recipients()
	for i := range rs {
		if r := &rs[i]; s.rests(r) {
			text := s.expiredText(s.destinationOf(r).waitsFor())
			s.fail(m, uint16(i), &past[i], &Attempt{Time: now, Outcome: Outcome{Kind: Failed, Status: "4.4.7", Text: text}})
			s.stats.expired.Add(1)
		}
	}
}

// fail makes a recipient fail. Under s.mu.
func (s *Spool) fail(m *message, index uint16, past *entry, why *Attempt) {
	r := &m.recipients()[index]
	s.setState(m, r, StateFailed)
	s.stats.failed.Add(1)
	history, outcomes := appendAttempt(past.history, past.outcomes, why)
	e := r.entryOf(m.id, index, history, outcomes)
	s.note(&e)
	s.ended(m, r)
}

// expiredText is why a recipient failed that was tried for too long.
func (s *Spool) expiredText(reason string) string {
	return fmt.Sprintf("expired after %v: %s", s.retry.Lifetime, reason)
}
