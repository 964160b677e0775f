package maildir

import (
	"errors"
	"io/fs"
	"path"
	"sync"
)

// unsynced remembers per file system what was delivered since the last Sync.
type unsynced struct {
	mu      sync.Mutex
	devices map[uint64]*pending
}

// pending is what waits on one file system.
type pending struct {
	files    []delivery
	dir      string // any directory there
	all      bool   // directories may have been made
	doubtful int    // so many of files have seen a sync that failed
}

// delivery is a message that waits for a sync, where it was put.
type delivery struct {
	folder *dirs
	name   string
}

func (u *unsynced) note(f *dirs, name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	p := u.on(f)
	p.files = append(p.files, delivery{f, name})
}

// noteAll wants the whole file system synced next time, whatever is
// delivered.
func (u *unsynced) noteAll(f *dirs) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.on(f).all = true
}

func (u *unsynced) on(f *dirs) *pending {
	if u.devices == nil {
		u.devices = map[uint64]*pending{}
	}
	p := u.devices[f.device]
	if p == nil {
		p = &pending{dir: f.new}
		u.devices[f.device] = p
	}
	return p
}

// doubt makes the next Sync write everything anew that waits for it, because
// another sync has failed.
func (u *unsynced) doubt() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, p := range u.devices {
		p.doubtful = len(p.files)
	}
}

func (u *unsynced) take() map[uint64]*pending {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := u.devices
	u.devices = nil
	return all
}

// giveBack returns what could not be synced. What was delivered meanwhile may
// have met the same failure.
func (u *unsynced) giveBack(device uint64, failed *pending) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if later := u.devices[device]; later != nil {
		failed.files = append(failed.files, later.files...)
		failed.all = failed.all || later.all
	}
	failed.doubtful = len(failed.files)
	if u.devices == nil {
		u.devices = map[uint64]*pending{}
	}
	u.devices[device] = failed
}

// Sync makes every message durable whose Deliver returned nil before the
// call: one syncfs(2) for each file system that received any. After an error
// none of those messages may be forgotten by the queue until a later Sync
// returns nil.
//
// After a failed sync the kernel may believe pages to be clean that never
// reached the disk, so that a second sync would succeed without meaning it.
// The next Sync therefore first writes those messages anew.
//
// A lone message is synced by itself. That takes half the time, because it
// does not wait for what other programs have written to the file system; from
// two messages on the one syncfs is quicker (docs/maildir.md has the figures).
func (s *Store) Sync() error {
	s.syncing.Lock() // a second caller's messages may be in the first one's hands
	defer s.syncing.Unlock()
	var failed error
	for device, p := range s.unsynced.take() {
		if err := s.syncDevice(p); err != nil {
			s.unsynced.giveBack(device, p)
			s.commits.failures.Add(1)
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

func (s *Store) syncDevice(p *pending) error {
	for _, d := range p.files[:p.doubtful] {
		if err := s.rewrite(d); err != nil {
			return err
		}
	}
	if len(p.files) == 1 && !p.all {
		if done, err := s.syncMessage(p.files[0].name); done || err != nil {
			return err
		}
	}
	return s.syncAll(p.dir)
}

// syncAll syncs the file system of dir. When somebody has removed dir, with a
// whole mailbox perhaps, a directory above it does as well.
func (s *Store) syncAll(dir string) error {
	for {
		err := s.fs.SyncAll(dir)
		above := path.Dir(dir)
		if above == dir || !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		dir = above
	}
}

// syncMessage syncs one message and its name; done is false when it cannot be
// found, because a reader has moved or deleted it since.
func (s *Store) syncMessage(name string) (done bool, err error) {
	file, err := s.fs.Open(name)
	if err != nil {
		return false, nil
	}
	err = file.Sync()
	if err = errors.Join(err, file.Close()); err != nil {
		return true, err
	}
	return true, s.fs.SyncDir(path.Dir(name))
}

// rewrite replaces a message by a new copy of itself, from the page cache if
// need be. One that a reader has deleted needs none.
func (s *Store) rewrite(d delivery) error {
	found, err := s.find(d.folder, path.Base(d.name))
	var info fs.FileInfo
	if err == nil && found != "" {
		info, err = s.fs.Stat(found)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && found == "":
		return nil
	case err != nil:
		return err
	}
	return s.replace(d.folder, found, &Message{File: found, FileSize: info.Size()})
}
