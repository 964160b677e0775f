package vfs

import (
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// ErrLocked is returned by FS.Lock when somebody else holds the lock.
var ErrLocked = errors.New("locked by another process")

// Disk is the file system of the machine. Its zero value is ready for use.
//
// Files are bare descriptors, not os.File: opening a regular file with
// package os costs a second system call (an attempt to poll it) and a
// finalizer, and delivery opens a file per message.
type Disk struct{}

var _ FS = Disk{}

// Open implements FS.
func (Disk) Open(name string) (File, error) {
	return open("open", name, unix.O_RDONLY, 0)
}

// OpenWrite implements FS.
func (Disk) OpenWrite(name string) (File, error) {
	return open("open", name, unix.O_RDWR, 0)
}

// Create implements FS.
func (Disk) Create(name string, perm fs.FileMode) (File, error) {
	return open("create", name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, perm)
}

// CreateUnnamed implements FS with O_TMPFILE.
func (Disk) CreateUnnamed(dir string, perm fs.FileMode) (File, error) {
	f, err := open("create unnamed", dir, unix.O_RDWR|unix.O_TMPFILE, perm)
	// EISDIR comes from kernels, EOPNOTSUPP from file systems without it.
	if errors.Is(err, unix.EISDIR) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil, &fs.PathError{Op: "create unnamed", Path: dir, Err: errors.ErrUnsupported}
	}
	return f, err
}

// LinkFile implements FS. An ordinary user may link a descriptor directly
// since Linux 6.10; before that it goes through /proc.
func (Disk) LinkFile(f File, newname string) error {
	d, ok := f.(*diskFile)
	if !ok {
		return pathError("link", newname, unix.EINVAL)
	}
	err := linkat(d.fd, "", newname, unix.AT_EMPTY_PATH)
	if err == unix.ENOENT || err == unix.EPERM || err == unix.EINVAL {
		err = linkThroughProc(d.fd, newname)
	}
	if err != nil {
		return pathError("link", newname, err)
	}
	d.name = newname
	return nil
}

func linkThroughProc(fd int, newname string) error {
	self := "/proc/self/fd/" + strconv.Itoa(fd)
	err := linkat(unix.AT_FDCWD, self, newname, unix.AT_SYMLINK_FOLLOW)
	if err == unix.ENOENT {
		if _, statErr := os.Lstat(self); statErr != nil {
			return errors.ErrUnsupported
		}
	}
	return err
}

func linkat(dirfd int, oldname, newname string, flags int) error {
	return retry(func() error {
		return unix.Linkat(dirfd, oldname, unix.AT_FDCWD, newname, flags)
	})
}

// Link implements FS.
func (Disk) Link(oldname, newname string) error {
	return pathError("link", newname, linkat(unix.AT_FDCWD, oldname, newname, 0))
}

// Rename implements FS.
func (Disk) Rename(oldname, newname string) error {
	return pathError("rename", oldname, retry(func() error { return unix.Rename(oldname, newname) }))
}

// Remove implements FS.
func (Disk) Remove(name string) error {
	err := retry(func() error { return unix.Unlink(name) })
	if err == unix.EISDIR || err == unix.EPERM {
		if dirErr := retry(func() error { return unix.Rmdir(name) }); dirErr != unix.ENOTDIR {
			err = dirErr
		}
	}
	return pathError("remove", name, err)
}

// Mkdir implements FS.
func (Disk) Mkdir(name string, perm fs.FileMode) error {
	return pathError("mkdir", name, retry(func() error { return unix.Mkdir(name, uint32(perm.Perm())) }))
}

// MkdirAll implements FS.
func (d Disk) MkdirAll(name string, perm fs.FileMode) error { return MkdirAll(d, name, perm) }

// Stat implements FS.
func (Disk) Stat(name string) (fs.FileInfo, error) { return os.Lstat(name) }

// ReadDir implements FS.
func (Disk) ReadDir(name string) ([]fs.DirEntry, error) {
	d, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.ReadDir(-1)
}

// SyncDir implements FS with fsync(2) on the directory.
func (Disk) SyncDir(name string) error {
	return onDescriptor("sync", name, unix.O_DIRECTORY, unix.Fsync)
}

// SyncAll implements FS with syncfs(2), which reports write errors of the
// file system since Linux 5.8.
func (Disk) SyncAll(name string) error {
	return onDescriptor("sync all", name, 0, unix.Syncfs)
}

// Lock implements FS with flock(2).
func (Disk) Lock(name string) (io.Closer, error) {
	f, err := open("lock", name, unix.O_RDWR|unix.O_CREAT, 0o600)
	if err != nil {
		return nil, err
	}
	err = retry(func() error { return unix.Flock(f.(*diskFile).fd, unix.LOCK_EX|unix.LOCK_NB) })
	if err == nil {
		return f, nil
	}
	f.Close()
	if err == unix.EWOULDBLOCK {
		return nil, &fs.PathError{Op: "lock", Path: name, Err: ErrLocked}
	}
	return nil, pathError("lock", name, err)
}

// Free implements FS with statfs(2). File systems that make inodes as they
// need them (btrfs) report no number; they never run out of files alone.
func (Disk) Free(name string) (bytes, files int64, err error) {
	var st unix.Statfs_t
	err = retry(func() error { return unix.Statfs(name, &st) })
	if err != nil {
		return 0, 0, pathError("statfs", name, err)
	}
	files = math.MaxInt64
	if st.Files != 0 {
		files = int64(st.Ffree)
	}
	return int64(st.Bavail) * int64(st.Bsize), files, nil
}

func open(op, name string, flags int, perm fs.FileMode) (File, error) {
	var fd int
	err := retry(func() (err error) {
		fd, err = unix.Open(name, flags|unix.O_CLOEXEC, uint32(perm.Perm()))
		return err
	})
	if err != nil {
		return nil, pathError(op, name, err)
	}
	return &diskFile{fd: fd, name: name}, nil
}

func onDescriptor(op, name string, flags int, do func(fd int) error) error {
	f, err := open(op, name, unix.O_RDONLY|flags, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return pathError(op, name, retry(func() error { return do(f.(*diskFile).fd) }))
}

func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// retry repeats a system call that a signal interrupted, which network file
// systems let happen.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
