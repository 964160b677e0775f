package dnsres

import (
	"context"
	"time"
)

// flight is a question on its way. Who asks first leads it, on his own
// goroutine; who asks the same meanwhile waits for its answer. When the leader
// gives up, the flight ends without one, and the first of the others to notice
// leads the next.
type flight struct {
	done  chan struct{} // closed when e is set, or will never be
	e     *entry        // nil: given up
	shard *shard
	key   string
	old   *entry // what the cache had; may be nil
}

const (
	// flightMax bounds a flight: no question is sent later than this after its
	// start.
	flightMax = time.Minute
	// staleFor is how long an expired answer is used before the servers are
	// asked again (RFC 8767 5: 30 seconds).
	staleFor = 30 * time.Second
	// failureFor is how long a failure is the answer to those who ask the same
	// (RFC 2308 7, RFC 9520 3.2: at least a second, at most five minutes).
	failureFor = 5 * time.Second
)

// begin looks into the cache. When the answer is not there it gives the flight
// that will bring it; lead tells that the asker has to fly it.
func (r *Resolver) begin(q question, now time.Time) (e *entry, f *flight, lead bool) {
	var buffer [keySize]byte
	key := q.appendKey(buffer[:0])
	s := r.cache.shard(key)
	s.Lock()
	defer s.Unlock()
	old := s.get(key)
	if old != nil && now.Before(old.expires) {
		r.counts.hits.Add(1)
		return old, nil, false
	}
	r.counts.misses.Add(1)
	if f := s.flights[string(key)]; f != nil {
		return nil, f, false
	}
	f = &flight{done: make(chan struct{}), shard: s, key: string(key), old: old}
	s.flights[f.key] = f
	return nil, f, true
}

// await gives the answer of a flight. An error is about the context; what the
// DNS says to the question is in the entry.
func (r *Resolver) await(ctx context.Context, q question, f *flight, lead bool) (*entry, error) {
	for {
		if lead {
			r.fly(ctx, f)
		}
		select {
		case <-f.done:
		case <-ctx.Done():
		}
		if e := f.answer(); e != nil {
			return e, nil
		}
		if over(ctx) {
			return r.late(ctx, q, f)
		}
		var e *entry
		if e, f, lead = r.begin(q, r.o.Now()); e != nil {
			return e, nil
		}
	}
}

// answer is what a flight has brought; nil while it is on its way, and when it
// was given up.
func (f *flight) answer() *entry {
	select {
	case <-f.done:
		return f.e
	default:
		return nil
	}
}

// late is what an asker gets whose time is over: an expired answer is better
// than none.
func (r *Resolver) late(ctx context.Context, q question, f *flight) (*entry, error) {
	now := r.o.Now()
	if !f.old.serves(now) {
		return nil, gaveUp(ctx, q)
	}
	r.counts.stale.Add(1)
	return f.old.extended(now), nil
}

// fly finds the answer to a question and gives it to the waiting and to the
// cache.
func (r *Resolver) fly(ctx context.Context, f *flight) {
	e := r.resolve(ctx, questionOf(f.key), f.old.serves(r.o.Now()))
	now := r.o.Now()
	switch {
	case e.failed() && over(ctx):
		e = nil
	case e.failed() && f.old.serves(now):
		r.counts.stale.Add(1)
		e = f.old.extended(now.Add(staleFor))
	}
	if e != nil {
		e.key = f.key
		e.size = e.memory()
	}
	s := f.shard
	s.Lock()
	delete(s.flights, f.key)
	if e != nil {
		s.put(e, now)
	}
	s.Unlock()
	f.e = e
	close(f.done)
}

// over reports whether a context has ended, or should have: its own timer may
// be a moment later than that of a connection.
func over(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}

// failed reports that there was no answer, as opposed to a negative one.
func (e *entry) failed() bool { return e.err != nil && Temporary(e.err) }

// serves reports whether an expired entry, if there is one, may be used when
// all servers fail.
func (e *entry) serves(now time.Time) bool { return e != nil && now.Before(e.dead) }

// extended is a copy of an entry that has expired, to be used a little longer.
func (e *entry) extended(until time.Time) *entry {
	return &entry{
		records: e.records, canonical: e.canonical, server: e.server, authenticated: e.authenticated,
		expires: until, dead: e.dead, real: e.real, stale: true,
	}
}
