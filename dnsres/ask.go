package dnsres

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"barid/dnsres/wire"
)

// upstream is the servers in force and how they are asked.
type upstream struct {
	settings
	servers []*server
	turn    atomic.Uint32 // of rotate
}

// order lists the servers in the order in which to ask them: as they are
// configured, or each in turn first (rotate), and those that do not answer
// last. healthy is how many do.
func (u *upstream) order(now time.Time) (order []*server, healthy int) {
	n := len(u.servers)
	first := 0
	if u.rotate {
		first = int(u.turn.Add(1) % uint32(n))
	}
	order = make([]*server, 0, n)
	var last []*server
	for i := range n {
		if s := u.servers[(first+i)%n]; s.failing(now) {
			last = append(last, s)
		} else {
			order = append(order, s)
		}
	}
	return append(order, last...), len(order)
}

// ask asks the servers about the end of a chain: in turn, in rounds, until one
// has an answer. A server that says that it has none is not asked again; one
// that says nothing is, in the next round. With a spare answer at hand it is
// not worth while to wait for servers that do not answer anybody.
func (r *Resolver) ask(ctx context.Context, c *chain) (*reply, *Error) {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return nil, &Error{Class: ErrTemporary, Detail: "given up"}
	}
	u := r.servers.get(r.o.Now())
	last := &Error{Class: ErrTemporary, Detail: "there is no name server"}
	order, healthy := u.order(r.o.Now())
	if healthy == 0 && c.spare {
		return nil, &Error{Class: ErrTemporary, Detail: "no name server answers at present"}
	}
	for round := 0; round < u.attempts && len(order) > 0; round++ {
		order = slices.DeleteFunc(order, func(s *server) bool { return s == nil })
		for i, s := range order {
			if over(ctx) || time.Now().After(c.until) {
				return nil, last
			}
			x := exchange{r: r, s: s, q: c.at, useTCP: u.useTCP, timeout: u.timeout, patience: s.patience(round, u.timeout)}
			reply, err := x.run(ctx)
			if err == nil {
				return reply, nil
			}
			last = err
			if err.answered {
				order[i] = nil
			}
		}
	}
	return nil, last
}

// judge says why a reply is no answer to a question, or nil.
func judge(m *wire.Message) *Error {
	switch {
	case m.RCode != wire.NoError && m.RCode != wire.NXDomain:
		return &Error{Class: ErrTemporary, Detail: explain(m), answered: true}
	case isReferral(m):
		return &Error{Class: ErrTemporary, Detail: "refers to other servers, which is no answer", answered: true}
	}
	return nil
}

// explain is the response code with what the server adds (RFC 8914).
func explain(m *wire.Message) string {
	s := m.RCode.String()
	if code, text, ok := m.Extended(); ok {
		s += ", " + code.String()
		if len(text) > 0 {
			s += ": " + printable(text)
		}
	}
	return s
}

// printable makes a text from the network fit for a log.
func printable(text []byte) string {
	const textMax = 100
	clean := make([]byte, 0, textMax)
	for _, c := range text[:min(len(text), textMax)] {
		if c < ' ' || c >= 0x7f {
			c = '?'
		}
		clean = append(clean, c)
	}
	return string(clean)
}
