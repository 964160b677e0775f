package maildir

import (
	"errors"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"barid/internal/watch"
)

// Folder is a folder that is open: one value in the process for all sessions
// that have it selected, which see it through Views. Safe for concurrent use.
//
//	roster.go               the messages in memory
//	scan.go, adopt.go       what is in the directories
//	events.go               when to look
//	stage.go, commit.go     from a changed file by way of a sync to a told change
//	uidlist.go, uidfile.go  dovecot-uidlist
//	keywords.go             dovecot-keywords
//	index.go, indexfile.go  barid-index
//	history.go, view.go     what sessions have been told
//	append.go, writer.go, flagging.go, removing.go, copying.go
//	                        what sessions do
//	cache.go                barid-cache
type Folder struct {
	mailbox Mailbox
	name    string
	path    string
	dirs    *dirs
	refs    int // under openFolders.mu

	// work is held while files are changed or looked at, so that one change is
	// complete in the files and in the roster before the next begins. It is not
	// held while a sync runs.
	work   sync.Mutex
	loaded bool
	uids   uidFile
	index  indexFile
	round  uint8 // of the latest scan
	// Modification times of new/ and cur/ in nanoseconds when the roster was
	// last in step with them; 0: it may not be.
	seenNew, seenCur int64
	watching         watching
	news             newsDesk
	pace             watch.Pace // for folders that cannot be watched

	mu sync.RWMutex
	roster
	history    history
	keywords   keywordsFile // written with work held as well
	next       uint32       // the next UID to give; written with work held as well
	told       uint32       // the highest UID that was ever shown
	counts     counts       // of the messages that are shown
	staged     []*change
	published  *sync.Cond // a change was published
	views      []*View    // replaced, never modified
	recentFrom uint32     // messages from this UID on are \Recent for the next session that comes
	ended      bool
	log        indexLog
	cache      cacheFile
}

// ErrNoFolder says that there is no such folder.
var ErrNoFolder = errors.New("no such folder")

// ErrFolderGone says that a folder is not any more what it was when it was
// opened: deleted, renamed, closed, or numbered anew by another program. Whoever
// has it open has to close it.
var ErrFolderGone = errors.New("the folder was deleted, renamed or renumbered")

// openFolders are the folders that are open, by path.
type openFolders struct {
	mu    sync.Mutex
	byDir map[string]*Folder
	count atomic.Int32
}

// OpenFolder opens a folder, which must exist unless it is Inbox. Close must
// be called.
func (m Mailbox) OpenFolder(name string) (*Folder, error) {
	path, err := m.existing(name)
	if err != nil {
		return nil, err
	}
	f := m.hold(name, path)
	f.work.Lock()
	err = f.load()
	f.unlockWork()
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// hold returns the Folder of a path, with one more reference.
func (m Mailbox) hold(name, path string) *Folder {
	open := &m.store.open
	open.mu.Lock()
	defer open.mu.Unlock()
	f := open.byDir[path]
	if f == nil {
		f = &Folder{mailbox: m, name: name, path: path}
		f.published = sync.NewCond(&f.mu)
		if open.byDir == nil {
			open.byDir = map[string]*Folder{}
		}
		open.byDir[path] = f
		open.count.Add(1)
	}
	f.refs++
	return f
}

// existing returns the path of a folder that exists. Links are not followed:
// they could lead into another account.
func (m Mailbox) existing(name string) (string, error) {
	path, err := m.folderPath(name)
	if err != nil || name == Inbox {
		return path, err
	}
	info, err := m.store.fs.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return "", &fs.PathError{Op: "open", Path: path, Err: ErrNoFolder}
	}
	return path, err
}

// Close gives the folder back. The last one to do so leaves the index in step.
func (f *Folder) Close() {
	f.work.Lock()
	defer f.unlockWork()
	open := &f.store().open
	open.mu.Lock()
	last := f.refs == 1
	open.mu.Unlock()
	if last && f.loaded {
		f.unwatch()
		if f.alive() == nil {
			f.leave()
		}
	}
	// Somebody may have come meanwhile: load watches the folder again for him.
	open.mu.Lock()
	defer open.mu.Unlock()
	if f.refs--; f.refs > 0 {
		return
	}
	if open.byDir[f.path] == f {
		delete(open.byDir, f.path)
		open.count.Add(-1)
	}
	f.mu.Lock()
	f.ended = true // nobody may change files behind the back of the next Folder
	f.mu.Unlock()
}

func (f *Folder) store() *Store        { return f.mailbox.store }
func (f *Folder) logger() *slog.Logger { return f.mailbox.store.log }

// Name is the folder's name as OpenFolder had it.
func (f *Folder) Name() string { return f.name }

// UIDValidity (RFC 9051 section 2.3.1.1).
func (f *Folder) UIDValidity() uint32 { return f.uids.validity }

// ID is the folder's id, which it keeps when it is renamed: MAILBOXID
// (RFC 8474 section 4).
func (f *Folder) ID() [16]byte { return f.uids.id }

// alive returns ErrFolderGone once the folder has ended.
func (f *Folder) alive() error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.ended {
		return ErrFolderGone
	}
	return nil
}

// end makes all sessions of the folder close it. work is held.
func (f *Folder) end() {
	f.unwatch()
	open := &f.store().open
	open.mu.Lock()
	if open.byDir[f.path] == f {
		delete(open.byDir, f.path)
		open.count.Add(-1)
	}
	open.mu.Unlock()
	f.mu.Lock()
	f.ended = true
	f.published.Broadcast()
	f.mu.Unlock()
	f.notify(nil)
}

// Status is what STATUS asks for (RFC 9051 section 6.3.11, RFC 8438).
type Status struct {
	Messages, Unseen, Deleted uint32
	Recent                    uint32 // as the next session that selects the folder would see it
	UIDNext, UIDValidity      uint32
	HighestModSeq             int64
	ID                        [16]byte
	// Bytes and DeletedBytes are sums of RFC822.SIZE; for Unsized messages
	// nobody knows it yet (see Folder.VirtualSize), and they are left out.
	Bytes, DeletedBytes int64
	Unsized             uint32
}

// Status counts the messages that are shown.
func (f *Folder) Status() Status {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return Status{
		Messages: f.counts.messages, Unseen: f.counts.unseen, Deleted: f.counts.deleted,
		Recent: f.recents(), UIDNext: f.uidNext(), UIDValidity: f.uids.validity,
		HighestModSeq: f.history.modseq, ID: f.uids.id,
		Bytes: f.counts.bytes, DeletedBytes: f.counts.deletedBytes, Unsized: f.counts.unsized,
	}
}

// recents is the number of messages that no session has had as \Recent.
func (f *Folder) recents() uint32 { return uint32(f.shown - min(f.shown, f.rank(f.recentFrom))) }

// uidNext is UIDNEXT as clients may know it.
func (f *Folder) uidNext() uint32 {
	if f.shown < len(f.messages) {
		return f.messages[f.shown].uid
	}
	return f.next
}

// count adds a message to the counts, or with by < 0 takes it away.
func (c *counts) count(m *record, by int32) {
	c.messages += uint32(by)
	if m.flags&Seen == 0 {
		c.unseen += uint32(by)
	}
	size := m.size
	if m.lines == linesUnknown {
		c.unsized += uint32(by)
		size = 0
	} else {
		size += int64(m.lines)
	}
	c.bytes += size * int64(by)
	if m.flags&Deleted != 0 {
		c.deleted += uint32(by)
		c.deletedBytes += size * int64(by)
	}
}

// notify tells all views but one that there is something to be told.
func (f *Folder) notify(but *View) {
	f.mu.RLock()
	views := f.views
	f.mu.RUnlock()
	for _, v := range views {
		if v != but && v.notify != nil {
			v.notify()
		}
	}
}

// addView and removeView replace the list of views. mu is held.
func (f *Folder) addView(v *View) { f.views = append(slices.Clone(f.views), v) }

func (f *Folder) removeView(v *View) {
	f.views = slices.DeleteFunc(slices.Clone(f.views), func(x *View) bool { return x == v })
	f.history.trim(f.views)
}
