package maildir

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"barid/internal/vfs"
)

// subscriptions is the file of subscribed folders, as Dovecot has it:
//
//	file    = [ "V" TAB "2" LF LF ] *( name LF )
//	name    = level *( TAB level )      ; with the first line
//	        / level *( "." level )      ; without
//
// A TAB in a level would be SOH "t" there; folder names have none. INBOX is
// called so.
const (
	subscriptionsV2 = "V\t2\n\n"
	inboxName       = "INBOX"

	treeFileMax = 1 << 20 // octets of a file about all folders
)

func (m Mailbox) subscriptionsPath() string { return m.path + "/subscriptions" }

// Subscriptions lists the names that are subscribed, of folders that exist or
// not, as Create has them.
func (m Mailbox) Subscriptions() ([]string, error) {
	names, _, err := m.readSubscriptions()
	return names, err
}

func (m Mailbox) readSubscriptions() (names []string, v1 bool, err error) {
	text, err := vfs.ReadFile(m.store.fs, m.subscriptionsPath(), treeFileMax)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	rest, v2 := bytes.CutPrefix(text, []byte(subscriptionsV2))
	for line := range bytes.SplitSeq(rest, newline) {
		name := string(line)
		if v2 {
			name = strings.ReplaceAll(name, "\t", ".")
		}
		if strings.EqualFold(name, inboxName) {
			names = append(names, Inbox)
		} else if FolderName(name) {
			names = append(names, name)
		}
	}
	return names, !v2 && len(text) > 0, nil
}

// Subscribe subscribes a name or ends its subscription, durably. Either may be
// so already. The folder need not exist.
func (m Mailbox) Subscribe(name string, wanted bool) error {
	if _, err := m.folderPath(name); err != nil {
		return err
	}
	m.box.tree.Lock()
	defer m.box.tree.Unlock()
	if _, err := m.dirs(Inbox); err != nil {
		return err
	}
	unlock, err := m.dotlock(m.subscriptionsPath())
	if err != nil {
		return err
	}
	defer unlock()
	names, v1, err := m.readSubscriptions()
	if err != nil || slices.Contains(names, name) == wanted {
		return err
	}
	if wanted {
		names = append(names, name)
	} else {
		names = slices.DeleteFunc(names, func(n string) bool { return n == name })
	}
	return vfs.WriteAtomic(m.store.fs, m.subscriptionsPath(), appendSubscriptions(nil, names, v1), 0o600)
}

func appendSubscriptions(dst []byte, names []string, v1 bool) []byte {
	if !v1 {
		dst = append(dst, subscriptionsV2...)
	}
	for _, name := range names {
		switch {
		case name == Inbox:
			name = inboxName
		case !v1:
			name = strings.ReplaceAll(name, ".", "\t")
		}
		dst = append(append(dst, name...), '\n')
	}
	return dst
}

// SpecialUse says what a folder is for (RFC 6154), for example `\Sent`.
type SpecialUse struct {
	Use    string // with its backslash
	Folder string // as Create has it
}

func (m Mailbox) specialUsePath() string { return m.path + "/barid-special-use" }

// SpecialUses lists what folders are for, as SetSpecialUse was told:
//
//	barid-special-use = *( use SP folder LF )
func (m Mailbox) SpecialUses() ([]SpecialUse, error) {
	text, err := vfs.ReadFile(m.store.fs, m.specialUsePath(), treeFileMax)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var uses []SpecialUse
	for line := range bytes.SplitSeq(text, newline) {
		use, folder, found := strings.Cut(string(line), " ")
		if found && FolderName(folder) && strings.HasPrefix(use, `\`) {
			uses = append(uses, SpecialUse{use, folder})
		}
	}
	return uses, err
}

// SetSpecialUse makes a folder be for uses and nothing else, durably. A use may
// have several folders.
func (m Mailbox) SetSpecialUse(folder string, uses []string) error {
	if !FolderName(folder) {
		return &fs.PathError{Op: "special-use", Path: folder, Err: ErrFolderName}
	}
	m.box.tree.Lock()
	defer m.box.tree.Unlock()
	if _, err := m.dirs(Inbox); err != nil {
		return err
	}
	return m.writeUses(func(all []SpecialUse) []SpecialUse {
		all = slices.DeleteFunc(all, func(u SpecialUse) bool { return u.Folder == folder })
		for _, use := range uses {
			all = append(all, SpecialUse{use, folder})
		}
		return all
	})
}

// changeUses passes all uses through a function that may change or drop them.
// tree is held.
func (m Mailbox) changeUses(change func(SpecialUse) (SpecialUse, bool)) error {
	return m.writeUses(func(all []SpecialUse) []SpecialUse {
		var kept []SpecialUse
		for _, u := range all {
			if u, keep := change(u); keep {
				kept = append(kept, u)
			}
		}
		return kept
	})
}

func (m Mailbox) writeUses(change func([]SpecialUse) []SpecialUse) error {
	uses, err := m.SpecialUses()
	if err != nil {
		return err
	}
	changed := change(slices.Clone(uses))
	if slices.Equal(uses, changed) {
		return nil
	}
	var text []byte
	for _, u := range changed {
		text = append(append(append(text, u.Use...), ' '), u.Folder...)
		text = append(text, '\n')
	}
	return vfs.WriteAtomic(m.store.fs, m.specialUsePath(), text, 0o600)
}
