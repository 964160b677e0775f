package maildir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"barid/internal/vfs"
	"barid/internal/vfs/crash"
)

// model is what two folders must hold after what some sessions and another
// program have done one after the other.
type model struct {
	rng     *rand.Rand
	fs      *crash.FS
	m       Mailbox
	folders []*Folder
	clients [][]*client // by folder
	texts   []map[uint32]string
	flags   []map[uint32]Flags
	serial  int
	log     []string
}

const modelSteps = 120

func runModel(seed uint64) (err error) {
	md := &model{rng: rand.New(rand.NewPCG(seed, 1)), fs: crash.New(seed)}
	md.m = New(Options{FS: md.fs, Host: "h", Now: steppingClock()}).Mailbox("/m", Quota{})
	for i, name := range []string{Inbox, "Other"} {
		if i > 0 {
			err = md.m.CreateFolder(name)
		}
		f, failed := md.m.OpenFolder(name)
		if err = errors.Join(err, failed); err != nil {
			return err
		}
		if _, err := f.KeywordFlags([]string{"one", "two"}, true); err != nil {
			return err
		}
		md.folders = append(md.folders, f)
		md.clients = append(md.clients, nil)
		md.texts, md.flags = append(md.texts, map[uint32]string{}), append(md.flags, map[uint32]Flags{})
	}
	for n := range modelSteps {
		if err := md.step(); err != nil {
			return fmt.Errorf("seed %d, step %d: %w\n%s", seed, n, err, strings.Join(md.log[max(len(md.log)-12, 0):], "\n"))
		}
	}
	return nil
}

func (md *model) say(format string, args ...any) {
	md.log = append(md.log, fmt.Sprintf(format, args...))
}

// step does one thing in one folder, and then lets some sessions look.
func (md *model) step() error {
	i := md.rng.IntN(2)
	if len(md.clients[i]) == 0 || md.rng.IntN(12) == 0 && len(md.clients[i]) < 4 {
		c, err := newClient(md.folders[i], ViewOptions{ReadOnly: md.rng.IntN(4) == 0})
		if err != nil {
			return err
		}
		md.clients[i] = append(md.clients[i], c)
		md.discover(i)
	}
	k := md.rng.IntN(len(md.clients[i]))
	c := md.clients[i][k]
	acts := []func(int, *client) error{
		md.append, md.append, md.store, md.store, md.store, md.expunge, md.copy, md.copy, md.foreignDelivery,
		md.foreignRename, md.foreignRemoval, md.reopen,
	}
	if err := acts[md.rng.IntN(len(acts))](i, c); err != nil {
		return err
	}
	if k < len(md.clients[i]) && md.rng.IntN(15) == 0 {
		md.say("%d: close", i)
		c.v.Close()
		md.clients[i] = slices.Delete(md.clients[i], k, k+1)
	}
	return md.look()
}

// look lets sessions be told, each with the chance of one half, and compares one
// that was told everything with the model.
func (md *model) look() error {
	for i := range md.folders {
		for _, c := range md.clients[i] {
			if md.rng.IntN(2) == 0 {
				continue
			}
			keep := md.rng.IntN(3) == 0
			if err := c.sync(SyncOptions{KeepExpunged: keep}); err != nil {
				return fmt.Errorf("folder %d: %w", i, err)
			}
			md.discover(i)
			have := map[uint32]Flags{}
			for _, uid := range c.uids {
				if m, _ := c.v.ByUID(uid); !m.Gone {
					have[uid] = c.flags[uid]
				}
			}
			if !maps.Equal(have, md.flags[i]) {
				return fmt.Errorf("folder %d: a client has %v, the model %v", i, have, md.flags[i])
			}
		}
	}
	return nil
}

// discover takes messages that another program has delivered into the model.
func (md *model) discover(i int) {
	for uid, flags := range flagsIn(md.folders[i]) {
		if _, known := md.texts[i][uid]; !known {
			text, _ := textOf(md.folders[i], uid)
			md.texts[i][uid], md.flags[i][uid] = text, flags
		}
	}
}

func (md *model) someUIDs(c *client) []uint32 {
	var uids []uint32
	for _, uid := range c.uids {
		if md.rng.IntN(3) == 0 {
			uids = append(uids, uid)
		}
	}
	return uids
}

func (md *model) someFlags() Flags {
	return Flags(md.rng.Uint32()) & (Seen | Deleted | Flagged | 3)
}

func (md *model) append(i int, _ *client) error {
	var messages []NewMessage
	var texts []string
	flags := md.someFlags() & SystemFlags
	for range 1 + md.rng.IntN(3) {
		md.serial++
		texts = append(texts, fmt.Sprintf("text %d\n", md.serial))
		w, err := newWriter(md.folders[i], texts[len(texts)-1])
		if err != nil {
			return err
		}
		messages = append(messages, NewMessage{Writer: w, Flags: flags})
	}
	md.discover(i)
	uids, err := md.folders[i].Append(messages)
	md.say("%d: append %v", i, uids)
	for k, uid := range uids {
		if old, used := md.texts[i][uid]; used {
			return fmt.Errorf("UID %d was %q", uid, old)
		}
		md.texts[i][uid], md.flags[i][uid] = texts[k], flags
	}
	return err
}

func (md *model) store(i int, c *client) error {
	change := FlagChange{How: FlagHow(md.rng.IntN(3)), Flags: md.someFlags(), Lazy: md.rng.IntN(4) == 0}
	if md.rng.IntN(4) == 0 {
		change.Conditional, change.UnchangedSince = true, c.modseq
	}
	uids := md.someUIDs(c)
	r, err := c.store(uids, change)
	md.say("%d: store %v %+v: %+v", i, uids, change, r)
	for _, uid := range uids {
		flags, exists := md.flags[i][uid]
		if slices.Contains(r.Gone, uid) == exists {
			return fmt.Errorf("UID %d exists: %v", uid, exists)
		}
		if exists && !slices.Contains(r.Modified, uid) {
			md.flags[i][uid] = change.apply(flags, KeywordBits&^3)
		}
	}
	return err
}

func (md *model) expunge(i int, c *client) error {
	uids := md.someUIDs(c)
	all := md.rng.IntN(2) == 0
	gone, err := md.folders[i].Expunge(uids, ExpungeOptions{Any: all})
	md.say("%d: expunge %v: %v", i, uids, gone)
	for _, uid := range uids {
		flags, exists := md.flags[i][uid]
		if want := exists && (all || flags&Deleted != 0); want != slices.Contains(gone, uid) {
			return fmt.Errorf("UID %d should go: %v", uid, want)
		}
	}
	for _, uid := range gone {
		delete(md.flags[i], uid)
	}
	return err
}

func (md *model) copy(i int, c *client) error {
	to := md.rng.IntN(2)
	o := CopyOptions{Move: md.rng.IntN(2) == 0}
	md.discover(to)
	uids := md.someUIDs(c)
	olds, news, err := md.folders[i].Copy(uids, md.folders[to], o)
	md.say("%d: copy %v to %d %+v: %v %v", i, uids, to, o, olds, news)
	if err != nil {
		return err
	}
	for k, uid := range olds {
		if old, used := md.texts[to][news[k]]; used {
			return fmt.Errorf("UID %d was %q", news[k], old)
		}
		md.texts[to][news[k]], md.flags[to][news[k]] = md.texts[i][uid], md.flags[i][uid]
		if o.Move {
			delete(md.flags[i], uid)
		}
		if text, err := textOf(md.folders[to], news[k]); err != nil || text != md.texts[i][uid] {
			return fmt.Errorf("copy of %d: %q, %v", uid, text, err)
		}
	}
	return nil
}

func (md *model) foreignDelivery(i int, _ *client) error {
	md.serial++
	path := md.folders[i].dirs.new
	f, err := md.fs.Create(fmt.Sprintf("%s/16%08d.f.h", path, md.serial), 0o600)
	if err != nil {
		return err
	}
	md.say("%d: delivery %s", i, f.Name())
	_, err = io.WriteString(f, fmt.Sprintf("text %d\n", md.serial))
	return errors.Join(err, f.Close())
}

// foreignFile picks a message of cur/ for another program.
func (md *model) foreignFile(i int) (uid uint32, path string) {
	md.discover(i)
	names := mailIn(md.fs, md.folders[i].dirs.cur)
	if len(names) == 0 {
		return 0, ""
	}
	path = names[md.rng.IntN(len(names))]
	f := md.folders[i]
	f.mu.RLock()
	defer f.mu.RUnlock()
	for k := range f.messages {
		if f.pathOf(&f.messages[k]) == path {
			return f.messages[k].uid, path
		}
	}
	return 0, ""
}

func (md *model) foreignRename(i int, _ *client) error {
	uid, path := md.foreignFile(i)
	if uid == 0 {
		return nil
	}
	flags := md.flags[i][uid] ^ Answered
	at := strings.LastIndex(path, ":")
	to := string(appendInfo([]byte(path[:at]), flags, ""))
	md.say("%d: rename %d %s", i, uid, to)
	md.flags[i][uid] = flags
	return errors.Join(md.fs.Rename(path, to), md.folders[i].Refresh())
}

func (md *model) foreignRemoval(i int, _ *client) error {
	uid, path := md.foreignFile(i)
	if uid == 0 {
		return nil
	}
	md.say("%d: remove %d", i, uid)
	delete(md.flags[i], uid)
	return errors.Join(md.fs.Remove(path), md.folders[i].Refresh())
}

// reopen closes the folder, whose sessions end, and opens it again: from the index,
// or without one.
func (md *model) reopen(i int, _ *client) error {
	if md.rng.IntN(3) != 0 {
		return nil
	}
	md.discover(i)
	f := md.folders[i]
	kept := md.clients[i]
	for _, c := range kept {
		c.v.Close()
	}
	md.clients[i] = nil
	f.Close()
	if md.rng.IntN(3) == 0 {
		if err := md.fs.Remove(f.indexPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		md.say("%d: lose the index", i)
	}
	md.say("%d: reopen", i)
	f, err := md.m.OpenFolder(f.Name())
	if err != nil {
		return err
	}
	md.folders[i] = f
	md.discover(i)
	for _, c := range kept {
		if believed, have := c.resync(f), flagsIn(f); !maps.Equal(believed, have) {
			return fmt.Errorf("folder %d: after QRESYNC from %d a client believes %v, there is %v", i, c.modseq, believed, have)
		}
	}
	if have := flagsIn(f); !maps.Equal(have, md.flags[i]) {
		return fmt.Errorf("folder %d reopened: %v, the model has %v", i, have, md.flags[i])
	}
	return nil
}

func TestRandomSessionsSeeWhatTheModelSays(t *testing.T) {
	seeds := uint64(60)
	if testing.Short() {
		seeds = 20
	}
	for seed := range seeds {
		if err := runModel(seed); err != nil {
			t.Fatal(err)
		}
	}
}

// Sessions on goroutines of their own, with deliveries from outside, on the
// machine's disk: whatever the order, everybody ends with the same picture.
func TestSessionsAtOnceEndWithTheSamePicture(t *testing.T) {
	_, m := disk(t)
	must(t, m.CreateFolder("Other"))
	folders := []*Folder{mustFolder(t, m, Inbox), mustFolder(t, m, "Other")}
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	failed := make(chan error, 16)
	var sessions sync.WaitGroup
	for n := range 6 {
		sessions.Go(func() { failed <- busySession(folders, uint64(n), rounds) })
	}
	sessions.Go(func() { failed <- deliverer(m, rounds) })
	sessions.Wait()
	close(failed)
	for err := range failed {
		if err != nil {
			t.Error(err)
		}
	}
	for _, f := range folders {
		must(t, f.Refresh())
		c, err := newClient(f, ViewOptions{})
		must(t, err)
		must(t, c.check())
		names := mailIn(vfs.Disk{}, f.dirs.cur)
		expect(t, "files", len(names), len(c.uids))
		have := flagsIn(f)
		c.v.Close()
		f.Close()
		f = mustFolder(t, m, f.Name())
		if again := flagsIn(f); !maps.Equal(have, again) {
			t.Errorf("reopened: %v, was %v", again, have)
		}
		f.Close()
	}
}

// busySession does whatever comes to its mind for some rounds.
func busySession(folders []*Folder, seed uint64, rounds int) error {
	rng := rand.New(rand.NewPCG(seed, 2))
	f, other := folders[seed%2], folders[(seed+1)%2]
	woken := make(chan struct{}, 1)
	c, err := newClient(f, ViewOptions{Notify: func() {
		select {
		case woken <- struct{}{}:
		default:
		}
	}})
	if err != nil {
		return err
	}
	defer c.v.Close()
	for range rounds {
		var uids []uint32
		for _, uid := range c.uids {
			if rng.IntN(4) == 0 {
				uids = append(uids, uid)
			}
		}
		switch rng.IntN(6) {
		case 0, 1:
			var w *Writer
			if w, err = newWriter(f, "a text\r\n"); err == nil {
				_, err = f.Append([]NewMessage{{Writer: w}})
			}
		case 2:
			_, err = c.v.SetFlags(uids, FlagChange{How: FlagHow(rng.IntN(2)), Flags: Flagged | Seen})
		case 3:
			_, err = f.Expunge(uids[:len(uids)/2], ExpungeOptions{Any: true})
		case 4:
			_, _, err = f.Copy(uids[:min(len(uids), 3)], other, CopyOptions{Move: rng.IntN(2) == 0})
		case 5:
			select {
			case <-woken:
			default:
			}
		}
		if err != nil && !errors.Is(err, ErrVanished) {
			return err
		}
		if err := c.look(); err != nil {
			return fmt.Errorf("session %d: %w", seed, err)
		}
	}
	return nil
}

// look is sync where others go on meanwhile, so that flags may be newer than
// what was told.
func (c *client) look() error {
	changes, err := c.v.Sync(nil, SyncOptions{})
	if err != nil {
		return err
	}
	for _, change := range changes {
		switch {
		case change.Kind == Exists && (int(change.Seq) <= len(c.uids) || c.v.Len() != int(change.Seq)):
			return fmt.Errorf("%d EXISTS after %d, the view has %d", change.Seq, len(c.uids), c.v.Len())
		case change.Kind == Exists:
			c.uids = c.v.UIDs(c.uids[:0], 1, c.v.Len())
		case int(change.Seq) > len(c.uids) || c.uids[change.Seq-1] != change.UID:
			return fmt.Errorf("told about number %d, UID %d, of %v", change.Seq, change.UID, c.uids)
		case change.Kind == Expunged:
			c.uids = slices.Delete(c.uids, int(change.Seq)-1, int(change.Seq))
		}
	}
	if !slices.Equal(c.uids, c.v.UIDs(nil, 1, c.v.Len())) {
		return fmt.Errorf("the client has %v, the view %v", c.uids, c.v.UIDs(nil, 1, c.v.Len()))
	}
	return nil
}

// deliverer is a local MDA that knows nothing of us.
func deliverer(m Mailbox, rounds int) error {
	for n := range rounds {
		name := fmt.Sprintf("17%08d.d.h", n)
		tmp := filepath.Join(m.Path(), "tmp", name)
		err := os.WriteFile(tmp, []byte("delivered\n"), 0o600)
		if err = errors.Join(err, os.Rename(tmp, filepath.Join(m.Path(), "new", name))); err != nil {
			return err
		}
	}
	return nil
}
