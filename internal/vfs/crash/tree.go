package crash

import (
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"barid/internal/vfs"
)

// Open implements vfs.FS.
func (fsys *FS) Open(name string) (vfs.File, error) { return fsys.open(name, false) }

// OpenWrite implements vfs.FS.
func (fsys *FS) OpenWrite(name string) (vfs.File, error) { return fsys.open(name, true) }

func (fsys *FS) open(name string, writable bool) (vfs.File, error) {
	_, err := fsys.begin("Open", name, false)
	defer fsys.mu.Unlock()
	if err != nil {
		return nil, pathError("open", name, err)
	}
	n, err := fsys.lookup(name)
	if err == nil && n.entries != nil {
		err = syscall.EISDIR
	}
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return fsys.handle(n, name, writable), nil
}

func (fsys *FS) handle(n *inode, name string, writable bool) *file {
	n.opens++
	return &file{fsys: fsys, inode: n, name: name, writable: writable}
}

// Create implements vfs.FS.
func (fsys *FS) Create(name string, perm fs.FileMode) (vfs.File, error) {
	_, err := fsys.begin("Create", name, true)
	defer fsys.mu.Unlock()
	p, err := fsys.free(name, err)
	if err == nil {
		err = fsys.takeFile()
	}
	if err != nil {
		return nil, pathError("create", name, err)
	}
	n := fsys.newFile(perm)
	fsys.change(nameChange{places: [2]place{p}, now: [2]*inode{n}, fresh: true})
	return fsys.handle(n, name, true), nil
}

// CreateUnnamed implements vfs.FS.
func (fsys *FS) CreateUnnamed(dir string, perm fs.FileMode) (vfs.File, error) {
	_, err := fsys.begin("CreateUnnamed", dir, true)
	defer fsys.mu.Unlock()
	if err == nil {
		_, err = fsys.lookupDir(dir)
	}
	if err == nil {
		err = fsys.takeFile()
	}
	if err != nil {
		return nil, pathError("create unnamed", dir, err)
	}
	return fsys.handle(fsys.newFile(perm), dir, true), nil
}

// LinkFile implements vfs.FS.
func (fsys *FS) LinkFile(f vfs.File, newname string) error {
	_, err := fsys.begin("LinkFile", newname, true)
	defer fsys.mu.Unlock()
	p, err := fsys.free(newname, err)
	if err != nil {
		return pathError("link", newname, err)
	}
	h := f.(*file)
	h.name = newname
	fsys.change(nameChange{places: [2]place{p}, now: [2]*inode{h.inode}, fresh: true})
	return nil
}

// Link implements vfs.FS.
func (fsys *FS) Link(oldname, newname string) error {
	_, err := fsys.begin("Link", newname, true)
	defer fsys.mu.Unlock()
	p, err := fsys.free(newname, err)
	if err != nil {
		return pathError("link", newname, err)
	}
	n, err := fsys.lookup(oldname)
	if err == nil && n.entries != nil {
		err = syscall.EPERM
	}
	if err != nil {
		return pathError("link", oldname, err)
	}
	fsys.change(nameChange{places: [2]place{p}, now: [2]*inode{n}, fresh: true})
	return nil
}

// Rename implements vfs.FS.
func (fsys *FS) Rename(oldname, newname string) error {
	_, err := fsys.begin("Rename", newname, true)
	defer fsys.mu.Unlock()
	if err == nil {
		err = fsys.rename(oldname, newname)
	}
	return pathError("rename", oldname, err)
}

func (fsys *FS) rename(oldname, newname string) error {
	n, err := fsys.lookup(oldname)
	if err != nil {
		return err
	}
	from, err := fsys.place(oldname)
	if err != nil {
		return err
	}
	to, err := fsys.place(newname)
	if err != nil {
		return err
	}
	switch there := to.dir.entries[to.name]; {
	case there == n:
		return nil
	case there != nil && there.entries != nil && n.entries == nil:
		return syscall.EISDIR
	case there != nil && there.entries == nil && n.entries != nil:
		return syscall.ENOTDIR
	case there != nil && len(there.entries) > 0:
		return syscall.ENOTEMPTY
	}
	fsys.change(nameChange{places: [2]place{to, from}, now: [2]*inode{n, nil}})
	return nil
}

// Remove implements vfs.FS.
func (fsys *FS) Remove(name string) error {
	_, err := fsys.begin("Remove", name, true)
	defer fsys.mu.Unlock()
	var n *inode
	if err == nil {
		n, err = fsys.lookup(name)
	}
	if err == nil && len(n.entries) > 0 {
		err = syscall.ENOTEMPTY
	}
	if err != nil {
		return pathError("remove", name, err)
	}
	p, err := fsys.place(name)
	if err == nil {
		fsys.change(nameChange{places: [2]place{p}})
	}
	return pathError("remove", name, err)
}

// Mkdir implements vfs.FS.
func (fsys *FS) Mkdir(name string, perm fs.FileMode) error {
	_, err := fsys.begin("Mkdir", name, true)
	defer fsys.mu.Unlock()
	p, err := fsys.free(name, err)
	if err == nil {
		err = fsys.takeFile()
	}
	if err != nil {
		return pathError("mkdir", name, err)
	}
	n := fsys.newFile(perm | fs.ModeDir)
	n.entries, n.durableEntries = map[string]*inode{}, map[string]*inode{}
	fsys.change(nameChange{places: [2]place{p}, now: [2]*inode{n}, fresh: true})
	return nil
}

// MkdirAll implements vfs.FS.
func (fsys *FS) MkdirAll(name string, perm fs.FileMode) error { return vfs.MkdirAll(fsys, name, perm) }

// Stat implements vfs.FS.
func (fsys *FS) Stat(name string) (fs.FileInfo, error) {
	_, err := fsys.begin("Stat", name, false)
	defer fsys.mu.Unlock()
	var n *inode
	if err == nil {
		n, err = fsys.lookup(name)
	}
	if err != nil {
		return nil, pathError("stat", name, err)
	}
	return n.info(path.Base(name)), nil
}

// ReadDir implements vfs.FS.
func (fsys *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	_, err := fsys.begin("ReadDir", name, false)
	defer fsys.mu.Unlock()
	var n *inode
	if err == nil {
		n, err = fsys.lookupDir(name)
	}
	if err != nil {
		return nil, pathError("readdir", name, err)
	}
	var list []fs.DirEntry
	for _, child := range sortedNames(n.entries) {
		list = append(list, fs.FileInfoToDirEntry(n.entries[child].info(child)))
	}
	return list, nil
}

// SyncDir implements vfs.FS.
func (fsys *FS) SyncDir(name string) error {
	_, err := fsys.begin("SyncDir", name, true)
	defer fsys.mu.Unlock()
	var n *inode
	if err == nil {
		n, err = fsys.lookupDir(name)
	}
	if err != nil {
		return pathError("sync", name, err)
	}
	fsys.syncNames(n)
	return nil
}

// SyncAll implements vfs.FS. All that a FS holds is one file system.
func (fsys *FS) SyncAll(name string) error {
	cut, err := fsys.begin("SyncAll", name, true)
	defer fsys.mu.Unlock()
	if cut {
		return pathError("sync all", name, err)
	}
	failed := err != nil
	byNumber := func(a, b *inode) int { return a.number - b.number }
	for _, n := range slices.SortedFunc(maps.Keys(fsys.dirty), byNumber) {
		n.sync(func() bool { return !failed || fsys.rng.IntN(2) == 0 })
	}
	clear(fsys.dirty)
	if !failed {
		fsys.syncNames(nil)
	}
	return pathError("sync all", name, err)
}

// Lock implements vfs.FS. Locks do not outlive a crash.
func (fsys *FS) Lock(name string) (io.Closer, error) {
	_, err := fsys.begin("Lock", name, true)
	defer fsys.mu.Unlock()
	if err != nil {
		return nil, pathError("lock", name, err)
	}
	key := path.Clean("/" + name)
	if fsys.locks[key] {
		return nil, pathError("lock", name, vfs.ErrLocked)
	}
	if _, err := fsys.lookup(name); err != nil {
		p, err := fsys.free(name, nil)
		if err != nil {
			return nil, pathError("lock", name, err)
		}
		fsys.used.Files++
		fsys.change(nameChange{places: [2]place{p}, now: [2]*inode{fsys.newFile(0o600)}, fresh: true})
	}
	fsys.locks[key] = true
	return &lock{fsys: fsys, key: key}, nil
}

type lock struct {
	fsys *FS
	key  string
}

func (l *lock) Close() error {
	l.fsys.mu.Lock()
	defer l.fsys.mu.Unlock()
	delete(l.fsys.locks, l.key)
	return nil
}

// Free implements vfs.FS.
func (fsys *FS) Free(name string) (bytes, files int64, err error) {
	_, err = fsys.begin("Free", name, false)
	defer fsys.mu.Unlock()
	if err != nil {
		return 0, 0, pathError("statfs", name, err)
	}
	return max(fsys.capacity.Bytes-fsys.used.Bytes, 0), max(fsys.capacity.Files-fsys.used.Files, 0), nil
}

// now is the time that files get: that of the operation, never the same one
// twice, also not after a crash.
func (fsys *FS) now() time.Time { return time.UnixMicro(int64(fsys.past + fsys.calls)) }

func (fsys *FS) newFile(perm fs.FileMode) *inode {
	return &inode{number: fsys.calls, perm: perm, mtime: fsys.now()}
}

func (fsys *FS) takeFile() error {
	if fsys.used.Files >= fsys.capacity.Files {
		return syscall.ENOSPC
	}
	fsys.used.Files++
	return nil
}

// free finds the place of a name that must not exist yet; it passes an error
// from before on.
func (fsys *FS) free(name string, err error) (place, error) {
	if err != nil {
		return place{}, err
	}
	p, err := fsys.place(name)
	if err == nil && (p.name == "/" || p.dir.entries[p.name] != nil) {
		err = syscall.EEXIST
	}
	return p, err
}

func (fsys *FS) place(name string) (place, error) {
	clean := path.Clean("/" + name)
	dir, err := fsys.lookupDir(path.Dir(clean))
	return place{dir: dir, name: path.Base(clean)}, err
}

func (fsys *FS) lookupDir(name string) (*inode, error) {
	n, err := fsys.lookup(name)
	if err == nil && n.entries == nil {
		return nil, syscall.ENOTDIR
	}
	return n, err
}

func (fsys *FS) lookup(name string) (*inode, error) {
	n := fsys.root
	for element := range strings.SplitSeq(path.Clean("/" + name)[1:], "/") {
		if element == "" {
			break
		}
		if n.entries == nil {
			return nil, syscall.ENOTDIR
		}
		if n = n.entries[element]; n == nil {
			return nil, syscall.ENOENT
		}
	}
	return n, nil
}

func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}
