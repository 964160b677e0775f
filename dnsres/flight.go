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
)

// lookup finds the answer to a question: in the cache, or from a flight. An
// error is about the context; what the DNS says to the question is in the
// entry.
func (r *Resolver) lookup(ctx context.Context, q question, now time.Time) (*entry, error) {
	var buffer [keySize]byte
	key := q.appendKey(buffer[:0])
	s := r.cache.shard(key)
	s.Lock()
	old := s.get(key)
	if old != nil && now.Before(old.expires) {
		s.Unlock()
		r.counts.hits.Add(1)
		return old, nil
	}
	f := s.flights[string(key)]
	if f == nil {
		f = &flight{done: make(chan struct{})}
		key := string(key)
		s.flights[key] = f
		go r.fly(s, f, key, old)
	}
	s.Unlock()
	r.counts.misses.Add(1)
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
	e := r.resolve(ctx, questionOf(key))
	now := r.o.Now()
	if e.failed() && old != nil && old.err == nil && now.Before(old.dead) {
		r.counts.stale.Add(1)
		e = old.extended(now.Add(staleFor))
	}
	e.key = key
	e.size = e.memory()
	s.Lock()
	delete(s.flights, key)
	s.put(e, now)
	s.Unlock()
	f.e = e
	close(f.done)
}

// failed reports that there was no answer, as opposed to a negative one.
func (e *entry) failed() bool { return e.err != nil && Temporary(e.err) }

// extended is a copy of an entry that has expired, to be used a little longer.
// Negative answers are never used so: on their word mail would be returned
// for good, and the word is old.
func (e *entry) extended(until time.Time) *entry {
	return &entry{
		records: e.records, canonical: e.canonical, server: e.server, authenticated: e.authenticated,
		expires: until, dead: e.dead, real: e.real, stale: true,
	}
}
