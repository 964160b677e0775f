package route

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"barid/internal/watch"
)

// watched is a file in memory that follows the file on the disk. It is looked
// at when it is used, at most once in watch.Interval: a file that nobody needs
// costs nothing, and a busy one costs a stat a second.
//
// A file that changed less than settleTime ago may still be being written by an
// editor; it is left for the next look. A file that has become unreadable or
// wrong changes nothing but the log: what was good stays in force until the
// file is good again.
type watched[T any] struct {
	name  string
	parse func(p *parser, text []byte) *T
	log   *slog.Logger

	current atomic.Pointer[T]
	pace    watch.Pace
	reading sync.Mutex // held by the one who looks; guards the rest
	seen    watch.Stamp
	lastErr string
}

const (
	settleTime  = time.Second
	fileSizeMax = 1 << 30
)

func newWatched[T any](name string, log *slog.Logger, parse func(*parser, []byte) *T) *watched[T] {
	return &watched[T]{name: name, parse: parse, log: log}
}

// lastError is why the file could not be read, "" when it could.
func (w *watched[T]) lastError() string {
	w.reading.Lock()
	defer w.reading.Unlock()
	return w.lastErr
}

// get gives what is in force, nil when the file never was good. While one
// goroutine reads, the others go on with what there is; who has nothing to go
// on with waits.
func (w *watched[T]) get(now time.Time) *T {
	current := w.current.Load()
	switch {
	case current == nil:
		w.reading.Lock()
		if current = w.current.Load(); current != nil || !w.pace.Due(now) {
			w.reading.Unlock()
			return current
		}
	case !w.pace.Due(now) || !w.reading.TryLock():
		return current
	}
	defer w.reading.Unlock()
	_ = w.look(now) // it says in the log what was wrong
	return w.current.Load()
}

// reload reads the file now, whatever its looks.
func (w *watched[T]) reload() error {
	w.reading.Lock()
	defer w.reading.Unlock()
	w.seen = watch.Stamp{}
	return w.look(time.Time{})
}

// look reads the file if it changed. A zero now does not wait for it to
// settle.
func (w *watched[T]) look(now time.Time) error {
	info, err := os.Stat(w.name)
	if err != nil {
		return w.fail(err)
	}
	s := watch.StampOf(info)
	if s == w.seen || w.current.Load() != nil && unsettled(now, s.Modified()) {
		return nil
	}
	w.seen = s
	p, t, err := readMap(w.name, w.parse)
	if err == nil {
		err = p.err()
	}
	if err != nil {
		return w.fail(err)
	}
	if w.current.Swap(t) != nil {
		w.log.Info("map reread", "file", w.name)
	}
	w.lastErr = ""
	return nil
}

func unsettled(now, changed time.Time) bool {
	age := now.Sub(changed)
	return !now.IsZero() && age >= 0 && age < settleTime
}

// fail logs an error once.
func (w *watched[T]) fail(err error) error {
	if text := err.Error(); text != w.lastErr {
		w.lastErr = text
		if w.current.Load() != nil {
			w.log.Error("map not reread, its last good state stays in force", "file", w.name, "error", text)
		}
	}
	return err
}

// readMap reads and parses a file.
func readMap[T any](name string, parse func(*parser, []byte) *T) (*parser, *T, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, nil, err
	case !info.Mode().IsRegular():
		return nil, nil, fmt.Errorf("%s: %w", name, errNotFile)
	case info.Size() > fileSizeMax:
		return nil, nil, fmt.Errorf("%s: %w", name, errFileSize)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, nil, err
	}
	p := &parser{file: name}
	return p, parse(p, text), nil
}

var (
	errNotFile  = errors.New("not a regular file")
	errFileSize = errors.New("larger than 1 GiB")
)
