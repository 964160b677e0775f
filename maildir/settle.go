package maildir

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"

	"barid/internal/vfs"
)

// What is found under a message's own name, when it is delivered again or
// when its name is taken:
type likeness int

const (
	different likeness = iota // some other message
	same                      // this message, whole
	torn                      // what a power cut left of this message
)

// delivered looks for the message in new/ and cur/ and reports whether it is
// there (mended if it was torn).
func (s *Store) delivered(f *dirs, msg *Message) (bool, error) {
	for again := range againMax {
		target := s.target(f, msg, again)
		found, err := s.find(f, path.Base(target))
		if found == "" || err != nil {
			return false, err
		}
		ours, err := s.settle(f, found, msg)
		if ours || err != nil {
			return ours, err
		}
	}
	return false, nil
}

// find returns the path of the message that has the key of name, "" if there
// is none. It looks into new/ for the very name, for that is where the message
// was put, and reads cur/, because there it may have got flags.
func (s *Store) find(f *dirs, name string) (found string, err error) {
	target := f.new + "/" + name
	if _, err := s.fs.Stat(target); !errors.Is(err, fs.ErrNotExist) {
		return target, err
	}
	entries, err := s.fs.ReadDir(f.cur)
	if err != nil {
		return "", err
	}
	key := name[:keyLen([]byte(name))]
	for _, e := range entries {
		if hasKey(e.Name(), key) {
			return f.cur + "/" + e.Name(), nil
		}
	}
	return "", nil
}

func hasKey(name, key string) bool {
	return len(name) >= len(key) && name[:len(key)] == key &&
		(len(name) == len(key) || name[len(key)] == ',' || name[len(key)] == ':')
}

// settle decides what the file found means for the message: true when it is
// the message, which is then whole and waits for the next Sync.
func (s *Store) settle(f *dirs, found string, msg *Message) (bool, error) {
	like, err := s.compare(found, msg)
	if err != nil || like == different {
		return false, err
	}
	if like == torn {
		if err := s.replace(f, found, msg); err != nil {
			return false, err
		}
		s.log.Warn("replaced a message that a power cut had torn", "file", found, "id", string(msg.ID))
	}
	s.unsynced.note(f, found)
	return true, nil
}

// replace writes the message anew over the file found.
func (s *Store) replace(f *dirs, found string, msg *Message) error {
	tmp := f.tmp + "/" + path.Base(found)
	if err := s.writeTmp(tmp, msg); err != nil {
		return err
	}
	if err := s.fs.Rename(tmp, found); err != nil {
		return errors.Join(err, s.fs.Remove(tmp))
	}
	return nil
}

// compare reads the file found beside the message. A power cut leaves a file
// short, or with zeros where its blocks were not written; anything else is a
// different message.
func (s *Store) compare(found string, msg *Message) (likeness, error) {
	info, err := s.fs.Stat(found)
	if err != nil || !info.Mode().IsRegular() || info.Size() > msg.Size() {
		return different, err
	}
	file, err := s.fs.Open(found)
	if err != nil {
		return different, err
	}
	defer file.Close()
	want, err := s.contents(msg)
	if err != nil {
		return different, err
	}
	defer want.Close()
	like := same
	if info.Size() < msg.Size() {
		like = torn
	}
	return s.comparePieces(file, want, info.Size(), like)
}

func (s *Store) comparePieces(file io.ReaderAt, want io.ReaderAt, size int64, like likeness) (likeness, error) {
	var have, expected [16 << 10]byte
	for off := int64(0); off < size; off += int64(len(have)) {
		n := min(int64(len(have)), size-off)
		if _, err := file.ReadAt(have[:n], off); err != nil {
			return different, err
		}
		if _, err := want.ReadAt(expected[:n], off); err != nil {
			return different, err
		}
		if bytes.Equal(have[:n], expected[:n]) {
			continue
		}
		if like = torn; !zeroed(have[:n], expected[:n]) {
			return different, nil
		}
	}
	return like, nil
}

// zeroed reports whether have is want with some octets turned to zero.
func zeroed(have, want []byte) bool {
	for i, c := range have {
		if c != 0 && c != want[i] {
			return false
		}
	}
	return true
}

// contents gives random access to a message as it is to be stored.
type contents struct {
	front []byte
	body  []byte
	file  vfs.File // instead of body
}

func (s *Store) contents(msg *Message) (*contents, error) {
	c := &contents{front: msg.Front, body: msg.Body}
	if msg.File == "" {
		return c, nil
	}
	var err error
	c.file, err = s.fs.Open(msg.File)
	return c, err
}

// ReadAt fills p from offset off, which must lie within the message.
func (c *contents) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	if off < int64(len(c.front)) {
		n = copy(p, c.front[off:])
	}
	rest := off + int64(n) - int64(len(c.front))
	if c.file != nil && n < len(p) {
		m, err := c.file.ReadAt(p[n:], rest)
		return n + m, err
	}
	if n < len(p) {
		n += copy(p[n:], c.body[rest:])
	}
	return n, nil
}

func (c *contents) Close() error {
	if c.file == nil {
		return nil
	}
	return c.file.Close()
}
