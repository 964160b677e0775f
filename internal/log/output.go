package log

import (
	"io"
	"os"
	"sync"
	"time"

	"barid/internal/vfs"
)

// output gathers lines and writes them.
//
// There are two buffers, so that lines gather in one while the other is being
// written. Two locks keep them: write is held by the one who writes and
// orders the writes; gather guards the buffer for a moment at a time. Whoever
// needs both takes write first. A disk that is too slow is felt by those who
// flush, and lines gathered beyond gatherBytes flush: memory stays bounded.
type output struct {
	stderr io.Writer
	fs     vfs.FS
	name   string

	write sync.Mutex
	file  vfs.File // nil for stderr
	spare []byte

	gather sync.Mutex
	lines  []byte
	timer  *time.Timer // runs while lines is not empty
}

func newOutput(o Options) *output {
	out := &output{stderr: o.Stderr, fs: o.FS, name: o.File}
	if out.stderr == nil {
		out.stderr = os.Stderr
	}
	out.timer = time.AfterFunc(Delay, out.flush)
	out.timer.Stop()
	return out
}

// Write takes one or more whole lines.
func (o *output) Write(p []byte) (int, error) {
	o.gather.Lock()
	if len(o.lines) == 0 {
		o.timer.Reset(Delay)
	}
	o.lines = append(o.lines, p...)
	o.gather.Unlock()
	return len(p), nil
}

func (o *output) full() bool {
	o.gather.Lock()
	defer o.gather.Unlock()
	return len(o.lines) >= gatherBytes
}

func (o *output) flush() {
	o.write.Lock()
	defer o.write.Unlock()
	o.flushLocked()
}

func (o *output) flushLocked() {
	o.gather.Lock()
	o.lines, o.spare = o.spare[:0], o.lines
	o.timer.Stop()
	o.gather.Unlock()
	if len(o.spare) == 0 {
		return
	}
	if o.file == nil || o.appendToFile(o.spare) != nil {
		// A standard error that fails leaves nobody to tell.
		_, _ = o.stderr.Write(o.spare)
	}
	if cap(o.spare) > 4*gatherBytes {
		o.spare = nil // one huge line must not stay for ever
	}
}

func (o *output) appendToFile(p []byte) error {
	end, err := o.file.Size()
	if err != nil {
		return err
	}
	_, err = o.file.WriteAt(p, end)
	return err
}

func (o *output) reopen() error {
	if o.name == "" {
		return nil
	}
	file, err := openAppend(o.fs, o.name)
	if err != nil {
		return err
	}
	o.write.Lock()
	defer o.write.Unlock()
	if o.file != nil {
		o.flushLocked()
		_ = o.file.Close()
	}
	o.file = file
	return nil
}

func (o *output) close() error {
	o.write.Lock()
	defer o.write.Unlock()
	o.flushLocked()
	if o.file == nil {
		return nil
	}
	err := o.file.Close()
	o.file = nil
	return err
}
