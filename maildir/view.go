package maildir

import (
	"slices"
	"sort"
)

// View is a folder as one session knows it: the messages that it has been
// told, numbered from 1 without gaps. The numbers change only in Sync and
// Close. A View belongs to one goroutine at a time; idle it takes about 150
// octets.
type View struct {
	folder   *Folder
	readOnly bool
	notify   func()

	// What follows is guarded by folder.mu.
	top      uint32     // the last UID that the session knows
	ghosts   []uint32   // ascending: expunged, and the session does not know yet
	position int64      // of the next event in history
	modseq   int64      // the folder's when it was synced last
	complete int64      // the same, when nothing was kept back
	recent   []UIDRange // the session was the first to see them
}

// ViewOptions are how a session sees a folder.
type ViewOptions struct {
	// ReadOnly leaves messages in new/, and \Recent to others (EXAMINE).
	ReadOnly bool
	// Notify is called when Sync may have something to tell, on any goroutine. It
	// must not block and not call the package; it may come after Close. nil: the
	// session asks by itself.
	Notify func()
}

// NewView shows the folder as it is now.
func (f *Folder) NewView(o ViewOptions) (*View, error) {
	v := &View{folder: f, readOnly: o.ReadOnly, notify: o.Notify}
	f.mu.Lock()
	v.position = f.history.position()
	f.addView(v)
	f.mu.Unlock()
	f.work.Lock()
	if !o.ReadOnly {
		f.moveNew()
	}
	f.unlockWork()
	err := f.Refresh()
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil && f.ended {
		err = ErrFolderGone
	}
	if err != nil {
		f.removeView(v)
		return nil, err
	}
	v.position, v.modseq, v.complete = f.history.position(), f.history.modseq, f.history.modseq
	v.advance()
	return v, nil
}

// Close ends the view. The folder stays open.
func (v *View) Close() {
	v.folder.mu.Lock()
	defer v.folder.mu.Unlock()
	v.folder.removeView(v)
}

// Folder is what the view shows.
func (v *View) Folder() *Folder { return v.folder }

// ReadOnly reports whether the view was opened so.
func (v *View) ReadOnly() bool { return v.readOnly }

// advance takes all messages that are shown into the view. mu is held.
func (v *View) advance() {
	f := v.folder
	if f.shown == 0 || f.messages[f.shown-1].uid <= v.top {
		return
	}
	v.top = f.messages[f.shown-1].uid
	if f.recentFrom > v.top {
		return
	}
	v.recent = append(v.recent, UIDRange{f.recentFrom, v.top})
	if !v.readOnly {
		f.recentFrom = v.top + 1
	}
	v.recent = mergeRanges(v.recent)
}

// lose notes that messages are gone. UIDs ascend. mu is held.
func (v *View) lose(uids []uint32) {
	known := sort.Search(len(uids), func(i int) bool { return uids[i] > v.top })
	if known == 0 {
		return
	}
	v.ghosts = append(v.ghosts, uids[:known]...)
	if !slices.IsSorted(v.ghosts) {
		slices.Sort(v.ghosts)
	}
}

// Change is one thing to be told to a client (RFC 9051 section 7.5).
type Change struct {
	Kind ChangeKind
	// Seq is the message's number at this point of the sequence of changes; of
	// Exists the number of messages.
	Seq uint32
	UID uint32 // not of Exists
}

// ChangeKind says what has happened.
type ChangeKind uint8

// The kinds of Change, in the order in which Sync returns them.
const (
	Expunged ChangeKind = iota
	FlagsChanged
	Exists
)

// SyncOptions say what may be told.
type SyncOptions struct {
	// KeepExpunged leaves expunged messages in the view, as during FETCH, STORE
	// and SEARCH (RFC 9051 section 7.5.1).
	KeepExpunged bool
}

// Sync appends what the session has not been told yet, looking at the
// directories first if they may have changed: expunged messages by ascending
// UID, messages whose flags others have changed, and the new number of messages
// if some came. ErrFolderGone when the folder is not there any more; other
// errors mean that what other programs did could not be seen, and the changes are
// good all the same.
func (v *View) Sync(dst []Change, o SyncOptions) ([]Change, error) {
	f := v.folder
	failed := f.Refresh()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return dst, ErrFolderGone
	}
	if !o.KeepExpunged {
		for _, uid := range v.ghosts {
			dst = append(dst, Change{Expunged, uint32(f.rank(uid) + 1), uid})
		}
		v.ghosts = nil
	}
	dst = v.appendFlags(dst)
	top := v.top
	if v.advance(); v.top > top {
		dst = append(dst, Change{Kind: Exists, Seq: uint32(v.len())})
	}
	v.position, v.modseq = f.history.position(), f.history.modseq
	if len(v.ghosts) == 0 {
		v.complete = v.modseq
	}
	f.history.trim(f.views)
	return dst, failed
}

// appendFlags appends the changes of flags since the last Sync. mu is held.
func (v *View) appendFlags(dst []Change) []Change {
	f := v.folder
	h := &f.history
	start := len(dst)
	add := func(uid uint32) {
		if m := f.find(uid); m != nil && uid <= v.top {
			dst = append(dst, Change{FlagsChanged, uint32(v.seq(uid)), uid})
		}
	}
	if v.position < h.first {
		for i := range f.messages[:f.shown] {
			if m := &f.messages[i]; m.modseq > v.modseq {
				add(m.uid)
			}
		}
		return dst
	}
	for _, e := range h.events[v.position-h.first:] {
		if e.by == v {
			continue
		}
		for _, uid := range e.uids {
			add(uid)
		}
	}
	changes := dst[start:]
	slices.SortFunc(changes, func(a, b Change) int { return int(int64(a.UID) - int64(b.UID)) })
	return dst[:start+len(slices.Compact(changes))]
}

// known is the number of messages that exist and that the session knows. mu is
// held, as for those below.
func (v *View) known() int { return min(v.folder.rank(v.top+1), v.folder.shown) }

func (v *View) len() int { return v.known() + len(v.ghosts) }

// seq is the number of a message that exists.
func (v *View) seq(uid uint32) int {
	ghosts := sort.Search(len(v.ghosts), func(i int) bool { return v.ghosts[i] >= uid })
	return v.folder.rank(uid) + ghosts + 1
}

// at finds message number seq: its place among those that exist, or in ghosts.
func (v *View) at(seq int) (place int, ghost bool) {
	i := seq - 1
	before := sort.Search(len(v.ghosts), func(j int) bool { return v.folder.rank(v.ghosts[j])+j >= i })
	if before < len(v.ghosts) && v.folder.rank(v.ghosts[before])+before == i {
		return before, true
	}
	return i - before, false
}

// Len is the number of messages in the view: the highest sequence number.
func (v *View) Len() int {
	v.folder.mu.RLock()
	defer v.folder.mu.RUnlock()
	return v.len()
}

// StoredMessage is what the folder knows of a message.
type StoredMessage struct {
	Seq     uint32
	UID     uint32
	Flags   Flags
	Recent  bool
	Gone    bool   // expunged, and the session has not been told: only Seq and UID are set
	ModSeq  int64  // RFC 7162
	Size    int64  // octets of the file, whose lines end with LF
	Virtual int64  // RFC822.SIZE: octets with CRLF line ends; -1: see Folder.VirtualSize
	Date    int64  // INTERNALDATE, seconds since 1970
	Saved   int64  // SAVEDATE (RFC 8514), seconds since 1970
	EmailID uint64 // see AppendEmailID

	cacheAt, cacheLen uint32 // for CacheReader
}

// Messages appends the messages from number first on until dst is full (as far
// as its capacity goes) or the view ends. It allocates nothing.
func (v *View) Messages(dst []StoredMessage, first int) []StoredMessage {
	v.folder.mu.RLock()
	defer v.folder.mu.RUnlock()
	for seq, n := max(first, 1), v.len(); seq <= n && len(dst) < cap(dst); seq++ {
		place, ghost := v.at(seq)
		if ghost {
			dst = append(dst, StoredMessage{Seq: uint32(seq), UID: v.ghosts[place], Gone: true})
			continue
		}
		dst = append(dst, v.message(&v.folder.messages[place], seq))
	}
	return dst
}

// ByUID returns a message of the view.
func (v *View) ByUID(uid uint32) (StoredMessage, bool) {
	v.folder.mu.RLock()
	defer v.folder.mu.RUnlock()
	if uid > v.top {
		return StoredMessage{}, false
	}
	if m := v.folder.find(uid); m != nil {
		return v.message(m, v.seq(uid)), true
	}
	if i, ok := slices.BinarySearch(v.ghosts, uid); ok {
		return StoredMessage{Seq: uint32(v.folder.rank(uid) + i + 1), UID: uid, Gone: true}, true
	}
	return StoredMessage{}, false
}

func (v *View) message(m *record, seq int) StoredMessage {
	out := StoredMessage{
		Seq: uint32(seq), UID: m.uid, Flags: m.flags, Recent: v.isRecent(m.uid), ModSeq: m.modseq,
		Size: m.size, Virtual: -1, Date: m.date, Saved: v.folder.saved(m), EmailID: m.email, cacheAt: m.cacheAt, cacheLen: m.cacheLen,
	}
	if m.lines != linesUnknown {
		out.Virtual = m.size + int64(m.lines)
	}
	return out
}

func (v *View) isRecent(uid uint32) bool {
	for _, r := range v.recent {
		if uid >= r.First && uid <= r.Last {
			return true
		}
	}
	return false
}

// saved is when a message was put into the folder: the names that we make
// begin with that time, and those of deliveries do. Otherwise it is the time of
// the file.
func (r *roster) saved(m *record) int64 {
	if seconds, length := number(r.names[m.name:][:m.nameLen]); length > 0 && seconds > 0 && seconds < 1<<40 {
		return seconds
	}
	return m.date
}

// UIDs appends the UIDs of the messages with the numbers first to last, those
// that are gone included.
func (v *View) UIDs(dst []uint32, first, last int) []uint32 {
	v.folder.mu.RLock()
	defer v.folder.mu.RUnlock()
	for seq, last := max(first, 1), min(last, v.len()); seq <= last; seq++ {
		if place, ghost := v.at(seq); ghost {
			dst = append(dst, v.ghosts[place])
		} else {
			dst = append(dst, v.folder.messages[place].uid)
		}
	}
	return dst
}

// Seq is the number of the first message with a UID of uid or more, which is
// Len plus one when there is none; exact says that it has that UID.
func (v *View) Seq(uid uint32) (seq int, exact bool) {
	v.folder.mu.RLock()
	defer v.folder.mu.RUnlock()
	i, ghost := slices.BinarySearch(v.ghosts, uid)
	place := min(v.folder.rank(uid), v.known())
	exact = ghost || place < v.known() && v.folder.messages[place].uid == uid
	return place + i + 1, exact
}

// Recent is the number of messages in the view that are \Recent (RFC 3501
// section 2.3.2).
func (v *View) Recent() int {
	v.folder.mu.RLock()
	defer v.folder.mu.RUnlock()
	n := 0
	for _, r := range v.recent {
		last := min(r.Last, v.top)
		n += min(v.folder.rank(last+1), v.folder.shown) - v.folder.rank(r.First)
	}
	return n
}

// FirstUnseen is the number of the first message without \Seen, 0 if there is
// none.
func (v *View) FirstUnseen() int {
	v.folder.mu.RLock()
	defer v.folder.mu.RUnlock()
	for i := range v.folder.messages[:v.known()] {
		if m := &v.folder.messages[i]; m.flags&Seen == 0 {
			return v.seq(m.uid)
		}
	}
	return 0
}

// HighestModSeq is the number of the last change up to which the session has
// been told everything: what HIGHESTMODSEQ may say (RFC 7162 section 3.1.2.1).
func (v *View) HighestModSeq() int64 {
	v.folder.mu.RLock()
	defer v.folder.mu.RUnlock()
	return v.complete
}
