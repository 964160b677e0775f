package main

import (
	"fmt"
	"os"
	osuser "os/user"
	"strconv"
	"syscall"

	"barid/internal/vfs"
)

// identity is the ordinary user that the server runs as.
type identity struct {
	name     string
	uid, gid int
	groups   []int
}

// findIdentity looks the user up. Without root, or without a name, the
// server stays who it is: nil.
func findIdentity(name string) (*identity, error) {
	if name == "" || os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := osuser.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("user %s, which the server is to run as: %w; make it with: useradd --system %s", name, err, name)
	}
	id := &identity{name: name}
	if id.uid, err = strconv.Atoi(u.Uid); err != nil {
		return nil, fmt.Errorf("user %s has the id %q: %w", name, u.Uid, err)
	}
	if id.gid, err = strconv.Atoi(u.Gid); err != nil {
		return nil, fmt.Errorf("user %s has the group %q: %w", name, u.Gid, err)
	}
	groups, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("groups of user %s: %w", name, err)
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
	if syscall.Setuid(0) == nil {
		return fmt.Errorf("becoming user %s: root could be taken back", id.name)
	}
	return nil
}
