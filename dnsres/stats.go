package dnsres

import (
	"net/netip"
	"sync/atomic"
	"time"
)

type counts struct{ hits, misses, stale, questions, streams, truncated, strays atomic.Int64 }

// Stats counts since New, but for what the cache holds now.
type Stats struct {
	Hits      int64 // lookups that the cache answered
	Misses    int64 // lookups that waited for an answer
	Stale     int64 // expired answers that were used because all servers failed
	Questions int64 // sent to servers, over UDP or TCP
	Streams   int64 // of them over TCP
	Truncated int64 // replies over UDP that were cut off or damaged
	Strays    int64 // packets passed over: not the reply, perhaps forged
	Entries   int   // answers in the cache
	Bytes     int64 // memory of the cache
}

// Stats returns the counters.
func (r *Resolver) Stats() Stats {
	c := &r.counts
	entries, bytes := r.cache.usage()
	return Stats{
		Hits: c.hits.Load(), Misses: c.misses.Load(), Stale: c.stale.Load(),
		Questions: c.questions.Load(), Streams: c.streams.Load(), Truncated: c.truncated.Load(), Strays: c.strays.Load(),
		Entries: entries, Bytes: bytes,
	}
}

// Server is the state of a name server.
type Server struct {
	Addr      netip.AddrPort
	Trusted   bool          // its AD bit is believed
	RTT       time.Duration // smoothed round trip; 0: not known
	Failures  int           // questions in a row without a reply
	LastUntil time.Time     // asked after all others until then, when Failures are 2 or more
	NoEDNS    bool          // does not know EDNS
	FoldsCase bool          // does not keep the case of questions
}

// Servers lists the name servers in the order of the configuration.
func (r *Resolver) Servers() []Server {
	now := r.o.Now()
	var all []Server
	for _, s := range r.servers.get(now).servers {
		keepsCase, hasEDNS := s.quirks(now)
		s.mu.Lock()
		all = append(all, Server{Addr: s.addr, Trusted: s.trusted, RTT: s.rtt, Failures: s.failures, LastUntil: s.until, NoEDNS: !hasEDNS, FoldsCase: !keepsCase})
		s.mu.Unlock()
	}
	return all
}
