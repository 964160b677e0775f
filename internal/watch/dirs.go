package watch

import (
	"bytes"
	"encoding/binary"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Event is a change of the names in a directory.
type Event uint8

// The kinds of Event.
const (
	Came  Event = iota + 1 // a name was made, by creating, linking or renaming
	Went                   // a name was removed, by deleting or renaming
	Ended                  // the directory is not watched any more; nothing more is told of it
	Lost                   // events were dropped: anything may have changed, in any directory
)

// Dirs tells at once when names in directories change (inotify(7)). It is the
// exception to this package's rule that nothing runs in the background: one
// goroutine for all directories, which sleeps while nothing changes.
type Dirs struct {
	file *os.File
	told func(dir int, e Event, name []byte)
	done sync.WaitGroup
}

// changes are the events that a directory is watched for.
const changes = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE | unix.IN_ONLYDIR | unix.IN_EXCL_UNLINK

// NewDirs starts watching nothing. told is called on one goroutine, for one
// event after the other, and must not block for long: the kernel keeps some
// thousand events. The name lives until told returns; Lost has neither
// directory nor name.
func NewDirs(told func(dir int, e Event, name []byte)) (*Dirs, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	d := &Dirs{file: os.NewFile(uintptr(fd), "inotify"), told: told}
	d.done.Add(1)
	go d.read()
	return d, nil
}

// Add watches a directory and returns the number by which told names it; the
// same one for the same directory. An error usually means that there are no
// more watches to have (fs.inotify.max_user_watches).
func (d *Dirs) Add(path string) (dir int, err error) {
	err = d.control(func(fd int) (err error) {
		dir, err = unix.InotifyAddWatch(fd, path, changes)
		return err
	})
	return dir, os.NewSyscallError("inotify_add_watch", err)
}

// Remove ends the watch of a directory. Events that are on their way are
// still told, and Ended after the last of them.
func (d *Dirs) Remove(dir int) {
	_ = d.control(func(fd int) error { // fails only where the directory is gone, and the watch with it
		_, err := unix.InotifyRmWatch(fd, uint32(dir))
		return err
	})
}

// Close ends all watches; told is not called after it returns.
func (d *Dirs) Close() error {
	err := d.file.Close()
	d.done.Wait()
	return err
}

// control runs do with the descriptor, which Close leaves open meanwhile.
func (d *Dirs) control(do func(fd int) error) error {
	raw, err := d.file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = do(int(fd)) })
	if err != nil {
		return err
	}
	return failed
}

// read tells events until the descriptor is closed.
func (d *Dirs) read() {
	defer d.done.Done()
	buf := make([]byte, 64<<10)
	for {
		n, err := d.file.Read(buf)
		if err != nil {
			return
		}
		d.tell(buf[:n])
	}
}

// tell takes apart what the kernel wrote, a run of struct inotify_event:
// watch, mask, cookie and length of the name, 32 bits each, then the name,
// which zeros pad.
func (d *Dirs) tell(events []byte) {
	for len(events) >= unix.SizeofInotifyEvent {
		watch := int(int32(binary.NativeEndian.Uint32(events)))
		mask := binary.NativeEndian.Uint32(events[4:])
		end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(events[12:]))
		name := events[unix.SizeofInotifyEvent:end]
		if zero := bytes.IndexByte(name, 0); zero >= 0 {
			name = name[:zero]
		}
		events = events[end:]
		switch {
		case mask&unix.IN_Q_OVERFLOW != 0:
			d.told(-1, Lost, nil)
		case mask&unix.IN_IGNORED != 0:
			d.told(watch, Ended, nil)
		case mask&(unix.IN_CREATE|unix.IN_MOVED_TO) != 0:
			d.told(watch, Came, name)
		case mask&(unix.IN_DELETE|unix.IN_MOVED_FROM) != 0:
			d.told(watch, Went, name)
		}
	}
}
