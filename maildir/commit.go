package maildir

import (
	"errors"
	"sync"
)

// committer shares syncs among those who wait for one: who comes while one
// runs waits for the next, together with all others that came. So one session
// waits for one sync, and a hundred wait for two.
type committer struct {
	mu        sync.Mutex
	running   bool
	gathering *batch
}

// batch are those who share a sync.
type batch struct {
	wants []syncWant
	lead  chan struct{} // tells the first of wants to run it
	done  chan struct{} // closed when err is set
	err   error
}

// syncWant is what one of them needs: everything on the file system of dir,
// or, if nobody else comes, only what alone does.
type syncWant struct {
	dir   string
	dev   uint64
	alone func() error
}

// commit returns when everything is durable that was changed before the call
// on the file system of w.dir (or what w.alone syncs, if that is not nil).
func (s *Store) commit(w syncWant) error {
	c := &s.commits
	c.mu.Lock()
	b := c.gathering
	first := b == nil
	if first {
		b = &batch{lead: make(chan struct{}, 1), done: make(chan struct{})}
		c.gathering = b
	}
	b.wants = append(b.wants, w)
	if first && !c.running {
		c.running = true
		b.lead <- struct{}{}
	}
	c.mu.Unlock()
	if first {
		<-b.lead
		s.runBatch(b)
	}
	<-b.done
	return b.err
}

// runBatch ends the gathering of b, syncs, and passes the lead on.
func (s *Store) runBatch(b *batch) {
	c := &s.commits
	c.mu.Lock()
	c.gathering = nil
	c.mu.Unlock()
	b.err = s.syncWants(b.wants)
	close(b.done)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gathering != nil {
		c.gathering.lead <- struct{}{}
	} else {
		c.running = false
	}
}

func (s *Store) syncWants(wants []syncWant) error {
	if len(wants) == 1 && wants[0].alone != nil {
		return wants[0].alone()
	}
	dirs := map[uint64]string{}
	for _, w := range wants {
		dirs[w.dev] = w.dir
	}
	var failed error
	for _, dir := range dirs {
		failed = errors.Join(failed, s.syncAll(dir))
	}
	return failed
}
