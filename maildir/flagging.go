package maildir

import (
	"errors"
	"io/fs"
	"math"
	"slices"

	"barid/internal/vfs"
)

// FlagChange is what STORE does to flags (RFC 9051 section 6.4.6).
type FlagChange struct {
	How   FlagHow
	Flags Flags
	// Conditional leaves messages alone that have changed after UnchangedSince
	// (RFC 7162 section 3.1.3).
	Conditional    bool
	UnchangedSince int64
	// Lazy does not wait for the disk: for \Seen that nobody asked to be set. Also
	// for parts of a long command, before Folder.Durable.
	Lazy bool
}

// FlagHow says what is done with the flags named.
type FlagHow uint8

// The ways to change flags. Replace leaves Passed alone, which clients cannot
// see, and keywords without a name.
const (
	Add FlagHow = iota
	Remove
	Replace
)

// FlagResult says what became of the messages of a FlagChange; all ascend.
type FlagResult struct {
	Changed  []uint32 // now have other flags than before
	Modified []uint32 // left alone because of UnchangedSince
	Gone     []uint32 // do not exist any more
}

// together is how many files are changed before others get a turn, and
// settleMax how many before clients are told.
const (
	together  = 256
	settleMax = 4096
)

// SetFlags changes the flags of messages, given by ascending UIDs. After nil
// that is durable, unless it is lazy, and told to the other sessions; this one is
// not told by Sync. After an error some may have changed.
func (v *View) SetFlags(uids []uint32, c FlagChange) (r FlagResult, err error) {
	f := v.folder
	job := flagJob{v: v, c: c, r: &r, kept: Passed | f.namelessKeywords()}
	for part := range slices.Chunk(uids, settleMax) {
		err = errors.Join(err, job.do(part))
		if len(job.missed) > 0 && err == nil {
			f.news.curDirty.Store(true)
			missed := job.missed
			job.missed, job.again = nil, true
			err = errors.Join(f.Refresh(), job.do(missed))
			job.again = false
		}
		if err != nil {
			return r, err
		}
	}
	slices.Sort(r.Changed)
	slices.Sort(r.Modified)
	slices.Sort(r.Gone)
	return r, nil
}

// namelessKeywords are the bits of keywords without a name.
func (f *Folder) namelessKeywords() Flags {
	bits := KeywordBits
	for i, name := range f.Keywords() {
		if name != "" {
			bits &^= 1 << i
		}
	}
	return bits
}

// flagJob is one SetFlags.
type flagJob struct {
	v      *View
	c      FlagChange
	r      *FlagResult
	kept   Flags
	missed []uint32 // not found under their names: another program has renamed or removed them
	again  bool     // those that are missed now are gone
	moved  bool     // names have left new/
}

// do changes one part and waits until it can be told.
func (j *flagJob) do(uids []uint32) error {
	f := j.v.folder
	var changes []*change
	var failed error
	for part := range slices.Chunk(uids, together) {
		f.work.Lock()
		c := &change{kind: flagsChanged, by: j.v}
		if failed = f.alive(); failed == nil {
			failed = j.rename(part, c)
		}
		if len(c.uids) > 0 {
			f.touched()
			f.stage(c)
			changes = append(changes, c)
			j.r.Changed = append(j.r.Changed, c.uids...)
		}
		f.unlockWork()
		if failed != nil {
			break
		}
	}
	if len(changes) == 0 {
		return failed
	}
	if j.c.Lazy {
		return errors.Join(failed, f.settled(nil, changes...))
	}
	return errors.Join(failed, f.settle(f.wantNames(j.moved), changes...))
}

// wantNames is the sync that makes changes of names durable.
func (f *Folder) wantNames(inNew bool) syncWant {
	s, d := f.store(), f.dirs
	return syncWant{dir: d.cur, dev: d.device, alone: func() error {
		err := s.fs.SyncDir(d.cur)
		if err == nil && inNew {
			err = s.fs.SyncDir(d.new)
		}
		return err
	}}
}

// Durable returns when everything is durable that was done to the folder
// before the call, lazily or not.
func (f *Folder) Durable() error {
	return f.store().commit(syncWant{dir: f.dirs.cur, dev: f.dirs.device})
}

// rename gives messages the names that their new flags want. work is held.
func (j *flagJob) rename(uids []uint32, c *change) error {
	f := j.v.folder
	for _, uid := range uids {
		from, to, flags, ok := j.names(uid)
		if !ok || from == to {
			continue
		}
		err := f.store().fs.Rename(from, to)
		if errors.Is(err, fs.ErrNotExist) {
			j.miss(uid)
			continue
		}
		if err != nil {
			return err
		}
		f.renamed(uid, flags)
		c.uids = append(c.uids, uid)
		c.flags = append(c.flags, flags)
	}
	return nil
}

func (j *flagJob) miss(uid uint32) {
	if j.again {
		j.r.Gone = append(j.r.Gone, uid)
	} else {
		j.missed = append(j.missed, uid)
	}
}

// names are a message's path and the one that it shall have; not ok when
// there is nothing to do.
func (j *flagJob) names(uid uint32) (from, to string, flags Flags, ok bool) {
	f := j.v.folder
	f.mu.RLock()
	defer f.mu.RUnlock()
	m := f.find(uid)
	if m == nil || m.state&recDying != 0 {
		j.r.Gone = append(j.r.Gone, uid)
		return "", "", 0, false
	}
	if j.c.Conditional && (m.modseq > j.c.UnchangedSince || m.state&recFlight != 0) {
		j.r.Modified = append(j.r.Modified, uid)
		return "", "", 0, false
	}
	old := f.diskFlags(m)
	if flags = j.c.apply(old, j.kept); flags == old {
		return "", "", 0, false
	}
	from = f.pathOf(m)
	_, other := splitInfo([]byte(f.odd[uid]))
	var room [512]byte
	name := appendInfo(f.appendBase(room[:0], m), flags, other)
	if len(name) > math.MaxUint8 {
		j.r.Gone = append(j.r.Gone, uid)
		f.logger().Warn("a name has no room for flags", "file", from)
		return "", "", 0, false
	}
	j.moved = j.moved || m.state&recCur == 0
	return from, f.dirs.cur + "/" + string(name), flags, true
}

func (c *FlagChange) apply(old, kept Flags) Flags {
	switch c.How {
	case Add:
		return old | c.Flags
	case Remove:
		return old &^ c.Flags
	}
	return c.Flags | old&kept
}

// pathOf is where a message's file is. mu is held.
func (f *Folder) pathOf(m *record) string {
	var room [512]byte
	path := append(append(room[:0], f.dirPath(m.state&recCur != 0)...), '/')
	return string(f.appendName(path, m))
}

// renamed takes the new place of a message into the roster; its flags follow
// when they are staged.
func (f *Folder) renamed(uid uint32, flags Flags) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.find(uid)
	moved := m.state&recCur == 0
	m.state |= recCur
	if m.state&recOdd != 0 {
		_, other := splitInfo([]byte(f.odd[uid]))
		delete(f.odd, uid)
		m.state &^= recOdd
		if other != "" {
			f.setOdd(m, string(appendInfo(nil, flags, other)))
		}
		moved = true
	}
	if moved {
		f.logPlaces([]uint32{uid})
	}
}

// OpenMessage opens a message's file for reading; ErrVanished when it is gone.
func (f *Folder) OpenMessage(uid uint32) (vfs.File, error) {
	for tries := 0; ; tries++ {
		f.mu.RLock()
		m := f.find(uid)
		gone := m == nil || m.state&recDying != 0
		path := ""
		if !gone {
			path = f.pathOf(m)
		}
		f.mu.RUnlock()
		if gone {
			return nil, ErrVanished
		}
		file, err := f.store().fs.Open(path)
		if !errors.Is(err, fs.ErrNotExist) {
			return file, err
		}
		if tries == openTries {
			return nil, ErrVanished
		}
		// It was renamed, by us a moment ago or by another program.
		if tries > 0 {
			f.news.curDirty.Store(true)
			if err := f.Refresh(); err != nil {
				return nil, err
			}
		}
	}
}

// openTries is how often a file is looked for that others rename.
const openTries = 3
