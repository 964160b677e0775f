package dnsres

import (
	"context"
	"time"
)

// flight is a question on its way. Whoever asks the same meanwhile waits for
// its answer.
type flight struct {
	done chan struct{} // closed when e is set
	e    *entry
}

const (
	// flightMax bounds a flight: all servers, all rounds, all aliases.
	flightMax = time.Minute
	// staleFor is how long an expired answer is used before the servers are
	// asked again (RFC 8767 5: 30 seconds).
	staleFor = 30 * time.Second
	// failureFor is how long a failure is the answer to those who ask the same
	// (RFC 2308 7, RFC 9520 3.2: at least a second, at most five minutes).
	failureFor = 5 * time.Second
	// flightsPerQuery is how many flights there may be for each question that
	// may be on the network; those above one wait for their turn.
	flightsPerQuery = 8
)

// begin looks into the cache. When the answer is not there it gives the flight
// that will bring it, and starts it if nobody else has.
func (r *Resolver) begin(q question, now time.Time) (*entry, *flight) {
	var buffer [keySize]byte
	key := q.appendKey(buffer[:0])
	s := r.cache.shard(key)
	s.Lock()
	defer s.Unlock()
	old := s.get(key)
	if old != nil && now.Before(old.expires) {
		r.counts.hits.Add(1)
		return old, nil
	}
	r.counts.misses.Add(1)
	if f := s.flights[string(key)]; f != nil {
		return nil, f
	}
	if r.flying.Add(1) > int64(flightsPerQuery*r.o.QueriesMax) {
		r.flying.Add(-1)
		return r.overloaded(q, old, now), nil
	}
	f := &flight{done: make(chan struct{})}
	s.flights[string(key)] = f
	go r.fly(s, f, string(key), old)
	return nil, f
}

// overloaded is the answer to one question too many: somebody has us ask for
// names whose servers are slow.
func (r *Resolver) overloaded(q question, old *entry, now time.Time) *entry {
	if old.serves(now) {
		r.counts.stale.Add(1)
		return old.extended(now)
	}
	return &entry{err: &Error{Name: q.text(), Type: q.Type, Class: ErrTemporary, Detail: "too many questions at once"}}
}

// finish waits for a flight, or for the end of the asker's patience.
func (r *Resolver) finish(ctx context.Context, q question, f *flight) (*entry, error) {
	select {
	case <-f.done:
		return f.e, nil
	case <-ctx.Done():
		return nil, gaveUp(ctx, q)
	}
}

// fly finds the answer to a question and gives it to the waiting and to the
// cache. old is what the cache had, or nil.
func (r *Resolver) fly(s *shard, f *flight, key string, old *entry) {
	ctx, cancel := context.WithTimeout(context.Background(), flightMax)
	defer cancel()
	e := r.resolve(ctx, questionOf(key), old.serves(r.o.Now()))
	now := r.o.Now()
	if e.failed() && old.serves(now) {
		r.counts.stale.Add(1)
		e = old.extended(now.Add(staleFor))
	}
	e.key = key
	e.size = e.memory()
	s.Lock()
	delete(s.flights, key)
	s.put(e, now)
	s.Unlock()
	r.flying.Add(-1)
	f.e = e
	close(f.done)
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
