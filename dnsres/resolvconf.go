package dnsres

import (
	"bytes"
	"iter"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"barid/dnsres/wire"
)

// settings is what resolv.conf(5) says.
type settings struct {
	addrs    []netip.AddrPort
	search   []string // names to complete others with, without the final dot
	timeout  time.Duration
	attempts int
	ndots    int // a name with fewer dots is completed before it is tried as it is
	rotate   bool
	useTCP   bool // use-vc
	trustAD  bool
}

// Limits and defaults of resolv.conf, those of the C library but for the
// number of servers, of which it takes three.
const (
	serversMax    = 8
	searchMax     = 32
	timeoutUsual  = 5 * time.Second
	timeoutMax    = 30 * time.Second
	attemptsUsual = 2
	attemptsMax   = 5
	ndotsMax      = 15
)

// parseResolvConf reads resolv.conf(5). What it does not know it passes over:
// the file belongs to the system, and other programs have more to say in it.
// The last of several domain and search lines counts. Where no server is
// named there is one on this host.
//
//	line = "nameserver" address / ("domain" / "search") *name / "options" *option
func parseResolvConf(text []byte) settings {
	s := settings{timeout: timeoutUsual, attempts: attemptsUsual, ndots: 1}
	for fields := range fieldsOf(text, "#;") {
		switch fields[0] {
		case "nameserver":
			s.addServer(fields[1:])
		case "domain", "search":
			s.setSearch(fields[1:])
		case "options":
			for _, option := range fields[1:] {
				s.setOption(option)
			}
		}
	}
	if len(s.addrs) == 0 {
		s.addrs = []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)}
	}
	return s
}

// port of the DNS.
const port = 53

func (s *settings) addServer(args []string) {
	if len(args) == 0 || len(s.addrs) == serversMax {
		return
	}
	addr, err := netip.ParseAddr(args[0])
	if server := netip.AddrPortFrom(addr.Unmap(), port); err == nil && !slices.Contains(s.addrs, server) {
		s.addrs = append(s.addrs, server)
	}
}

func (s *settings) setSearch(names []string) {
	s.search = nil
	for _, name := range names {
		name = strings.TrimSuffix(name, ".")
		if _, err := wire.AppendName(nil, name); err == nil && len(s.search) < searchMax {
			s.search = append(s.search, name)
		}
	}
}

// setOption takes one option. Of edns0 there is nothing to set: it is always
// used, until a server shows that it does not know it.
func (s *settings) setOption(option string) {
	name, value, _ := strings.Cut(option, ":")
	n, err := strconv.Atoi(value)
	numeric := err == nil && n >= 0
	switch {
	case name == "timeout" && numeric:
		s.timeout = min(max(time.Duration(min(n, 1000))*time.Second, time.Second), timeoutMax)
	case name == "attempts" && numeric:
		s.attempts = min(max(n, 1), attemptsMax)
	case name == "ndots" && numeric:
		s.ndots = min(n, ndotsMax)
	case name == "rotate":
		s.rotate = true
	case name == "use-vc":
		s.useTCP = true
	case name == "trust-ad":
		s.trustAD = true
	}
}

// fieldsOf yields the words of each line that has some, without comments,
// which begin with one of the given characters.
func fieldsOf(text []byte, comment string) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for line := range bytes.Lines(text) {
			if i := bytes.IndexAny(line, comment); i >= 0 {
				line = line[:i]
			}
			if fields := strings.Fields(string(line)); len(fields) > 0 && !yield(fields) {
				return
			}
		}
	}
}

// loadUpstream puts settings into force. Servers that were there before keep
// what is known of them.
func (r *Resolver) loadUpstream(text []byte, old *upstream) *upstream {
	u := &upstream{settings: parseResolvConf(text)}
	if len(r.o.Servers) > 0 {
		u.addrs = r.o.Servers
	}
	if r.o.Timeout > 0 {
		u.timeout = r.o.Timeout
	}
	if r.o.Attempts > 0 {
		u.attempts = r.o.Attempts
	}
	trusted := r.o.Trusted || u.trustAD && len(r.o.Servers) == 0
	for _, addr := range u.addrs {
		s := &server{addr: addr, trusted: trusted, log: r.o.Log}
		if old != nil {
			s = known(old.servers, s)
		}
		u.servers = append(u.servers, s)
	}
	if old != nil {
		r.o.Log.Info("resolv.conf reread", "file", r.o.ResolvConf, "servers", u.addrs)
	}
	return u
}

// known finds a server among the old ones, or takes the new one.
func known(old []*server, s *server) *server {
	i := slices.IndexFunc(old, func(o *server) bool { return o.addr == s.addr && o.trusted == s.trusted })
	if i < 0 {
		return s
	}
	return old[i]
}
