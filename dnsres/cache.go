package dnsres

import (
	"hash/maphash"
	"sync"
	"time"
)

// cache keeps the answers to questions, within a bound on their memory. It is
// divided into shards, each with a lock, a table and a list from the most to
// the least recently used; when a shard is full, the end of its list goes.
//
// The questions in flight are in the shards too, so that a look into the
// cache and joining a flight are one step.
type cache struct {
	seed   maphash.Seed
	shards [shardCount]shard
}

const shardCount = 16

type shard struct {
	sync.Mutex
	entries  map[string]*entry
	flights  map[string]*flight
	list     entry // its next is the most recently used, its prev the least
	bytes    int64
	bytesMax int64
}

func newCache(bytesMax int64) *cache {
	c := &cache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		s := &c.shards[i]
		s.entries, s.flights = map[string]*entry{}, map[string]*flight{}
		s.list.next, s.list.prev = &s.list, &s.list
		s.bytesMax = max(0, bytesMax/shardCount)
	}
	return c
}

func (c *cache) shard(key []byte) *shard {
	return &c.shards[maphash.Bytes(c.seed, key)%shardCount]
}

// get finds an entry, fresh or not, and makes it the most recently used.
func (s *shard) get(key []byte) *entry {
	e := s.entries[string(key)]
	if e != nil && s.list.next != e {
		e.unlink()
		s.pushFront(e)
	}
	return e
}

// put stores an entry in place of the one with its key, if it is worth
// keeping at all: not one that has expired at birth, nor one so large that
// many others would have to go.
func (s *shard) put(e *entry, now time.Time) {
	if old := s.entries[e.key]; old != nil {
		s.remove(old)
	}
	if !now.Before(e.dead) || e.size > s.bytesMax/8 {
		return
	}
	s.entries[e.key] = e
	s.bytes += e.size
	s.pushFront(e)
	for s.bytes > s.bytesMax || s.list.prev != e && !now.Before(s.list.prev.dead) {
		s.remove(s.list.prev)
	}
}

func (s *shard) remove(e *entry) {
	e.unlink()
	e.next, e.prev = nil, nil
	delete(s.entries, e.key)
	s.bytes -= e.size
}

func (s *shard) pushFront(e *entry) {
	e.prev, e.next = &s.list, s.list.next
	e.prev.next, e.next.prev = e, e
}

func (e *entry) unlink() {
	e.prev.next, e.next.prev = e.next, e.prev
}

// usage sums up the shards.
func (c *cache) usage() (entries int, bytes int64) {
	for i := range c.shards {
		s := &c.shards[i]
		s.Lock()
		entries += len(s.entries)
		bytes += s.bytes
		s.Unlock()
	}
	return entries, bytes
}
