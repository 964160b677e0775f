package maildir

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"math"
	"slices"
)

// scan is one look at the directories.
type scan struct {
	f       *Folder
	fresh   []freshFile
	flagged change
	moved   []uint32 // names that have changed otherwise than by flags
	doubles []freshFile
}

// freshFile is a file that the roster does not know.
type freshFile struct {
	name    string
	cur     bool
	claimed claim // of its key; uid 0: nobody has numbered it
	arrived int64
}

// scan compares the directories with the roster. What has changed is staged,
// messages that came with UIDs and lines in dovecot-uidlist; sync is what has
// to be synced before they are shown. work is held.
func (f *Folder) scan() (staged []*change, sync syncWant, err error) {
	full := f.news.curDirty.Swap(false)
	f.news.newDirty.Store(false)
	if err = f.refreshUIDs(); err == nil {
		err = f.refreshKeywords()
	}
	s := &scan{f: f, flagged: change{kind: flagsChanged, ready: true}}
	var gone []uint32
	known := maps.Clone(f.uids.claims)
	if err == nil {
		gone, err = s.list(full)
	}
	if err != nil {
		f.news.newDirty.Store(true)
		f.news.curDirty.Store(true)
		return nil, sync, err
	}
	if len(gone) > 0 {
		staged = append(staged, &change{kind: vanished, uids: gone, ready: true})
		f.stage(staged[0])
	}
	if len(s.flagged.uids) > 0 {
		s.flagged.sort()
		f.stage(&s.flagged)
		staged = append(staged, &s.flagged)
	}
	s.separate()
	came, sync, err := s.number()
	if came != nil {
		staged = append(staged, came)
	}
	if f.loaded && full {
		for key := range known { // still without a file: it was expunged at once
			delete(f.uids.claims, key)
		}
	}
	f.mu.Lock()
	f.logPlaces(s.moved)
	f.mu.Unlock()
	f.moveNew()
	return staged, sync, err
}

// settleScan publishes what a scan has found. work is not held.
func (f *Folder) settleScan(sync syncWant, staged []*change) error {
	last := staged[len(staged)-1]
	if last.kind != added {
		return f.settled(nil, staged...)
	}
	err := f.store().commit(sync)
	if err != nil {
		f.doubtUIDs()
	}
	return f.settled(err, staged...)
}

// settleLoad is settleScan with work held and nobody to tell.
func (f *Folder) settleLoad(sync syncWant, staged []*change) error {
	if len(staged) == 0 {
		return nil
	}
	var err error
	if staged[len(staged)-1].kind == added {
		err = f.store().commit(sync)
	}
	f.uids.mend = f.uids.mend || err != nil
	return f.settled(err, staged...)
}

// list reads new/ and, when full, cur/, and returns the UIDs whose files are
// gone. new/ comes first, as a message that moves meanwhile is then seen twice
// and not missed.
func (s *scan) list(full bool) (gone []uint32, err error) {
	s.f.round = s.f.round%math.MaxUint8 + 1
	if err := s.readDir(s.f.dirs.new, false, &s.f.seenNew); err != nil {
		return nil, err
	}
	if !full && (len(s.unseen(false)) > 0 || len(s.doubles) > 0) {
		full = true
	}
	if !full {
		return nil, nil
	}
	if err := s.readDir(s.f.dirs.cur, true, &s.f.seenCur); err != nil {
		return nil, err
	}
	if len(s.unseen(true)) == 0 {
		return nil, nil
	}
	// A listing may miss a name that is changed while it is made.
	for _, again := range []struct {
		dir string
		cur bool
	}{{s.f.dirs.new, false}, {s.f.dirs.cur, true}} {
		var at int64
		if err := s.readDir(again.dir, again.cur, &at); err != nil {
			return nil, err
		}
	}
	return s.unseen(true), nil
}

// unseen are the messages whose files the scan has not met, those of cur/ only
// when cur says so.
func (s *scan) unseen(cur bool) (uids []uint32) {
	s.f.mu.RLock()
	defer s.f.mu.RUnlock()
	for i := range s.f.messages {
		m := &s.f.messages[i]
		if m.round != s.f.round && m.state&recDying == 0 && (cur || m.state&recCur == 0) {
			uids = append(uids, m.uid)
		}
	}
	return uids
}

// readDir matches the files of one directory with the roster.
func (s *scan) readDir(dir string, cur bool, at *int64) error {
	*at = s.f.dirTime(dir)
	entries, err := s.f.store().fs.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	const atOnce = 1024
	for piece := range slices.Chunk(entries, atOnce) {
		s.f.mu.Lock()
		for _, e := range piece {
			if name := e.Name(); e.Type().IsRegular() && plain(name) && len(name) <= math.MaxUint8 {
				s.match(name, cur)
			}
		}
		s.f.mu.Unlock()
	}
	return nil
}

// match finds the message of a file and notes what has changed about it. mu is
// held.
func (s *scan) match(file string, cur bool) {
	f := s.f
	var room [256]byte
	name := append(room[:0], file...)
	base, info := name[:baseLen(name)], name[baseLen(name):]
	key := base[:keyLen(base)]
	m := f.byKey(key)
	claimed, isClaimed := f.uids.claims[string(key)]
	if m == nil || isClaimed && claimed.uid != m.uid {
		s.fresh = append(s.fresh, freshFile{file, cur, claimed, arrival(name)})
		return
	}
	if isClaimed {
		delete(f.uids.claims, string(key))
	}
	if m.round != f.round && m.state&recCur != 0 && !cur {
		s.doubles = append(s.doubles, freshFile{name: file, arrived: arrival(name)})
		return
	}
	if m.round == f.round {
		if here := m.state&recCur != 0; here != cur || !bytes.Equal(f.appendName(nil, m), name) {
			s.doubles = append(s.doubles, freshFile{name: file, cur: cur, arrived: arrival(name)})
		}
		return
	}
	m.round = f.round
	s.follow(m, base, info, cur)
}

// follow takes over the name that a message has now.
func (s *scan) follow(m *record, base, info []byte, cur bool) {
	f := s.f
	flags, _ := splitInfo(info)
	var room [256]byte
	if !bytes.Equal(f.appendBase(room[:0], m), base) {
		f.rebase(m, base)
		s.moved = append(s.moved, m.uid)
	}
	here := m.state&recCur != 0
	usual := usualInfo(info, flags, cur)
	if flags != f.diskFlags(m) {
		s.flagged.uids = append(s.flagged.uids, m.uid)
		s.flagged.flags = append(s.flagged.flags, flags)
	} else if here == cur && usual == (m.state&recOdd == 0) && (usual || f.odd[m.uid] == string(info)) {
		return
	}
	if here != cur || !usual || m.state&recOdd != 0 {
		s.moved = append(s.moved, m.uid)
	}
	m.state &^= recCur | recOdd
	delete(f.odd, m.uid)
	if cur {
		m.state |= recCur
	}
	if !usual {
		f.setOdd(m, string(info))
	}
}

// rebase is for programs that add fields to a name. What is known about the
// message stays.
func (r *roster) rebase(m *record, base []byte) {
	size, lines := m.size, m.lines
	r.setBase(m, base)
	if m.state&recSize == 0 {
		m.size = size
	}
	if told := linesOf(base); told != linesUnknown {
		lines = told
	}
	m.lines = lines
}

// sort brings a change of flags into the order of UIDs.
func (c *change) sort() {
	if slices.IsSorted(c.uids) {
		return
	}
	order := make([]int, len(c.uids))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(c.uids[a], c.uids[b]) })
	uids, flags := slices.Clone(c.uids), slices.Clone(c.flags)
	for i, from := range order {
		c.uids[i], c.flags[i] = uids[from], flags[from]
	}
}

// separate gives a name of its own to the second of two files that have the
// same key. Most of what looks so is a file that was renamed while the
// directory was read.
func (s *scan) separate() {
	st := s.f.store()
	for _, d := range s.doubles {
		path := s.f.dirPath(d.cur) + "/" + d.name
		if _, err := st.fs.Stat(path); err != nil {
			continue
		}
		first := s.f.pathOfKey(d.name)
		if _, err := st.fs.Stat(first); err != nil || first == path {
			s.f.news.curDirty.Store(true) // the roster has the old name: look again
			continue
		}
		name := string(st.appendNewKey(nil)) + d.name[baseLen([]byte(d.name)):]
		if err := st.fs.Rename(path, s.f.dirPath(d.cur)+"/"+name); err != nil {
			continue
		}
		s.f.logger().Warn("two files had the name of one message; renamed one", "folder", s.f.path, "file", name)
		s.fresh = append(s.fresh, freshFile{name: name, cur: d.cur, arrived: d.arrived})
	}
}

// pathOfKey is the path of the message that has the key of a name.
func (f *Folder) pathOfKey(name string) string {
	base := []byte(name[:baseLen([]byte(name))])
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.byKey(base[:keyLen(base)])
	if m == nil {
		return ""
	}
	return f.dirPath(m.state&recCur != 0) + "/" + string(f.appendName(nil, m))
}

func (f *Folder) dirPath(cur bool) string {
	if cur {
		return f.dirs.cur
	}
	return f.dirs.new
}
