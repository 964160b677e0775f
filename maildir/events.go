package maildir

import (
	"bytes"
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"barid/internal/watch"
)

// watcher is the Store's one inotify, made when the first folder is opened.
type watcher struct {
	mu    sync.Mutex
	tried bool
	dirs  *watch.Dirs // nil: there is none
	known map[int]watched
}

// watched is a directory that is watched.
type watched struct {
	folder *Folder
	cur    bool
	ended  chan struct{} // closed when nothing more is told of it
}

// watching is what a folder is watched by.
type watching struct {
	on       atomic.Bool // changed with work held
	new, cur int
}

// newsDesk collects what has happened in a folder's directories.
type newsDesk struct {
	newDirty, curDirty atomic.Bool
	looking            atomic.Bool // a look is on its way

	mu     sync.Mutex
	events []newsEvent // that wait for work
}

type newsEvent struct {
	cur  bool
	kind watch.Event
	name string
}

// endWait is how long the end of a watch is waited for. It is told after all
// that happened before, unless the kernel had to drop events.
const endWait = time.Second

// newsMax is how many events wait; with more all of the folder is looked at.
const newsMax = 256

// watch begins to watch a folder, before it is read for the first time. work
// is held.
func (f *Folder) watch() {
	w := &f.store().watcher
	w.mu.Lock()
	defer w.mu.Unlock()
	dirs := w.start(f.store())
	if dirs == nil {
		return
	}
	n, err := dirs.Add(f.dirs.new)
	if err != nil {
		f.logger().Warn("cannot watch a folder: it will be looked at once a second", "folder", f.path, "error", err)
		return
	}
	c, err := dirs.Add(f.dirs.cur)
	if err != nil {
		dirs.Remove(n)
		return
	}
	w.known[n] = watched{f, false, make(chan struct{})}
	w.known[c] = watched{f, true, make(chan struct{})}
	f.watching.new, f.watching.cur = n, c
	f.watching.on.Store(true)
}

func (w *watcher) start(s *Store) *watch.Dirs {
	if !w.tried {
		w.tried, w.known = true, map[int]watched{}
		if s.watchable {
			var err error
			if w.dirs, err = watch.NewDirs(s.hear); err != nil {
				s.log.Warn("no notices of changes by other programs: folders will be looked at once a second", "error", err)
			}
		}
	}
	return w.dirs
}

// unwatch ends the watch and waits until all that happened before has been
// heard. work is held.
func (f *Folder) unwatch() {
	if !f.watching.on.Load() {
		return
	}
	f.lookAtTimes()
	w := &f.store().watcher
	w.mu.Lock()
	ends := [2]chan struct{}{w.known[f.watching.new].ended, w.known[f.watching.cur].ended}
	w.dirs.Remove(f.watching.new)
	w.dirs.Remove(f.watching.cur)
	w.mu.Unlock()
	if !heardAll(ends) {
		f.news.curDirty.Store(true)
	}
	f.watching.on.Store(false)
	f.heedNews()
	if f.news.newDirty.Load() || f.news.curDirty.Load() {
		f.seenNew, f.seenCur = 0, 0
	}
}

// heardAll waits for the ends of watches; false when one does not come.
func heardAll(ends [2]chan struct{}) bool {
	patience := time.NewTimer(endWait)
	defer patience.Stop()
	for _, end := range ends {
		if end == nil { // it ended by itself, with the directory
			continue
		}
		select {
		case <-end:
		case <-patience.C: // the kernel had no room for the notice
			return false
		}
	}
	return true
}

// lookAtTimes notes the times of the directories while they are watched: what
// happens from now on is heard. Times that are too young to count are replaced
// by the time to the nanosecond, which the file system does not give by itself:
// so the next change will show.
func (f *Folder) lookAtTimes() {
	f.seenNew, f.seenCur = f.freshTime(f.dirs.new), f.freshTime(f.dirs.cur)
}

func (f *Folder) freshTime(dir string) int64 {
	if at := f.dirTime(dir); at != 0 {
		return at
	}
	file, err := f.store().fs.Open(dir)
	if err != nil {
		return 0
	}
	now := f.store().now()
	if now.Nanosecond()%1000 == 0 { // what keeps microseconds only must not pass for more
		now = now.Add(1)
	}
	err = errors.Join(file.SetModTime(now), file.Close())
	if at := f.timeOf(dir); err == nil && at == now.UnixNano() {
		return at
	}
	return 0
}

// hear is told what happens in the directories.
func (s *Store) hear(dir int, kind watch.Event, name []byte) {
	w := &s.watcher
	if kind == watch.Lost {
		w.lost()
		return
	}
	w.mu.Lock()
	d, known := w.known[dir]
	if known && kind == watch.Ended {
		delete(w.known, dir)
		d.folder.watching.on.Store(false)
		close(d.ended)
	}
	w.mu.Unlock()
	if known && kind != watch.Ended {
		d.folder.hear(newsEvent{d.cur, kind, string(name)})
	}
}

// lost makes all folders be looked at.
func (w *watcher) lost() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.known {
		d.folder.news.newDirty.Store(true)
		d.folder.news.curDirty.Store(true)
		d.folder.look()
	}
}

// hear takes an event, and deals with it at once unless the folder is being
// worked on; then unlockWork does.
func (f *Folder) hear(e newsEvent) {
	f.news.mu.Lock()
	if len(f.news.events) < newsMax {
		f.news.events = append(f.news.events, e)
	} else {
		f.news.newDirty.Store(true)
		f.news.curDirty.Store(true)
	}
	f.news.mu.Unlock()
	if f.work.TryLock() {
		f.unlockWork()
	}
}

// unlockWork gives work back, after dealing with the events that came
// meanwhile.
func (f *Folder) unlockWork() {
	for {
		news := f.heedNews()
		f.work.Unlock()
		if news {
			f.look()
		}
		f.news.mu.Lock()
		more := len(f.news.events) > 0
		f.news.mu.Unlock()
		if !more || !f.work.TryLock() {
			return
		}
	}
}

func (f *Folder) dirty() bool { return f.news.newDirty.Load() || f.news.curDirty.Load() }

// heedNews tells the echo of our own changes from what other programs did, and
// reports whether there was any of that. work is held.
func (f *Folder) heedNews() (news bool) {
	f.news.mu.Lock()
	events := f.news.events
	f.news.events = nil
	f.news.mu.Unlock()
	for _, e := range events {
		if !f.loaded || f.echo(e) {
			continue
		}
		news = true
		if e.cur {
			f.news.curDirty.Store(true)
		} else {
			f.news.newDirty.Store(true)
		}
	}
	return news
}

// echo reports whether the roster says already what an event tells.
func (f *Folder) echo(e newsEvent) bool {
	name := []byte(e.name)
	if !plain(e.name) {
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	base := name[:baseLen(name)]
	m := f.byKey(base[:keyLen(base)])
	var room [300]byte
	there := m != nil && m.state&recDying == 0 && e.cur == (m.state&recCur != 0) && bytes.Equal(f.appendName(room[:0], m), name)
	return there == (e.kind == watch.Came)
}

// look has somebody look at the directories, if any session waits for news.
// Sessions that do not wait look when they ask.
func (f *Folder) look() {
	f.mu.RLock()
	waiting := false
	for _, v := range f.views {
		waiting = waiting || v.notify != nil
	}
	f.mu.RUnlock()
	if !waiting || f.news.looking.Swap(true) {
		return
	}
	go func() {
		f.news.looking.Store(false)
		if err := f.Refresh(); err != nil && !errors.Is(err, ErrFolderGone) {
			f.logger().Warn("cannot look for changes", "folder", f.path, "error", err)
		}
	}()
}

// changed is told that this process has put messages into new/, or changed
// cur/, otherwise than through the Folder.
func (m Mailbox) changed(name string, cur bool) {
	open := &m.store.open
	if open.count.Load() == 0 {
		return
	}
	path, err := m.folderPath(name)
	if err != nil {
		return
	}
	open.mu.Lock()
	f := open.byDir[path]
	open.mu.Unlock()
	if f == nil {
		return
	}
	f.news.newDirty.Store(true)
	if cur {
		f.news.curDirty.Store(true)
	}
	f.look()
}

// Refresh looks at the directories if they may have changed, and tells the
// views. Where the folder is watched this costs nothing unless there is
// something new.
func (f *Folder) Refresh() error {
	if !f.dirty() && (f.watching.on.Load() || !f.pace.Due(f.store().now())) {
		return nil
	}
	f.work.Lock()
	err := f.alive()
	var staged []*change
	var sync syncWant
	if err == nil && (f.dirty() || !f.watching.on.Load() && f.moved()) {
		staged, sync, err = f.scan()
	}
	f.unlockWork()
	if len(staged) > 0 {
		err = errors.Join(err, f.settleScan(sync, staged))
	}
	return err
}

// moved reports whether the directories' times differ from what was seen.
func (f *Folder) moved() bool {
	moved := f.seenNew == 0 || f.seenCur == 0 || f.timeOf(f.dirs.new) != f.seenNew || f.timeOf(f.dirs.cur) != f.seenCur
	if moved {
		f.news.newDirty.Store(true)
		f.news.curDirty.Store(true)
	}
	return moved
}

// Two changes of a directory within one tick of the file system's clock give it
// the same time. So a time counts only when it was this long ago.
const (
	tickFine   = 50 * time.Millisecond
	tickCoarse = 2 * time.Second // where times are whole seconds
)

// dirTime is the time of a directory, or 0 when it may change without its
// time changing.
func (f *Folder) dirTime(dir string) int64 {
	at := f.timeOf(dir)
	tick := tickFine
	if at%int64(time.Second) == 0 {
		tick = tickCoarse
	}
	if f.store().now().UnixNano()-at < int64(tick) {
		return 0
	}
	return at
}

func (f *Folder) timeOf(dir string) int64 {
	info, err := f.store().fs.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return -1
	}
	if err != nil {
		return 0
	}
	return info.ModTime().UnixNano()
}

// inStep are the times of new/ and cur/ with which the roster is in step, 0
// where it may not be.
func (f *Folder) inStep() (newTime, curTime int64) {
	if f.dirty() {
		return 0, 0
	}
	return f.seenNew, f.seenCur
}
