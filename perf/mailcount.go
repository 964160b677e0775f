package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// arrivals counts the messages that come out of a server.
type arrivals interface {
	// begin waits until the first messages have arrived, of which there are
	// warmUp; mailbox is where, unless the arrivals know better.
	begin(ctx context.Context, mailbox string, warmUp int) error
	// waitFor returns the moment at which the number of messages reached want.
	// It gives up when none arrives for as long as patience.
	waitFor(ctx context.Context, want int, patience time.Duration) (time.Time, error)
	all() (int, error) // how many there are, counted anew
	close() error
}

// mailCount counts the messages that arrive in Maildirs. The kernel reports
// each new name (inotify), which costs both servers the same and little;
// listing the directories over and over would not.
type mailCount struct {
	boxes []string // Maildirs
	fd    int
	seen  int
}

// mailCountEvery is how often the reports are fetched: the resolution of the
// moment at which the last message arrived.
const mailCountEvery = 5 * time.Millisecond

// watchMaildirs begins to count what arrives in new/ of the Maildirs, which
// must exist.
func watchMaildirs(boxes []string) (*mailCount, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("inotify: %w", err)
	}
	m := &mailCount{boxes: boxes, fd: fd}
	for _, box := range boxes {
		dir := filepath.Join(box, "new")
		if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_ONLYDIR); err != nil {
			return nil, errors.Join(fmt.Errorf("watch %s: %w", dir, err), m.close())
		}
	}
	m.seen, err = countMessages(boxes)
	return m, err
}

func (m *mailCount) close() error { return unix.Close(m.fd) }

func (m *mailCount) all() (int, error) { return countMessages(m.boxes) }

// waitFor implements arrivals.
func (m *mailCount) waitFor(ctx context.Context, want int, patience time.Duration) (time.Time, error) {
	pulse := time.NewTicker(mailCountEvery)
	defer pulse.Stop()
	last, progress := m.seen, time.Now()
	for m.seen < want {
		select {
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		case <-pulse.C:
		}
		if err := m.fetch(); err != nil {
			return time.Time{}, err
		}
		if m.seen != last {
			last, progress = m.seen, time.Now()
		}
		if time.Since(progress) > patience {
			return time.Time{}, fmt.Errorf("only %d of %d messages were delivered", m.seen, want)
		}
	}
	return progress, nil
}

// fetch adds up the reports that have gathered. When there were more than the
// kernel keeps, the directories are listed.
func (m *mailCount) fetch() error {
	var buffer [64 << 10]byte
	for {
		n, err := unix.Read(m.fd, buffer[:])
		if errors.Is(err, unix.EAGAIN) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("inotify: %w", err)
		}
		arrived, overflow := countEvents(buffer[:n])
		m.seen += arrived
		if overflow {
			m.seen, err = countMessages(m.boxes)
			return err
		}
	}
}

// countEvents walks records of inotify(7): watch, mask, cookie and the length
// of the name that follows, 32 bits each.
func countEvents(records []byte) (arrived int, overflow bool) {
	for len(records) >= unix.SizeofInotifyEvent {
		mask := binary.NativeEndian.Uint32(records[4:])
		name := binary.NativeEndian.Uint32(records[12:])
		if mask&unix.IN_Q_OVERFLOW != 0 {
			overflow = true
		} else {
			arrived++
		}
		records = records[min(len(records), unix.SizeofInotifyEvent+int(name)):]
	}
	return arrived, overflow
}

// countMessages lists Maildirs and counts their messages.
func countMessages(boxes []string) (int, error) {
	total := 0
	for _, box := range boxes {
		for _, sub := range []string{"new", "cur"} {
			entries, err := os.ReadDir(filepath.Join(box, sub))
			if err != nil {
				return 0, err
			}
			total += len(entries)
		}
	}
	return total, nil
}
