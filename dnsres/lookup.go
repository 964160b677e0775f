package dnsres

import (
	"context"
	"net/netip"
	"slices"
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
	return merge(r.both(ctx, question{octets, wire.AAAA}, question{octets, wire.A}))
}

// both asks two questions at once.
func (r *Resolver) both(ctx context.Context, q, other question) (a, b result) {
	e, f, lead := r.start(q, r.o.Now())
	switch {
	case e != nil:
	case lead: // not known yet, and not on its way: have it fetched
		fetched := make(chan result, 1)
		own := question{slices.Clone(q.name), q.Type}
		go func() { fetched <- resultOf(r.end(ctx, own, nil, f, true)) }()
		b = resultOf(r.answer(ctx, other))
		return <-fetched, b
	}
	b = resultOf(r.answer(ctx, other))
	return resultOf(r.end(ctx, q, e, f, lead)), b
}

// result is the answer to one of two questions.
type result struct {
	Answer[netip.Addr]
	err error
}

func resultOf(e *entry, err error) result {
	a, err := answerOf[netip.Addr](e, err)
	return result{a, err}
}

// merge makes one answer of the two families'.
func merge(v6, v4 result) (Answer[netip.Addr], error) {
	switch {
	case v6.err != nil && (v4.err == nil || Temporary(v4.err) || !Temporary(v6.err)):
		return v4.Answer, v4.err
	case v4.err != nil:
		return v6.Answer, v6.err
	}
	a := v6.Answer
	a.Records = slices.Concat(v6.Records, v4.Records)
	a.Authenticated = v6.Authenticated && v4.Authenticated
	a.Stale = v6.Stale || v4.Stale
	if v4.Expires.Before(a.Expires) {
		a.Expires = v4.Expires
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
	e, f, lead := r.start(q, r.o.Now())
	return r.end(ctx, q, e, f, lead)
}

// start answers a question from what is known here, or gives the flight that
// will bring the answer.
func (r *Resolver) start(q question, now time.Time) (e *entry, f *flight, lead bool) {
	if e := r.hosts.get(now).lookup(q); e != nil {
		return e, nil, false
	}
	if e := special(q); e != nil {
		return e, nil, false
	}
	return r.begin(q, now)
}

// end gives what start found, or what the flight brings.
func (r *Resolver) end(ctx context.Context, q question, e *entry, f *flight, lead bool) (*entry, error) {
	if e != nil {
		return e, nil
	}
	return r.await(ctx, q, f, lead)
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
