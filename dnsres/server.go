package dnsres

import (
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

// server is one server and what is known of its health.
//
// A server that lets two questions in a row time out, or cannot be reached, is
// asked after all others for a second, then for two, four and so on, up to a
// minute. When that time is over one question goes to it as a trial, and its
// fate decides for the next. Any reply makes it whole again.
type server struct {
	addr    netip.AddrPort
	trusted bool // its AD bit counts
	log     *slog.Logger

	mu       sync.Mutex
	rtt      time.Duration // smoothed round trip, 0 when not known
	spread   time.Duration // smoothed deviation from it
	failures int           // in a row
	until    time.Time     // asked last before then
	noCase   time.Time     // does not keep the case of questions, until then
	noEDNS   time.Time     // does not understand EDNS, until then
}

const (
	failuresMax = 2 // in a row, before a server is asked last
	backoffMin  = time.Second
	backoffMax  = time.Minute
	// quirkFor is how long a quirk of a server is remembered.
	quirkFor = time.Hour
	// patienceMin and patienceNew bound how long the first try waits for a
	// server that is known and one that is not: long enough for a recursive
	// server to find something out, short enough not to wait for a lost packet
	// as long as for a slow answer. Later tries wait for the full timeout.
	patienceMin = time.Second
	patienceNew = 2 * time.Second
)

// failing reports whether a server is to be asked last. The one asker that
// finds its time over tries it, and the others wait for what comes of it.
func (s *server) failing(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failures < failuresMax {
		return false
	}
	if now.Before(s.until) {
		return true
	}
	s.until = now.Add(s.backoff())
	return false
}

// backoff is how long a server with so many failures is asked last.
func (s *server) backoff() time.Duration {
	return min(backoffMin<<min(s.failures-failuresMax, 10), backoffMax)
}

// replied notes a reply and how long it took.
func (s *server) replied(took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failures >= failuresMax {
		s.log.Info("name server answers again", "server", s.addr)
	}
	s.failures = 0
	if s.rtt == 0 {
		s.rtt, s.spread = max(took, 1), took/2
		return
	}
	// As RFC 6298 2.3 does it for TCP.
	s.spread += ((s.rtt - took).Abs() - s.spread) / 4
	s.rtt = max(1, s.rtt+(took-s.rtt)/8)
}

// failed notes that a question was not answered. Questions that were sent
// before the last failure was noted tell nothing new: a hundred that time out
// together are one failure.
func (s *server) failed(sent, now time.Time, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failures >= failuresMax && sent.Before(s.until.Add(-s.backoff())) {
		return
	}
	s.failures++
	if s.failures < failuresMax {
		return
	}
	s.until = now.Add(s.backoff())
	if s.failures == failuresMax {
		s.log.Warn("name server does not answer, it is asked last for now", "server", s.addr, "error", why)
	}
}

// patience is how long to wait for a reply in the given round. A server that
// answers nobody gets no more in later rounds.
func (s *server) patience(round int, timeout time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if round > 0 && s.failures < failuresMax {
		return timeout
	}
	if s.rtt == 0 {
		return min(patienceNew, timeout)
	}
	return min(max(patienceMin, 2*(s.rtt+4*s.spread)), timeout)
}

// quirks says what a server does not understand.
func (s *server) quirks(now time.Time) (keepsCase, hasEDNS bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !now.Before(s.noCase), !now.Before(s.noEDNS)
}

func (s *server) foldsCase(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noCase = now.Add(quirkFor)
}

func (s *server) lacksEDNS(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noEDNS = now.Add(quirkFor)
}
