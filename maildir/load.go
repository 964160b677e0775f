package maildir

import (
	"crypto/rand"
	"errors"
	"slices"
	"strings"

	"barid/internal/watch"
)

// load reads the folder when it is opened for the first time: the index, and
// what the index does not know. work is held.
func (f *Folder) load() error {
	if err := f.alive(); err != nil {
		return err
	}
	if f.loaded {
		f.watchAgain()
		return nil
	}
	d, err := f.mailbox.dirs(f.name)
	if err != nil {
		return err
	}
	f.dirs = d
	f.watch()
	h, ok, whole := f.readIndex()
	f.takeHeader(&h, ok)
	if err := f.refreshKeywords(); err != nil {
		return err
	}
	if whole && f.unchanged(&h) {
		f.loaded = true
		return nil
	}
	if err := f.loadUIDs(&h, ok); err != nil {
		return err
	}
	return f.loadFiles(ok)
}

// watchAgain is for a folder that its last user was about to close when the
// caller came.
func (f *Folder) watchAgain() {
	if f.watching.on.Load() || !f.store().watchable {
		return
	}
	f.watch()
	f.news.newDirty.Store(true)
	f.news.curDirty.Store(true)
}

// takeHeader takes over what the header of the index says, if there is one.
func (f *Folder) takeHeader(h *indexHeader, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next, f.recentFrom = 1, 1
	if !ok {
		f.history.floor = f.tick(f.store().now())
		return
	}
	f.uids.validity, f.uids.id = h.validity, h.id
	f.history.modseq, f.history.floor = max(f.history.modseq, h.modseq), max(f.history.floor, h.floor)
	f.next, f.recentFrom = max(h.next, 1), h.recentFrom
	if n := len(f.messages); n > 0 {
		f.next = max(f.next, f.messages[n-1].uid+1)
	}
	f.told = f.next - 1
	f.cache.end, f.cache.dead = h.cacheEnd, h.cacheDead
	f.counts = counts{}
	for i := range f.messages {
		f.counts.count(&f.messages[i], 1)
	}
}

// unchanged reports whether nobody has touched the folder since the index was
// left in step.
func (f *Folder) unchanged(h *indexHeader) bool {
	info, err := f.store().fs.Stat(f.uidPath())
	if err != nil || h.uidSum == 0 || watch.StampOf(info).Sum() != h.uidSum || h.newTime == 0 || h.curTime == 0 ||
		f.timeOf(f.dirs.new) != h.newTime || f.timeOf(f.dirs.cur) != h.curTime {
		return false
	}
	f.uids.stamp, f.uids.size, f.uids.lines = watch.StampOf(info), h.uidSize, int(h.uidLines)
	f.seenNew, f.seenCur = h.newTime, h.curTime
	return true
}

// loadUIDs compares the roster with dovecot-uidlist. Where they differ the
// file is right, but a message that it does not name keeps the UID that the
// index has for it.
func (f *Folder) loadUIDs(h *indexHeader, indexed bool) error {
	known, listed, next := f.index.next, 0, f.next
	var lines []uidLine
	var room [256]byte
	file, ok, err := f.readUIDs(func(file *uidHeader, l uidLine) {
		next = max(next, l.uid+1)
		if m := f.find(l.uid); file.validity == h.validity && m != nil && string(f.appendKeyOf(room[:0], m)) == string(l.base[:keyLen(l.base)]) {
			listed++
			return
		}
		lines = append(lines, l)
	})
	switch {
	case err != nil:
		return err
	case !ok && indexed:
		return nil // mend is set: it will be written from the index
	case !ok:
		return f.number(0)
	case max(next, file.next) > uidEnough:
		f.logger().Warn("dovecot-uidlist leaves no UIDs: the folder is numbered anew", "folder", f.path)
		f.forgetIndex()
		f.setNext(1)
		return f.number(file.validity)
	case indexed && file.validity != h.validity:
		f.forgetIndex()
		known, next = 1, 1 // UIDs of another life count no more
		for _, l := range lines {
			next = max(next, l.uid+1)
		}
	}
	f.uids.validity = file.validity
	if f.uids.id = file.id; file.id == [16]byte{} {
		_, _ = rand.Read(f.uids.id[:])
	}
	f.uids.mend = f.uids.mend || listed != len(f.messages)
	f.loadClaims(lines, known, indexed)
	f.setNext(max(next, file.next))
	return nil
}

// loadClaims notes what the roster does not know. UIDs that the index knew of
// and has no more are those of messages that clients saw vanish: if their file
// is there again, it is a new message.
func (f *Folder) loadClaims(lines []uidLine, known uint32, indexed bool) {
	var taken []uint32
	for _, l := range lines {
		if m := f.find(l.uid); m != nil {
			taken = append(taken, l.uid) // the file gives it to another name
			known = min(known, l.uid)
		}
		if !indexed || l.uid >= known {
			f.claim(l)
		}
	}
	if len(taken) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts = counts{}
	f.drop(taken)
	for i := range f.messages {
		f.counts.count(&f.messages[i], 1)
	}
	f.history.floor = f.tick(f.store().now())
	f.log = indexLog{}
}

// forgetIndex drops what the index said: it is about a folder that was
// numbered anew since.
func (f *Folder) forgetIndex() {
	f.mu.Lock()
	defer f.mu.Unlock()
	modseq := f.history.modseq
	f.roster, f.history, f.counts, f.log = roster{}, history{modseq: modseq}, counts{}, indexLog{}
	f.cache.end, f.cache.dead, f.index.next = 0, 0, 0
	f.history.floor = f.tick(f.store().now())
	f.recentFrom, f.told = 1, 0
}

// uidEnough is the highest next UID with which a folder is opened.
const uidEnough = uidMax - 1<<24

// number begins the folder's UIDs anew, with a UIDVALIDITY above the last one.
func (f *Folder) number(last uint32) error {
	validity, err := f.mailbox.nextValidity(last)
	if err != nil {
		return err
	}
	f.uids.validity, f.uids.mend = validity, true
	_, _ = rand.Read(f.uids.id[:])
	return nil
}

// loadFiles lists the directories for the first time.
func (f *Folder) loadFiles(indexed bool) error {
	f.news.newDirty.Store(true)
	f.news.curDirty.Store(true)
	staged, sync, err := f.scan()
	if err = errors.Join(err, f.settleLoad(sync, staged)); err != nil {
		return err
	}
	f.mu.Lock()
	if !indexed {
		f.recentFrom = f.firstRecent()
	}
	f.buryClaims(indexed, f.index.next)
	f.told = max(f.told, f.next-1)
	f.mu.Unlock()
	f.loaded = true
	f.sweepBeside()
	if f.uids.mend {
		err = f.mendUIDs()
	}
	if !f.log.on {
		f.writeImage()
	}
	return err
}

// sweepBeside removes what crashes have left of files that were being replaced
// (vfs.WriteAtomic).
func (f *Folder) sweepBeside() {
	s := f.store()
	entries, err := s.fs.ReadDir(f.path)
	if err != nil {
		return
	}
	before := s.now().Add(-sweepAge)
	for _, e := range entries {
		name, _, temporary := strings.Cut(e.Name(), ".tmp")
		if !temporary || !slices.Contains(replaced, name) {
			continue
		}
		info, err := e.Info()
		if err == nil && info.ModTime().Before(before) {
			err = s.fs.Remove(f.path + "/" + e.Name())
		}
		if err != nil {
			s.log.Warn("cannot remove a forgotten file", "file", f.path+"/"+e.Name(), "error", err)
		}
	}
}

// replaced are the files that are written beside themselves.
var replaced = []string{"dovecot-uidlist", "dovecot-keywords", "dovecot-uidvalidity", "subscriptions", "barid-special-use"}

// firstRecent is the UID of the first of the last messages that are all in
// new/. mu is held.
func (f *Folder) firstRecent() uint32 {
	from := f.next
	for i := len(f.messages) - 1; i >= 0 && f.messages[i].state&recCur == 0; i-- {
		from = f.messages[i].uid
	}
	return from
}

// buryClaims remembers UIDs as vanished that may have been told by a process
// whose index did not reach the disk, and have no file. mu is held.
func (f *Folder) buryClaims(indexed bool, known uint32) {
	var dead []uint32
	for _, c := range f.uids.claims {
		if c.uid >= known && f.find(c.uid) == nil {
			dead = append(dead, c.uid)
		}
	}
	f.uids.claims = nil
	if indexed && len(dead) > 0 {
		// A frame would have to be whole while the header is old: rare
		// enough to say that all history is unknown instead.
		f.history.floor = f.tick(f.store().now())
		f.log = indexLog{}
	}
}

// mendUIDs writes dovecot-uidlist anew under its lock.
func (f *Folder) mendUIDs() error {
	unlock, err := f.mailbox.dotlock(f.uidPath())
	if err != nil {
		return err
	}
	defer unlock()
	return f.rewriteUIDs()
}
