// Package dnsres asks the DNS for what mail needs: MX, addresses, TXT, PTR,
// SRV, TLSA.
//
// It is a stub resolver (RFC 1034 5.3.1): it asks the recursive servers of
// resolv.conf, or those it is given, and follows no referrals. What a lookup
// does, in the order of the files:
//
//	name -> canonical octets            a name that cannot be: ErrNotFound   lookup.go
//	hosts file, localhost               answered here                        hosts.go special.go
//	cache                               fresh: the answer, 0 allocations     cache.go
//	somebody asks the same already?     wait for his answer                  flight.go
//	servers in turn, in rounds          health decides who comes last        ask.go server.go
//	one question to one server          UDP, then TCP; forgeries passed over exchange.go dial.go
//	aliases followed, records copied    CNAME chains have a limit            resolve.go entry.go
//	all servers failed                  an expired answer, marked as such    flight.go
//
// Invariants. An answer is used only when its id, its question in the very
// case it was asked in, and its source are right (RFC 5452), and is cached
// only as the answer to that question: no record is believed for another
// name. Answers are shared between askers and never change. Memory is bounded
// by the options and by the number of askers. When an asker gives up, those
// who wait for the same answer go on.
//
// Errors have four classes, which say what mail has to do: see ErrNotFound.
package dnsres

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Options of New. Zero values mean the defaults named here.
type Options struct {
	ResolvConf string           // resolv.conf(5), reread when it changes; "": /etc/resolv.conf
	Hosts      string           // hosts(5), reread when it changes; "": /etc/hosts
	Servers    []netip.AddrPort // asked instead of those that ResolvConf names; its other lines count
	// Trusted tells that the servers verify DNSSEC and that nobody is between
	// them and us: their AD bit is believed. The option trust-ad in ResolvConf
	// means the same for the servers there.
	Trusted    bool
	CacheBytes int64         // memory for answers; 0: 4 MiB, < 0: no cache
	StaleFor   time.Duration // how long an expired answer may still be used when all servers fail; 0: 1 day, < 0: never
	Timeout    time.Duration // how long one server is waited for; 0: what ResolvConf says, or 5 seconds
	Attempts   int           // how often each server is tried; 0: what ResolvConf says, or 2
	QueriesMax int           // questions on the network at once, each with a socket; 0: 512

	Now    func() time.Time // nil: time.Now
	Random io.Reader        // nil: crypto/rand.Reader; must be safe for concurrent use
	// Dial connects to a server over network "udp" or "tcp"; nil: from a
	// random port of our choice. A "udp" connection must receive from that
	// server alone.
	Dial func(ctx context.Context, network string, server netip.AddrPort) (net.Conn, error)
	Log  *slog.Logger // nil: nothing is logged
}

// Resolver answers lookups. It is safe for concurrent use; it holds no
// descriptors and no goroutines while nobody asks, so there is nothing to
// close.
type Resolver struct {
	o       Options
	cache   *cache
	servers watched[upstream]
	hosts   watched[hosts]
	slots   chan struct{} // one for each question on the network
	packets sync.Pool     // *packet
	counts  counts
}

// New makes a resolver. Nothing is read or asked before the first lookup.
func New(o Options) *Resolver {
	o.setDefaults()
	r := &Resolver{o: o, cache: newCache(o.CacheBytes), slots: make(chan struct{}, o.QueriesMax)}
	r.servers = watched[upstream]{name: o.ResolvConf, load: r.loadUpstream, log: o.Log}
	r.hosts = watched[hosts]{name: o.Hosts, load: r.loadHosts, log: o.Log}
	r.packets.New = func() any { return new(packet) }
	if o.Dial == nil {
		r.o.Dial = r.dial
	}
	return r
}

func (o *Options) setDefaults() {
	orDefault(&o.ResolvConf, "/etc/resolv.conf")
	orDefault(&o.Hosts, "/etc/hosts")
	orDefault(&o.CacheBytes, 4<<20)
	orDefault(&o.StaleFor, 24*time.Hour)
	orDefault(&o.QueriesMax, 512)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

func orDefault[T comparable](to *T, value T) {
	var zero T
	if *to == zero {
		*to = value
	}
}
