package maildir

import (
	"errors"
	"io/fs"
	"strconv"
	"time"

	"barid/internal/vfs"
)

// Quota limits a mailbox, all folders together. Zero means no limit; without
// any limit nothing is counted, read or written.
type Quota struct {
	BytesMax    int64 // octets as stored
	MessagesMax int64
}

// none reports whether nothing is limited.
func (q Quota) none() bool { return q.BytesMax <= 0 && q.MessagesMax <= 0 }

// ErrOverQuota says that a mailbox has no room for a message.
var ErrOverQuota = errors.New("mailbox is over its quota")

// Usage is what a mailbox holds, deleted but not yet expunged messages and
// the folder Trash included.
type Usage struct {
	Bytes    int64
	Messages int64
}

// maildirsize is the file that all programs keep the count in:
//
//	1000000S,500C        the limits, as the mail server has them
//	4321 1               each line adds (or with "-" takes away) octets and messages
//	-4321 -1
//
// Whoever adds or removes messages appends a line without taking a lock. The
// file is counted anew when it is missing or senseless, when its limits are
// not ours, when it has grown over tallyMax octets, and when a mailbox seems
// to be full but the file could be wrong: it has more than one line or is
// older than tallyAge.
const (
	tallyMax = 5120
	tallyAge = 15 * time.Minute
)

// Fits returns ErrOverQuota when a message of size octets would put the
// mailbox over its quota. It costs reading one small file, or counting the
// mailbox when that is stale. Without a quota it is free.
func (m Mailbox) Fits(size int64) error {
	if m.quota.none() {
		return nil
	}
	more := Usage{Bytes: size, Messages: 1}
	used, sure := m.tallied(more)
	if sure {
		return m.verdict(used, more, nil)
	}
	m.box.quota.Lock()
	defer m.box.quota.Unlock()
	return m.fits(more)
}

// fits is Fits for a caller that holds the quota's lock, and any number of
// messages.
func (m Mailbox) fits(more Usage) error {
	used, sure := m.tallied(more)
	var err error
	if !sure {
		used, err = m.recount()
	}
	return m.verdict(used, more, err)
}

func (m Mailbox) verdict(used, more Usage, err error) error {
	if err == nil && m.over(used, more) {
		return ErrOverQuota
	}
	return err
}

// Usage says how full the mailbox is. Without a quota nobody counts, and
// Usage has to read all directories.
func (m Mailbox) Usage() (Usage, error) {
	if m.quota.none() {
		return m.count()
	}
	if used, sure := m.tallied(Usage{Messages: 1}); sure {
		return used, nil
	}
	m.box.quota.Lock()
	defer m.box.quota.Unlock()
	return m.recount()
}

func (m Mailbox) over(used, more Usage) bool {
	return m.quota.BytesMax > 0 && used.Bytes+more.Bytes > m.quota.BytesMax ||
		m.quota.MessagesMax > 0 && used.Messages+more.Messages > m.quota.MessagesMax
}

// tallied reads maildirsize; sure says whether its word is enough to accept
// or refuse more.
func (m Mailbox) tallied(more Usage) (used Usage, sure bool) {
	t, err := m.readTally()
	if err != nil || t.limits != m.quota {
		return Usage{}, false
	}
	if !m.over(t.used, more) {
		return t.used, true
	}
	info, err := m.store.fs.Stat(m.tallyPath())
	return t.used, err == nil && t.lines == 1 && m.store.now().Sub(info.ModTime()) < tallyAge
}

func (m Mailbox) tallyPath() string { return m.path + "/maildirsize" }

var errTally = errors.New("maildirsize is not as it should be")

// readTally reads maildirsize; any error means that it has to be made anew.
func (m Mailbox) readTally() (tally, error) {
	info, err := m.store.fs.Stat(m.tallyPath())
	if err != nil {
		return tally{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > tallyMax {
		return tally{}, errTally
	}
	text, err := vfs.ReadFile(m.store.fs, m.tallyPath(), tallyMax)
	if err != nil {
		return tally{}, err
	}
	t, ok := parseTally(text)
	if !ok {
		return tally{}, errTally
	}
	return t, nil
}

// record appends a line to maildirsize. A file that is missing is left so:
// whoever needs it counts. The caller holds the quota's lock.
func (m Mailbox) record(size, messages int64) error {
	if m.quota.none() {
		return nil
	}
	var room [48]byte
	line := appendTally(room[:0], size, messages)
	f, err := m.store.fs.OpenWrite(m.tallyPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	end, err := f.Size()
	if err == nil {
		_, err = f.WriteAt(line, end)
	}
	return errors.Join(err, f.Close())
}

// recount counts the mailbox and writes maildirsize. When it cannot be
// written, the count is good all the same. The caller holds the quota's lock.
func (m Mailbox) recount() (Usage, error) {
	used, err := m.count()
	if err != nil {
		return used, err
	}
	if err := m.writeTally(used); err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.store.log.Warn("cannot write maildirsize", "mailbox", m.path, "error", err)
	}
	return used, nil
}

// writeTally replaces maildirsize. It is not synced: if a power cut takes it,
// it is counted again.
func (m Mailbox) writeTally(used Usage) error {
	tmp := m.path + "/tmp/maildirsize." + strconv.FormatInt(m.store.now().UnixNano(), 36)
	f, err := m.store.fs.Create(tmp, 0o600)
	if err != nil {
		return err
	}
	text := appendTally(append(appendLimits(nil, m.quota), '\n'), used.Bytes, used.Messages)
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = m.store.fs.Rename(tmp, m.tallyPath())
	}
	if err != nil {
		err = errors.Join(err, m.store.fs.Remove(tmp))
	}
	return err
}

// count adds up all folders. Sizes come from the names; a file without one is
// asked for it.
func (m Mailbox) count() (Usage, error) {
	folders, err := m.Folders()
	if err != nil {
		return Usage{}, err
	}
	var used Usage
	for _, name := range append(folders, Inbox) {
		path, err := m.folderPath(name)
		if err != nil {
			return used, err
		}
		for _, dir := range []string{path + "/new", path + "/cur"} {
			if err := m.store.countDir(dir, &used); err != nil {
				return used, err
			}
		}
	}
	return used, nil
}

func (s *Store) countDir(dir string, used *Usage) error {
	entries, err := s.fs.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || !plain(e.Name()) {
			continue
		}
		name := []byte(e.Name())
		size := field(name[:baseLen(name)], 'S')
		if size < 0 {
			info, err := s.fs.Stat(dir + "/" + e.Name())
			if err != nil {
				continue // removed or renamed meanwhile
			}
			size = info.Size()
		}
		used.Bytes += size
		used.Messages++
	}
	return err
}
