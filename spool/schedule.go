package spool

import (
	"math/rand/v2"
	"time"
)

// Schedule says when a deferred recipient is tried again.
type Schedule struct {
	// Pauses are the times between attempts; the last one repeats. Each is
	// lengthened or shortened at random by up to an eighth, so that messages
	// that were deferred together do not come back together.
	Pauses []time.Duration
	// Lifetime is how long a message is tried. The first attempt that ends in
	// Deferred after it makes the recipient fail.
	Lifetime time.Duration
}

// DefaultSchedule tries again after 5, 10, 20, 40 and 80 minutes, then every
// 2 hours 40, for 5 days (RFC 5321 4.5.4.1 asks for at least 4).
func DefaultSchedule() Schedule {
	pauses := []time.Duration{5 * time.Minute}
	for len(pauses) < 6 {
		pauses = append(pauses, 2*pauses[len(pauses)-1])
	}
	return Schedule{Pauses: pauses, Lifetime: 5 * 24 * time.Hour}
}

// pause is the time after the given number of attempts, at least a second.
func (s *Schedule) pause(attempts int) time.Duration {
	p := s.Pauses[min(max(attempts, 1), len(s.Pauses))-1]
	return max(p+rand.N(p/4+1)-p/8, time.Second)
}
