package vfs

import (
	"errors"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// MkdirAll makes name and its missing parents, each durable before the next:
// the method of that name for any FS.
func MkdirAll(fsys FS, name string, perm fs.FileMode) error {
	err := fsys.Mkdir(name, perm)
	parent := filepath.Dir(name)
	if errors.Is(err, fs.ErrNotExist) && parent != name {
		if err = MkdirAll(fsys, parent, perm); err == nil {
			err = fsys.Mkdir(name, perm)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return existingDir(fsys, name)
	}
	if err != nil {
		return err
	}
	return fsys.SyncDir(parent)
}

func existingDir(fsys FS, name string) error {
	// The trailing dot follows a symbolic link to a directory, and fails for
	// anything that is not one.
	info, err := fsys.Stat(name + "/.")
	if err == nil && !info.IsDir() {
		return pathError("mkdir", name, unix.ENOTDIR)
	}
	return err
}
