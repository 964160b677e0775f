package dnsres

import (
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"barid/internal/watch"
)

// watched is what a file says, kept in step with it. The file is looked at
// when it is used, at most once in watch.Interval. A file that is not there says
// nothing, as the C library has it; one that cannot be read, or is too large,
// leaves things as they are.
type watched[T any] struct {
	name string
	// load makes the value from the text; old is nil at first.
	load func(text []byte, old *T) *T
	log  *slog.Logger

	current atomic.Pointer[T]
	pace    watch.Pace
	looking sync.Mutex
	seen    watch.Stamp // under looking
}

// fileMax bounds a file: a hosts file with a million names is larger, and a
// mail server has no use for it.
const fileMax = 16 << 20

// get gives what is in force. One asker does the looking; the others go on
// with what is there, and wait only at the very first.
func (w *watched[T]) get(now time.Time) *T {
	current := w.current.Load()
	switch {
	case current == nil:
		w.looking.Lock()
		if current = w.current.Load(); current != nil {
			w.looking.Unlock()
			return current
		}
		w.pace.Due(now) // this is the first look
	case !w.pace.Due(now) || !w.looking.TryLock():
		return current
	}
	defer w.looking.Unlock()
	w.look(w.current.Load())
	return w.current.Load()
}

// look reads the file if it changed.
func (w *watched[T]) look(old *T) {
	var s watch.Stamp // that of no file
	if info, err := os.Stat(w.name); err == nil {
		s = watch.StampOf(info)
	}
	if old != nil && s == w.seen {
		return
	}
	w.seen = s
	var text []byte
	if s != (watch.Stamp{}) {
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
