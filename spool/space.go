package spool

import (
	"errors"
	"io/fs"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

const (
	spillDir   = "spill"
	damagedDir = "damaged"
)

// space remembers whether there is room for messages, so that not every one
// needs a system call.
type space struct {
	checking sync.Mutex
	at       atomic.Int64 // when it was looked at, nanoseconds since 1970
	full     atomic.Bool
	spent    atomic.Int64 // bytes taken since, about
}

const (
	spaceAge   = int64(time.Second)
	spaceSpent = 16 << 20
	filesMin   = 64 // free inodes, of which a spilled message needs one
)

// refusal says why no message can be taken now, or nil.
func (s *Spool) refusal() error {
	s.commits.mu.Lock()
	err := s.commits.refuse
	if err == nil && s.commits.closing {
		err = ErrClosed
	}
	s.commits.mu.Unlock()
	if err == nil && !s.hasRoom() {
		err = ErrFull
	}
	return err
}

func (s *Spool) hasRoom() bool {
	sp := &s.space
	now := s.now().UnixNano()
	if age := now - sp.at.Load(); age >= 0 && age < spaceAge && sp.spent.Load() < spaceSpent {
		return !sp.full.Load()
	}
	if !sp.checking.TryLock() {
		return !sp.full.Load()
	}
	defer sp.checking.Unlock()
	bytes, files, err := s.fs.Free(s.dir)
	full := err == nil && (bytes < s.reserveBytes || files < filesMin)
	if full && !sp.full.Load() {
		s.log.Error("spool: no room for messages", "free_bytes", bytes, "free_files", files)
	}
	sp.full.Store(full)
	sp.spent.Store(0)
	sp.at.Store(now)
	return !full
}

// nextID makes an ID that is larger than all before it.
func (s *Spool) nextID() ID {
	now := uint64(s.now().UnixMicro())
	for {
		last := s.lastID.Load()
		id := max(now, last+1)
		if s.lastID.CompareAndSwap(last, id) {
			return ID(id)
		}
	}
}

func (s *Spool) spillPath(id ID) string { return filepath.Join(s.dir, spillDir, id.String()) }

// removeSpill removes the body of a message that is done or came to nothing.
func (s *Spool) removeSpill(id ID) {
	err := s.fs.Remove(s.spillPath(id))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Warn("spool: a body is left over", "id", id.String(), "err", err)
	}
}
