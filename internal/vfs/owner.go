package vfs

import (
	"io/fs"
	"os"
)

// SetOwner gives a file or directory to a user and a group; -1 leaves one as
// it is. Only root may. It is not part of FS: nothing durable hangs on it.
func (Disk) SetOwner(name string, uid, gid int) error { return os.Lchown(name, uid, gid) }

// SetMode sets the permissions of a file, directory or socket.
func (Disk) SetMode(name string, perm fs.FileMode) error { return os.Chmod(name, perm) }
