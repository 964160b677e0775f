package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"barid/internal/vfs"
	"barid/internal/watch"
	"barid/spool"
)

// pickup takes the messages that local programs left in the drop directory
// while no server answered them, or where none listens for them. Anybody can
// put anything there, so a file is taken for a message only when it is one
// beyond doubt; everything else is set aside, and nothing is removed before it
// is in the spool.
type pickup struct {
	*mailroom
	dir, bad string
	came     chan struct{}
	watch    *watch.Dirs // nil when there is none to have: then the clock does
	stuck    map[string]bool
	cancel   context.CancelFunc
	done     chan struct{}
}

// pickupEvery is how often the directory is looked at without being told.
const pickupEvery = time.Minute

// startPickup begins with what is there.
func startPickup(dir, bad string, room *mailroom) *pickup {
	p := &pickup{
		mailroom: room, dir: dir, bad: bad,
		came: make(chan struct{}, 1), stuck: map[string]bool{}, done: make(chan struct{}),
	}
	w, err := watch.NewDirs(func(int, watch.Event, []byte) {
		select {
		case p.came <- struct{}{}:
		default:
		}
	})
	if err == nil {
		if _, err = w.Add(dir); err == nil {
			p.watch = w
		} else {
			_ = w.Close() // it watches nothing
		}
	}
	if err != nil {
		p.logger.Warn("the drop directory is looked at once a minute only", "error", err)
	}
	var ctx context.Context
	ctx, p.cancel = context.WithCancel(context.Background())
	go p.run(ctx)
	return p
}

// close ends the work; the message at hand is finished.
func (p *pickup) close() {
	p.cancel()
	<-p.done
	if p.watch != nil {
		_ = p.watch.Close() // nothing is written there
	}
}

func (p *pickup) run(ctx context.Context) {
	defer close(p.done)
	tick := time.NewTicker(pickupEvery)
	defer tick.Stop()
	for {
		p.sweep(ctx)
		select {
		case <-ctx.Done():
			return
		case <-p.came:
		case <-tick.C:
		}
	}
}

// sweep takes what is there, the oldest first.
func (p *pickup) sweep(ctx context.Context) {
	entries, err := vfs.Disk{}.ReadDir(p.dir)
	if err != nil {
		p.logger.Error("the drop directory cannot be read", "error", err)
		return
	}
	var files []fs.FileInfo
	for _, e := range entries {
		// What has no info is gone.
		if info, err := e.Info(); err == nil && e.Name() != filepath.Base(p.bad) && !p.stuck[e.Name()] {
			files = append(files, info)
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), strings.Compare(a.Name(), b.Name()))
	})
	for _, info := range files {
		if ctx.Err() != nil || !p.take(info) {
			return
		}
	}
}

// abandonedAfter is when nobody writes an unfinished file any more.
const abandonedAfter = 24 * time.Hour

// take takes one file. False says that no message can be taken now.
func (p *pickup) take(info fs.FileInfo) (goOn bool) {
	name := info.Name()
	if strings.HasPrefix(name, dropTemp) && info.Mode().IsRegular() {
		if time.Since(info.ModTime()) > abandonedAfter {
			p.logger.Warn("a message that was never finished is removed from the drop directory", "file", name)
			p.remove(name)
		}
		return true
	}
	d, origin, err := p.read(name)
	if err == nil {
		err = p.submit(d, origin)
	}
	var wait *waitError
	switch {
	case err == nil:
		p.remove(name)
	case errors.Is(err, fs.ErrNotExist):
	case errors.As(err, &wait):
		p.logger.Warn("a message waits in the drop directory", "file", name, "error", err)
	case errors.Is(err, spool.ErrFull), errors.Is(err, spool.ErrFailed), errors.Is(err, spool.ErrClosed):
		p.logger.Warn("messages wait in the drop directory", "error", err)
		return false
	default:
		p.setAside(name, err)
	}
	return true
}

// dropOrigin is where a file comes from.
type dropOrigin struct {
	uid  uint32
	left time.Time
}

// read reads a file that is certain to be of one owner alone: a link to one of
// somebody else would make him the sender.
func (p *pickup) read(name string) (*dropFile, dropOrigin, error) {
	// Without waiting for the other end of a pipe, and nowhere else.
	fd, err := unix.Open(filepath.Join(p.dir, name), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, dropOrigin{}, err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, dropOrigin{}, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() || st.Nlink != 1 {
		return nil, dropOrigin{}, errNoDropped
	}
	if info.Size() > p.textMax()+dropLineMax {
		return nil, dropOrigin{}, fmt.Errorf("it has %d octets, which is too large", info.Size())
	}
	file := make([]byte, info.Size())
	if _, err := io.ReadFull(f, file); err != nil {
		return nil, dropOrigin{}, fmt.Errorf("it cannot be read: %w", err)
	}
	d, err := parseDropped(file)
	return d, dropOrigin{st.Uid, info.ModTime()}, err
}

// remove removes a file whose message is in the spool. One that stays must not
// be taken again.
func (p *pickup) remove(name string) {
	if err := (vfs.Disk{}).Remove(filepath.Join(p.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.logger.Error("a message is in the spool, and its file in the drop directory cannot be removed", "file", name, "error", err)
		p.stuck[name] = true
	}
}

// setAside puts a file where it is not looked at again, for the postmaster.
func (p *pickup) setAside(name string, why error) {
	to := filepath.Join(p.bad, fmt.Sprintf("%d-%s", time.Now().Unix(), name))
	err := vfs.Disk{}.Rename(filepath.Join(p.dir, name), to)
	if err != nil {
		p.stuck[name] = true
		to = filepath.Join(p.dir, name)
	}
	p.logger.Error("something in the drop directory is no message", "file", to, "why", why, "error", err)
}
