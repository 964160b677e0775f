package main

import (
	"fmt"
	"io/fs"
	"os"
	osuser "os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"barid/internal/vfs"
)

// identity is the ordinary user that the program becomes; nil when it stays
// who it is.
type identity struct {
	name     string
	uid, gid int
	groups   []int
}

// findIdentity looks the user up. Without root, or without a name, there is
// nobody to become.
func findIdentity(name string) (*identity, error) {
	if name == "" || os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := osuser.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("user: %w, whom the server is to become: make it with 'useradd --system %s', or set the key user", err, name)
	}
	id := &identity{name: name}
	if id.uid, err = strconv.Atoi(u.Uid); err != nil {
		return nil, fmt.Errorf("user: %s has the id %q: %w", name, u.Uid, err)
	}
	if id.gid, err = strconv.Atoi(u.Gid); err != nil {
		return nil, fmt.Errorf("user: %s has the group %q: %w", name, u.Gid, err)
	}
	groups, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("user: groups of %s: %w", name, err)
	}
	for _, g := range groups {
		if n, err := strconv.Atoi(g); err == nil {
			id.groups = append(id.groups, n)
		}
	}
	return id, nil
}

// own gives a file that root has made to the user.
func (id *identity) own(name string) error {
	if id == nil {
		return nil
	}
	if err := (vfs.Disk{}).SetOwner(name, id.uid, id.gid); err != nil {
		return fmt.Errorf("giving %s to user %s: %w", name, id.name, err)
	}
	return nil
}

// become gives up root for good, in every thread. The order matters: who is
// no longer root cannot change groups.
func (id *identity) become() error {
	if id == nil {
		return nil
	}
	if err := syscall.Setgroups(id.groups); err != nil {
		return fmt.Errorf("becoming user %s: setgroups: %w", id.name, err)
	}
	if err := syscall.Setgid(id.gid); err != nil {
		return fmt.Errorf("becoming user %s: setgid: %w", id.name, err)
	}
	if err := syscall.Setuid(id.uid); err != nil {
		return fmt.Errorf("becoming user %s: setuid: %w", id.name, err)
	}
	if id.uid != 0 && syscall.Setuid(0) == nil {
		return fmt.Errorf("becoming user %s: root could be taken back", id.name)
	}
	// The kernel has given /proc/self to root; through it unnamed files get
	// their names before Linux 6.10.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("becoming user %s: prctl: %w", id.name, err)
	}
	return nil
}

// id is the number of the user that the program becomes, or is.
func (id *identity) id() int {
	if id == nil {
		return os.Geteuid()
	}
	return id.uid
}

// checkOwner refuses a directory of another user's: what the server made there
// its owner could not use, and the other way round.
func (id *identity) checkOwner(key, dir string) error {
	info, err := vfs.Disk{}.Stat(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(st.Uid) == id.id() {
		return nil
	}
	self := userName(id.id())
	return fmt.Errorf("%s: %s belongs to user %s, and the server would run as %s: give it away with 'chown -R %s %s', or set %s or user",
		key, dir, userName(int(st.Uid)), self, self, dir, key)
}

// mayRead says whether the user could open a file, from what is known about
// the file and its directories; false is certain but for exotic permissions.
func (id *identity) mayRead(name string) bool {
	if id == nil {
		f, err := vfs.Disk{}.Open(name)
		if err != nil {
			return false
		}
		f.Close()
		return true
	}
	info, err := os.Stat(name)
	return err == nil && id.permitted(info, 4) && id.mayReach(name)
}

// mayReach looks at the directories on the way to a file.
func (id *identity) mayReach(name string) bool {
	for dir := filepath.Dir(name); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil || !id.permitted(info, 1) {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
	}
}

// permitted applies the bits for owner, group or others.
func (id *identity) permitted(info fs.FileInfo, bit fs.FileMode) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || id.uid == 0 {
		return true
	}
	mode := info.Mode().Perm()
	switch {
	case int(st.Uid) == id.uid:
		return mode>>6&bit != 0
	case int(st.Gid) == id.gid || slices.Contains(id.groups, int(st.Gid)):
		return mode>>3&bit != 0
	}
	return mode&bit != 0
}

func userName(uid int) string {
	u, err := osuser.LookupId(strconv.Itoa(uid))
	if err != nil {
		return "number " + strconv.Itoa(uid)
	}
	return u.Username
}
