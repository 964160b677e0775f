package maildir

import (
	"errors"
	"sync"
)

// unsynced remembers per file system what was delivered since the last Sync.
type unsynced struct {
	mu      sync.Mutex
	devices map[uint64]pending
}

// pending is what waits on one file system. The paths are those of the latest
// delivery.
type pending struct {
	dir, file string
	messages  int
}

func (u *unsynced) note(device uint64, dir, file string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.devices == nil {
		u.devices = map[uint64]pending{}
	}
	u.devices[device] = pending{dir: dir, file: file, messages: u.devices[device].messages + 1}
}

func (u *unsynced) take() map[uint64]pending {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := u.devices
	u.devices = nil
	return all
}

// noteAll wants the whole file system of dir synced next time, whatever
// message is delivered.
func (u *unsynced) noteAll(device uint64, dir string) {
	u.note(device, dir, "")
	u.note(device, dir, "")
}

// Sync makes every message durable whose Deliver returned nil before the
// call: one syncfs(2) for each file system that received any. After an error
// none of those messages may be taken for delivered: they have to be
// delivered again, which then writes them anew, and synced again.
//
// A lone message is synced by itself. That takes half the time, because it
// does not wait for what other programs have written to the file system; from
// two messages on the one syncfs is quicker (docs/maildir.md has the figures).
func (s *Store) Sync() error {
	var failed error
	for device, p := range s.unsynced.take() {
		if err := s.syncDevice(p); err != nil {
			s.suspect.Store(true)
			s.unsynced.noteAll(device, p.dir)
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

func (s *Store) syncDevice(p pending) error {
	if p.messages == 1 {
		if done, err := s.syncMessage(p); done || err != nil {
			return err
		}
	}
	return s.fs.SyncAll(p.dir)
}

// syncMessage syncs one message and its name; done is false when it cannot be
// found, because a reader has moved or deleted it since.
func (s *Store) syncMessage(p pending) (done bool, err error) {
	file, err := s.fs.Open(p.file)
	if err != nil {
		return false, nil
	}
	err = file.Sync()
	if err = errors.Join(err, file.Close()); err != nil {
		return true, err
	}
	return true, s.fs.SyncDir(p.dir)
}
