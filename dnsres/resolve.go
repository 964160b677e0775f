package dnsres

import (
	"bytes"
	"context"
	"time"

	"barid/dnsres/wire"
)

// chainMax is how many aliases are followed to one answer.
const chainMax = 16

// chain is the way from the name that was asked for along its aliases.
type chain struct {
	asked question
	at    question // the end of the way, so far
	links int
	ttl   time.Duration // least of the links' and the records'
	// verified: every message that was used had been authenticated.
	verified bool
	spare    bool      // an expired answer is at hand
	until    time.Time // no question is sent later
}

// resolve asks the servers until the answer is complete. Most servers send a
// whole chain of aliases at once; where one sends a part, the question goes on
// with its end. That question goes past the cache and its flights, so that two
// names that are aliases of each other do not wait for each other.
//
// spare tells that an expired answer is at hand.
func (r *Resolver) resolve(ctx context.Context, q question, spare bool) *entry {
	c := chain{asked: q, at: q, ttl: ttlMax, verified: true, spare: spare, until: time.Now().Add(flightMax)}
	for {
		reply, err := r.ask(ctx, &c)
		if err != nil {
			return c.failure(r.o.Now(), err)
		}
		e := c.read(&reply.Message, reply.trusted, r.o.Now())
		r.release(reply)
		if e == nil {
			continue
		}
		if e.server = reply.server; e.err != nil {
			e.err.Server = reply.server
		}
		// A negative answer does not outlive its time: on its word mail would
		// be returned for good, and the word would be old.
		if e.err == nil && r.o.StaleFor > 0 && c.ttl > 0 {
			e.dead = e.expires.Add(r.o.StaleFor)
		}
		return e
	}
}

// read takes from a message what it says to the question; nil means that the
// way goes on and the end of it is to be asked for.
func (c *chain) read(m *wire.Message, trusted bool, now time.Time) *entry {
	c.verified = c.verified && trusted && m.Authentic
	before := c.links
	if err := c.follow(m); err != nil {
		return c.failure(now, err)
	}
	if m.RCode == wire.NXDomain { // about the end of the way (RFC 2308 2.1)
		return c.negative(m, now, ErrNotFound)
	}
	records, ttl := recordsOf(m, c.at)
	if records != nil {
		c.ttl = min(c.ttl, ttl)
		return c.entry(now, c.ttl, entry{records: records})
	}
	if c.links > before && !hasStart(m) {
		return nil
	}
	return c.negative(m, now, ErrNoData)
}

// follow goes along the aliases of a message. Aliases may stand in any order.
func (c *chain) follow(m *wire.Message) *Error {
	if c.asked.Type == wire.CNAME {
		return nil
	}
	for c.step(m) {
		if c.links++; c.links > chainMax || bytes.Equal(c.at.name, c.asked.name) {
			return &Error{Class: ErrMalformed, Detail: "aliases in a circle, or too many of them"}
		}
	}
	return nil
}

// step goes along one alias.
func (c *chain) step(m *wire.Message) bool {
	for records := m.Answers(); ; {
		r, ok := records.Next()
		if !ok {
			return false
		}
		if r.Type != wire.CNAME || r.Class != wire.IN || !r.Name.Is(c.at.name) {
			continue
		}
		next, _ := r.Target()
		c.at.name = next.AppendWire(nil)
		c.ttl = min(c.ttl, seconds(r.TTL))
		return true
	}
}

// entry completes e with what the chain knows.
func (c *chain) entry(now time.Time, ttl time.Duration, e entry) *entry {
	e.canonical = c.at.text()
	e.expires = now.Add(ttl)
	e.dead, e.real = e.expires, e.expires
	e.authenticated = c.verified
	return &e
}

// negative makes the entry that there is nothing. It is kept for as long as
// the SOA of the zone says, and not at all without one (RFC 2308 5).
func (c *chain) negative(m *wire.Message, now time.Time, class error) *entry {
	ttl := time.Duration(0)
	for records := m.Authority(); ; {
		r, ok := records.Next()
		if !ok {
			break
		}
		if start, ok := r.Start(); ok {
			ttl = min(seconds(r.TTL), seconds(start.Minimum), negativeMax)
			break
		}
	}
	return c.entry(now, min(ttl, c.ttl), entry{err: &Error{Name: c.asked.text(), Type: c.asked.Type, Class: class, Detail: c.detour()}})
}

// detour tells which name an error is about, when it is another one than was
// asked for.
func (c *chain) detour() string {
	if c.links == 0 {
		return ""
	}
	return "it is an alias for " + c.at.text()
}

// failure makes the entry that there was no answer.
func (c *chain) failure(now time.Time, err *Error) *entry {
	err.Name, err.Type = c.asked.text(), c.asked.Type
	e := c.entry(now, failureFor, entry{err: err})
	e.authenticated = false
	return e
}

// hasStart reports whether a message has the SOA that makes it a negative
// answer.
func hasStart(m *wire.Message) bool {
	for records := m.Authority(); ; {
		r, ok := records.Next()
		if !ok {
			return false
		}
		if r.Type == wire.SOA {
			return true
		}
	}
}

// isReferral reports an answer that only says who else could be asked: from a
// server that does not recurse, or not for us (RFC 2308 2.2).
func isReferral(m *wire.Message) bool {
	answers := m.Answers()
	if m.RCode != wire.NoError || answers.Len() > 0 || hasStart(m) || m.Authoritative {
		return false
	}
	for records := m.Authority(); ; {
		r, ok := records.Next()
		if !ok {
			return false
		}
		if r.Type == wire.NS {
			return true
		}
	}
}
