package relay

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"barid/dnsres"
	"barid/spool"
)

// How much is tried in one attempt.
const (
	hostsMax     = 5
	addressesMax = 10
)

// A target is one place to connect to.
type target struct {
	host string         // the name of the server, or its address; the path of a socket
	at   netip.AddrPort // not valid for a socket
	name string         // host[address]:port, as the log has it
}

// A way finds the targets of a destination, in the order in which they are to
// be tried. The addresses of a host are looked up when all hosts that are
// better have been tried. (RFC 5321 5.1)
type way struct {
	relay *Relay
	key   Key
	port  uint16

	began  bool
	mx     []dnsres.MX // those not yet looked up
	hosts  int         // looked up
	list   []target    // those found
	later  []target    // found, but out of reach a short time ago
	at     int         // in list
	found  int         // targets that there were
	looped bool        // the next best server is this one

	failure failure // why there is no target (any more)
}

// target is the one to try now; nil when there is none left. It stays the same
// until next.
func (w *way) target(ctx context.Context) *target {
	if !w.began {
		w.began = true
		w.begin(ctx)
	}
	for w.at == len(w.list) {
		switch {
		case len(w.mx) > 0 && w.hosts < hostsMax && w.found < addressesMax:
			w.group(ctx)
		case len(w.later) > 0:
			w.list, w.later, w.at = w.later, nil, 0
		default:
			w.end()
			return nil
		}
	}
	return &w.list[w.at]
}

// next passes over the target.
func (w *way) next() { w.at++ }

// begin finds out which hosts there are.
func (w *way) begin(ctx context.Context) {
	k := &w.key
	switch {
	case k.Path != "":
		w.list = append(w.list, target{host: k.Path, name: k.Path})
	case k.Addr.IsValid():
		w.server(k.Addr.String(), []netip.Addr{k.Addr})
	case k.Lookup:
		w.exchangers(ctx)
	default:
		answer, err := w.relay.o.Resolver.Host(ctx, k.Host, dnsres.Both)
		if err != nil {
			w.failure.note(unresolved(k.Host, err, "4.3.5"))
			return
		}
		w.server(k.Host, answer.Records)
	}
}

// server adds the one server that the key names.
func (w *way) server(host string, addrs []netip.Addr) {
	if w.looped = w.isSelf(host, addrs); !w.looped {
		w.add(host, addrs, addressesMax)
	}
}

// exchangers looks up the MX of the domain. Without any, the domain is its own
// host. (RFC 5321 5.1, RFC 7505)
func (w *way) exchangers(ctx context.Context) {
	domain := w.key.Host
	answer, err := w.relay.o.Resolver.MX(ctx, domain)
	switch {
	case errors.Is(err, dnsres.ErrNoData):
		w.mx = []dnsres.MX{{Host: domain}}
	case err != nil:
		w.failure.note(unresolved(domain, err, "5.1.2"))
	case dnsres.NullMX(answer.Records):
		w.failure.note(failure{kind: spool.Failed, status: "5.1.10", text: "the domain " + domain + " takes no mail (null MX)"})
	default:
		w.mx = slices.Clone(answer.Records)
		rand.Shuffle(len(w.mx), func(i, j int) { w.mx[i], w.mx[j] = w.mx[j], w.mx[i] })
		slices.SortStableFunc(w.mx, func(a, b dnsres.MX) int { return int(a.Preference) - int(b.Preference) })
	}
}

// group looks up the addresses of the hosts of the next preference. When one
// of them is this server, they all and everything behind them would bring the
// mail back, and are left out. (RFC 5321 5.1)
func (w *way) group(ctx context.Context) {
	n := 1
	for n < len(w.mx) && w.mx[n].Preference == w.mx[0].Preference {
		n++
	}
	share := max(2, addressesMax/min(hostsMax, w.hosts+len(w.mx)))
	group := w.mx[:min(n, hostsMax-w.hosts)]
	w.mx = w.mx[n:]
	w.hosts += len(group)
	addrs := make([][]netip.Addr, len(group))
	for i := range group {
		if w.looped = w.isSelf(group[i].Host, nil); !w.looped {
			addrs[i] = w.host(ctx, group[i].Host)
			w.looped = w.isSelf(group[i].Host, addrs[i])
		}
		if w.looped {
			w.mx = nil
			return
		}
	}
	for i := range group {
		w.add(group[i].Host, addrs[i], share)
	}
}

// isSelf reports whether the server would connect to itself. Without addresses
// the name decides: our own need not be in the DNS that we ask.
func (w *way) isSelf(host string, addrs []netip.Addr) bool {
	self := w.relay.o.Self
	if self == nil {
		return false
	}
	return self(host, netip.AddrPortFrom(netip.Addr{}, w.port)) ||
		slices.ContainsFunc(addrs, func(a netip.Addr) bool { return self(host, netip.AddrPortFrom(a, w.port)) })
}

// host looks up a mail exchanger. Names that are no host's are in the DNS by
// mistake or out of malice. (RFC 2181 10.3, RFC 5321 5.1)
func (w *way) host(ctx context.Context, host string) []netip.Addr {
	if _, err := netip.ParseAddr(host); err == nil || host == "." || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		w.failure.note(failure{kind: spool.Failed, status: "5.4.4", text: "the mail exchanger " + host + " of " + w.key.Host + " is no host name"})
		return nil
	}
	answer, err := w.relay.o.Resolver.Addrs(ctx, host, dnsres.Both)
	if err != nil {
		status := "5.4.4"
		if host == w.key.Host {
			status = "5.1.2"
		}
		w.failure.note(unresolved(host, err, status))
		return nil
	}
	return slices.DeleteFunc(slices.Clone(answer.Records), func(a netip.Addr) bool { return a.IsUnspecified() || a.IsMulticast() })
}

// add adds at most so many targets of a host, IPv6 and IPv4 in turn. One that
// was out of reach a short time ago comes after all others.
func (w *way) add(host string, addrs []netip.Addr, most int) {
	for _, a := range interleaved(addrs) {
		if most--; most < 0 || w.found == addressesMax {
			return
		}
		w.found++
		at := netip.AddrPortFrom(a, w.port)
		t := target{host: host, at: at, name: fmt.Sprintf("%s[%s]:%d", host, a, w.port)}
		if w.relay.unreachable.has(at) {
			w.later = append(w.later, t)
			continue
		}
		w.list = append(w.list, t)
	}
}

// interleaved puts addresses into a random order in which IPv6 and IPv4 take
// turns, so that one family that does not work costs half of the attempts.
func interleaved(addrs []netip.Addr) []netip.Addr {
	addrs = slices.Clone(addrs)
	rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
	var six, four, both []netip.Addr
	for _, a := range addrs {
		if a.Unmap().Is4() {
			four = append(four, a.Unmap())
		} else {
			six = append(six, a)
		}
	}
	for i := range max(len(six), len(four)) {
		both = append(both, six[min(i, len(six)):min(i+1, len(six))]...)
		both = append(both, four[min(i, len(four)):min(i+1, len(four))]...)
	}
	return both
}

// end says why there is nothing left to try, where no target has.
func (w *way) end() {
	switch {
	case w.found > 0 || w.key.Path != "" || w.failure.kind == spool.Deferred:
	case w.looped:
		w.failure = failure{kind: spool.Failed, status: "5.4.6", text: "mail for " + w.key.NextHop() + " loops back to myself"}
	case w.failure.kind == spool.Unset:
		w.failure.note(failure{kind: spool.Failed, status: "5.4.4", text: "no mail exchanger of " + w.key.NextHop() + " has an address"})
	}
}

// unresolved is the failure to find a name. missing is the status when there
// is no such name, of class 4 where somebody here has to mend it.
func unresolved(name string, err error, missing string) failure {
	f := failure{kind: spool.Deferred, status: "4.4.3", text: "cannot look up " + name + ": " + err.Error(), health: spool.Dead}
	switch {
	case !dnsres.Temporary(err):
		f.status, f.text = missing, "there is no host or domain "+name+" ("+err.Error()+")"
		if missing[0] == '5' {
			f.kind, f.health = spool.Failed, spool.HealthUnknown
		}
	case errors.Is(err, dnsres.ErrMalformed):
		f.status = "4.4.4"
	}
	return f
}
