package maildir

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"barid/internal/vfs"
	"barid/internal/vfs/crash"
)

// story is a program that does everything once that a session can do, and
// writes down what it was promised.
type story struct {
	fs      vfs.FS
	s       *Store
	m       Mailbox
	clients map[string]*client
	facts   map[place]*fact
	told    map[place]string // the texts of all UIDs that were ever seen
	kept    map[string]bool  // texts that were accepted and never expunged
	serial  int
	broken  error // a promise that was broken at once
}

// place is a UID of a folder in one of its lives.
type place struct {
	folder   string
	validity uint32
	uid      uint32
}

// fact is what was promised about a message.
type fact struct {
	text  string
	flags map[Flags]bool // any of these
	there presence
}

type presence int

const (
	isThere presence = iota
	perhaps
	isGone
)

func newStory() *story {
	return &story{clients: map[string]*client{}, facts: map[place]*fact{}, told: map[place]string{}, kept: map[string]bool{}}
}

// start is the program on a disk, after the last one died.
func (st *story) start(fsys vfs.FS, now func() time.Time) {
	host := strings.Repeat("long-", 23) // so that few lines of dovecot-uidlist fit into a block
	st.fs, st.s = fsys, New(Options{FS: fsys, Host: host, Now: now})
	st.m = st.s.Mailbox("/mail/a", Quota{BytesMax: 1 << 30})
}

var storyFolders = []string{Inbox, "Other"}

// run tells the story; each step may fail.
func (st *story) run() {
	st.m.CreateFolder("Other")
	folders := map[string]*Folder{}
	for _, name := range storyFolders {
		f, err := st.m.OpenFolder(name)
		if err != nil {
			continue
		}
		folders[name] = f
		if c, err := newClient(f, ViewOptions{}); err == nil {
			st.clients[name] = c
		}
	}
	inbox, other := folders[Inbox], folders["Other"]
	if inbox == nil || other == nil || st.clients[Inbox] == nil || st.clients["Other"] == nil {
		return
	}
	one := st.append(inbox, Seen)
	two := st.append(inbox, 0)
	st.deliver()
	st.look(inbox)
	st.flag(inbox, FlagChange{How: Add, Flags: Flagged}, one, two)
	st.keyword(inbox, two)
	st.deliver()
	three := st.append(other, Draft)
	st.look(other)
	st.copy(inbox, other, CopyOptions{}, one, two)
	st.look(inbox)
	st.copy(inbox, other, CopyOptions{Move: true}, two)
	st.flag(other, FlagChange{How: Add, Flags: Deleted}, three)
	st.expunge(other)
	st.look(other)
	st.look(inbox)
	st.leave(inbox, other)
	if f, err := st.m.OpenFolder(Inbox); err == nil {
		if c, err := newClient(f, ViewOptions{}); err == nil {
			st.clients[Inbox] = c
			four := st.append(f, 0)
			st.flag(f, FlagChange{How: Replace, Flags: Answered}, one, four)
			st.look(f)
		}
		st.leave(f)
	}
}

func (st *story) leave(folders ...*Folder) {
	for _, f := range folders {
		if c := st.clients[f.Name()]; c != nil {
			c.v.Close()
		}
		f.Close()
	}
}

func (st *story) at(f *Folder, uid uint32) place { return place{f.Name(), f.UIDValidity(), uid} }

// text is a new message's, long enough to be torn.
func (st *story) text() string {
	st.serial++
	return strings.Repeat(fmt.Sprintf("message %d\n", st.serial), 90)
}

func (st *story) append(f *Folder, flags Flags) uint32 {
	text := st.text()
	w, err := newWriter(f, text)
	if err != nil {
		return 0
	}
	uids, err := f.Append([]NewMessage{{Writer: w, Flags: flags}})
	if err != nil {
		return 0
	}
	st.kept[text] = true
	st.note(f, uids[0], &fact{text: text, flags: map[Flags]bool{flags: true}})
	return uids[0]
}

// note writes down what was promised about a UID.
func (st *story) note(f *Folder, uid uint32, promised *fact) {
	at := st.at(f, uid)
	if was, ok := st.told[at]; ok && was != promised.text {
		st.broken = fmt.Errorf("%v was given twice", at)
	}
	st.facts[at], st.told[at] = promised, promised.text
}

// deliver is our own delivery, of messages that arrived the earlier the later
// they are delivered: UIDs given anew would be others.
func (st *story) deliver() {
	text := st.text()
	msg := Message{ID: fmt.Appendf(nil, "q%d", st.serial), Micros: 1_690_000_000_000_000 - int64(st.serial), Body: []byte(text)}
	if st.m.Deliver(Inbox, &msg) == nil && st.s.Sync() == nil {
		st.kept[text] = true
	}
}

// look is a session that asks what is new.
func (st *story) look(f *Folder) {
	c := st.clients[f.Name()]
	err := c.sync(SyncOptions{})
	if err != nil && !isFault(err) {
		st.broken = errors.Join(st.broken, err)
	}
	for uid := range flagsIn(f) {
		text, err := textOf(f, uid)
		if err != nil {
			continue
		}
		at := st.at(f, uid)
		if was, ok := st.told[at]; ok && was != text {
			st.broken = fmt.Errorf("%v has another text", at)
		}
		st.told[at] = text
	}
}

// isFault tells what the disk did from what we did wrong.
func isFault(err error) bool {
	var several interface{ Unwrap() []error }
	if errors.As(err, &several) {
		return !slices.ContainsFunc(several.Unwrap(), func(e error) bool { return !isFault(e) })
	}
	return errors.Is(err, syscall.EIO) || errors.Is(err, ErrVanished) || errors.Is(err, ErrFolderGone)
}

func (st *story) flag(f *Folder, change FlagChange, uids ...uint32) {
	uids = slices.DeleteFunc(slices.Clone(uids), func(uid uint32) bool { return uid == 0 })
	r, err := st.clients[f.Name()].store(uids, change)
	for _, uid := range uids {
		known := st.facts[st.at(f, uid)]
		if known == nil {
			continue
		}
		if slices.Contains(r.Gone, uid) && known.there == isThere && err == nil {
			st.broken = fmt.Errorf("UID %d is gone", uid)
		}
		after := map[Flags]bool{}
		for flags := range known.flags {
			after[change.apply(flags, Passed)] = true
			if err != nil {
				after[flags] = true
			}
		}
		known.flags = after
	}
}

func (st *story) keyword(f *Folder, uid uint32) {
	flags, err := f.KeywordFlags([]string{"$Work"}, true)
	if err == nil {
		st.flag(f, FlagChange{How: Add, Flags: flags}, uid)
	}
}

func (st *story) copy(from, to *Folder, o CopyOptions, uids ...uint32) {
	uids = slices.DeleteFunc(slices.Clone(uids), func(uid uint32) bool { return uid == 0 })
	_, wordless := from.KeywordFlags(nil, false)
	olds, news, err := from.Copy(uids, to, o)
	if err == nil && wordless == nil {
		for i, uid := range olds {
			if known := st.facts[st.at(from, uid)]; known != nil {
				st.note(to, news[i], &fact{text: known.text, flags: maps.Clone(known.flags)})
			}
		}
	}
	for _, uid := range uids {
		known := st.facts[st.at(from, uid)]
		switch {
		case known == nil || !o.Move:
		case err != nil:
			known.there = perhaps
		case slices.Contains(olds, uid):
			known.there = isGone
		}
	}
}

func (st *story) expunge(f *Folder) {
	c := st.clients[f.Name()]
	uids, err := f.Expunge(c.uids, ExpungeOptions{})
	for at, known := range st.facts {
		deleted := false
		for flags := range known.flags {
			deleted = deleted || flags&Deleted != 0
		}
		if at.folder != f.Name() || !deleted {
			continue
		}
		delete(st.kept, known.text)
		if known.there = perhaps; err == nil && slices.Contains(uids, at.uid) {
			known.there = isGone
		}
	}
}

// verify checks every promise against the disk.
func (st *story) verify() error {
	texts := map[string]int{}
	for _, name := range storyFolders {
		f, err := st.m.OpenFolder(name)
		if errors.Is(err, ErrNoFolder) {
			continue
		}
		if err != nil {
			return err
		}
		if err = st.verifyFolder(f, texts); err != nil {
			return fmt.Errorf("folder %q: %w", name, err)
		}
		f.Close()
	}
	for text := range st.kept {
		if texts[text] == 0 {
			return fmt.Errorf("%.12q was accepted and is nowhere", text)
		}
	}
	return st.broken
}

func (st *story) verifyFolder(f *Folder, texts map[string]int) error {
	have := flagsIn(f)
	for uid := range have {
		text, err := textOf(f, uid)
		if err != nil {
			return err
		}
		texts[text]++
		at := st.at(f, uid)
		promised := st.facts[at] != nil
		if was, ok := st.told[at]; ok && was != text && (promised || !isTorn(text, was)) {
			return fmt.Errorf("UID %d was %.12q and is %.12q", uid, was, text)
		}
		st.told[st.at(f, uid)] = text
	}
	for at, known := range st.facts {
		if at.folder != f.Name() {
			continue
		}
		flags, here := have[at.uid]
		switch {
		case at.validity != f.UIDValidity():
			return fmt.Errorf("UIDVALIDITY was %d and is %d", at.validity, f.UIDValidity())
		case known.there == isThere && !here:
			return fmt.Errorf("UID %d is lost", at.uid)
		case known.there == isGone && here:
			return fmt.Errorf("UID %d was expunged and is there", at.uid)
		case here && !known.flags[flags]:
			return fmt.Errorf("UID %d has flags %x, promised were %x", at.uid, flags, slices.Collect(maps.Keys(known.flags)))
		}
	}
	if c := st.clients[f.Name()]; c != nil {
		believed := c.resync(f)
		for uid := range c.doubted {
			delete(believed, uid)
			delete(have, uid)
		}
		if !maps.Equal(believed, have) {
			return fmt.Errorf("after QRESYNC from %d a client believes %v, there is %v", c.modseq, believed, have)
		}
	}
	return nil
}

// isTorn reports whether a text may be what a power cut left of another.
func isTorn(text, was string) bool {
	return len(text) <= len(was) && zeroed([]byte(text), []byte(was))
}

func TestPowerCutAnywhereBreaksNoPromiseToASession(t *testing.T) {
	for offset, kind := range slices.Sorted(maps.Keys(kinds)) {
		t.Run(kind, func(t *testing.T) {
			wrap := kinds[kind]
			whole := crash.New(1)
			st := newStory()
			st.start(wrap(whole), steppingClock())
			st.run()
			must(t, st.verify())
			if len(st.facts) < 7 {
				t.Fatalf("the story is too short: %d facts", len(st.facts))
			}
			for cut := offset; cut <= whole.Changes(); cut += pointsApart() {
				cutStory(t, wrap, cut, 0)
			}
		})
	}
}

// pointsApart is how many operations lie between those at which a kind of file
// system is cut off. Each operation has its turn on one of the three kinds, or,
// when MAILDIR_THOROUGH is set, on each of them.
func pointsApart() int {
	switch {
	case os.Getenv("MAILDIR_THOROUGH") != "":
		return 1
	case testing.Short():
		return 4 * len(kinds)
	}
	return len(kinds)
}

func cutStory(t *testing.T, wrap func(vfs.FS) vfs.FS, cut int, seed uint64) {
	t.Helper()
	disk := crash.New(seed + uint64(cut)*7)
	disk.CutAfter(cut)
	now := steppingClock()
	st := newStory()
	st.start(wrap(disk), now)
	st.run()
	for _, when := range []string{"power cut", "second power cut"} {
		disk = disk.Crash()
		st.start(wrap(disk), now)
		if err := st.verify(); err != nil {
			t.Fatalf("cut after %d, seed %d, %s: %v", cut, seed, when, err)
		}
		st.run()
		if err := st.verify(); err != nil {
			t.Fatalf("cut after %d, seed %d, %s, story again: %v", cut, seed, when, err)
		}
	}
}

func TestEveryOperationMayFailAndNoPromiseToASessionIsBroken(t *testing.T) {
	for offset, kind := range slices.Sorted(maps.Keys(kinds)) {
		t.Run(kind, func(t *testing.T) {
			wrap := kinds[kind]
			clean := crash.New(1)
			st := newStory()
			st.start(wrap(clean), steppingClock())
			st.run()
			for nth := 1 + offset; nth <= clean.Calls(); nth += pointsApart() {
				failStory(t, wrap, nth, 1+3*(nth&1))
			}
		})
	}
}

func failStory(t *testing.T, wrap func(vfs.FS) vfs.FS, nth, length int) {
	t.Helper()
	disk := crash.New(uint64(nth))
	disk.SetFault(crash.Nth(nth, length, syscall.EIO))
	now := steppingClock()
	st := newStory()
	st.start(wrap(disk), now)
	st.run()
	disk.SetFault(nil)
	st.run()
	if err := st.verify(); err != nil {
		t.Fatalf("%d failed operations from %d on: %v", length, nth, err)
	}
	st.start(wrap(disk.Crash()), now)
	if err := st.verify(); err != nil {
		t.Fatalf("%d failed operations from %d on, power cut: %v", length, nth, err)
	}
}

func TestMessageWrittenBeforeAFailedSyncIsNotAccepted(t *testing.T) {
	disk := crash.New(1)
	m := New(Options{FS: disk, Host: "h", Now: steppingClock()}).Mailbox("/mail", Quota{})
	f := mustFolder(t, m, Inbox)
	w, err := newWriter(f, "text\n")
	must(t, err)
	disk.SetFault(crash.Nth(disk.Calls()+1, 1, syscall.EIO))
	if err := f.Durable(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("a failed sync: %v", err)
	}
	// The kernel may believe now that the text is on the disk.
	if uids, err := f.Append([]NewMessage{{Writer: w}}); err == nil {
		t.Errorf("accepted as %v", uids)
	}
	uid := appendText(t, f, "another\n", 0)
	expect(t, "messages", fmt.Sprint(flagsIn(f)), fmt.Sprintf("map[%d:0]", uid))
}
