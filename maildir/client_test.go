package maildir

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"barid/internal/vfs"
)

// steppingClock advances with every look, so that whatever is done once a
// second is done each time.
func steppingClock() func() time.Time {
	var seconds atomic.Int64
	return func() time.Time { return time.Unix(1_700_000_000+2*seconds.Add(1), 0) }
}

// client is what a mail program believes about a folder: only what it was told.
type client struct {
	v        *View
	validity uint32
	modseq   int64
	uids     []uint32
	flags    map[uint32]Flags
	doubted  map[uint32]bool // a STORE has failed: what is told then may not be durable
}

func newClient(f *Folder, o ViewOptions) (*client, error) {
	v, err := f.NewView(o)
	if err != nil {
		return nil, err
	}
	c := &client{v: v, validity: f.UIDValidity(), modseq: v.HighestModSeq(), flags: map[uint32]Flags{}, doubted: map[uint32]bool{}}
	return c, c.fetch(1)
}

// fetch asks for the flags of all messages from a number on.
func (c *client) fetch(from int) error {
	c.uids = c.uids[:from-1]
	for _, m := range c.v.Messages(make([]StoredMessage, 0, c.v.Len()), from) {
		if len(c.uids) > 0 && c.uids[len(c.uids)-1] >= m.UID {
			return fmt.Errorf("UID %d behind %d", m.UID, c.uids[len(c.uids)-1])
		}
		c.uids = append(c.uids, m.UID)
		if !m.Gone {
			c.flags[m.UID] = m.Flags
		}
	}
	return nil
}

// sync takes in what there is to be told, and checks that it all makes sense and
// nothing is missing.
func (c *client) sync(o SyncOptions) error {
	changes, failed := c.v.Sync(nil, o)
	for _, change := range changes {
		if err := c.take(change); err != nil {
			return err
		}
	}
	c.modseq = c.v.HighestModSeq()
	return errors.Join(failed, c.check())
}

func (c *client) take(change Change) error {
	seq := int(change.Seq)
	if change.Kind == Exists {
		if seq <= len(c.uids) {
			return fmt.Errorf("%d EXISTS after %d", seq, len(c.uids))
		}
		if c.v.Len() != seq {
			return fmt.Errorf("%d EXISTS, but the view has %d", seq, c.v.Len())
		}
		return c.fetch(len(c.uids) + 1)
	}
	if seq < 1 || seq > len(c.uids) || c.uids[seq-1] != change.UID {
		return fmt.Errorf("told about number %d, UID %d, of %v", seq, change.UID, c.uids)
	}
	if change.Kind == Expunged {
		c.uids = slices.Delete(c.uids, seq-1, seq)
		delete(c.flags, change.UID)
		return nil
	}
	m, ok := c.v.ByUID(change.UID)
	if !ok || m.Seq != change.Seq {
		return fmt.Errorf("number %d is number %d of the view", change.Seq, m.Seq)
	}
	c.flags[change.UID] = m.Flags
	return nil
}

// check compares with the view, right after a Sync.
func (c *client) check() error {
	if c.v.Len() != len(c.uids) {
		return fmt.Errorf("the view has %d messages, the client %d", c.v.Len(), len(c.uids))
	}
	for i, m := range c.v.Messages(make([]StoredMessage, 0, len(c.uids)), 1) {
		if m.UID != c.uids[i] || int(m.Seq) != i+1 {
			return fmt.Errorf("number %d is UID %d, the client has %d", m.Seq, m.UID, c.uids[i])
		}
		if seq, exact := c.v.Seq(m.UID); seq != i+1 || !exact {
			return fmt.Errorf("UID %d is number %d, %v", m.UID, seq, exact)
		}
		if !m.Gone && m.Flags != c.flags[m.UID] {
			return fmt.Errorf("UID %d has flags %x, the client was told %x", m.UID, m.Flags, c.flags[m.UID])
		}
	}
	return nil
}

// store changes flags and takes what STORE answers.
func (c *client) store(uids []uint32, change FlagChange) (FlagResult, error) {
	r, err := c.v.SetFlags(uids, change)
	for _, uid := range r.Changed {
		if m, ok := c.v.ByUID(uid); ok && !m.Gone {
			c.flags[uid] = m.Flags
		}
	}
	if err != nil {
		for _, uid := range uids {
			c.doubted[uid] = true
		}
	}
	return r, err
}

// resync is QRESYNC: what the client believes after it was told all changes since
// its modseq (RFC 7162 section 3.2.5).
func (c *client) resync(f *Folder) map[uint32]Flags {
	if f.UIDValidity() != c.validity {
		return flagsIn(f)
	}
	believed := maps.Clone(c.flags)
	for _, r := range f.Vanished(nil, c.modseq) {
		maps.DeleteFunc(believed, func(uid uint32, _ Flags) bool { return uid >= r.First && uid <= r.Last })
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	for i := range f.messages[:f.shown] {
		if m := &f.messages[i]; m.modseq > c.modseq {
			believed[m.uid] = m.flags
		}
	}
	return believed
}

func flagsIn(f *Folder) map[uint32]Flags {
	f.mu.RLock()
	defer f.mu.RUnlock()
	all := map[uint32]Flags{}
	for i := range f.messages[:f.shown] {
		all[f.messages[i].uid] = f.messages[i].flags
	}
	return all
}

func textOf(f *Folder, uid uint32) (string, error) {
	file, err := f.OpenMessage(uid)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	return string(text), err
}

// newWriter begins a message with a text.
func newWriter(f *Folder, text string) (*Writer, error) {
	w, err := f.NewWriter()
	if err != nil {
		return nil, err
	}
	if _, err = io.WriteString(w, text); err != nil {
		w.Discard()
		return nil, err
	}
	return w, nil
}

// mailIn lists the files of a directory, for other programs.
func mailIn(fsys vfs.FS, dir string) []string {
	entries, _ := fsys.ReadDir(dir)
	var names []string
	for _, e := range entries {
		names = append(names, dir+"/"+e.Name())
	}
	return names
}
