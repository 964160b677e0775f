package dnsres

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"barid/dnsres/wire"
)

// MX finds the mail exchangers of a domain, sorted by preference. Those of one
// preference are in the order of the server: a sender puts them into a random
// one (RFC 5321 5.1), in a copy. A domain that takes no mail has the one that
// NullMX tells.
//
// Like all names here the domain is absolute, with or without the final dot,
// and in the form of the DNS: A-labels, \. for a dot within a label. Errors
// are of type *Error; the other fields of the answer are set even so.
func (r *Resolver) MX(ctx context.Context, domain string) (Answer[MX], error) {
	return lookup[MX](ctx, r, domain, wire.MX)
}

// TXT finds the texts of a name, each record's strings joined.
func (r *Resolver) TXT(ctx context.Context, name string) (Answer[string], error) {
	return lookup[string](ctx, r, name, wire.TXT)
}

// SRV finds the servers of a service, such as _submission._tcp.example.org,
// sorted by priority; the weights are the asker's to apply.
func (r *Resolver) SRV(ctx context.Context, name string) (Answer[SRV], error) {
	return lookup[SRV](ctx, r, name, wire.SRV)
}

// TLSA finds the certificate associations of a name, such as
// _25._tcp.mail.example.org. They mean nothing unless they are Authenticated.
func (r *Resolver) TLSA(ctx context.Context, name string) (Answer[TLSA], error) {
	return lookup[TLSA](ctx, r, name, wire.TLSA)
}

// PTR finds the names of an address, in the hosts file or in the DNS. Anybody
// may claim any name: one that matters has to be looked up in turn.
func (r *Resolver) PTR(ctx context.Context, addr netip.Addr) (Answer[string], error) {
	addr = addr.Unmap().WithZone("")
	if e := r.hosts.get(r.o.Now()).byAddr[addr]; e != nil {
		return answerOf[string](e, nil)
	}
	var buffer [wire.NameMax]byte
	return answerOf[string](r.answer(ctx, question{appendReverse(buffer[:0], addr), wire.PTR}))
}

// Addrs finds the addresses of a name, in the hosts file or in the DNS. When
// both families are wanted, one that fails does not hide the other.
func (r *Resolver) Addrs(ctx context.Context, name string, family Family) (Answer[netip.Addr], error) {
	switch family {
	case V4:
		return lookup[netip.Addr](ctx, r, name, wire.A)
	case V6:
		return lookup[netip.Addr](ctx, r, name, wire.AAAA)
	}
	var buffer [wire.NameMax]byte
	octets, err := wire.AppendName(buffer[:0], name)
	if err != nil {
		return Answer[netip.Addr]{}, notAName(name, wire.A, err)
	}
	q4, q6 := question{octets, wire.A}, question{octets, wire.AAAA}
	now := r.o.Now()
	e4, f4 := r.start(q4, now)
	e6, f6 := r.start(q6, now) // both are on their way now
	a4, err4 := answerOf[netip.Addr](r.end(ctx, q4, e4, f4))
	a6, err6 := answerOf[netip.Addr](r.end(ctx, q6, e6, f6))
	return merge(a6, err6, a4, err4)
}

// merge makes one answer of the two families'.
func merge(a6 Answer[netip.Addr], err6 error, a4 Answer[netip.Addr], err4 error) (Answer[netip.Addr], error) {
	switch {
	case err6 != nil && (err4 == nil || Temporary(err4) || !Temporary(err6)):
		return a4, err4
	case err4 != nil:
		return a6, err6
	}
	a := Answer[netip.Addr]{
		Records:       append(append(make([]netip.Addr, 0, len(a6.Records)+len(a4.Records)), a6.Records...), a4.Records...),
		Canonical:     a6.Canonical,
		Expires:       a6.Expires,
		Server:        a6.Server,
		Authenticated: a6.Authenticated && a4.Authenticated,
		Stale:         a6.Stale || a4.Stale,
	}
	if a4.Expires.Before(a.Expires) {
		a.Expires = a4.Expires
	}
	return a, nil
}

// Host is Addrs for what an operator wrote: an address stands for itself, and
// a name that has no final dot is completed as the search list of resolv.conf
// says. Names from the network must not be: see RFC 1535.
func (r *Resolver) Host(ctx context.Context, name string, family Family) (Answer[netip.Addr], error) {
	if addr, err := netip.ParseAddr(name); err == nil {
		return Answer[netip.Addr]{Records: []netip.Addr{addr}, Canonical: name}, nil
	}
	var a Answer[netip.Addr]
	var err error
	for _, candidate := range r.servers.get(r.o.Now()).candidates(name) {
		if a, err = r.Addrs(ctx, candidate, family); err == nil || Temporary(err) {
			break
		}
	}
	return a, err
}

// candidates lists what a name may mean, the likeliest first.
func (s *settings) candidates(name string) []string {
	if strings.HasSuffix(name, ".") || len(s.search) == 0 {
		return []string{name}
	}
	var all []string
	early := strings.Count(name, ".") >= s.ndots
	if early {
		all = append(all, name)
	}
	for _, domain := range s.search {
		all = append(all, name+"."+domain)
	}
	if !early {
		all = append(all, name)
	}
	return all
}

// lookup answers a question about a name as text.
func lookup[T any](ctx context.Context, r *Resolver, name string, t wire.Type) (Answer[T], error) {
	return answerOf[T](r.find(ctx, name, t))
}

// find finds the entry of a name.
func (r *Resolver) find(ctx context.Context, name string, t wire.Type) (*entry, error) {
	var buffer [wire.NameMax]byte
	octets, err := wire.AppendName(buffer[:0], name)
	if err != nil {
		return nil, notAName(name, t, err)
	}
	return r.answer(ctx, question{octets, t})
}

func notAName(name string, t wire.Type, err error) *Error {
	return &Error{Name: strings.Clone(name), Type: t, Class: ErrNotFound, Detail: err.Error()}
}

// answer finds the entry of a question.
func (r *Resolver) answer(ctx context.Context, q question) (*entry, error) {
	e, f := r.start(q, r.o.Now())
	return r.end(ctx, q, e, f)
}

// start answers a question from what is known here, or gives the flight that
// will bring the answer.
func (r *Resolver) start(q question, now time.Time) (*entry, *flight) {
	if e := r.hosts.get(now).lookup(q); e != nil {
		return e, nil
	}
	if e := special(q); e != nil {
		return e, nil
	}
	return r.begin(q, now)
}

// end gives what start found, or waits for the flight.
func (r *Resolver) end(ctx context.Context, q question, e *entry, f *flight) (*entry, error) {
	if e != nil {
		return e, nil
	}
	return r.finish(ctx, q, f)
}

// Canonical gives the canonical text of a name: lower case, no final dot, as
// the names in answers are. An error is about a name that cannot be.
func Canonical(name string) (string, error) {
	var buffer [wire.NameMax]byte
	octets, err := wire.AppendName(buffer[:0], name)
	if err != nil {
		return "", err
	}
	return question{name: octets}.text(), nil
}
