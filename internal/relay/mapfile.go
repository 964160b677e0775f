package relay

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"barid/internal/watch"
)

// A mapFile is a file in memory that follows the file on the disk. It is
// looked at when it is used, at most once in watch.Interval. A file that has
// become unreadable or wrong changes nothing but the log: what was good stays
// in force until the file is good again.
type mapFile[T any] struct {
	name  string
	admit func(fs.FileInfo) error // nil: any
	parse func(text []byte) (*T, error)
	log   *slog.Logger // may be nil

	current atomic.Pointer[T]
	pace    watch.Pace
	reading sync.Mutex // guards the rest
	seen    watch.Stamp
	lastErr string
}

// mapSizeMax is how large a map may be, in bytes.
const mapSizeMax = 64 << 20

// Errors about a map as a whole.
var (
	errNotFile   = errors.New("not a regular file")
	errFileSize  = errors.New("larger than 64 MiB")
	errForOthers = errors.New("holds passwords, and everybody may read it: chmod o-rwx")
)

// get gives what is in force. One goroutine looks at the file, the others go
// on with what there is.
func (m *mapFile[T]) get() *T {
	if m.name != "" && m.pace.Due(time.Now()) && m.reading.TryLock() {
		defer m.reading.Unlock()
		if err := m.look(); err != nil && err.Error() != m.lastErr && m.log != nil {
			m.lastErr = err.Error()
			m.log.Error("map not reread, its last good state stays in force", "error", err)
		}
	}
	return m.current.Load()
}

// reload reads the file now if it has changed.
func (m *mapFile[T]) reload() error {
	m.reading.Lock()
	defer m.reading.Unlock()
	return m.look()
}

// look reads the file if it has changed. Its stamp is taken before it is read,
// so that a change meanwhile is seen the next time.
func (m *mapFile[T]) look() error {
	if m.name == "" {
		return nil
	}
	info, err := os.Stat(m.name)
	if err != nil {
		return err
	}
	stamp := watch.StampOf(info)
	if stamp == m.seen {
		return nil
	}
	m.seen = stamp
	t, err := m.read(info)
	if err != nil {
		return fmt.Errorf("%s%w", m.name, err)
	}
	if m.current.Swap(t) != nil && m.log != nil {
		m.log.Info("map reread", "file", m.name)
	}
	m.lastErr = ""
	return nil
}

func (m *mapFile[T]) read(info fs.FileInfo) (*T, error) {
	switch {
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf(": %w", errNotFile)
	case info.Size() > mapSizeMax:
		return nil, fmt.Errorf(": %w", errFileSize)
	}
	if m.admit != nil {
		if err := m.admit(info); err != nil {
			return nil, fmt.Errorf(": %w", err)
		}
	}
	text, err := os.ReadFile(m.name)
	if err != nil {
		return nil, fmt.Errorf(": %w", err)
	}
	return m.parse(text)
}

// eachLine calls take with the fields of each line that says something: the
// first word, and the rest without white space around it. An error begins with
// the number of its line.
func eachLine(text []byte, take func(word, rest string) error) error {
	for number := 1; len(text) > 0; number++ {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte{'\n'})
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		end := bytes.IndexAny(line, " \t")
		if end < 0 {
			end = len(line)
		}
		if err := take(string(line[:end]), string(bytes.TrimSpace(line[end:]))); err != nil {
			return fmt.Errorf(":%d: %w", number, err)
		}
	}
	return nil
}

// canonicalHop is a next hop as Key.NextHop writes it.
func canonicalHop(s string) (string, error) {
	k, err := ParseKey(SMTP + s)
	if err != nil && len(s) > 5 && s[:5] == "unix:" {
		k, err = ParseKey(LMTP + s)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", s, err)
	}
	return k.NextHop(), nil
}

// withoutPort is a next hop without its port, the same when there is none.
func withoutPort(hop string) string {
	for i := len(hop) - 1; i > 0; i-- {
		switch c := hop[i]; {
		case c == ':' && (hop[i-1] == ']' || hop[0] != '[' && hop[0] != 'u'):
			return hop[:i]
		case c < '0' || c > '9':
			return hop
		}
	}
	return hop
}
