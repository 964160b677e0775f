package maildir

import (
	"cmp"
	"errors"
	"math"
	"slices"
)

// number gives UIDs to fresh files and takes them into the roster; nil when
// there are none.
func (s *scan) number() (*change, syncWant, error) {
	f := s.f
	fresh := s.describe()
	if len(fresh) == 0 {
		return nil, syncWant{}, nil
	}
	unlock, err := f.mailbox.dotlock(f.uidPath())
	if err != nil {
		return nil, syncWant{}, errors.Join(err, s.later())
	}
	defer unlock()
	if err := f.refreshUIDs(); err != nil {
		return nil, syncWant{}, errors.Join(err, s.later())
	}
	came := &change{kind: added}
	since := f.store().syncFailures()
	lines, count := f.adopt(fresh, came)
	if len(lines) > 0 || f.uids.mend {
		if err := f.addLines(lines, count); err != nil {
			f.mu.Lock()
			f.drop(came.uids)
			f.mu.Unlock()
			return nil, syncWant{}, errors.Join(err, s.later())
		}
	}
	f.stage(came)
	return came, f.wantUIDs(since), nil
}

// later makes the next scan try again.
func (s *scan) later() error {
	s.f.news.newDirty.Store(true)
	s.f.news.curDirty.Store(true)
	return nil
}

// describedFile is a fresh file with what its inode tells.
type describedFile struct {
	freshFile
	size, date int64
}

// describe asks for the sizes and dates of fresh files, drops those that are gone
// again, and sorts: first those that have UIDs, then by arrival.
func (s *scan) describe() []describedFile {
	out := make([]describedFile, 0, len(s.fresh))
	for _, file := range s.fresh {
		info, err := s.f.store().fs.Stat(s.f.dirPath(file.cur) + "/" + file.name)
		if err == nil && info.Mode().IsRegular() {
			out = append(out, describedFile{file, info.Size(), info.ModTime().Unix()})
		}
	}
	slices.SortFunc(out, func(a, b describedFile) int {
		return cmp.Or(cmp.Compare(a.claimed.uid-1, b.claimed.uid-1), cmp.Compare(a.arrived, b.arrived), cmp.Compare(a.name, b.name))
	})
	return out
}

// adopt takes files into the roster, with UIDs of their own or new ones, and
// returns the lines for dovecot-uidlist that it lacks.
func (f *Folder) adopt(fresh []describedFile, came *change) (lines []byte, count int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, file := range fresh {
		name := []byte(file.name)
		base := name[:baseLen(name)]
		key := string(base[:keyLen(base)])
		if m := f.byKey([]byte(key)); m != nil || f.next > uidMax {
			if m != nil && f.pathOf(m) != f.dirPath(file.cur)+"/"+file.name {
				f.news.curDirty.Store(true) // two files of one name: the next look separates them
			}
			continue
		}
		claimed, isClaimed := f.uids.claims[key]
		delete(f.uids.claims, key)
		m := record{uid: claimed.uid, email: claimed.email, date: file.date, round: f.round}
		if isClaimed && f.loaded && len(f.messages) > 0 && claimed.uid <= f.messages[len(f.messages)-1].uid {
			isClaimed, f.uids.mend = false, true // too late: clients know higher ones
		}
		if !isClaimed {
			m.uid, m.email = f.next, emailIDOf(base)
			f.next++
		}
		f.setName(&m, name, file.cur)
		if m.size < 0 {
			m.size = file.size
		}
		f.take(m)
		came.uids = append(came.uids, m.uid)
		if !isClaimed {
			lines = f.appendUIDLineOf(lines, &m)
			count++
		}
	}
	slices.Sort(came.uids)
	return lines, count
}

// wantUIDs is the sync that dovecot-uidlist needs after addLines.
func (f *Folder) wantUIDs(since uint64) syncWant {
	fsys, path := f.store().fs, f.uidPath()
	return syncWant{dir: f.dirs.cur, dev: f.dirs.device, files: true, since: since, alone: func() error {
		file, err := fsys.OpenWrite(path)
		if err != nil {
			return err
		}
		return errors.Join(file.Sync(), file.Close())
	}}
}

// moveNew moves messages from new/ to cur/ if a session that may write has
// the folder. A power cut may move them back, which means nothing. work is
// held.
func (f *Folder) moveNew() {
	f.mu.RLock()
	claims := slices.ContainsFunc(f.views, func(v *View) bool { return !v.readOnly })
	var uids []uint32
	for i := range f.messages {
		if m := &f.messages[i]; claims && m.state&(recCur|recDying) == 0 {
			uids = append(uids, m.uid)
		}
	}
	f.mu.RUnlock()
	if len(uids) == 0 {
		return
	}
	for _, uid := range uids {
		f.moveOne(uid)
	}
	f.touched()
	f.mu.Lock()
	f.logPlaces(uids)
	f.mu.Unlock()
}

func (f *Folder) moveOne(uid uint32) {
	f.mu.RLock()
	m := f.find(uid)
	if m == nil {
		f.mu.RUnlock()
		return
	}
	from := f.dirs.new + "/" + string(f.appendName(nil, m))
	_, other := splitInfo([]byte(f.odd[uid]))
	flags := f.diskFlags(m)
	base := f.appendBase(nil, m)
	f.mu.RUnlock()
	info := appendInfo(nil, flags, other)
	if len(base)+len(info) > math.MaxUint8 {
		return
	}
	if err := f.store().fs.Rename(from, f.dirs.cur+"/"+string(base)+string(info)); err != nil {
		return // gone, or it stays in new/
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if m := f.find(uid); m != nil {
		f.setPlace(m, info, true)
	}
}

// touched is told that the folder's own changes have changed the directories'
// times. Only where nobody watches do these times matter before the end.
func (f *Folder) touched() {
	if !f.watching.on.Load() {
		f.seenNew, f.seenCur = 0, 0
	}
}
