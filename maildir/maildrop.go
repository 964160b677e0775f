package maildir

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"

	"barid/internal/vfs"
)

// Maildrop is INBOX as POP3 sees it (RFC 1939): the messages that were there
// when it was opened, numbered from 0 in the order of their arrival, held
// exclusively. Opening moves nothing, so that the mailbox looks untouched to
// other programs. Not safe for concurrent use.
type Maildrop struct {
	mailbox Mailbox
	folder  *dirs
	list    *list
}

// ErrInUse says that another session of this program has the maildrop open.
var ErrInUse = errors.New("the maildrop is open in another session")

// ErrVanished says that another program has removed a message since the
// maildrop was opened.
var ErrVanished = errors.New("the message has been removed by another program")

// OpenMaildrop opens INBOX, which it makes if need be; ErrInUse while another
// session has it. Close must be called.
func (m Mailbox) OpenMaildrop() (*Maildrop, error) {
	if !m.store.lock(m.path) {
		return nil, ErrInUse
	}
	d, err := m.openMaildrop()
	if err != nil {
		m.store.unlock(m.path)
	}
	return d, err
}

func (m Mailbox) openMaildrop() (*Maildrop, error) {
	f, err := m.dirs(Inbox)
	if err != nil {
		return nil, err
	}
	l, err := m.store.read(f.new, f.cur)
	if err != nil {
		return nil, err
	}
	if l.skipped > 0 {
		m.store.log.Warn("skipped what is not a message", "mailbox", m.path, "entries", l.skipped)
	}
	return &Maildrop{mailbox: m, folder: f, list: l}, nil
}

func (s *Store) lock(path string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, taken := s.inUse[path]
	if !taken {
		s.inUse[path] = struct{}{}
	}
	return !taken
}

func (s *Store) unlock(path string) {
	s.mu.Lock()
	delete(s.inUse, path)
	s.mu.Unlock()
}

// Close lets other sessions in. It changes no message.
func (d *Maildrop) Close() {
	d.list = nil
	d.mailbox.store.unlock(d.mailbox.path)
}

// Len is the number of messages.
func (d *Maildrop) Len() int { return len(d.list.entries) }

// Skipped is the number of directory entries that are no messages: links,
// pipes, directories, names with control characters.
func (d *Maildrop) Skipped() int { return d.list.skipped }

// UIDL (RFC 1939 section 7): 1 to 70 octets of 0x21 to 0x7E.
const uidlMax = 70

// AppendUIDL appends the unique id of message i, which stays the same for as
// long as the message exists: the key of its name. A key that POP3 cannot
// carry, or that two messages share, is replaced by a hash of the base.
func (d *Maildrop) AppendUIDL(dst []byte, i int) []byte {
	e := &d.list.entries[i]
	key := d.list.key(e)
	if e.state&twin == 0 && isUIDL(key) {
		return append(dst, key...)
	}
	text := key
	if e.state&twin != 0 {
		text = d.list.base(e)
	}
	sum := sha256.Sum256(text)
	return hex.AppendEncode(dst, sum[:16])
}

func isUIDL(key []byte) bool {
	for _, c := range key {
		if c < 0x21 || c > 0x7e {
			return false
		}
	}
	return len(key) >= 1 && len(key) <= uidlMax
}

// Size is the size of message i in octets as POP3 counts them (RFC 1939
// section 11), with CRLF for each line end. It is read from the name, or else
// the file is read once.
func (d *Maildrop) Size(i int) (int64, error) {
	e := &d.list.entries[i]
	if e.virtual >= 0 {
		return e.virtual, nil
	}
	f, err := d.Open(i)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	buf := d.mailbox.store.copies.Get().(*[copyBytes]byte)
	defer d.mailbox.store.copies.Put(buf)
	size, err := virtualSize(f, buf[:])
	if err != nil {
		return 0, err
	}
	e.virtual = size
	return size, nil
}

var crlf = []byte("\r\n")

// virtualSize reads a file to its end and returns its size with each LF that
// has no CR before it counted twice, and with the end of its last line when
// that is missing.
func virtualSize(r io.Reader, buf []byte) (size int64, err error) {
	size, bare, last, err := measure(r, buf)
	return size + bare + missingEnd(last), err
}

// measure reads a file to its end and returns its size, the number of LF that
// have no CR before them, and the last octet.
func measure(r io.Reader, buf []byte) (size, bare int64, last byte, err error) {
	last = '\n'
	for {
		n, err := r.Read(buf)
		piece := buf[:n]
		size += int64(n)
		bare += int64(bytes.Count(piece, newline) - bytes.Count(piece, crlf))
		if last == '\r' && n > 0 && piece[0] == '\n' {
			bare--
		}
		if n > 0 {
			last = piece[n-1]
		}
		if err == io.EOF {
			return size, bare, last, nil
		}
		if err != nil {
			return 0, 0, last, err
		}
	}
}

// missingEnd is how many octets of CRLF are missing after a last octet.
func missingEnd(last byte) int64 {
	switch last {
	case '\n':
		return 0
	case '\r':
		return 1
	}
	return 2
}

// Open opens message i for reading, wherever other programs have renamed it
// to; ErrVanished when they have removed it.
func (d *Maildrop) Open(i int) (vfs.File, error) {
	var f vfs.File
	err := d.at(i, func(name string) error {
		info, err := d.mailbox.store.fs.Stat(name)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fs.ErrNotExist
		}
		f, err = d.mailbox.store.fs.Open(name)
		return err
	})
	return f, err
}

// at calls do with the path of message i, and once more with its new path
// when it turns out to have been renamed; ErrVanished when it has none.
func (d *Maildrop) at(i int, do func(name string) error) error {
	e := &d.list.entries[i]
	if e.state&(gone|removed) != 0 {
		return ErrVanished
	}
	err := do(d.path(e))
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	fresh, err := d.mailbox.store.read(d.folder.new, d.folder.cur)
	if err != nil {
		return err
	}
	d.list.follow(fresh)
	if e.state&gone != 0 {
		return ErrVanished
	}
	if err = do(d.path(e)); errors.Is(err, fs.ErrNotExist) {
		e.state |= gone
		return ErrVanished
	}
	return err
}

func (d *Maildrop) path(e *entry) string {
	dir := d.folder.new
	if e.state&inCur != 0 {
		dir = d.folder.cur
	}
	return dir + "/" + string(d.list.name(e))
}

// Remove deletes the messages of the sequence, at the end of a session, and
// makes that durable. Messages that are gone already count as deleted. The
// error, if any, says how many stayed and why the first of them did.
func (d *Maildrop) Remove(messages iter.Seq[int]) error {
	d.mailbox.box.quota.Lock()
	defer d.mailbox.box.quota.Unlock()
	var freed Usage
	var failed error
	stayed := 0
	for i := range messages {
		size, err := d.remove(i)
		if err != nil {
			if stayed++; stayed == 1 {
				failed = err
			}
			continue
		}
		if size >= 0 {
			freed.Bytes += size
			freed.Messages++
		}
	}
	if stayed > 0 {
		failed = fmt.Errorf("%d messages could not be deleted: %w", stayed, failed)
	}
	if freed.Messages == 0 {
		return failed
	}
	d.mailbox.changed(Inbox, true)
	s := d.mailbox.store
	return errors.Join(failed, d.mailbox.record(-freed.Bytes, -freed.Messages), s.fs.SyncDir(d.folder.new), s.fs.SyncDir(d.folder.cur))
}

// remove deletes one message and returns its size in octets, -1 when it was
// gone already. The size is asked for only where a quota counts it.
func (d *Maildrop) remove(i int) (size int64, err error) {
	e := &d.list.entries[i]
	size = e.size
	err = d.at(i, func(name string) error {
		if size < 0 && !d.mailbox.quota.none() {
			info, err := d.mailbox.store.fs.Stat(name)
			if err != nil {
				return err
			}
			size = info.Size()
		}
		return d.mailbox.store.fs.Remove(name)
	})
	if errors.Is(err, ErrVanished) {
		return -1, nil
	}
	if err == nil {
		e.state |= removed
	}
	return max(size, 0), err
}

// MarkSeen gives the messages of the sequence the flag \Seen, which moves
// them from new/ to cur/: what Dovecot does at the end of a POP3 session with
// the messages that were retrieved. Nothing is synced; a flag that a power
// cut takes is no loss. Messages that cannot be marked are left as they are.
func (d *Maildrop) MarkSeen(messages iter.Seq[int]) {
	defer d.mailbox.changed(Inbox, true)
	for i := range messages {
		e := &d.list.entries[i]
		err := d.at(i, func(name string) error {
			old := d.list.name(e)
			if e.state&inCur != 0 && isSeen(old) || len(old)+len(":2,S") > 255 {
				return nil
			}
			seen := withSeen(nil, old)
			target := d.folder.cur + "/" + string(seen)
			if _, err := d.mailbox.store.fs.Stat(target); !errors.Is(err, fs.ErrNotExist) {
				return err // never over another message
			}
			if err := d.mailbox.store.fs.Rename(name, target); err != nil {
				return err
			}
			d.list.rename(e, seen, inCur)
			return nil
		})
		if err != nil && !errors.Is(err, ErrVanished) {
			d.mailbox.store.log.Warn("cannot mark a message as seen", "file", strings.ToValidUTF8(d.path(e), "?"), "error", err)
		}
	}
}
