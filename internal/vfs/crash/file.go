package crash

import (
	"io"
	"io/fs"
	"syscall"
	"time"
)

// file is an open file of a FS.
type file struct {
	fsys     *FS
	inode    *inode
	name     string
	off      int
	writable bool
	closed   bool
}

func (f *file) Name() string { return f.name }

func (f *file) Read(p []byte) (int, error) {
	f.fsys.mu.Lock()
	off := f.off
	f.fsys.mu.Unlock()
	n, err := f.ReadAt(p, int64(off))
	f.fsys.mu.Lock()
	f.off += n
	f.fsys.mu.Unlock()
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	_, err := f.fsys.begin("ReadAt", f.name, false)
	defer f.fsys.mu.Unlock()
	if err == nil && f.closed {
		err = syscall.EBADF
	}
	if err != nil {
		return 0, pathError("read", f.name, err)
	}
	if off >= int64(len(f.inode.data)) && len(p) > 0 {
		return 0, io.EOF
	}
	n := copy(p, f.inode.data[min(int(off), len(f.inode.data)):])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) Write(p []byte) (int, error) {
	f.fsys.mu.Lock()
	off := f.off
	f.fsys.mu.Unlock()
	n, err := f.writeAt("Write", p, int64(off))
	f.fsys.mu.Lock()
	f.off += n
	f.fsys.mu.Unlock()
	return n, err
}

func (f *file) WriteAt(p []byte, off int64) (int, error) { return f.writeAt("WriteAt", p, off) }

func (f *file) WriteVAt(bufs [][]byte, off int64) (int64, error) {
	var all []byte
	for _, b := range bufs {
		all = append(all, b...)
	}
	n, err := f.writeAt("WriteVAt", all, off)
	return int64(n), err
}

func (f *file) writeAt(kind string, p []byte, off int64) (int, error) {
	cut, err := f.change(kind)
	defer f.fsys.mu.Unlock()
	if cut || f.closed || !f.writable {
		return 0, pathError("write", f.name, err)
	}
	if err != nil {
		p = p[:f.fsys.rng.IntN(len(p)+1)]
	}
	room := f.room()
	if grow := off + int64(len(p)) - int64(len(f.inode.data)); grow > room {
		err = syscall.ENOSPC
		p = p[:max(int64(len(p))-(grow-room), 0)]
	}
	if len(p) > 0 {
		f.resizing(func() { f.inode.write(p, int(off)) })
	}
	return len(p), pathError("write", f.name, err)
}

// change begins an operation that changes the file.
func (f *file) change(kind string) (cut bool, err error) {
	cut, err = f.fsys.begin(kind, f.name, true)
	if f.closed || !f.writable {
		err = syscall.EBADF
	}
	return cut, err
}

func (f *file) room() int64 {
	return max(f.fsys.capacity.Bytes-f.fsys.used.Bytes, 0)
}

// resizing does what may change contents and size, and accounts for it.
func (f *file) resizing(do func()) {
	before := len(f.inode.data)
	do()
	f.fsys.used.Bytes += int64(len(f.inode.data) - before)
	f.inode.mtime = f.fsys.now()
	f.fsys.dirty[f.inode] = true
}

func (f *file) Sync() error {
	cut, err := f.fsys.begin("Sync", f.name, true)
	defer f.fsys.mu.Unlock()
	if f.closed {
		err = syscall.EBADF
	}
	if cut || f.closed {
		return pathError("sync", f.name, err)
	}
	f.inode.sync(func() bool { return err == nil || f.fsys.rng.IntN(2) == 0 })
	delete(f.fsys.dirty, f.inode)
	return pathError("sync", f.name, err)
}

func (f *file) Truncate(size int64) error {
	_, err := f.change("Truncate")
	defer f.fsys.mu.Unlock()
	if err == nil && size-int64(len(f.inode.data)) > f.room() {
		err = syscall.ENOSPC
	}
	if err == nil {
		f.resizing(func() { f.inode.resize(int(size)) })
	}
	return pathError("truncate", f.name, err)
}

func (f *file) Allocate(size int64) error {
	_, err := f.change("Allocate")
	defer f.fsys.mu.Unlock()
	if err == nil && size-int64(len(f.inode.data)) > f.room() {
		err = syscall.ENOSPC
	}
	if err == nil && size > int64(len(f.inode.data)) {
		f.resizing(func() { f.inode.resize(int(size)) })
	}
	return pathError("allocate", f.name, err)
}

func (f *file) Size() (int64, error) {
	_, err := f.fsys.begin("Size", f.name, false)
	defer f.fsys.mu.Unlock()
	if err == nil && f.closed {
		err = syscall.EBADF
	}
	if err != nil {
		return 0, pathError("stat", f.name, err)
	}
	return int64(len(f.inode.data)), nil
}

func (f *file) SetModTime(t time.Time) error {
	_, err := f.change("SetModTime")
	defer f.fsys.mu.Unlock()
	if err == nil {
		f.inode.mtime = t
	}
	return pathError("set time", f.name, err)
}

func (f *file) Close() error {
	f.fsys.mu.Lock()
	defer f.fsys.mu.Unlock()
	if f.closed {
		return pathError("close", f.name, syscall.EBADF)
	}
	f.closed = true
	f.inode.opens--
	f.fsys.release(f.inode)
	return nil
}

// info is an inode as Stat shows it.
type info struct {
	name  string
	size  int64
	perm  fs.FileMode
	mtime time.Time
}

func (n *inode) info(name string) fs.FileInfo {
	return info{name: name, size: int64(len(n.data)), perm: n.perm, mtime: n.mtime}
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.perm }
func (i info) ModTime() time.Time { return i.mtime }
func (i info) IsDir() bool        { return i.perm.IsDir() }
func (i info) Sys() any           { return nil }
