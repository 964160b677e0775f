package maildir

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func open(t testing.TB, m Mailbox) *Maildrop {
	t.Helper()
	d, err := m.OpenMaildrop()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// uidls opens the maildrop for a moment.
func uidls(t *testing.T, m Mailbox) (all []string) {
	t.Helper()
	d := open(t, m)
	defer d.Close()
	for i := range d.Len() {
		all = append(all, string(d.AppendUIDL(nil, i)))
	}
	return all
}

func text(t *testing.T, d *Maildrop, i int) string {
	t.Helper()
	f, err := d.Open(i)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}

func TestMessagesComeInTheOrderOfArrival(t *testing.T) {
	s, dir, _ := newStore(t)
	m := s.Mailbox(dir, Quota{})
	deliver(t, m, 5, "fifth\n")
	deliver(t, m, 3, "third\n")
	write(t, dir+"/cur/1700000000.M000004P1.h:2,S", "fourth\n")
	write(t, dir+"/new/99999999.x.h", "first\n")
	write(t, dir+"/cur/1700000000.M000001P1.h:2,S", "second\r\n\n")
	d := open(t, m)
	defer d.Close()
	for i, want := range []string{"first\n", "second\r\n\n", "third\n", "fourth\n", "fifth\n"} {
		if got := text(t, d, i); got != want {
			t.Errorf("message %d is %q, want %q", i, got, want)
		}
		size, err := d.Size(i)
		crlf := int64(len(strings.ReplaceAll(strings.ReplaceAll(want, "\r\n", "\n"), "\n", "\r\n")))
		if err != nil || size != crlf {
			t.Errorf("message %d has size %d (%v), want %d", i, size, err, crlf)
		}
	}
}

func TestUIDLStaysWhenFlagsAndDirectoryChange(t *testing.T) {
	s, dir, _ := newStore(t)
	m := s.Mailbox(dir, Quota{})
	deliver(t, m, 1, "x\n")
	write(t, dir+"/new/12.foreign.h", "x\n")
	write(t, dir+"/new/13.sp ace.h", "x\n")
	write(t, dir+"/new/14."+strings.Repeat("l", 70), "x\n")
	before := uidls(t, m)
	for _, u := range before {
		if len(u) < 1 || len(u) > 70 || strings.ContainsAny(u, " \x7f") {
			t.Errorf("%q is no UIDL", u)
		}
	}
	entries, _ := os.ReadDir(dir + "/new")
	for i, e := range entries {
		name := e.Name()
		if i == 0 {
			name += ",S=2,W=3" // as Courier adds sizes to what others delivered
		}
		if err := os.Rename(dir+"/new/"+e.Name(), dir+"/cur/"+name+":2,S"); err != nil {
			t.Fatal(err)
		}
	}
	if after := uidls(t, m); !slices.Equal(before, after) {
		t.Errorf("%q became %q", before, after)
	}
}

func TestUIDLIsUniqueWhateverTheNames(t *testing.T) {
	s, dir, _ := newStore(t)
	for _, name := range []string{"new/1.a.h", "new/1.a.h,S=5", "cur/1.a.h,S=6:2,", "cur/1.a.h!,S=6:2,", "new/1.a.h+"} {
		write(t, dir+"/"+name, "x\n")
	}
	got := uidls(t, s.Mailbox(dir, Quota{}))
	slices.Sort(got)
	if len(slices.Compact(slices.Clone(got))) != 5 {
		t.Errorf("%q", got)
	}
}

func TestMessageSeenInBothDirectoriesIsOne(t *testing.T) {
	s, dir, _ := newStore(t)
	write(t, dir+"/new/1.a.h,S=2", "x\n")
	write(t, dir+"/cur/1.a.h,S=2:2,S", "x\n")
	write(t, dir+"/cur/1.a.h,S=2:2,", "x\n")
	if got := uidls(t, s.Mailbox(dir, Quota{})); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

func TestMaildropIsExclusive(t *testing.T) {
	s, dir, _ := newStore(t)
	m := s.Mailbox(dir, Quota{})
	d := open(t, m)
	if _, err := m.OpenMaildrop(); !errors.Is(err, ErrInUse) {
		t.Errorf("second session: %v", err)
	}
	d.Close()
	open(t, m).Close()
}

func TestMaildropThatCannotBeReadIsNotLeftLocked(t *testing.T) {
	s, dir, _ := newStore(t)
	write(t, dir+"/cur", "a file")
	for range 2 {
		if _, err := s.Mailbox(dir, Quota{}).OpenMaildrop(); !errors.Is(err, syscall.ENOTDIR) {
			t.Errorf("%v, want ENOTDIR", err)
		}
	}
}

func TestHostileEntriesAreSkippedAndNeverFollowed(t *testing.T) {
	s, dir, _ := newStore(t)
	m := s.Mailbox(dir, Quota{BytesMax: 1 << 20})
	deliver(t, m, 1, "good\n")
	secret := filepath.Join(t.TempDir(), "secret")
	write(t, secret, "not for mail\n")
	write(t, dir+"/new/2.new\nline.h", "x")
	write(t, dir+"/new/.3.hidden", "x")
	for _, err := range []error{
		os.Symlink(secret, dir+"/new/4.link.h,S=5"), syscall.Mkfifo(dir+"/cur/5.pipe.h:2,", 0o600), os.Mkdir(dir+"/cur/6.dir.h", 0o700), os.Symlink("/nowhere", dir+"/cur/7.h"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	d := open(t, m)
	defer d.Close()
	if d.Len() != 1 || d.Skipped() != 5 {
		t.Errorf("%d messages, %d skipped", d.Len(), d.Skipped())
	}
	// A message that becomes a link or a pipe after it was listed.
	entries, _ := filepath.Glob(dir + "/new/17*")
	os.Remove(entries[0])
	if err := os.Symlink(secret, entries[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Open(0); !errors.Is(err, ErrVanished) {
		t.Errorf("opened a link: %v", err)
	}
}

func TestMessageIsFoundWhereverItWasRenamedTo(t *testing.T) {
	s, dir, _ := newStore(t)
	m := s.Mailbox(dir, Quota{})
	for n := range 5 {
		deliver(t, m, n, fmt.Sprintf("message %d\n", n))
	}
	d := open(t, m)
	defer d.Close()
	names, _ := filepath.Glob(dir + "/new/*")
	for i, name := range names {
		if i == 3 {
			os.Remove(name)
			continue
		}
		if err := os.Rename(name, dir+"/cur/"+filepath.Base(name)+":2,FS"); err != nil {
			t.Fatal(err)
		}
	}
	deliver(t, m, 9, "arrived since\n")
	for i := range 5 {
		if i == 3 {
			if _, err := d.Open(i); !errors.Is(err, ErrVanished) {
				t.Errorf("removed message: %v", err)
			}
		} else if got := text(t, d, i); got != fmt.Sprintf("message %d\n", i) {
			t.Errorf("message %d is %q", i, got)
		}
	}
	if d.Len() != 5 {
		t.Errorf("%d messages, although the session began with 5", d.Len())
	}
}

func TestRemoveDeletesRenamedMessagesToo(t *testing.T) {
	s, dir, _ := newStore(t)
	m := s.Mailbox(dir, Quota{BytesMax: 1000})
	for n := range 4 {
		deliver(t, m, n, "12345\n")
	}
	d := open(t, m)
	names, _ := filepath.Glob(dir + "/new/*")
	if err := os.Rename(names[1], dir+"/cur/"+filepath.Base(names[1])+":2,S"); err != nil {
		t.Fatal(err)
	}
	os.Remove(names[2]) // by somebody who does not keep maildirsize
	if err := d.Remove(slices.Values([]int{0, 1, 2})); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Open(0); !errors.Is(err, ErrVanished) {
		t.Errorf("opened a deleted message: %v", err)
	}
	d.Close()
	if got := uidls(t, m); len(got) != 1 {
		t.Errorf("%q left", got)
	}
	if got := readTestFile(t, dir+"/maildirsize"); !strings.HasSuffix(got, "6 1\n-12 -2\n") {
		t.Errorf("maildirsize %q", got)
	}
}

func TestRemoveSaysHowManyMessagesStayed(t *testing.T) {
	s, dir, _ := newStore(t)
	m := s.Mailbox(dir, Quota{})
	deliver(t, m, 1, "x\n")
	deliver(t, m, 2, "y\n")
	d := open(t, m)
	defer d.Close()
	// A directory with something in it takes the place of the first message.
	names, _ := filepath.Glob(dir + "/new/*")
	os.Remove(names[0])
	write(t, names[0]+"/full", "x")
	err := d.Remove(slices.Values([]int{0, 1}))
	if err == nil || !strings.Contains(err.Error(), "1 messages could not be deleted") {
		t.Errorf("%v", err)
	}
	if left, _ := filepath.Glob(dir + "/new/*"); len(left) != 1 {
		t.Errorf("%q left", left)
	}
}

func TestMarkSeenMovesToCur(t *testing.T) {
	s, dir, _ := newStore(t)
	m := s.Mailbox(dir, Quota{})
	for n := range 3 {
		deliver(t, m, n, fmt.Sprintf("message %d\n", n))
	}
	write(t, dir+"/cur/1800000000.x.h:2,F", "flagged\n")
	before := uidls(t, m)
	d := open(t, m)
	defer d.Close()
	d.MarkSeen(slices.Values([]int{1, 3}))
	d.MarkSeen(slices.Values([]int{1, 3}))
	if got := text(t, d, 1); got != "message 1\n" {
		t.Errorf("after it was marked: %q", got)
	}
	fresh, _ := filepath.Glob(dir + "/new/*")
	seen, _ := filepath.Glob(dir + "/cur/*S")
	if len(fresh) != 2 || len(seen) != 2 || !strings.HasSuffix(seen[1], ":2,FS") {
		t.Errorf("new %q cur %q", fresh, seen)
	}
	d.Close()
	if after := uidls(t, m); !slices.Equal(before, after) {
		t.Errorf("%q became %q", before, after)
	}
}

func TestForgottenFilesInTmpAreRemoved(t *testing.T) {
	s, dir, clock := newStore(t)
	write(t, dir+"/tmp/old", "x")
	write(t, dir+"/tmp/recent", "x")
	if err := os.Chtimes(dir+"/tmp/old", time.Time{}, clock.now.Add(-37*time.Hour)); err != nil {
		t.Fatal(err)
	}
	open(t, s.Mailbox(dir, Quota{})).Close()
	if left, _ := filepath.Glob(dir + "/tmp/*"); len(left) != 1 || filepath.Base(left[0]) != "recent" {
		t.Errorf("left in tmp: %q", left)
	}
}

func TestSizeIsWhatRETRSendsWhateverTheLastLine(t *testing.T) {
	for text, want := range map[string]int64{"": 0, "a\n": 3, "a\r\n": 3, "a": 3, "a\r": 3, "a\nb": 6, "\n": 2, "a\rb\n": 5} {
		s, dir, _ := newStore(t)
		write(t, dir+"/new/1.a.h", text)
		d := open(t, s.Mailbox(dir, Quota{}))
		if got, err := d.Size(0); err != nil || got != want {
			t.Errorf("%q: size %d, %v; want %d", text, got, err, want)
		}
	}
}
