package maildir

import (
	"bytes"
	"errors"
	"strconv"
	"time"
)

// NewMessage is a message for Append.
type NewMessage struct {
	Writer   *Writer
	Flags    Flags    // system flags
	Keywords []string // added to the folder if need be
	Date     time.Time
}

// appendNewKey appends a key that no message has had.
func (s *Store) appendNewKey(dst []byte) []byte {
	id := strconv.AppendUint([]byte{'i'}, s.nonce, 36)
	id = strconv.AppendUint(append(id, '.'), s.serial.Add(1), 36)
	id[bytes.IndexByte(id, '.')] = 'z'
	return appendKey(dst, s.now().UnixMicro(), id, 0, s.host)
}

// Append puts messages into the folder, all or none, and returns their UIDs,
// which ascend. After nil they are durable. It discards the writers. Keywords for
// which the folder has no room are left out. ErrOverQuota when they do not
// fit.
func (f *Folder) Append(messages []NewMessage) (uids []uint32, err error) {
	var total Usage
	since := f.store().syncFailures()
	for i := range messages {
		since = min(since, messages[i].Writer.since)
		defer messages[i].Writer.Discard()
		if err := messages[i].Writer.finish(messages[i].Date); err != nil {
			return nil, err
		}
		total.Bytes += messages[i].Writer.size
		total.Messages++
	}
	files, err := f.describeNew(messages)
	if err != nil {
		return nil, err
	}
	return f.placeCounted(files, total, since)
}

// placeCounted is place within the quota. Messages are counted before they
// are there, so that nobody has to wait for their sync to count others.
func (f *Folder) placeCounted(files []newFile, total Usage, since uint64) (uids []uint32, err error) {
	if err := f.mailbox.reserve(total); err != nil {
		return nil, err
	}
	if uids, err = f.place(files, since); err != nil {
		return nil, errors.Join(err, f.mailbox.tally(-total.Bytes, -total.Messages))
	}
	return uids, nil
}

// reserve counts messages if the mailbox has room for them.
func (m Mailbox) reserve(u Usage) error {
	if m.quota.none() {
		return nil
	}
	m.box.quota.Lock()
	defer m.box.quota.Unlock()
	if err := m.fits(u); err != nil {
		return err
	}
	return m.record(u.Bytes, u.Messages)
}

// newFile is a file that is put into cur/ under a new name.
type newFile struct {
	flags Flags
	size  int64
	lines int64 // -1: not known
	date  int64
	email uint64 // 0: what follows from the name
	// put gives the file its name: links or renames it, which fails where the
	// name is taken.
	put func(target string) error
}

func (f *Folder) describeNew(messages []NewMessage) ([]newFile, error) {
	files := make([]newFile, len(messages))
	for i := range messages {
		m := &messages[i]
		flags, err := f.KeywordFlags(m.Keywords, true)
		if err != nil && !errors.Is(err, ErrKeywords) {
			return nil, err
		}
		date := m.Date
		if date.IsZero() {
			date = f.store().now()
		}
		d := m.Writer
		files[i] = newFile{flags: flags | m.Flags&SystemFlags, size: d.size, lines: d.lines, date: date.Unix(), put: d.put}
	}
	return files, nil
}

// place puts files into cur/, gives them UIDs, and waits until all that is
// durable.
func (f *Folder) place(files []newFile, since uint64) (uids []uint32, err error) {
	var p *placed
	for tries := 0; p == nil; tries++ {
		f.work.Lock()
		p, err = f.placeHeld(files, tries < claimTries)
		f.unlockWork()
		if err == errClaims {
			err = f.takeClaims()
		}
		if err != nil {
			return nil, err
		}
	}
	if err := f.settle(f.wantAll(since), p.came); err != nil {
		f.doubtUIDs()
		p.remove()
		return nil, err
	}
	return p.came.uids, nil
}

// wantAll is the sync of files, names and dovecot-uidlist, of which the first
// was written when there had been so many failures.
func (f *Folder) wantAll(since uint64) syncWant {
	return syncWant{dir: f.dirs.cur, dev: f.dirs.device, files: true, since: since}
}

func (s *Store) syncFailures() uint64 { return s.commits.failures.Load() }

// placed are files that were put into cur/.
type placed struct {
	f     *Folder
	came  *change
	paths []string
}

// remove takes the files away again.
func (p *placed) remove() {
	for _, name := range p.paths {
		if err := p.f.store().fs.Remove(name); err != nil {
			p.f.logger().Warn("cannot remove a message that was not accepted", "file", name, "error", err)
		}
	}
}

// errClaims says that another program has given UIDs to messages that are not
// in the roster yet. They have to be taken in before higher ones are given.
var errClaims = errors.New("there are messages that another program has numbered")

// claimTries is how often they are waited for.
const claimTries = 3

// takeClaims takes them in. work is not held.
func (f *Folder) takeClaims() error {
	f.news.newDirty.Store(true)
	f.news.curDirty.Store(true)
	return f.Refresh()
}

// refreshClaims is refreshUIDs for whoever wants to give UIDs; errClaims when he
// has to be patient.
func (f *Folder) refreshClaims(patient bool) error {
	err := f.refreshUIDs()
	if err == nil && patient && len(f.uids.claims) > 0 {
		return errClaims
	}
	return err
}

// placeHeld is the part of place for which work is held.
func (f *Folder) placeHeld(files []newFile, patient bool) (*placed, error) {
	if err := f.alive(); err != nil {
		return nil, err
	}
	p := &placed{f: f, came: &change{kind: added}}
	unlock, err := f.mailbox.dotlock(f.uidPath())
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := f.refreshClaims(patient); err != nil {
		return nil, err
	}
	var lines []byte
	for i := range files {
		if err = f.placeOne(&files[i], p); err != nil {
			break
		}
		lines = f.appendLine(lines, p.came.uids[i])
	}
	if err == nil {
		err = f.addLines(lines, len(files))
	}
	if err != nil {
		f.mu.Lock()
		f.drop(p.came.uids)
		f.mu.Unlock()
		p.remove()
		return nil, err
	}
	f.touched()
	f.stage(p.came)
	return p, nil
}

func (f *Folder) appendLine(dst []byte, uid uint32) []byte {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.appendUIDLineOf(dst, f.find(uid))
}

// errUIDs says that a folder has had four thousand million messages.
var errUIDs = errors.New("the folder has no UIDs left")

func (f *Folder) placeOne(file *newFile, p *placed) error {
	if f.next > uidMax {
		return errUIDs
	}
	name := appendSizes(f.store().appendNewKey(nil), file.size, file.lines)
	base := len(name)
	name = appendInfo(name, file.flags, "")
	target := f.dirs.cur + "/" + string(name)
	if err := file.put(target); err != nil {
		return err
	}
	p.paths = append(p.paths, target)
	f.mu.Lock()
	defer f.mu.Unlock()
	m := record{uid: f.next, email: file.email, date: file.date, round: f.round}
	f.next++
	f.setName(&m, name, true)
	if m.email == 0 {
		m.email = emailIDOf(name[:base])
	}
	f.take(m)
	p.came.uids = append(p.came.uids, m.uid)
	return nil
}
