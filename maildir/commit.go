package maildir

import (
	"errors"
	"sync"
	"sync/atomic"
)

// committer shares syncs among those who wait for one: who comes while one
// runs waits for the next, together with all others that came. So one session
// waits for one sync, and a hundred wait for two.
//
// After a failed sync the kernel may believe pages to be clean that never reached
// the disk, whoever wrote them. So everybody who wrote to a file before a sync
// failed, and waits for a later one, fails as well; messages that were delivered
// are written anew by the next Store.Sync.
type committer struct {
	mu        sync.Mutex
	running   bool
	gathering *batch
	failures  atomic.Uint64
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
	since uint64 // committer.failures before the first write; only where files were written
	files bool
}

// errSyncFailed says that a sync failed between a write and its own sync.
var errSyncFailed = errors.New("a sync of the file system has failed meanwhile")

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
	if b.err == nil && w.files && c.failures.Load() != w.since {
		return errSyncFailed
	}
	return b.err
}

// runBatch ends the gathering of b, syncs, and passes the lead on.
func (s *Store) runBatch(b *batch) {
	c := &s.commits
	c.mu.Lock()
	c.gathering = nil
	c.mu.Unlock()
	if b.err = s.syncWants(b.wants); b.err != nil {
		s.syncFailed()
	}
	close(b.done)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gathering != nil {
		c.gathering.lead <- struct{}{}
	} else {
		c.running = false
	}
}

// syncFailed makes everything doubtful that was written and not synced.
func (s *Store) syncFailed() {
	s.commits.failures.Add(1)
	s.unsynced.doubt()
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
