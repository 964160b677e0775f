package maildir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"barid/internal/vfs"
)

// A dotlock is a file that exists while its maker changes the file beside it:
// the one kind of lock that Dovecot and we share. It holds "pid:host".
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
// nobody else may want it, which Folder.work and Store.trees see to.
func (s *Store) dotlock(file string) (unlock func(), err error) {
	name := file + ".lock"
	for begun := s.now(); ; time.Sleep(dotlockPoll) {
		f, err := s.fs.Create(name, 0o600)
		if err == nil {
			_, err = f.Write(fmt.Appendf(nil, "%d:%s", os.Getpid(), s.host))
			if err = errors.Join(err, f.Close()); err != nil {
				return nil, errors.Join(err, s.fs.Remove(name))
			}
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
	age := s.now().Sub(info.ModTime())
	text, err := vfs.ReadFile(s.fs, name, 1024)
	if err != nil || age > dotlockStale {
		return err == nil
	}
	pid, host, _ := strings.Cut(strings.TrimRight(string(text), "\x00\n"), ":")
	if pid == "" {
		return age > dotlockEmpty
	}
	n, err := strconv.Atoi(pid)
	if err != nil || n <= 0 || host != string(s.host) && host != s.hostname {
		return false
	}
	// Our own comes from a process before us that had the same number: nobody
	// in this one holds it.
	return n == os.Getpid() || errors.Is(syscall.Kill(n, 0), syscall.ESRCH)
}
