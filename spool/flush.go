package spool

import (
	"errors"
	"iter"
	"slices"
	"time"
)

// Flush has the messages that a filter chooses tried now, of all their
// recipients those that wait: for their time, or because their destination
// rests, which ends thereby. It returns how many messages these are.
func (s *Spool) Flush(f Filter) (messages int, err error) {
	resting := map[*destination]bool{}
	if !f.reads() {
		for _, id := range s.ids(&f) {
			if waited, _ := s.flushMessage(id, nil, resting); waited {
				messages++
			}
		}
		s.endRests(resting)
		return messages, nil
	}
	for sum, listErr := range s.List(f) {
		if listErr != nil {
			err = errors.Join(err, listErr)
			continue
		}
		if waited, _ := s.flushMessage(sum.ID, nil, resting); waited {
			messages++
		}
	}
	s.endRests(resting)
	return messages, err
}

// FlushDestination has all that waits for a destination tried now; a rest
// ends. It returns how many messages these are.
func (s *Spool) FlushDestination(dest []byte) (messages int) {
	messages, _ = s.Flush(Filter{Dest: dest}) // reads nothing, so nothing fails
	s.mu.Lock()
	d := s.destinations.byKey[string(dest)]
	s.mu.Unlock()
	s.endRests(map[*destination]bool{d: true})
	return messages
}

// FlushMessage has recipients of a message tried now, by their index, all of
// them when none is given: those that wait for their time, or because their
// destination rests, which ends thereby. Their attempts go on being counted. The
// others stay as they are. ErrUnknown if there is no such message.
func (s *Spool) FlushMessage(id ID, recipients ...int) error {
	resting := map[*destination]bool{}
	_, err := s.flushMessage(id, recipients, resting)
	s.endRests(resting)
	return err
}

// endRests ends the rests of destinations. One that rests is always known.
func (s *Spool) endRests(resting map[*destination]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for d := range resting {
		if d != nil && d.resting {
			s.endRest(d)
		}
	}
}

// flushMessage says whether one of the recipients, or of all when there are
// none, waited, and adds the destinations that rest.
func (s *Spool) flushMessage(id ID, recipients []int, resting map[*destination]bool) (waited bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.messages[id]
	if m == nil {
		return false, ErrUnknown
	}
	if s.idle {
		return false, nil
	}
	now := s.seconds()
	rs := m.recipients()
	for i := range rs {
		if len(recipients) > 0 && !slices.Contains(recipients, i) {
			continue
		}
		r := &rs[i]
		d := s.destinationOf(r)
		if r.state == StateDeferred {
			r.due, waited = now, true
		}
		if d.resting && (r.state == StateDeferred || r.state == StateReady) {
			resting[d], waited = true, true
		}
	}
	s.schedule(m)
	return waited, nil
}

// DestinationStatus is how a destination is, and what waits for it.
type DestinationStatus struct {
	Key                                    string
	Ready, Running, Deferred, Held, Failed int // recipients
	Window                                 int // deliveries at a time, at most
	Health                                 Health
	Reason                                 string    // of the Health, in the agent's words
	RestsUntil                             time.Time // zero: it does not rest
}

// Destinations yields the destinations that have recipients in the queue, and
// those that rest, in no order.
func (s *Spool) Destinations() iter.Seq[DestinationStatus] {
	return func(yield func(DestinationStatus) bool) {
		var some []DestinationStatus
		for at, more := 0, true; more; {
			some, at, more = s.someDestinations(some[:0], at)
			for _, d := range some {
				if !yield(d) {
					return
				}
			}
		}
	}
}

// someDestinations appends the next few, from a place in the table on.
func (s *Spool) someDestinations(some []DestinationStatus, at int) ([]DestinationStatus, int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.destinations.known
	for ; at < len(known) && len(some) < sweepMax; at++ {
		if d := known[at]; d != nil && (d.recipients > 0 || d.resting) {
			some = append(some, d.status())
		}
	}
	return some, at, at < len(known)
}

func (d *destination) status() DestinationStatus {
	st := DestinationStatus{
		Key: d.key, Window: d.window, Health: d.health, Reason: d.reason,
		Ready: int(d.states[StateReady]), Running: int(d.states[StateRunning]), Deferred: int(d.states[StateDeferred]),
		Held: int(d.states[StateHeld]), Failed: int(d.states[StateFailed]),
	}
	if d.resting {
		st.RestsUntil = time.Unix(0, d.until)
	}
	return st
}
