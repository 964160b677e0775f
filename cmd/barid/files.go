package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"barid/internal/config"
	"barid/internal/vfs"
)

// directory is one that the server writes to.
type directory struct {
	key, name string
	perm      fs.FileMode
	ours      bool // must belong to the server's user
}

// directories are those of a configuration. Others may pass through the data
// directory to the sockets, and look at nothing.
func directories(cfg *config.Config) []directory {
	all := []directory{
		{"data.dir", cfg.Data.Dir, 0o711, true},
		{"spool.dir", cfg.Spool.Dir, 0o700, true},
		{"mailbox.dir", mailboxRoot(cfg.Mailbox.Dir), 0o711, false},
		{"control.socket", filepath.Dir(cfg.Socket.Control), 0o755, false},
		{"data.dir", dropDir(cfg), dropMode, true},
		{"data.dir", badDir(cfg), 0o700, true},
	}
	if cfg.Socket.Sendmail != "" {
		all = append(all, directory{"sendmail.socket", filepath.Dir(cfg.Socket.Sendmail), 0o755, false})
	}
	return all
}

// mailboxRoot is the directory above all mailboxes: the part of the pattern
// before the first element that differs between accounts.
func mailboxRoot(pattern string) string {
	before, _, _ := strings.Cut(pattern, "%")
	return filepath.Dir(before + "x")
}

// prepareFiles makes what the server needs and does not find: directories, an
// empty file of accounts, and a secret. What root makes belongs to the server's user.
func prepareFiles(cfg *config.Config, id *identity) error {
	for _, d := range directories(cfg) {
		if err := d.prepare(id); err != nil {
			return err
		}
	}
	if err := ensureAccountFile(cfg, id); err != nil {
		return err
	}
	return ensureSecret(cfg, id)
}

func (d directory) prepare(id *identity) error {
	disk := vfs.Disk{}
	_, err := disk.Stat(d.name)
	if errors.Is(err, fs.ErrNotExist) {
		if err := disk.MkdirAll(d.name, d.perm); err != nil {
			return fmt.Errorf("%s: making the directory: %w", d.key, err)
		}
		if err := disk.SetMode(d.name, d.perm); err != nil { // whatever the umask
			return fmt.Errorf("%s: %w", d.key, err)
		}
		return id.own(d.name)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", d.key, err)
	}
	if d.ours {
		return id.checkOwner(d.key, d.name)
	}
	return nil
}

// ensureAccountFile makes an empty file of accounts where there is none, so
// that a new server starts, and an account can be added while it runs.
func ensureAccountFile(cfg *config.Config, id *identity) error {
	disk := vfs.Disk{}
	if _, err := disk.Stat(cfg.Auth.File); !errors.Is(err, fs.ErrNotExist) {
		return nil // whoever reads it says what is wrong
	}
	err := disk.MkdirAll(filepath.Dir(cfg.Auth.File), 0o755)
	if err == nil {
		err = vfs.WriteAtomic(disk, cfg.Auth.File, nil, 0o600)
	}
	if err != nil {
		return fmt.Errorf("auth.file: %w: make the first account with 'barid user add NAME'", err)
	}
	return id.own(cfg.Auth.File)
}
