package maildir

import (
	"bytes"
	"errors"
	"path"
	"strconv"
	"time"

	"barid/internal/vfs"
)

// Writer is a message that is being written, for Append. It is in no folder yet,
// and a crash leaves nothing of it.
type Writer struct {
	store *Store
	file  vfs.File
	tmp   string // its name in tmp/ where files need one
	size  int64
	lines int64
	cr    bool // the last octet was a CR that is not written yet
	bad   error
	since uint64 // syncFailures when it was begun
}

// NewWriter begins a message for a folder. Discard or Append must be called.
func (f *Folder) NewWriter() (*Writer, error) {
	d, s := f.dirs, f.store()
	out := &Writer{store: s, since: s.syncFailures()}
	var err error
	if !d.named.Load() {
		out.file, err = s.fs.CreateUnnamed(d.cur, 0o600)
		if err == nil || !errors.Is(err, errors.ErrUnsupported) {
			return out, err
		}
		d.named.Store(true)
	}
	out.tmp = d.tmp + "/" + string(s.appendNewKey(nil))
	out.file, err = s.fs.Create(out.tmp, 0o600)
	return out, err
}

// Write appends to the message. CRLF becomes LF, as messages are stored; a CR
// or LF by itself stays. An error stays as well.
func (d *Writer) Write(p []byte) (int, error) {
	if d.bad != nil {
		return 0, d.bad
	}
	buf := d.store.copies.Get().(*[copyBytes]byte)
	defer d.store.copies.Put(buf)
	for rest := p; len(rest) > 0; {
		piece := rest[:min(len(rest), copyBytes-1)]
		rest = rest[len(piece):]
		if err := d.flush(d.store.bareLines(buf[:0], piece, d)); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// bareLines appends a piece of a message with LF line ends. A CR at its end
// waits for what follows.
func (s *Store) bareLines(dst, piece []byte, d *Writer) []byte {
	if d.cr && len(piece) > 0 && piece[0] != '\n' {
		dst = append(dst, '\r')
	}
	d.cr = false
	for len(piece) > 0 {
		i := bytes.IndexByte(piece, '\r')
		if i < 0 {
			dst = append(dst, piece...)
			break
		}
		dst = append(dst, piece[:i]...)
		if i+1 == len(piece) {
			d.cr = true
			break
		}
		if piece[i+1] != '\n' {
			dst = append(dst, '\r')
		}
		piece = piece[i+1:]
	}
	return dst
}

func (d *Writer) flush(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	if _, err := d.file.WriteAt(text, d.size); err != nil {
		d.bad = err
		return err
	}
	d.size += int64(len(text))
	d.lines += int64(bytes.Count(text, newline))
	return nil
}

// Size is the number of octets that the message takes so far, as it is stored.
func (d *Writer) Size() int64 { return d.size }

// Discard drops the message. After Append it does nothing.
func (d *Writer) Discard() {
	if d == nil || d.file == nil {
		return
	}
	d.file.Close()
	d.file = nil
	if d.tmp != "" {
		if err := d.store.fs.Remove(d.tmp); err != nil {
			d.store.log.Warn("cannot remove an unfinished message", "file", d.tmp, "error", err)
		}
	}
}

// finish writes what waits and sets the date.
func (d *Writer) finish(date time.Time) error {
	if d.bad != nil {
		return d.bad
	}
	if d.cr {
		d.cr = false
		if err := d.flush([]byte{'\r'}); err != nil {
			return err
		}
	}
	if date.IsZero() {
		return nil
	}
	return d.file.SetModTime(date)
}

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

// put gives the message its name.
func (d *Writer) put(target string) error {
	s := d.store
	if d.tmp == "" {
		err := s.fs.LinkFile(d.file, target)
		if !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
		return s.copyFile(d.file, d.size, target)
	}
	if err := s.fs.Link(d.tmp, target); !cannotLink(err) {
		return err
	}
	if err := s.fs.Rename(d.tmp, target); err != nil {
		return err
	}
	d.tmp = ""
	return nil
}

// copyFile makes a file by copying, where there are no links: by way of a name
// in tmp/, so that nobody sees half of it.
func (s *Store) copyFile(from vfs.File, size int64, target string) error {
	tmp := path.Dir(path.Dir(target)) + "/tmp/" + path.Base(target)
	to, err := s.fs.Create(tmp, 0o600)
	if err != nil {
		return err
	}
	buf := s.copies.Get().(*[copyBytes]byte)
	defer s.copies.Put(buf)
	for at := int64(0); at < size && err == nil; {
		n, failed := from.ReadAt(buf[:min(copyBytes, size-at)], at)
		if n == 0 {
			err = failed
			break
		}
		_, err = to.WriteAt(buf[:n], at)
		at += int64(n)
	}
	if err = errors.Join(err, to.Close()); err == nil {
		err = s.fs.Rename(tmp, target)
	}
	if err != nil {
		return errors.Join(err, s.fs.Remove(tmp))
	}
	return nil
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
