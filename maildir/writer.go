package maildir

import (
	"bytes"
	"errors"
	"path"
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
