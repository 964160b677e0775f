package imapd

import (
	"errors"
	"io"
	"sync"

	"barid/internal/message"
	"barid/internal/vfs"
	"barid/maildir"
)

const (
	// smallMax is how large a message may be to be read in one piece.
	smallMax = 64 << 10
	// headMax is how long a header section may be; what is longer is taken for
	// the body from there on.
	headMax = 1 << 20
)

// opened is a message that is being read. A small one is in memory as a whole;
// of others there is the header section, and the rest is read in pieces.
type opened struct {
	file vfs.File // nil: none is open
	size int      // octets as stored
	text []byte   // the beginning
	head int      // of the header section with its empty line; 0: not looked for
}

// open opens a message. text gives room for its beginning.
func (l *opened) open(f *maildir.Folder, uid uint32, text []byte) error {
	file, err := f.OpenMessage(uid)
	if err != nil {
		return err
	}
	size, err := file.Size()
	if err == nil && size != int64(int(size)) {
		err = errors.New("a message is too large for a machine of 32 bits")
	}
	*l = opened{file: file, size: int(size), text: text[:0]}
	if err == nil && l.size <= smallMax {
		err = l.read(l.size)
	}
	if err != nil {
		l.close()
	}
	return err
}

func (l *opened) close() {
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}

// read reads the beginning of the message, so many octets of it.
func (l *opened) read(octets int) error {
	have := len(l.text)
	if octets > cap(l.text) {
		l.text = append(make([]byte, 0, max(octets, smallMax)), l.text...)
	}
	l.text = l.text[:octets]
	n, err := l.file.ReadAt(l.text[have:], int64(have))
	if n == octets-have {
		return nil
	}
	l.text = l.text[:have+n]
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF // somebody has cut it
	}
	return err
}

// header returns the header section with its empty line.
func (l *opened) header() ([]byte, error) {
	if l.head > 0 {
		return l.text[:l.head], nil
	}
	for octets := readSize; ; octets *= 4 {
		octets = min(octets, l.size, headMax)
		if len(l.text) < octets {
			if err := l.read(octets); err != nil {
				return nil, err
			}
		}
		l.head = message.HeaderLen(l.text)
		if l.head < len(l.text) || len(l.text) == l.size || len(l.text) >= headMax {
			return l.text[:l.head], nil
		}
	}
}

// whole calls f with the whole message in memory. Large ones come one at a time
// in all of the process: it is what it takes to see where the parts of a
// message are, and it takes no longer than reading it.
func (l *opened) whole(large *sync.Mutex, f func(text []byte)) error {
	if len(l.text) == l.size {
		f(l.text)
		return nil
	}
	large.Lock()
	defer large.Unlock()
	all := opened{file: l.file, size: l.size}
	if err := all.read(l.size); err != nil {
		return err
	}
	f(all.text)
	return nil
}

// piece returns up to max octets of the message from an offset on, in buf if
// they have to be read.
func (l *opened) piece(buf []byte, at, max int) ([]byte, error) {
	if at < len(l.text) {
		return l.text[at:min(at+max, len(l.text))], nil
	}
	n, err := l.file.ReadAt(buf[:min(max, len(buf))], int64(at))
	if n > 0 {
		return buf[:n], nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return nil, err
}
