package maildir

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"

	"barid/internal/vfs"
	"barid/internal/vfs/crash"
)

// named hides unnamed files, as some file systems do not have them.
type named struct{ vfs.FS }

func (named) CreateUnnamed(dir string, _ fs.FileMode) (vfs.File, error) {
	return nil, errors.ErrUnsupported
}

// linkless has no hard links either.
type linkless struct{ named }

func (linkless) Link(string, string) error { return syscall.EPERM }

// kinds are the file systems that the durability tests run on.
var kinds = map[string]func(vfs.FS) vfs.FS{
	"unnamed":  func(f vfs.FS) vfs.FS { return f },
	"named":    func(f vfs.FS) vfs.FS { return named{f} },
	"linkless": func(f vfs.FS) vfs.FS { return linkless{named{f}} },
}

const crashMessages = 7

// crashMessage is the n-th message of a run: of several blocks, so that it
// can be torn, and for one of two mailboxes.
func crashMessage(n int) (path string, msg Message) {
	body := strings.Repeat(fmt.Sprintf("message %d\n", n), 40+60*n)
	return fmt.Sprintf("/mail/box%d", n%2), Message{
		ID: fmt.Appendf(nil, "id%04d", n), Micros: 1_700_000_000_000_000 + int64(n),
		Front: []byte("Return-Path: <>\n"), Body: []byte(body),
	}
}

// run is a queue that delivers all messages and syncs after every third.
// acknowledged holds those that it may forget. After a failed sync it delivers
// what waited for it again, or, when patient, waits for the next.
type run struct {
	acknowledged map[int]bool
	attempted    map[int]bool
	patient      bool
}

func (r *run) deliver(s *Store) {
	var waiting []int
	for n := range crashMessages {
		path, msg := crashMessage(n)
		msg.Again = r.attempted[n]
		r.attempted[n] = true
		if s.Mailbox(path, Quota{BytesMax: 1 << 30}).Deliver(Inbox, &msg) == nil {
			waiting = append(waiting, n)
		}
		if n%3 != 0 && n != crashMessages-1 {
			continue
		}
		synced := s.Sync() == nil
		if synced {
			for _, n := range waiting {
				r.acknowledged[n] = true
			}
		}
		if synced || !r.patient {
			waiting = waiting[:0]
		}
		markFirst(s, path)
	}
}

// markFirst is a reader: it moves one message from new/ to cur/.
func markFirst(s *Store, path string) {
	if drop, err := s.Mailbox(path, Quota{}).OpenMaildrop(); err == nil {
		if drop.Len() > 0 {
			drop.MarkSeen(slices.Values([]int{0}))
		}
		drop.Close()
	}
}

// copies counts how often message n is in its mailbox, whole.
func copies(t *testing.T, fsys vfs.FS, n int) int {
	t.Helper()
	path, msg := crashMessage(n)
	want := string(msg.Front) + string(msg.Body)
	count := 0
	for _, dir := range []string{"/new", "/cur"} {
		entries, err := fsys.ReadDir(path + dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		for _, e := range entries {
			text, err := vfs.ReadFile(fsys, path+dir+"/"+e.Name(), 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if string(text) == want {
				count++
			}
		}
	}
	return count
}

func newRun() *run { return &run{acknowledged: map[int]bool{}, attempted: map[int]bool{}} }

// expectAll checks that the mailboxes hold each message once and nothing else.
func expectAll(t *testing.T, fsys vfs.FS, when string) {
	t.Helper()
	for n := range crashMessages {
		if c := copies(t, fsys, n); c != 1 {
			t.Fatalf("%s: message %d is there %d times", when, n, c)
		}
	}
	files := 0
	for _, dir := range []string{"/mail/box0/new", "/mail/box0/cur", "/mail/box1/new", "/mail/box1/cur"} {
		entries, err := fsys.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		files += len(entries)
	}
	if files != crashMessages {
		t.Fatalf("%s: %d files for %d messages", when, files, crashMessages)
	}
}

func TestPowerCutAnywhereLosesTearsAndDoublesNothing(t *testing.T) {
	for kind, wrap := range kinds {
		t.Run(kind, func(t *testing.T) {
			whole := crash.New(1)
			newRun().deliver(New(Options{FS: wrap(whole), Host: "h"}))
			for cut := range whole.Changes() + 1 {
				for seed := range uint64(4) {
					cutAt(t, wrap, cut, seed)
				}
			}
		})
	}
}

func cutAt(t *testing.T, wrap func(vfs.FS) vfs.FS, cut int, seed uint64) {
	t.Helper()
	disk := crash.New(seed)
	disk.CutAfter(cut)
	r := newRun()
	r.deliver(New(Options{FS: wrap(disk), Host: "h"}))
	disk = disk.Crash()
	for n := range r.acknowledged {
		if c := copies(t, disk, n); c != 1 {
			t.Fatalf("cut after %d, seed %d: message %d was synced and is there %d times", cut, seed, n, c)
		}
	}
	for n := range crashMessages {
		r.attempted[n] = true // the queue cannot know better
	}
	clear(r.acknowledged)
	r.deliver(New(Options{FS: wrap(disk), Host: "h"}))
	if len(r.acknowledged) != crashMessages {
		t.Fatalf("cut after %d, seed %d: only %d messages delivered after the reboot", cut, seed, len(r.acknowledged))
	}
	when := fmt.Sprintf("cut after %d, seed %d", cut, seed)
	expectAll(t, disk, when+", delivered again")
	expectAll(t, disk.Crash(), when+", second power cut")
}

func TestEveryOperationMayFailOnceAndNothingIsLost(t *testing.T) {
	for kind, wrap := range kinds {
		t.Run(kind, func(t *testing.T) {
			clean := crash.New(1)
			newRun().deliver(New(Options{FS: wrap(clean), Host: "h"}))
			for nth := 1; nth <= clean.Calls(); nth++ {
				for _, length := range []int{1, 3} {
					failNth(t, wrap, nth, length, false)
					failNth(t, wrap, nth, length, true)
				}
			}
		})
	}
}

func failNth(t *testing.T, wrap func(vfs.FS) vfs.FS, nth, length int, patient bool) {
	t.Helper()
	disk := crash.New(uint64(nth))
	disk.SetFault(crash.Nth(nth, length, syscall.EIO))
	s := New(Options{FS: wrap(disk), Host: "h"})
	r := newRun()
	r.patient = patient
	r.deliver(s)
	when := fmt.Sprintf("%d failed operations from %d on, patient %v", length, nth, patient)
	for n := range r.acknowledged {
		if c := copies(t, disk.Crash(), n); c != 1 {
			t.Fatalf("%s: message %d was synced and is there %d times after a power cut", when, n, c)
		}
	}
	disk.SetFault(nil)
	for range 2 {
		r.deliver(s)
	}
	if len(r.acknowledged) != crashMessages {
		t.Fatalf("%s: only %d messages were ever delivered", when, len(r.acknowledged))
	}
	expectAll(t, disk, when)
	expectAll(t, disk.Crash(), when+", power cut")
}

func TestDeliveryDuringAFailedSyncIsSyncedByTheNext(t *testing.T) {
	for seed := range uint64(10) {
		disk := crash.New(seed)
		s := New(Options{FS: disk, Host: "h"})
		put := func(n int) {
			path, msg := crashMessage(n)
			if err := s.Mailbox(path, Quota{}).Deliver(Inbox, &msg); err != nil {
				t.Fatal(err)
			}
		}
		put(0)
		disk.SetFault(func(op crash.Op) error {
			if op.Kind != "SyncAll" {
				return nil
			}
			disk.SetFault(nil)
			put(1) // a new mailbox
			put(2)
			return syscall.EIO
		})
		if err := s.Sync(); !errors.Is(err, syscall.EIO) {
			t.Fatalf("%v, want EIO", err)
		}
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
		after := disk.Crash()
		for n := range 3 {
			if c := copies(t, after, n); c != 1 {
				t.Errorf("seed %d: message %d is there %d times", seed, n, c)
			}
		}
	}
}

func TestFullDiskIsAnErrorAndLeavesNothingBehind(t *testing.T) {
	for kind, wrap := range kinds {
		disk := crash.New(1)
		s := New(Options{FS: wrap(disk), Host: "h"})
		path, msg := crashMessage(6)
		if err := s.Mailbox(path, Quota{}).Create(Inbox); err != nil {
			t.Fatal(err)
		}
		used := disk.Used()
		disk.SetCapacity(crash.Capacity{Bytes: 700, Files: 1000})
		err := s.Mailbox(path, Quota{}).Deliver(Inbox, &msg)
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s: %v, want ENOSPC", kind, err)
		}
		if now := disk.Used(); now != used {
			t.Errorf("%s: %v in use, before the delivery %v", kind, now, used)
		}
	}
}
