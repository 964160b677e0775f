package maildir

import (
	"errors"
	"io/fs"
	"slices"
)

// CopyOptions say what becomes of the messages where they were.
type CopyOptions struct {
	// Move takes them out (RFC 6851). A message that is moved is in one of the two
	// folders at any time, also across a power cut.
	Move bool
}

// Copy puts messages, given by ascending UIDs, into another folder of the
// mailbox, or into the same one, without copying their contents. It returns the
// UIDs of those that exist and the ones that they got. COPY is all or nothing;
// when MOVE fails in between, what was moved until then stays moved and is
// returned with the error.
func (f *Folder) Copy(uids []uint32, to *Folder, o CopyOptions) (from, got []uint32, err error) {
	if err := f.Refresh(); err != nil {
		return nil, nil, err
	}
	for tries := 0; len(uids) > 0; {
		part := uids
		if o.Move {
			part = uids[:min(len(uids), settleMax)]
		}
		a, b, err := f.copyPart(part, to, o)
		from, got = append(from, a...), append(got, b...)
		switch {
		case err == nil:
			uids = uids[len(part):]
			continue
		case !errors.Is(err, ErrVanished) || tries == openTries:
			return from, got, err
		}
		// Another program has renamed or removed one: look, and go on behind
		// the last that was moved.
		tries++
		f.news.curDirty.Store(true)
		if err := f.Refresh(); err != nil {
			return from, got, err
		}
		if n := len(a); n > 0 {
			uids = uids[1+slices.Index(uids, a[n-1]):]
		}
	}
	return from, got, nil
}

func (f *Folder) copyPart(uids []uint32, to *Folder, o CopyOptions) (from, got []uint32, err error) {
	if o.Move {
		return f.move(uids, to)
	}
	return f.copyAll(uids, to)
}

// originals describes messages as files for another folder; put links them.
func (f *Folder) originals(uids []uint32, to *Folder) (from []uint32, files []newFile, total Usage, err error) {
	letters, err := f.translate(uids, to)
	if err != nil {
		return nil, nil, total, err
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, uid := range uids {
		m := f.find(uid)
		if m == nil || m.state&recDying != 0 {
			continue
		}
		lines := int64(-1)
		if m.lines != linesUnknown {
			lines = int64(m.lines)
		}
		flags := f.diskFlags(m)
		from = append(from, uid)
		total.Bytes += m.size
		total.Messages++
		files = append(files, newFile{
			flags: flags&SystemFlags | letters.of(flags), size: m.size, lines: lines, date: m.date, email: m.email,
			put: func(target string) error { return f.link(uid, target) },
		})
	}
	return from, files, total, nil
}

// translation says which keyword of another folder each one is.
type translation [KeywordsMax]Flags

func (t *translation) of(flags Flags) (out Flags) {
	for i := range KeywordsMax {
		if flags&(1<<i) != 0 {
			out |= t[i]
		}
	}
	return out
}

// translate finds the keywords of messages in another folder and adds those
// that it lacks, as far as it has room.
func (f *Folder) translate(uids []uint32, to *Folder) (t translation, err error) {
	var used Flags
	f.mu.RLock()
	for _, uid := range uids {
		if m := f.find(uid); m != nil {
			used |= f.diskFlags(m)
		}
	}
	names := f.keywords.names
	f.mu.RUnlock()
	for i, name := range names {
		if used&(1<<i) == 0 || name == "" {
			continue
		}
		t[i], err = to.KeywordFlags([]string{name}, true)
		if err != nil && !errors.Is(err, ErrKeywords) {
			return t, err
		}
	}
	return t, nil
}

// link gives a message's file another name.
func (f *Folder) link(uid uint32, target string) error {
	return f.atPath(uid, func(path string) error {
		err := f.store().fs.Link(path, target)
		if !cannotLink(err) {
			return err
		}
		file, err := f.store().fs.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		info, err := f.store().fs.Stat(path)
		if err != nil {
			return err
		}
		return f.store().copyFile(file, info.Size(), target)
	})
}

// atPath calls do with the path of a message, and again while that turns out
// to have changed; ErrVanished when it is gone.
func (f *Folder) atPath(uid uint32, do func(path string) error) error {
	var err error
	for range openTries {
		f.mu.RLock()
		m := f.find(uid)
		if m == nil || m.state&recDying != 0 {
			f.mu.RUnlock()
			return ErrVanished
		}
		path := f.pathOf(m)
		f.mu.RUnlock()
		if err = do(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		f.news.curDirty.Store(true)
	}
	return errors.Join(ErrVanished, err)
}

func (f *Folder) copyAll(uids []uint32, to *Folder) (from, got []uint32, err error) {
	since := f.store().syncFailures()
	from, files, total, err := f.originals(uids, to)
	if err != nil || len(files) == 0 {
		return nil, nil, err
	}
	got, err = to.placeCounted(files, total, since)
	if err != nil {
		return nil, nil, err
	}
	return from, got, nil
}

// move moves messages by renaming them. Both folders are locked meanwhile, in the order
// of their paths.
func (f *Folder) move(uids []uint32, to *Folder) (from, got []uint32, err error) {
	for tries := 0; ; tries++ {
		from, got, err = f.moveOnce(uids, to, tries)
		if err != errClaims {
			return from, got, err
		}
		if err = to.takeClaims(); err != nil {
			return nil, nil, err
		}
	}
}

func (f *Folder) moveOnce(uids []uint32, to *Folder, tries int) (from, got []uint32, err error) {
	since := f.store().syncFailures()
	from, files, _, err := f.originals(uids, to)
	if err != nil || len(files) == 0 {
		return nil, nil, err
	}
	unlock := lockBoth(f, to)
	defer unlock()
	went := &change{kind: vanished}
	for i := range files {
		files[i].put = func(target string) error { return f.takeAway(from[i], target) }
	}
	p, failed := to.placeMoved(files, tries < claimTries)
	if len(p.paths) == 0 {
		return nil, nil, failed
	}
	went.uids = slices.Clone(from[:len(p.paths)])
	f.touched()
	f.stage(went)
	unlock()
	if err = f.store().commit(to.wantAll(since)); err != nil {
		to.doubtUIDs()
	}
	// The files have moved for all running programs, whether that is durable or
	// not, and are gone here. There, UIDs are shown only if they are durable;
	// the next look gives others.
	err = errors.Join(err, to.settled(err, p.came), f.settled(nil, went))
	if len(p.came.uids) == 0 || err != nil {
		return nil, nil, errors.Join(failed, err)
	}
	return went.uids, p.came.uids, failed
}

// doubtUIDs is told that a sync of dovecot-uidlist has failed, or of files that
// are there all the same.
func (f *Folder) doubtUIDs() {
	f.work.Lock()
	defer f.unlockWork()
	f.uids.mend = true
	f.news.newDirty.Store(true)
	f.news.curDirty.Store(true)
}

// lockBoth takes the work of two folders that may be one; unlock may be called
// more than once.
func lockBoth(a, b *Folder) (unlock func()) {
	if b.path < a.path {
		a, b = b, a
	}
	a.work.Lock()
	if a != b {
		b.work.Lock()
	}
	done := false
	return func() {
		if done {
			return
		}
		done = true
		if a != b {
			b.unlockWork()
		}
		a.unlockWork()
	}
}

// takeAway renames a message's file, or copies and removes it where the
// folders are on two file systems.
func (f *Folder) takeAway(uid uint32, target string) error {
	return f.atPath(uid, func(path string) error {
		err := f.store().fs.Rename(path, target)
		if !cannotLink(err) {
			return err
		}
		if err := f.link(uid, target); err != nil {
			return err
		}
		if err := f.store().syncAll(target); err != nil {
			return err
		}
		return f.store().fs.Remove(path)
	})
}

// placeMoved is placeHeld for files that cannot be put back: what was placed
// before an error stays.
func (f *Folder) placeMoved(files []newFile, patient bool) (*placed, error) {
	p := &placed{f: f, came: &change{kind: added}}
	if err := f.alive(); err != nil {
		return p, err
	}
	unlock, err := f.mailbox.dotlock(f.uidPath())
	if err != nil {
		return p, err
	}
	defer unlock()
	if err := f.refreshClaims(patient); err != nil {
		return p, err
	}
	var lines []byte
	var failed error
	for i := range files {
		if failed = f.placeOne(&files[i], p); failed != nil {
			break
		}
		lines = f.appendLine(lines, p.came.uids[i])
	}
	if len(p.paths) == 0 {
		return p, failed
	}
	if err := f.addLines(lines, len(p.came.uids)); err != nil {
		failed = errors.Join(failed, err)
		f.mu.Lock()
		f.drop(p.came.uids)
		f.mu.Unlock()
		p.came.uids = nil
		f.news.curDirty.Store(true)
	}
	f.touched()
	f.stage(p.came)
	return p, failed
}
