package maildir

import (
	"errors"
	"io/fs"
	"slices"
)

// ExpungeOptions say what may be expunged.
type ExpungeOptions struct {
	// Any removes the messages named whatever their flags; otherwise those among
	// them that have \Deleted.
	Any bool
}

// Expunge removes messages, given by ascending UIDs. After nil they are gone for
// ever; the sessions, this one too, are told by Sync. It returns those that it
// removed.
func (f *Folder) Expunge(uids []uint32, o ExpungeOptions) (gone []uint32, err error) {
	for part := range slices.Chunk(uids, settleMax) {
		done, err := f.expunge(part, o)
		gone = append(gone, done...)
		if err != nil {
			return gone, err
		}
	}
	return gone, nil
}

func (f *Folder) expunge(uids []uint32, o ExpungeOptions) (gone []uint32, err error) {
	var changes []*change
	var freed Usage
	for part := range slices.Chunk(uids, together) {
		f.work.Lock()
		c := &change{kind: vanished}
		if err = f.alive(); err == nil {
			err = f.unlinkAll(part, o, c, &freed)
		}
		if len(c.uids) > 0 {
			f.touched()
			gone = append(gone, c.uids...)
			f.stage(c)
			changes = append(changes, c)
		}
		f.unlockWork()
		if err != nil {
			break
		}
	}
	if len(changes) == 0 {
		return nil, err
	}
	err = errors.Join(err, f.mailbox.tally(-freed.Bytes, -freed.Messages))
	return gone, errors.Join(err, f.settle(f.wantNames(true), changes...))
}

// tally is record for whoever does not hold the quota's lock.
func (m Mailbox) tally(size, messages int64) error {
	if m.quota.none() || messages == 0 {
		return nil
	}
	m.box.quota.Lock()
	defer m.box.quota.Unlock()
	return m.record(size, messages)
}

// unlinkAll removes files. One that is not where the roster has it was renamed or
// removed by another program: the next look shows which.
func (f *Folder) unlinkAll(uids []uint32, o ExpungeOptions, c *change, freed *Usage) error {
	for _, uid := range uids {
		path, size, ok := f.condemned(uid, o)
		if !ok {
			continue
		}
		err := f.store().fs.Remove(path)
		if errors.Is(err, fs.ErrNotExist) {
			f.news.curDirty.Store(true)
			continue
		}
		if err != nil {
			return err
		}
		c.uids = append(c.uids, uid)
		freed.Bytes += size
		freed.Messages++
	}
	return nil
}

func (f *Folder) condemned(uid uint32, o ExpungeOptions) (path string, size int64, ok bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	m := f.find(uid)
	if m == nil || m.state&recDying != 0 || !o.Any && f.diskFlags(m)&Deleted == 0 {
		return "", 0, false
	}
	return f.pathOf(m), m.size, true
}
