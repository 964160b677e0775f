package maildir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"barid/internal/vfs"
)

func TestDeliveredFileIsFrontAndBody(t *testing.T) {
	s, dir, _ := newStore(t)
	m := s.Mailbox(dir, Quota{})
	msg := message(7, "Subject: x\n\nbody\n")
	msg.Front = []byte("Delivered-To: a@b\n")
	if err := m.Deliver(Inbox, msg); err != nil {
		t.Fatal(err)
	}
	const name = "1700000000.M000007Qid000007.mx.example.org,S=35,W=39"
	if got := readTestFile(t, dir+"/new/"+name); got != "Delivered-To: a@b\nSubject: x\n\nbody\n" {
		t.Errorf("%q", got)
	}
	if left, _ := filepath.Glob(dir + "/tmp/*"); len(left) != 0 {
		t.Errorf("left in tmp: %q", left)
	}
}

func TestDifferentMessagesUnderOneIDAreBothKept(t *testing.T) {
	s, dir, _ := newStore(t)
	m := s.Mailbox(dir, Quota{})
	for _, again := range []bool{false, true} {
		for _, body := range []string{"one\n", "two\n", "six\n"} {
			msg := message(1, body)
			msg.Again = again
			if err := m.Deliver(Inbox, msg); err != nil {
				t.Fatal(err)
			}
		}
	}
	d := open(t, m)
	defer d.Close()
	var got []string
	for i := range d.Len() {
		got = append(got, text(t, d, i))
	}
	slices.Sort(got)
	if !slices.Equal(got, []string{"one\n", "six\n", "two\n"}) {
		t.Errorf("%q", got)
	}
}

func TestTornMessageThatAReaderMovedIsMendedInPlace(t *testing.T) {
	for torn, mended := range map[string]bool{"": true, "lo": true, "\x00\x00ng\n": true, "lang\n": false, "longer\n": false} {
		s, dir, _ := newStore(t)
		msg := message(1, "long\n")
		name := dir + "/cur/1700000000.M000001Qid000001.mx.example.org,S=5,W=6:2,FS"
		write(t, name, torn)
		msg.Again = true
		if err := s.Mailbox(dir, Quota{}).Deliver(Inbox, msg); err != nil {
			t.Fatal(err)
		}
		want, inNew := torn, 1
		if mended {
			want, inNew = "long\n", 0
		}
		if got := readTestFile(t, name); got != want {
			t.Errorf("%q became %q", torn, got)
		}
		if left, _ := filepath.Glob(dir + "/new/*"); len(left) != inNew {
			t.Errorf("%q: new/ holds %q", torn, left)
		}
	}
}

func TestMailboxThatVanishedIsMadeAgain(t *testing.T) {
	s, dir, _ := newStore(t)
	m := s.Mailbox(dir, Quota{BytesMax: 100})
	deliver(t, m, 1, "x\n")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	deliver(t, m, 2, "y\n")
	if got := uidls(t, m); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

func TestRemovedMailboxDoesNotKeepOthersFromBeingSynced(t *testing.T) {
	s, dir, _ := newStore(t)
	deliver(t, s.Mailbox(dir+"/other", Quota{}), 1, "x\n")
	deliver(t, s.Mailbox(dir+"/removed", Quota{}), 1, "x\n")
	for _, name := range []string{dir + "/other", dir + "/removed"} {
		if err := os.RemoveAll(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Sync(); err != nil {
		t.Error(err)
	}
}

func TestFoldersAreMaildirPlusPlus(t *testing.T) {
	s, dir, _ := newStore(t)
	m := s.Mailbox(dir, Quota{})
	if names, err := m.Folders(); err != nil || names != nil {
		t.Errorf("a mailbox that is not there has folders %q, %v", names, err)
	}
	if err := m.Create("Lists.Go"); err != nil {
		t.Fatal(err)
	}
	if err := m.Deliver("Junk", message(1, "x\n")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".Lists.Go/maildirfolder", ".Lists.Go/tmp", ".Junk/new/1700000000.M000001Qid000001.mx.example.org,S=2,W=3"} {
		if _, err := os.Stat(dir + "/" + name); err != nil {
			t.Error(err)
		}
	}
	names, err := m.Folders()
	slices.Sort(names)
	if err != nil || !slices.Equal(names, []string{"Junk", "Lists.Go"}) {
		t.Errorf("%q, %v", names, err)
	}
}

func TestFolderNamesCannotLeaveTheMailbox(t *testing.T) {
	s, dir, _ := newStore(t)
	for _, name := range []string{".", "..", "a/b", "/etc", ".a", "a.", "a..b", "../x", "a\nb", strings.Repeat("x", 300), "a\x00"} {
		if err := s.Mailbox(dir, Quota{}).Create(name); !errors.Is(err, ErrFolderName) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// farAway is a file system where nothing can be linked from elsewhere.
type farAway struct{ vfs.Disk }

func (farAway) Link(_, newname string) error {
	return &fs.PathError{Op: "link", Path: newname, Err: syscall.EXDEV}
}

func TestBodyInAFileIsLinkedOrElseCopied(t *testing.T) {
	body := strings.Repeat("0123456789abcde\n", 40_000) // more than one piece
	for name, c := range map[string]struct {
		fs     vfs.FS
		front  string
		linked bool
	}{
		"linked":               {vfs.Disk{}, "", true},
		"front to be added":    {vfs.Disk{}, "Return-Path: <>\n", false},
		"another file system":  {farAway{}, "", false},
		"another, with front":  {farAway{}, "Return-Path: <>\n", false},
		"another, no unnamed ": {named{farAway{}}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir+"/spill", body)
			s := New(Options{FS: c.fs, Host: "h"})
			m := s.Mailbox(dir+"/box", Quota{})
			msg := &Message{ID: []byte("x"), Front: []byte(c.front), File: dir + "/spill", FileSize: int64(len(body))}
			for range 2 { // the second delivery finds the first
				if err := m.Deliver(Inbox, msg); err != nil {
					t.Fatal(err)
				}
				msg.Again = true
			}
			names, _ := filepath.Glob(dir + "/box/new/*")
			if len(names) != 1 || readTestFile(t, names[0]) != c.front+body {
				t.Fatalf("%q is not the message", names)
			}
			spill, _ := os.Stat(dir + "/spill")
			there, _ := os.Stat(names[0])
			if os.SameFile(spill, there) != c.linked {
				t.Errorf("linked: %v", !c.linked)
			}
			d := open(t, m)
			defer d.Close()
			if size, err := d.Size(0); err != nil || size != int64(len(c.front+body)+strings.Count(c.front+body, "\n")) {
				t.Errorf("size %d, %v", size, err)
			}
		})
	}
}

func TestShortBodyFileIsAnErrorAndDeliversNothing(t *testing.T) {
	s, dir, _ := newStore(t)
	write(t, dir+"-spill", "short")
	msg := &Message{ID: []byte("x"), Front: []byte("A: b\n"), File: dir + "-spill", FileSize: 10}
	if err := s.Mailbox(dir, Quota{}).Deliver(Inbox, msg); err == nil {
		t.Error("no error")
	}
	msg.File = dir + "-missing"
	if err := s.Mailbox(dir, Quota{}).Deliver(Inbox, msg); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if left, _ := filepath.Glob(dir + "/*/*"); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
}
