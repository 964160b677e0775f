package maildir

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"
	"syscall"

	"barid/internal/vfs"
)

// Message is a message to deliver: Front, then the body, which is either in
// memory (Body) or in a file (File). Nothing of it is kept after Deliver.
type Message struct {
	ID     []byte // the queue's id; letters and digits. With Micros it makes the file's name.
	Micros int64  // time of arrival, microseconds since 1970
	Front  []byte // header fields to stand before the body
	Body   []byte
	// File names a file with the body instead, of FileSize octets, that
	// nobody will change. When Front is empty and the file system allows, the
	// mailbox gets a link to it and not a copy.
	File     string
	FileSize int64
	// Again says that this message may have been delivered before, by this
	// process or by one that a crash ended: a reader may have moved it to
	// cur/ since, and it may be torn.
	Again bool
}

// Size is the size of the delivered file in octets.
func (msg *Message) Size() int64 {
	if msg.File != "" {
		return int64(len(msg.Front)) + msg.FileSize
	}
	return int64(len(msg.Front) + len(msg.Body))
}

// lines counts the line ends, -1 for a body in a file: reading it only to
// count would cost more than whoever asks for it later has to pay.
func (msg *Message) lines() int64 {
	if msg.File != "" {
		return -1
	}
	return int64(bytes.Count(msg.Front, newline) + bytes.Count(msg.Body, newline))
}

var newline = []byte{'\n'}

// againMax bounds the further names tried when different messages hold the
// first ones.
const againMax = 100

// errNamesTaken cannot happen to messages with unique ids.
var errNamesTaken = errors.New("all names for this message are taken by different messages")

// Deliver puts a message into a folder, which it makes if need be. After nil
// the message is there whole, exactly once, for every running program to see;
// after the next Store.Sync that returned nil, for ever. ErrOverQuota when it
// does not fit; any other error is one of the file system (wraps the errno)
// and nothing was delivered.
func (m Mailbox) Deliver(name string, msg *Message) error {
	f, err := m.dirs(name)
	if err != nil {
		return err
	}
	err = m.deliver(f, msg)
	if err == nil {
		m.changed(name, false)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Somebody removed the directories. (Or it is the body's file that is
	// gone; then the second attempt says so too.)
	m.forget(name)
	if f, err = m.dirs(name); err != nil {
		return err
	}
	if err = m.deliver(f, msg); err == nil {
		m.changed(name, false)
	}
	return err
}

func (m Mailbox) deliver(f *dirs, msg *Message) error {
	if msg.Again {
		if done, err := m.store.delivered(f, msg); done || err != nil {
			return err
		}
	}
	if m.quota.none() {
		_, err := m.store.place(f, msg)
		return err
	}
	// Nobody else may count between the message and the line that counts it.
	// The file system lets only one at a time into a directory anyway.
	m.box.quota.Lock()
	defer m.box.quota.Unlock()
	if err := m.fits(Usage{Bytes: msg.Size(), Messages: 1}); err != nil {
		return err
	}
	made, err := m.store.place(f, msg)
	if err != nil || !made {
		return err
	}
	return m.record(msg.Size(), 1)
}

// place gives the message the first name that is free or that it already has.
// made reports whether it is new there.
func (s *Store) place(f *dirs, msg *Message) (made bool, err error) {
	for again := range againMax {
		target := s.target(f, msg, again)
		err := s.write(f, msg, target)
		if err == nil {
			s.unsynced.note(f, target)
			return true, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return false, err
		}
		ours, err := s.settle(f, target, msg)
		if ours || err != nil {
			return false, err
		}
	}
	return false, errNamesTaken
}

// target returns the path in new/ of a message.
func (s *Store) target(f *dirs, msg *Message, again int) string {
	var room [512]byte
	name := append(append(room[:0], f.new...), '/')
	name = appendKey(name, msg.Micros, msg.ID, again, s.host)
	return string(appendSizes(name, msg.Size(), msg.lines()))
}

// write makes the file target with the message in it, whole from its first
// moment on; fs.ErrExist when the name is taken.
func (s *Store) write(f *dirs, msg *Message, target string) error {
	if msg.File != "" && len(msg.Front) == 0 {
		err := s.fs.Link(msg.File, target)
		if !cannotLink(err) {
			return err
		}
	}
	if f.named.Load() {
		return s.writeNamed(f, msg, target)
	}
	file, err := s.fs.CreateUnnamed(f.new, 0o600)
	if errors.Is(err, errors.ErrUnsupported) {
		f.named.Store(true)
		return s.writeNamed(f, msg, target)
	}
	if err != nil {
		return err
	}
	err = s.fill(file, msg)
	if err == nil {
		err = s.fs.LinkFile(file, target)
	}
	file.Close()                               // the message is there or not; what Close says changes neither
	if errors.Is(err, errors.ErrUnsupported) { // no /proc to link through
		f.named.Store(true)
		return s.writeNamed(f, msg, target)
	}
	return err
}

// writeNamed is write for file systems without unnamed files: by way of tmp/.
func (s *Store) writeNamed(f *dirs, msg *Message, target string) error {
	tmp := f.tmp + "/" + path.Base(target)
	if err := s.writeTmp(tmp, msg); err != nil {
		return err
	}
	err := s.fs.Link(tmp, target)
	if !cannotLink(err) {
		s.fs.Remove(tmp) // if that fails, sweep will
		return err
	}
	// No hard links either: look first, since Rename would replace.
	if _, err := s.fs.Stat(target); err == nil {
		s.fs.Remove(tmp)
		return fs.ErrExist
	}
	return s.fs.Rename(tmp, target)
}

// writeTmp makes a file in tmp/, in place of one that a crash left there. On
// error nothing is left behind.
func (s *Store) writeTmp(tmp string, msg *Message) error {
	file, err := s.fs.Create(tmp, 0o600)
	if errors.Is(err, fs.ErrExist) {
		if err = s.fs.Remove(tmp); err == nil {
			file, err = s.fs.Create(tmp, 0o600)
		}
	}
	if err != nil {
		return err
	}
	err = s.fill(file, msg)
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, s.fs.Remove(tmp))
	}
	return nil
}

// cannotLink reports whether an error of Link means that this file can never
// be linked there: another file system, one without hard links, a file of
// somebody else, or one that has too many already.
func cannotLink(err error) bool {
	for _, errno := range []syscall.Errno{syscall.EXDEV, syscall.EPERM, syscall.EMLINK, syscall.EOPNOTSUPP, syscall.ENOSYS} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return errors.Is(err, errors.ErrUnsupported)
}

// fill writes the message into an empty file.
func (s *Store) fill(file vfs.File, msg *Message) error {
	if msg.File != "" {
		return s.fillFromFile(file, msg)
	}
	_, err := file.WriteVAt([][]byte{msg.Front, msg.Body}, 0)
	return err
}

// copyBytes is the size of the pieces in which a body in a file is copied.
const copyBytes = 256 << 10

func (s *Store) fillFromFile(file vfs.File, msg *Message) error {
	body, err := s.fs.Open(msg.File)
	if err != nil {
		return err
	}
	defer body.Close()
	buf := s.copies.Get().(*[copyBytes]byte)
	defer s.copies.Put(buf)

	to := int64(len(msg.Front))
	front := msg.Front
	for from := int64(0); from < msg.FileSize || front != nil; {
		piece := buf[:min(copyBytes, msg.FileSize-from)]
		n, err := body.ReadAt(piece, from)
		if n < len(piece) {
			return errors.Join(err, io.ErrUnexpectedEOF)
		}
		if _, err := file.WriteVAt([][]byte{front, piece}, to+from-int64(len(front))); err != nil {
			return err
		}
		from += int64(n)
		front = nil
	}
	return nil
}
