package maildir

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"

	"barid/internal/vfs"
	"barid/internal/watch"
)

// uidFile is what a folder knows about its dovecot-uidlist. It belongs to
// whoever holds Folder.work.
type uidFile struct {
	validity uint32
	id       [16]byte
	stamp    watch.Stamp // of the file when we last read or wrote it
	size     int64
	lines    int // with those of messages that are gone
	// claims are UIDs that another program gave, by key, until a listing finds
	// the files.
	claims map[string]claim
	// mend says that the file has to be written anew before the next line: it
	// is missing or senseless, a sync failed, or it has what we would not
	// write.
	mend bool
}

// claim is a line of dovecot-uidlist for a name that the roster does not know
// under that UID.
type claim struct {
	uid   uint32
	email uint64
}

// uidListMax bounds what is read of a uidlist: ten million messages.
const uidListMax = 1 << 30

func (f *Folder) uidPath() string { return f.path + "/dovecot-uidlist" }

// readUIDs reads dovecot-uidlist and calls each for its lines in order. ok is
// false when the file is missing or begins with nonsense.
func (f *Folder) readUIDs(each func(*uidHeader, uidLine)) (h uidHeader, ok bool, err error) {
	s := f.store()
	info, err := s.fs.Stat(f.uidPath())
	var text []byte
	if err == nil {
		text, err = vfs.ReadFile(s.fs, f.uidPath(), uidListMax)
	}
	if errors.Is(err, fs.ErrNotExist) {
		f.uids.mend = true
		return h, false, nil
	}
	if err != nil {
		return h, false, err
	}
	f.uids.stamp, f.uids.size, f.uids.lines = watch.StampOf(info), int64(len(text)), 0
	if int64(len(text)) != info.Size() {
		f.uids.stamp = watch.Stamp{} // it grew meanwhile: read it again next time
	}
	line, rest, whole := bytes.Cut(text, newline)
	h, ok = parseUIDHeader(line)
	if !ok || !whole {
		f.uids.mend = true
		return h, false, nil
	}
	f.uids.mend = f.uids.mend || h.version != 3 || h.id == [16]byte{}
	f.eachUIDLine(rest, &h, each)
	return h, true, nil
}

// eachUIDLine passes over lines that make no sense or whose UIDs do not
// ascend: nobody was told what they say.
func (f *Folder) eachUIDLine(text []byte, h *uidHeader, each func(*uidHeader, uidLine)) {
	last := uint32(0)
	for len(text) > 0 {
		line, rest, whole := bytes.Cut(text, newline)
		text = rest
		l, ok := parseUIDLine(line, h.version)
		if !whole || !ok || l.uid <= last {
			f.uids.mend = true
			continue
		}
		last = l.uid
		f.uids.lines++
		each(h, l)
	}
}

// refreshUIDs reads dovecot-uidlist again if another program has changed it,
// and takes over which UIDs it has given.
func (f *Folder) refreshUIDs() error {
	info, err := f.store().fs.Stat(f.uidPath())
	if err == nil && watch.StampOf(info) == f.uids.stamp {
		return nil
	}
	next := f.next
	h, ok, err := f.readUIDs(func(_ *uidHeader, l uidLine) {
		if l.uid >= f.next {
			f.claim(l)
			next = l.uid + 1
		}
	})
	if err != nil || !ok {
		return err
	}
	if h.validity != f.uids.validity {
		f.end()
		return ErrFolderGone
	}
	f.setNext(max(next, h.next))
	return nil
}

// setNext changes the next UID to give. work is held.
func (f *Folder) setNext(next uint32) {
	f.mu.Lock()
	f.next = next
	f.mu.Unlock()
}

func (f *Folder) claim(l uidLine) {
	if f.uids.claims == nil {
		f.uids.claims = map[string]claim{}
	}
	f.uids.claims[string(l.base[:keyLen(l.base)])] = claim{l.uid, l.email()}
}

// addLines makes dovecot-uidlist say what the roster says, by appending lines
// (which are those of the latest messages) or by writing it anew. The caller
// holds the file's dotlock; a sync of the file has to follow.
func (f *Folder) addLines(lines []byte, count int) error {
	if f.uids.mend {
		return f.rewriteUIDs()
	}
	file, err := f.store().fs.OpenWrite(f.uidPath())
	if err == nil {
		_, err = file.WriteAt(lines, f.uids.size)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		f.uids.mend = true
		return err
	}
	f.uids.size += int64(len(lines))
	f.uids.lines += count
	f.stampUIDs()
	return nil
}

// stampUIDs notes how the file looks after we wrote it.
func (f *Folder) stampUIDs() {
	f.uids.stamp = watch.Stamp{}
	info, err := f.store().fs.Stat(f.uidPath())
	if err == nil && info.Size() == f.uids.size {
		f.uids.stamp = watch.StampOf(info)
	}
}

// rewriteUIDs replaces dovecot-uidlist: the lines that it has for our
// messages, and new ones for the others. Durable when it returns nil. The
// caller holds the dotlock.
func (f *Folder) rewriteUIDs() error {
	h := uidHeader{validity: f.uids.validity, next: f.next, id: f.uids.id}
	text := h.append(nil)
	f.mu.RLock()
	messages := slices.Clone(f.messages)
	f.mu.RUnlock()
	lines, i := 0, 0
	var key, own [256]byte
	emit := func(before uint32) {
		for ; i < len(messages) && messages[i].uid < before; i++ {
			if m := &messages[i]; m.state&recDying == 0 {
				text = f.appendUIDLineOf(text, m)
				lines++
			}
		}
	}
	_, _, err := f.readUIDs(func(_ *uidHeader, l uidLine) {
		emit(l.uid)
		if i == len(messages) || messages[i].uid != l.uid || messages[i].state&recDying != 0 ||
			!bytes.Equal(f.appendKeyOf(key[:0], &messages[i]), append(own[:0], l.base[:keyLen(l.base)]...)) {
			return
		}
		text = l.append(text)
		i, lines = i+1, lines+1
	})
	if err != nil {
		return err
	}
	emit(uidMax)
	if err := vfs.WriteAtomic(f.store().fs, f.uidPath(), text, 0o600); err != nil {
		return err
	}
	f.uids.mend, f.uids.size, f.uids.lines = false, int64(len(text)), lines
	f.stampUIDs()
	return nil
}

// shortenUIDs writes dovecot-uidlist anew when most of it is about messages
// that are gone.
func (f *Folder) shortenUIDs() {
	if dead := f.uids.lines - len(f.messages); dead < 1000 || dead < f.uids.lines/2 {
		return
	}
	unlock, err := f.mailbox.dotlock(f.uidPath())
	if err != nil {
		return
	}
	defer unlock()
	if err = f.refreshUIDs(); err == nil {
		err = f.rewriteUIDs()
	}
	if err != nil {
		f.store().log.Warn("cannot shorten dovecot-uidlist", "folder", f.path, "error", err)
	}
}
