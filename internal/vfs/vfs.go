// Package vfs is the file system as a durable program sees it: a small set of
// verbs, each of which says what survives a power cut.
//
// There are two implementations. Disk is the real one. Crash (package
// internal/vfs/crash) is a disk in memory that remembers, for every file and
// directory, what was made durable and what was not, and can be cut off after
// any operation.
//
// No other package of this module modifies files. That is what makes the
// durability of the whole program a property of one small interface, and it
// is checked by internal/tidy.
package vfs

import (
	"io"
	"io/fs"
	"time"
)

// FS is a tree of files. Names are slash-separated paths as the operating
// system understands them. Errors wrap the errno (errors.Is with fs.ErrExist,
// fs.ErrNotExist, syscall.ENOSPC, ... works).
//
// Unless its comment says otherwise, an operation changes only what running
// programs see; what survives a power cut is decided by File.Sync, SyncDir
// and SyncAll.
type FS interface {
	// Open opens an existing file for reading.
	Open(name string) (File, error)
	// OpenWrite opens an existing file for reading and writing.
	OpenWrite(name string) (File, error)
	// Create makes a new file for reading and writing; it fails with
	// fs.ErrExist when the name is taken, whatever takes it.
	Create(name string, perm fs.FileMode) (File, error)
	// CreateUnnamed makes a file that has no name yet, on the file system of
	// dir (O_TMPFILE). A crash or Close before LinkFile leaves nothing
	// behind. errors.ErrUnsupported where the file system cannot.
	CreateUnnamed(dir string, perm fs.FileMode) (File, error)
	// LinkFile gives a file made by CreateUnnamed its name; fs.ErrExist when
	// the name is taken.
	LinkFile(f File, newname string) error
	// Link makes newname another name of the file oldname; fs.ErrExist when
	// newname is taken.
	Link(oldname, newname string) error
	// Rename moves oldname to newname and replaces what was there. After a
	// crash either the old or the new state is found, never a mixture.
	Rename(oldname, newname string) error
	// Remove deletes a file or an empty directory.
	Remove(name string) error
	// Mkdir makes one directory.
	Mkdir(name string, perm fs.FileMode) error
	// MkdirAll makes a directory and its missing parents, and syncs the
	// parent of each directory that it made.
	MkdirAll(name string, perm fs.FileMode) error

	// Stat describes the named file; it does not follow a symbolic link in
	// the last element.
	Stat(name string) (fs.FileInfo, error)
	// ReadDir lists a directory in no particular order.
	ReadDir(name string) ([]fs.DirEntry, error)

	// SyncDir makes the names in a directory durable: after it returns nil,
	// files created in, renamed into, linked into or removed from the
	// directory before the call stay so across a power cut.
	SyncDir(name string) error
	// SyncAll makes everything durable that was written to the file system
	// which holds name before the call, contents and names alike (syncfs(2)).
	// One call is worth thousands of Sync and SyncDir.
	SyncAll(name string) error

	// Lock takes the exclusive lock of the file name, which is made when
	// missing, without waiting; ErrLocked when another process or another
	// Lock holds it. Close releases it.
	Lock(name string) (io.Closer, error)
	// Free says how many bytes and how many new files an ordinary user may
	// still put on the file system that holds name.
	Free(name string) (bytes, files int64, err error)
}

// File is an open file. Write appends at the file's own offset (starting at 0
// when just opened); the At methods leave that offset alone.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.WriterAt
	io.Closer
	// Name is the name that the file was opened or made with.
	Name() string
	// WriteVAt writes all buffers one after the other from offset off, with
	// as few system calls as the kernel allows. It keeps no reference to bufs
	// or to the slices in it, and may not modify either.
	WriteVAt(bufs [][]byte, off int64) (int64, error)
	// Sync makes the contents and the size durable (fdatasync). After a
	// failed Sync nothing may be assumed about what was written since the
	// last good one, and a second Sync that succeeds proves nothing.
	Sync() error
	// Truncate sets the size.
	Truncate(size int64) error
	// Allocate reserves disk space for the first size bytes and extends the
	// file to that size with zeros, so that later writes below it neither
	// fail for lack of space nor change the size. Where the file system
	// cannot reserve, the file is extended without a reservation.
	Allocate(size int64) error
	// Size is the current size in bytes.
	Size() (int64, error)
	// SetModTime sets the time of modification. A Sync that has something
	// else to write makes it durable, or SyncAll.
	SetModTime(t time.Time) error
}
