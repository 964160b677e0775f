package dnsres

import (
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// watched is what a file says, kept in step with it. The file is looked at
// when it is used, at most once in lookEvery. A file that is not there says
// nothing, as the C library has it; one that cannot be read, or is too large,
// leaves things as they are.
type watched[T any] struct {
	name string
	// load makes the value from the text; old is nil at first.
	load func(text []byte, old *T) *T
	log  *slog.Logger

	current atomic.Pointer[T]
	looked  atomic.Int64 // Unix nanoseconds
	looking sync.Mutex
	seen    stamp // under looking
}

const (
	lookEvery = time.Second
	// fileMax bounds a file: a hosts file with a million names is larger, and
	// a mail server has no use for it.
	fileMax = 16 << 20
)

// stamp tells one state of a file from another without reading it.
type stamp struct {
	exists  bool
	size    int64
	changed syscall.Timespec // of the inode: also moves when mtime is set back
	inode   uint64
}

func stampOf(info fs.FileInfo) stamp {
	s := stamp{exists: true, size: info.Size()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		s.changed, s.inode = st.Ctim, st.Ino
	}
	return s
}

// get gives what is in force. One asker does the looking; the others go on
// with what is there, and wait only at the very first.
func (w *watched[T]) get(now time.Time) *T {
	current := w.current.Load()
	since := time.Duration(now.UnixNano() - w.looked.Load())
	if current != nil && since >= 0 && since < lookEvery {
		return current
	}
	if current == nil {
		w.looking.Lock()
	} else if !w.looking.TryLock() {
		return current
	}
	defer w.looking.Unlock()
	if current = w.current.Load(); current != nil && w.looked.Load() == now.UnixNano() {
		return current
	}
	w.looked.Store(now.UnixNano())
	w.look(current)
	return w.current.Load()
}

// look reads the file if it changed.
func (w *watched[T]) look(old *T) {
	s := stamp{}
	if info, err := os.Stat(w.name); err == nil {
		s = stampOf(info)
	}
	if old != nil && s == w.seen {
		return
	}
	w.seen = s
	var text []byte
	if s.exists {
		var err error
		if text, err = readFile(w.name); err != nil {
			w.log.Error("file not read", "file", w.name, "error", err)
			if old != nil {
				return
			}
		}
	}
	w.current.Store(w.load(text, old))
}

func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > fileMax {
		return nil, fmt.Errorf("%s: not a file of at most %d bytes", name, fileMax)
	}
	return os.ReadFile(name)
}
