package maildir

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"barid/internal/vfs"
	"barid/internal/vfs/crash"
)

func folderNames(t testing.TB, m Mailbox) string {
	t.Helper()
	names, err := m.Folders()
	must(t, err)
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestRenameTakesFoldersBelowAlong(t *testing.T) {
	_, m := disk(t)
	for _, name := range []string{"A", "A.B", "A.B.C", "AB", "X.Y"} {
		must(t, m.CreateFolder(name))
	}
	if err := m.CreateFolder("A"); !errors.Is(err, ErrFolderExists) {
		t.Errorf("made twice: %v", err)
	}
	must(t, m.SetSpecialUse("A.B", []string{`\Sent`, `\Archive`}))
	f := mustFolder(t, m, "A.B")
	appendText(t, f, "x\n", Seen)
	v := mustView(t, f, ViewOptions{})
	id := f.ID()
	must(t, m.RenameFolder("A", "Z.A"))
	expect(t, "folders", folderNames(t, m), "AB X.Y Z.A Z.A.B Z.A.B.C")
	if _, err := v.Sync(nil, SyncOptions{}); !errors.Is(err, ErrFolderGone) {
		t.Errorf("a session of the old name: %v", err)
	}
	if _, err := f.Append(nil); err != nil && !errors.Is(err, ErrFolderGone) {
		t.Error(err)
	}
	v.Close()
	f.Close()
	uses, err := m.SpecialUses()
	must(t, err)
	expect(t, "special use", uses, []SpecialUse{{`\Sent`, "Z.A.B"}, {`\Archive`, "Z.A.B"}})
	f = mustFolder(t, m, "Z.A.B")
	defer f.Close()
	expect(t, "id", f.ID(), id)
	expect(t, "messages", f.Status().Messages, 1)
	for _, to := range []string{"AB", "Z.A.B.D", "../x", "a/b", "", "a..b"} {
		if err := m.RenameFolder("Z.A.B", to); err == nil {
			t.Errorf("renamed to %q", to)
		}
	}
	if err := m.RenameFolder("none", "n"); !errors.Is(err, ErrNoFolder) {
		t.Errorf("renamed a folder that does not exist: %v", err)
	}
}

func TestDeletedFolderComesBackWithAnotherUIDValidity(t *testing.T) {
	s := New(Options{FS: vfs.Disk{}, Host: "h", Now: func() time.Time { return time.Unix(1_700_000_000, 0) }})
	m := s.Mailbox(filepath.Join(t.TempDir(), "a"), Quota{MessagesMax: 100})
	seen := map[uint32]bool{}
	for range 3 {
		must(t, m.CreateFolder("Lists"))
		must(t, m.CreateFolder("Lists.Go"))
		f := mustFolder(t, m, "Lists")
		if seen[f.UIDValidity()] {
			t.Fatalf("UIDVALIDITY %d twice", f.UIDValidity())
		}
		seen[f.UIDValidity()] = true
		appendText(t, f, "x\n", 0)
		must(t, m.DeleteFolder("Lists"))
		expect(t, "folders", folderNames(t, m), "Lists.Go")
		if err := f.Refresh(); !errors.Is(err, ErrFolderGone) && err != nil {
			t.Error(err)
		}
		if _, err := f.NewView(ViewOptions{}); !errors.Is(err, ErrFolderGone) {
			t.Errorf("a view of a deleted folder: %v", err)
		}
		f.Close()
		used, err := m.Usage()
		must(t, err)
		expect(t, "usage", used, Usage{})
		must(t, m.DeleteFolder("Lists.Go"))
	}
	left, err := filepath.Glob(filepath.Join(m.Path(), "tmp", deletedMark+"*"))
	must(t, err)
	expect(t, "left in tmp", len(left), 0)
	for _, name := range []string{Inbox, "none", ".."} {
		if err := m.DeleteFolder(name); err == nil {
			t.Errorf("deleted %q", name)
		}
	}
}

func TestRenamedInboxGivesItsMessagesAndStays(t *testing.T) {
	_, m := disk(t)
	f := mustFolder(t, m, Inbox)
	defer f.Close()
	appendText(t, f, "x\n", Seen)
	v := mustView(t, f, ViewOptions{})
	must(t, m.RenameFolder(Inbox, "Old"))
	expect(t, "told", told(t, v), "-1(1)")
	st, err := m.FolderStatus("Old")
	must(t, err)
	expect(t, "messages", st.Messages, 1)
}

func TestLinkedFolderIsNotOpened(t *testing.T) {
	_, m := disk(t)
	must(t, m.CreateFolder("A"))
	other := t.TempDir()
	must(t, os.Symlink(other, filepath.Join(m.Path(), ".Evil")))
	if _, err := m.OpenFolder("Evil"); !errors.Is(err, ErrNoFolder) {
		t.Errorf("opened a link: %v", err)
	}
	if _, err := m.FolderStatus("Evil"); !errors.Is(err, ErrNoFolder) {
		t.Errorf("status of a link: %v", err)
	}
	if err := m.DeleteFolder("Evil"); !errors.Is(err, ErrNoFolder) {
		t.Errorf("deleted a link: %v", err)
	}
	for _, name := range []string{"../bob", "a/b", "a\x00b", ".", "..", strings.Repeat("x", 300)} {
		if _, err := m.OpenFolder(name); err == nil {
			t.Errorf("opened %q", name)
		}
	}
}

func TestQuotaCountsWhatSessionsDo(t *testing.T) {
	s, _ := disk(t)
	m := s.Mailbox(filepath.Join(t.TempDir(), "b"), Quota{BytesMax: 100, MessagesMax: 5})
	must(t, m.CreateFolder("To"))
	f, to := mustFolder(t, m, Inbox), mustFolder(t, m, "To")
	defer f.Close()
	defer to.Close()
	usage := func() string {
		t.Helper()
		used, err := m.Usage()
		must(t, err)
		counted, err := m.count()
		must(t, err)
		expect(t, "counted", counted, used)
		return fmt.Sprint(used.Bytes, used.Messages)
	}
	appendText(t, f, strings.Repeat("x", 29)+"\n", 0)
	appendText(t, f, strings.Repeat("y", 29)+"\n", 0)
	expect(t, "appended", usage(), "60 2")
	if _, _, err := f.Copy([]uint32{1, 2}, to, CopyOptions{}); !errors.Is(err, ErrOverQuota) {
		t.Errorf("copied over the quota: %v", err)
	}
	_, _, err := f.Copy([]uint32{1}, to, CopyOptions{})
	must(t, err)
	expect(t, "copied", usage(), "90 3")
	_, _, err = f.Copy([]uint32{1, 2}, to, CopyOptions{Move: true})
	must(t, err)
	expect(t, "moved", usage(), "90 3")
	w, err := newWriter(f, strings.Repeat("z", 20))
	must(t, err)
	if _, err := f.Append([]NewMessage{{Writer: w}}); !errors.Is(err, ErrOverQuota) {
		t.Errorf("appended over the quota: %v", err)
	}
	_, err = to.Expunge([]uint32{1, 3}, ExpungeOptions{Any: true})
	must(t, err)
	expect(t, "expunged", usage(), "30 1")
}

func TestOldSubscriptionsKeepTheirForm(t *testing.T) {
	_, m := disk(t)
	put(t, m, "subscriptions", "Sent\nLists.Go\ninbox\n../../evil\n")
	names, err := m.Subscriptions()
	must(t, err)
	expect(t, "names", fmt.Sprintf("%q", names), `["Sent" "Lists.Go" ""]`)
	must(t, m.Subscribe("Drafts", true))
	text, err := os.ReadFile(filepath.Join(m.Path(), "subscriptions"))
	must(t, err)
	expect(t, "file", string(text), "Sent\nLists.Go\nINBOX\nDrafts\n")
}

func TestStaleLockIsRemovedAndALiveOneIsRespected(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	fsys := crash.New(1) // whose files are all from 1970
	s := New(Options{FS: fsys, Host: "h", Now: func() time.Time { now = now.Add(7 * time.Second); return now }})
	must(t, fsys.Mkdir("d", 0o700))
	m := s.Mailbox("d", Quota{})
	machine, err := os.Hostname()
	must(t, err)
	write := func(text string) {
		t.Helper()
		f, err := fsys.Create("d/file.lock", 0o600)
		must(t, err)
		_, err = f.Write([]byte(text))
		must(t, errors.Join(err, f.Close()))
	}
	write("12345:elsewhere")
	unlock, err := m.dotlock("d/file") // older than two minutes
	must(t, err)
	unlock()
	now = time.Unix(0, 0)
	write(fmt.Sprintf("%d:%s", os.Getpid(), machine)) // of a process before us
	unlock, err = m.dotlock("d/file")
	must(t, err)
	if held, err := vfs.ReadFile(fsys, "d/file.lock", 100); err != nil || !bytes.HasSuffix(held, []byte(":"+machine)) {
		t.Errorf("the lock holds %q, %v", held, err)
	}
	unlock()
	now = time.Unix(0, 0)
	write("1:elsewhere")
	if _, err := m.dotlock("d/file"); !errors.Is(err, ErrLocked) {
		t.Errorf("took a lock that somebody else holds: %v", err)
	}
}

func TestLockIsTakenWithAndWithoutLinks(t *testing.T) {
	for kind, wrap := range kinds {
		fsys := crash.New(1)
		m := New(Options{FS: wrap(fsys), Host: "h", Now: steppingClock()}).Mailbox("/m", Quota{})
		must(t, m.Create(Inbox))
		for round := range 3 {
			unlock, err := m.dotlock("/m/file")
			must(t, err)
			if err := m.makeLock("/m/file.lock"); !errors.Is(err, os.ErrExist) {
				t.Errorf("%s: made while it is there: %v", kind, err)
			}
			unlock()
			if _, err := fsys.Stat("/m/file.lock"); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s: still there: %v", kind, err)
			}
			if round == 0 { // somebody tidies up
				for _, name := range mailIn(fsys, "/m/tmp") {
					must(t, fsys.Remove(name))
				}
			}
		}
	}
}

func TestTwentySeventhKeywordIsRefused(t *testing.T) {
	_, m := disk(t)
	f := mustFolder(t, m, Inbox)
	defer f.Close()
	var names []string
	for i := range KeywordsMax {
		names = append(names, fmt.Sprintf("k%d", i))
	}
	flags, err := f.KeywordFlags(names, true)
	must(t, err)
	expect(t, "flags", flags, KeywordBits)
	if flags, err = f.KeywordFlags([]string{"K3", "more"}, true); !errors.Is(err, ErrKeywords) || flags != 1<<3 {
		t.Errorf("%x, %v", flags, err)
	}
}

func TestKeywordWithoutANameIsNotGivenToAnother(t *testing.T) {
	_, m := disk(t)
	put(t, m, "cur/1700000001.a.h:2,Sa", "x\n")
	f := mustFolder(t, m, Inbox)
	defer f.Close()
	flags, err := f.KeywordFlags([]string{"new"}, true)
	must(t, err)
	if flags != 1<<1 {
		t.Errorf("flags %x: a message had the letter already", flags)
	}
}

func TestSecondFileOfOneNameGetsItsOwn(t *testing.T) {
	_, m := disk(t)
	put(t, m, "cur/1700000001.a.h:2,S", "one\n")
	put(t, m, "cur/1700000001.a.h:2,F", "two\n")
	f := mustFolder(t, m, Inbox)
	defer f.Close()
	v := mustView(t, f, ViewOptions{})
	texts := map[string]Flags{}
	for _, x := range v.Messages(make([]StoredMessage, 0, 4), 1) {
		text, err := textOf(f, x.UID)
		must(t, err)
		texts[text] = x.Flags
	}
	expect(t, "messages", texts, map[string]Flags{"one\n": Seen, "two\n": Flagged})
}

func TestForgottenTemporaryFilesAreRemoved(t *testing.T) {
	_, m := disk(t)
	put(t, m, "dovecot-uidlist.tmp1abc", "old")
	put(t, m, "notes.tmp1", "not ours")
	put(t, m, "subscriptions.tmp9", "new")
	long := time.Now().Add(-48 * time.Hour)
	for _, name := range []string{"dovecot-uidlist.tmp1abc", "notes.tmp1"} {
		must(t, os.Chtimes(filepath.Join(m.Path(), name), long, long))
	}
	mustFolder(t, m, Inbox).Close()
	left, err := filepath.Glob(filepath.Join(m.Path(), "*.tmp?*"))
	must(t, err)
	for i := range left {
		left[i] = filepath.Base(left[i])
	}
	expect(t, "left", left, []string{"notes.tmp1", "subscriptions.tmp9"})
}
