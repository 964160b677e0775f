package auth

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"barid/internal/vfs"
	"barid/internal/watch"
)

// realFile follows a symbolic link, which vfs.FS does not: where the file is
// a link into a mounted configuration, what it leads to is what changes.
func realFile(fsys vfs.FS, file string) (string, fs.FileInfo, error) {
	info, err := fsys.Stat(file)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return file, info, err
	}
	target, err := filepath.EvalSymlinks(file)
	if err != nil {
		return file, nil, err
	}
	info, err = fsys.Stat(target)
	return target, info, err
}

// Reload rereads the file if it changed. A broken file leaves the accounts as
// they are and is an error that names file and line.
func (a *Auth) Reload() error {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	return a.reread()
}

// reread does the work of Reload under its lock. The stamp is taken before
// the file is read: a change in between is seen the next time.
func (a *Auth) reread() error {
	file, info, err := realFile(a.o.FS, a.o.File)
	if err != nil {
		return err
	}
	now := watch.StampOf(info)
	old := a.users.Load()
	if now == a.tried {
		return nil
	}
	u, err := load(&a.o, file)
	if err == nil && u.count == 0 && old != nil && old.count > 0 && !a.staysEmpty(now) {
		return fmt.Errorf("%s has no accounts any more: somebody may be writing it, so they stay for now", file)
	}
	a.tried = now
	if err != nil {
		return err
	}
	u.verified = newVerified(&a.o)
	if old != nil {
		u.verified.inherit(old, u)
	}
	a.users.Store(u)
	for _, p := range u.problems {
		a.o.Log.Warn("account cannot log in", "file", file, "line", p.Line, "user", p.User, "reason", p.Text)
	}
	return nil
}

// emptied is a file that had accounts and was found without any: that is what
// one looks like whose writer has cut it and not written yet.
type emptied struct {
	stamp watch.Stamp
	since time.Time
}

// staysEmpty says whether a file has been without accounts long enough to be
// believed.
func (a *Auth) staysEmpty(stamp watch.Stamp) bool {
	now := a.o.Now()
	if a.emptied.stamp != stamp {
		a.emptied = emptied{stamp, now}
	}
	return now.Sub(a.emptied.since) >= watch.Interval
}

// current returns the accounts after a look at the file, if one is due. One
// caller does the looking; the others go on with what is there.
func (a *Auth) current(now time.Time) *users {
	if !a.pace.Due(now) || !a.reloading.TryLock() {
		return a.users.Load()
	}
	defer a.reloading.Unlock()
	err := a.reread()
	if err != nil && err.Error() != a.complaint {
		a.o.Log.Error("accounts not reread, the old ones stay", "error", err)
	}
	a.complaint = fmt.Sprint(err)
	return a.users.Load()
}
