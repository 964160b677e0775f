package relay

import "sync/atomic"

// counters are what Stats tells.
type counters struct {
	delivered, deferred, failed     atomic.Int64
	connections, reused             atomic.Int64
	unreachable, encrypted, cleared atomic.Int64
}

// Stats counts since New, but for Open and Idle, which are as of now.
type Stats struct {
	Delivered   int64 // recipients
	Deferred    int64
	Failed      int64
	Connections int64 // that were made
	Reused      int64 // that served another job
	Unreachable int64 // attempts to connect without success
	Encrypted   int64 // TLS handshakes
	Cleared     int64 // connections made in the clear because the handshake had failed
	Open        int   // connections, those in use and the idle ones
	Idle        int
}

// Stats returns the counters.
func (r *Relay) Stats() Stats {
	c := &r.stats
	s := Stats{
		Delivered: c.delivered.Load(), Deferred: c.deferred.Load(), Failed: c.failed.Load(),
		Connections: c.connections.Load(), Reused: c.reused.Load(),
		Unreachable: c.unreachable.Load(), Encrypted: c.encrypted.Load(), Cleared: c.cleared.Load(),
	}
	s.Open, s.Idle = r.pool.count()
	return s
}
