package maildir

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// ErrFolderExists says that a folder cannot be made or renamed so, because
// there is one.
var ErrFolderExists = errors.New("the folder exists already")

// HasFolder reports whether a folder exists.
func (m Mailbox) HasFolder(name string) (bool, error) {
	_, err := m.existing(name)
	if errors.Is(err, ErrNoFolder) {
		return false, nil
	}
	return err == nil, err
}

// CreateFolder makes a folder, durably; ErrFolderExists if there is one.
func (m Mailbox) CreateFolder(name string) error {
	m.box.tree.Lock()
	defer m.box.tree.Unlock()
	there, err := m.HasFolder(name)
	if err == nil && there {
		err = &fs.PathError{Op: "create", Path: name, Err: ErrFolderExists}
	}
	if err != nil {
		return err
	}
	if _, err := m.dirs(Inbox); err != nil {
		return err
	}
	m.forget(name)
	return m.Create(name)
}

// deletedMark begins the names of folders in tmp/ that are being deleted.
const deletedMark = "deleted."

// DeleteFolder deletes a folder with its messages, and what it was for; its
// subscription stays (RFC 9051 section 6.3.5), and so do folders below it.
// Sessions that have it open get ErrFolderGone.
func (m Mailbox) DeleteFolder(name string) error {
	m.box.tree.Lock()
	defer m.box.tree.Unlock()
	dir, err := m.existing(name)
	if err == nil && name == Inbox {
		err = &fs.PathError{Op: "delete", Path: dir, Err: ErrFolderName}
	}
	if err != nil {
		return err
	}
	root, err := m.dirs(Inbox)
	if err != nil {
		return err
	}
	s := m.store
	trash := root.tmp + "/" + deletedMark + string(s.appendNewKey(nil))
	if err := m.moveFolder(name, dir, trash); err != nil {
		return err
	}
	freed, err := m.usageOf(trash)
	err = errors.Join(err, s.fs.SyncDir(m.path), s.fs.SyncDir(root.tmp), s.removeAll(trash))
	return errors.Join(err, m.tally(-freed.Bytes, -freed.Messages), m.changeUses(func(u SpecialUse) (SpecialUse, bool) {
		return u, u.Folder != name
	}))
}

// usageOf counts a folder's messages, if anybody counts.
func (m Mailbox) usageOf(dir string) (u Usage, err error) {
	if m.quota.none() {
		return u, nil
	}
	for _, sub := range []string{"/new", "/cur"} {
		err = errors.Join(err, m.store.countDir(dir+sub, &u))
	}
	return u, err
}

// moveFolder renames a folder's directory and ends its sessions.
func (m Mailbox) moveFolder(name, from, to string) error {
	open := &m.store.open
	open.mu.Lock()
	f := open.byDir[from]
	open.mu.Unlock()
	m.forget(name)
	if f == nil {
		return m.store.fs.Rename(from, to)
	}
	f.work.Lock()
	defer f.unlockWork()
	f.unwatch() // before somebody watches the same directory by its new name
	if err := m.store.fs.Rename(from, to); err != nil {
		f.watchAgain()
		return err
	}
	f.end()
	return nil
}

// removeAll deletes a directory with all that is in it. Links are deleted, not
// followed.
func (s *Store) removeAll(dir string) error {
	entries, err := s.fs.ReadDir(dir)
	for _, e := range entries {
		name := dir + "/" + e.Name()
		if e.IsDir() {
			err = errors.Join(err, s.removeAll(name))
		} else {
			err = errors.Join(err, s.fs.Remove(name))
		}
	}
	return errors.Join(err, s.fs.Remove(dir))
}

// RenameFolder renames a folder and those below it (RFC 9051 section 6.3.6).
// Of Inbox the messages are moved to the new folder, and Inbox stays. Sessions that
// have a renamed folder open get ErrFolderGone. After an error, or a power cut,
// some of the folders below may have their new names.
func (m Mailbox) RenameFolder(from, to string) error {
	if from == Inbox {
		return m.emptyInbox(to)
	}
	m.box.tree.Lock()
	defer m.box.tree.Unlock()
	names, err := m.renames(from, to)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err = m.moveFolder(n[0], m.path+"/."+n[0], m.path+"/."+n[1]); err != nil {
			break
		}
	}
	err = errors.Join(err, m.store.fs.SyncDir(m.path))
	return errors.Join(err, m.changeUses(func(u SpecialUse) (SpecialUse, bool) {
		if u.Folder == from || strings.HasPrefix(u.Folder, from+".") {
			u.Folder = to + u.Folder[len(from):]
		}
		return u, true
	}))
}

// renames lists the old and new names that a rename makes of a folder and those
// below it.
func (m Mailbox) renames(from, to string) (names [][2]string, err error) {
	folders, err := m.Folders()
	if err != nil {
		return nil, err
	}
	slices.Sort(folders)
	for _, name := range folders {
		if name != from && !strings.HasPrefix(name, from+".") {
			continue
		}
		target := to + name[len(from):]
		if !FolderName(target) || strings.HasPrefix(to, from+".") {
			return nil, &fs.PathError{Op: "rename", Path: target, Err: ErrFolderName}
		}
		if slices.Contains(folders, target) {
			return nil, &fs.PathError{Op: "rename", Path: target, Err: ErrFolderExists}
		}
		names = append(names, [2]string{name, target})
	}
	if len(names) == 0 {
		return nil, &fs.PathError{Op: "rename", Path: from, Err: ErrNoFolder}
	}
	return names, nil
}

// emptyInbox moves all messages of Inbox into a new folder.
func (m Mailbox) emptyInbox(to string) error {
	if err := m.CreateFolder(to); err != nil {
		return err
	}
	inbox, err := m.OpenFolder(Inbox)
	if err != nil {
		return err
	}
	defer inbox.Close()
	target, err := m.OpenFolder(to)
	if err != nil {
		return err
	}
	defer target.Close()
	if err := inbox.Refresh(); err != nil {
		return err
	}
	_, _, err = inbox.Copy(inbox.allUIDs(), target, CopyOptions{Move: true})
	return err
}

func (f *Folder) allUIDs() []uint32 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	uids := make([]uint32, 0, f.shown)
	for i := range f.messages[:f.shown] {
		uids = append(uids, f.messages[i].uid)
	}
	return uids
}

// sweepFolders removes what a crash has left of folders that were being
// deleted.
func (s *Store) sweepFolders(tmp string) {
	entries, err := s.fs.ReadDir(tmp)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), deletedMark) {
			continue
		}
		if err := s.removeAll(path.Join(tmp, e.Name())); err == nil {
			s.log.Info("removed a deleted folder", "directory", path.Join(tmp, e.Name()))
		}
	}
}

// FolderStatus is Status of a folder that need not be open. If nothing has
// changed since it was closed this reads 512 octets.
func (m Mailbox) FolderStatus(name string) (Status, error) {
	dir, err := m.existing(name)
	if err != nil {
		return Status{}, err
	}
	open := &m.store.open
	open.mu.Lock()
	f := open.byDir[dir]
	open.mu.Unlock()
	if f == nil {
		if st, ok := m.leftStatus(dir); ok {
			return st, nil
		}
	}
	if f, err = m.OpenFolder(name); err != nil {
		return Status{}, err
	}
	defer f.Close()
	err = f.Refresh()
	return f.Status(), err
}

// leftStatus reads what the header of the index says, if that is in step.
func (m Mailbox) leftStatus(dir string) (Status, bool) {
	file, err := m.store.fs.Open(dir + "/barid-index")
	if err != nil {
		return Status{}, false
	}
	defer file.Close()
	text := make([]byte, headerSize)
	n, _ := file.ReadAt(text, 0)
	size, err := file.Size()
	h, ok := decodeHeader(text[:n])
	f := Folder{mailbox: m, path: dir, dirs: &dirs{new: dir + "/new", cur: dir + "/cur"}}
	if err != nil || !ok || h.tail != size || !f.unchanged(&h) {
		return Status{}, false
	}
	c := &h.counts
	return Status{
		Messages: c.messages, Unseen: c.unseen, Deleted: c.deleted, Recent: c.recent, UIDNext: h.next, UIDValidity: h.validity,
		HighestModSeq: h.modseq, ID: h.id, Bytes: c.bytes, DeletedBytes: c.deletedBytes, Unsized: c.unsized,
	}, true
}
