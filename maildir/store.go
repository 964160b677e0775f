package maildir

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"barid/internal/vfs"
)

// Options are the surroundings of a Store. FS and Host must be set.
type Options struct {
	FS   vfs.FS
	Host string           // this host's name, part of every file name
	Now  func() time.Time // time.Now when nil
	Log  *slog.Logger     // discards when nil
}

// Store gives access to all mailboxes of a program. There is one per program,
// because it is what keeps two POP3 sessions out of one mailbox, and what
// knows which file systems wait for a Sync. Safe for concurrent use.
type Store struct {
	fs   vfs.FS
	host []byte
	now  func() time.Time
	log  *slog.Logger

	mu    sync.Mutex
	boxes map[string]*box     // by path
	inUse map[string]struct{} // paths of the maildrops that are open

	unsynced unsynced
	syncing  sync.Mutex

	open      openFolders
	watcher   watcher
	watchable bool // the disk is one that the kernel can watch
	commits   committer
	machine   string        // the name of this system, for locks
	nonce     uint64        // makes the names of this process unlike those of others
	serial    atomic.Uint64 // and this one from the other

	copies sync.Pool // *[copyBytes]byte, for bodies that come from a file
}

// boxesMax bounds what is remembered about mailboxes. Beyond it all is
// forgotten at once: learning it again costs a few system calls each.
const boxesMax = 100_000

// box is what is remembered about one mailbox: nothing that another program
// could change unnoticed, but for directories that vanish, which shows.
type box struct {
	mu      sync.Mutex
	folders map[string]*dirs // those known to exist and to be durable

	tree   sync.Mutex // held while folders are made, renamed or deleted, and by writers of files about all of them
	keeper keeper

	quota sync.Mutex // held from a change of what maildirsize counts until it says so
}

// dirs holds the paths of a folder that exists.
type dirs struct {
	new, cur, tmp string
	device        uint64      // of the file system
	named         atomic.Bool // the file system has no files without a name
}

// Mailbox is one account's mail: INBOX and folders. The value is cheap to
// make for each use and to copy.
type Mailbox struct {
	store *Store
	box   *box
	path  string
	quota Quota
}

// Inbox is the name of the folder that the mailbox itself is.
const Inbox = ""

// New returns a Store. It touches no file.
func New(o Options) *Store {
	s := &Store{fs: o.FS, host: appendHost(nil, o.Host), now: o.Now, log: o.Log,
		boxes: map[string]*box{}, inUse: map[string]struct{}{}}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	_, s.watchable = o.FS.(vfs.Disk)
	s.machine, _ = os.Hostname() // without a name locks are stale by their age alone
	s.nonce = rand.Uint64() >> 24
	s.copies.New = func() any { return new([copyBytes]byte) }
	return s
}

// Mailbox returns the mailbox in the directory path, which need not exist
// yet, with the limits of quota. The same mailbox must always be named by the
// same path.
func (s *Store) Mailbox(path string, quota Quota) Mailbox {
	quota = Quota{BytesMax: max(quota.BytesMax, 0), MessagesMax: max(quota.MessagesMax, 0)}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.boxes[path]
	if b == nil {
		if len(s.boxes) >= boxesMax {
			clear(s.boxes)
		}
		b = &box{folders: map[string]*dirs{}}
		s.boxes[path] = b
	}
	return Mailbox{store: s, box: b, path: path, quota: quota}
}

// Path is the directory of the mailbox.
func (m Mailbox) Path() string { return m.path }

// ErrFolderName is wrapped by the error for a folder name that cannot be one.
var ErrFolderName = errors.New("not a folder name")

// Create makes a folder (Inbox: the mailbox itself) where it is missing, and
// makes that durable. The name is as on disk without the leading dot, levels
// separated by dots.
func (m Mailbox) Create(name string) error {
	f, err := m.dirs(name)
	if err != nil {
		return err
	}
	return m.store.fs.SyncAll(f.new)
}

// dirs returns a folder's paths and makes the folder first if need be. What
// was found may have been made by a process that died before it could sync,
// so the first use of a folder makes the next Sync one of the whole file
// system.
func (m Mailbox) dirs(name string) (*dirs, error) {
	m.box.mu.Lock()
	defer m.box.mu.Unlock()
	if f := m.box.folders[name]; f != nil {
		return f, nil
	}
	path, err := m.folderPath(name)
	if err != nil {
		return nil, err
	}
	f := &dirs{new: path + "/new", cur: path + "/cur", tmp: path + "/tmp"}
	if err := m.store.make(path, f, name != Inbox); err != nil {
		return nil, err
	}
	m.store.unsynced.noteAll(f)
	m.store.sweep(f.tmp)
	if name == Inbox {
		m.store.sweepFolders(f.tmp)
	}
	m.box.folders[name] = f
	return f, nil
}

// forget makes the next use of a folder look again whether it exists.
func (m Mailbox) forget(name string) {
	m.box.mu.Lock()
	delete(m.box.folders, name)
	m.box.mu.Unlock()
}

func (m Mailbox) folderPath(name string) (string, error) {
	if name == Inbox {
		return m.path, nil
	}
	if !FolderName(name) {
		return "", &fs.PathError{Op: "folder", Path: name, Err: ErrFolderName}
	}
	return m.path + "/." + name, nil
}

// FolderName reports whether name can be a folder's name on disk: levels
// separated by single dots, no "/", nothing that a terminal would obey.
func FolderName(name string) bool {
	if name == "" || len(name) > 200 || name[len(name)-1] == '.' {
		return false
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c < ' ' || c == 0x7f || c == '/' || c == '.' && (i == 0 || name[i-1] == '.') {
			return false
		}
	}
	return true
}

// make creates what is missing of a folder's directories. Only those above the
// mailbox are synced one by one, for they are made once.
func (s *Store) make(path string, f *dirs, sub bool) error {
	err := s.mkdir(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = s.fs.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			err = s.mkdir(path)
		}
	}
	if err != nil {
		return err
	}
	for _, dir := range []string{f.tmp, f.cur, f.new} {
		if err := s.mkdir(dir); err != nil {
			return err
		}
	}
	if sub {
		if err := s.touch(path + "/maildirfolder"); err != nil {
			return err
		}
	}
	info, err := s.fs.Stat(f.new)
	if err != nil {
		return err
	}
	f.device = device(info)
	return nil
}

// mkdir makes a directory if it is missing.
func (s *Store) mkdir(name string) error {
	err := s.fs.Mkdir(name, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

func (s *Store) touch(name string) error {
	f, err := s.fs.Create(name, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return closeAfter(f, err)
}

// closeAfter closes a file that was opened, if it was, and keeps the first
// error.
func closeAfter(f io.Closer, err error) error {
	if err != nil {
		return err
	}
	return f.Close()
}

// device tells file systems apart. A file system in memory is one.
func device(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Dev)
	}
	return 0
}

// sweepAge is how long a file lies in tmp/ before it counts as forgotten: 36
// hours is what every Maildir program uses.
const sweepAge = 36 * time.Hour

// sweep removes forgotten files from a tmp directory. It is a courtesy, so it
// has no error to give.
func (s *Store) sweep(tmp string) {
	entries, err := s.fs.ReadDir(tmp)
	if err != nil {
		return
	}
	before := s.now().Add(-sweepAge)
	for _, e := range entries {
		name := filepath.Join(tmp, e.Name())
		info, err := s.fs.Stat(name)
		if err == nil && !info.IsDir() && info.ModTime().Before(before) {
			if s.fs.Remove(name) == nil {
				s.log.Info("removed a forgotten file", "file", name)
			}
		}
	}
}

// Folders lists the folders below INBOX as Create names them, in no
// particular order. A mailbox that does not exist has none.
func (m Mailbox) Folders() ([]string, error) {
	entries, err := m.store.fs.ReadDir(m.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if name := e.Name(); e.IsDir() && name[0] == '.' && FolderName(name[1:]) {
			names = append(names, name[1:])
		}
	}
	return names, err
}
