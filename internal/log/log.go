// Package log sets up log/slog for a server that writes many lines: lines are
// gathered in memory and written together.
//
// A line waits at most Delay. One of level Warn or above waits for nothing,
// and takes those before it along, so that what led to it is there to read
// even when the process dies of it; Close writes the rest.
//
// Nothing that comes from the network can break a line: slog's handlers
// quote control characters and invalid UTF-8 in values, and the tests here
// hold them to it.
//
// Files are written at their end as it is then, so that logrotate may either
// rename the file and send SIGHUP (Reopen) or truncate it in place.
package log

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"barid/internal/vfs"
)

// Delay is how long a line of a level below Warn may stay in memory.
const Delay = 200 * time.Millisecond

// gatherBytes is how much may gather before it is written at once: large
// enough that the system call no longer counts, small beside a process.
const gatherBytes = 32 << 10

// Options say what is logged, how and where.
type Options struct {
	Level  slog.Level
	Format string // "text" (key=value) or "json"
	// File is the name of the log file in FS, "" for Stderr.
	File string
	FS   vfs.FS
	// Stderr gets the lines when there is no file or the file fails; nil
	// means os.Stderr, and no times on it when it leads to the systemd
	// journal, which keeps its own.
	Stderr io.Writer
}

// Log is an open log.
type Log struct {
	out     *output
	level   slog.LevelVar
	handler slog.Handler
}

// Open makes a log. With a file it fails when the file can be neither opened
// nor made.
func Open(o Options) (*Log, error) {
	l := &Log{out: newOutput(o)}
	l.level.Set(o.Level)
	if err := l.Reopen(); err != nil {
		return nil, err
	}
	h := &handler{out: l.out, timeless: o.File == "" && o.Stderr == nil && toJournal(os.Stderr, os.Getenv("JOURNAL_STREAM"))}
	ho := &slog.HandlerOptions{Level: &l.level}
	switch o.Format {
	case "json":
		h.next = slog.NewJSONHandler(l.out, ho)
	case "text":
		h.next = slog.NewTextHandler(l.out, ho)
	default:
		return nil, fmt.Errorf("log: format %q is neither text nor json", o.Format)
	}
	l.handler = h
	return l, nil
}

// Logger gives the logger that writes here.
func (l *Log) Logger() *slog.Logger { return slog.New(l.handler) }

// SetLevel changes what is logged from now on.
func (l *Log) SetLevel(level slog.Level) { l.level.Set(level) }

// Flush writes what has gathered.
func (l *Log) Flush() { l.out.flush() }

// Reopen opens the file anew by its name, as after a rotation. When that
// fails the old file stays in use.
func (l *Log) Reopen() error { return l.out.reopen() }

// Close writes what has gathered and closes the file. Lines that come later
// go to Stderr.
func (l *Log) Close() error { return l.out.close() }

// handler is slog's own handler, and flushes when it is time.
type handler struct {
	next     slog.Handler
	out      *output
	timeless bool
}

func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle flushes out here and not in output.Write, because slog's handlers
// hold their lock while they write: only the goroutine that flushes waits for
// the disk, while the others go on to log.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if h.timeless {
		r.Time = time.Time{} // slog leaves a zero time out
	}
	err := h.next.Handle(ctx, r)
	if r.Level >= slog.LevelWarn || h.out.full() {
		h.out.flush()
	}
	return err
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{h.next.WithAttrs(attrs), h.out, h.timeless}
}

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.next.WithGroup(name), h.out, h.timeless}
}

// toJournal reports whether f is the stream that systemd names as
// "device:inode" in $JOURNAL_STREAM (systemd.exec(5)). The variable alone is
// not enough: children with another standard error inherit it.
func toJournal(f *os.File, stream string) bool {
	device, inode, ok := strings.Cut(stream, ":")
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && device == strconv.FormatUint(uint64(st.Dev), 10) && inode == strconv.FormatUint(st.Ino, 10)
}

// openAppend opens a file to be written at its end, and makes it when it is
// missing.
func openAppend(fsys vfs.FS, name string) (vfs.File, error) {
	f, err := fsys.OpenWrite(name)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = fsys.Create(name, 0o640)
	}
	return f, err
}
