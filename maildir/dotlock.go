package maildir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"barid/internal/vfs"
)

// A dotlock is a file that exists while its maker changes the file beside it:
// the one kind of lock that Dovecot and we share. It holds "pid:host", where host
// is what the system calls itself.
const (
	dotlockStale = 2 * time.Minute  // after this long nobody holds it any more, as Dovecot has it
	dotlockEmpty = 10 * time.Second // the same for one that a power cut left empty
	dotlockWait  = 30 * time.Second // how long we wait for it
	dotlockPoll  = 5 * time.Millisecond
)

// ErrLocked says that another program holds the lock of a file of the mailbox
// and does not give it back.
var ErrLocked = errors.New("locked by another program")

// dotlock takes the lock of a file; unlock gives it back. Within the process
// nobody else may want it, which Folder.work and box.tree see to.
func (m Mailbox) dotlock(file string) (unlock func(), err error) {
	s, name := m.store, file+".lock"
	for begun := s.now(); ; time.Sleep(dotlockPoll) {
		err := m.makeLock(name)
		if err == nil {
			return func() { s.unlockDot(name) }, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		if s.staleDot(name) {
			s.log.Warn("removed a lock that nobody holds", "file", name)
			if err := s.fs.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			continue
		}
		if s.now().Sub(begun) > dotlockWait {
			return nil, &fs.PathError{Op: "lock", Path: file, Err: ErrLocked}
		}
	}
}

// keeper is a file that says who we are and lies in tmp/ of a mailbox while we
// use it: to link it to the name of a lock takes a quarter of the time that
// it takes to make and delete a file, on a disk that syncs after each (measured
// on ext4).
type keeper struct {
	mu   sync.Mutex
	path string
	none bool // the file system has no links
}

// makeLock makes the file of a lock; fs.ErrExist when it is there.
func (m Mailbox) makeLock(name string) error {
	k := &m.box.keeper
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.none {
		return m.writeLock(name)
	}
	if k.path == "" {
		path := m.path + "/tmp/lock." + string(m.store.appendNewKey(nil))
		if err := m.writeLock(path); err != nil {
			return m.writeLock(name)
		}
		k.path = path
	}
	err := m.store.fs.Link(k.path, name)
	switch {
	case errors.Is(err, fs.ErrNotExist): // somebody has tidied up
		k.path = ""
		return m.writeLock(name)
	case cannotLink(err):
		k.none = true
		return m.writeLock(name)
	}
	return err
}

func (m Mailbox) writeLock(name string) error {
	s := m.store
	f, err := s.fs.Create(name, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(fmt.Appendf(nil, "%d:%s", os.Getpid(), s.machine))
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, s.fs.Remove(name))
	}
	return nil
}

func (s *Store) unlockDot(name string) {
	if err := s.fs.Remove(name); err != nil {
		s.log.Warn("cannot remove our lock", "file", name, "error", err)
	}
}

// staleDot reports whether a lock's holder is gone.
func (s *Store) staleDot(name string) bool {
	info, err := s.fs.Stat(name)
	if err != nil {
		return false // gone, or the next Create says why
	}
	made := info.ModTime()
	if st, ok := info.Sys().(*syscall.Stat_t); ok { // when it was linked
		made = time.Unix(int64(st.Ctim.Sec), int64(st.Ctim.Nsec))
	}
	age := s.now().Sub(made)
	text, err := vfs.ReadFile(s.fs, name, 1024)
	if err != nil || age > dotlockStale {
		return err == nil
	}
	pid, host, _ := strings.Cut(strings.TrimRight(string(text), "\x00\n"), ":")
	if pid == "" {
		return age > dotlockEmpty
	}
	n, err := strconv.Atoi(pid)
	if err != nil || n <= 0 || host != s.machine {
		return false
	}
	// Our own comes from a process before us that had the same number: nobody
	// in this one holds it.
	return n == os.Getpid() || errors.Is(syscall.Kill(n, 0), syscall.ESRCH)
}
