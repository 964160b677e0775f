package maildir

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"barid/internal/vfs"
)

// disk is a mailbox on the machine's own disk.
func disk(t testing.TB) (*Store, Mailbox) {
	t.Helper()
	s := New(Options{FS: vfs.Disk{}, Host: "mx.example.org"})
	return s, s.Mailbox(filepath.Join(t.TempDir(), "alice"), Quota{})
}

func mustFolder(t testing.TB, m Mailbox, name string) *Folder {
	t.Helper()
	f, err := m.OpenFolder(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func mustView(t testing.TB, f *Folder, o ViewOptions) *View {
	t.Helper()
	v, err := f.NewView(o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// appendText appends one message.
func appendText(t testing.TB, f *Folder, text string, flags Flags, keywords ...string) uint32 {
	t.Helper()
	w, err := f.NewWriter()
	must(t, err)
	_, err = io.WriteString(w, text)
	must(t, err)
	uids, err := f.Append([]NewMessage{{Writer: w, Flags: flags, Keywords: keywords, Date: time.Unix(1_600_000_000, 0)}})
	must(t, err)
	return uids[0]
}

// put is another program: it makes a file by its path below the mailbox.
func put(t testing.TB, m Mailbox, name, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(filepath.Join(m.Path(), name)), 0o700))
	must(t, os.WriteFile(filepath.Join(m.Path(), name), []byte(text), 0o600))
}

// show describes a view's messages: UID, flags, keywords by name, and where the
// session has not been told yet that one is gone.
func show(v *View) string {
	var out []string
	names := v.Folder().Keywords()
	for _, m := range v.Messages(make([]StoredMessage, 0, v.Len()), 1) {
		text := fmt.Sprint(m.UID)
		if m.Gone {
			out = append(out, text+"!")
			continue
		}
		text += ":" + strings.TrimPrefix(string(appendInfo(nil, m.Flags&SystemFlags, "")), ":2,")
		for i, name := range names {
			if m.Flags&(1<<i) != 0 {
				text += "+" + name
			}
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

func expect(t testing.TB, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func told(t testing.TB, v *View) string {
	t.Helper()
	changes, err := v.Sync(nil, SyncOptions{})
	must(t, err)
	return tell(changes)
}

func tell(changes []Change) string {
	var out []string
	for _, c := range changes {
		switch c.Kind {
		case Expunged:
			out = append(out, fmt.Sprintf("-%d(%d)", c.Seq, c.UID))
		case FlagsChanged:
			out = append(out, fmt.Sprintf("~%d(%d)", c.Seq, c.UID))
		case Exists:
			out = append(out, fmt.Sprintf("=%d", c.Seq))
		}
	}
	return strings.Join(out, " ")
}

// A mailbox as Dovecot 2.3.19 has left it.
func dovecotMailbox(t testing.TB, m Mailbox) {
	t.Helper()
	put(t, m, "dovecot-uidlist", "3 V1795407163 N5 G18213e1a39bd036b8256000083ecc375\n"+
		"1 :1795407161.M469211P22149.vm,S=77,W=82\n"+
		"2 W82 P000001 :1795407161.M482566P22150.vm,S=77,W=82\n"+
		"4 G0011 :1795407161.M554397P22157.vm,S=77,W=82\n")
	put(t, m, "dovecot-keywords", "0 $Forwarded\n1 Junk\n2 NonJunk\n")
	put(t, m, "subscriptions", "V\t2\n\nSent\t2024\nEntw&APw-rfe\nTom &- Jerry\nINBOX\n")
	put(t, m, "dovecot-uidvalidity", "6b03bd3c")
	put(t, m, "dovecot-uidvalidity.6b03bd3c", "")
	text := "From: a@example.org\nSubject: one\nDate: Mon, 1 Jan 2024 10:00:00 +0000\n\nHello\n"
	put(t, m, "cur/1795407161.M469211P22149.vm,S=77,W=82:2,Sab", text)
	put(t, m, "cur/1795407161.M482566P22150.vm,S=77,W=82:2,FRc", text)
	put(t, m, "cur/1795407161.M554397P22157.vm,S=77,W=82:2,", text)
	put(t, m, "new/1795407170.M1P5.vm,S=77", text)
	must(t, os.MkdirAll(filepath.Join(m.Path(), "tmp"), 0o700))
	put(t, m, ".Sent.2024/maildirfolder", "")
}

func TestDovecotMailboxOpensUnchanged(t *testing.T) {
	_, m := disk(t)
	dovecotMailbox(t, m)
	for range 2 { // without an index, and with one
		f := mustFolder(t, m, Inbox)
		v := mustView(t, f, ViewOptions{})
		expect(t, "messages", show(v), "1:S+$Forwarded+Junk 2:FR+NonJunk 4: 5:")
		expect(t, "UIDVALIDITY", f.UIDValidity(), 1795407163)
		expect(t, "id", fmt.Sprintf("%x", f.ID()), "18213e1a39bd036b8256000083ecc375")
		message, _ := v.ByUID(1)
		expect(t, "sizes", fmt.Sprint(message.Size, message.Virtual, message.Saved), "77 82 1795407161")
		v.Close()
		f.Close()
	}
	text, err := os.ReadFile(filepath.Join(m.Path(), "dovecot-uidlist"))
	must(t, err)
	lines := strings.Split(string(text), "\n")
	expect(t, "line of 2", lines[2], "2 W82 P000001 :1795407161.M482566P22150.vm,S=77,W=82")
	expect(t, "new line", lines[4], "5 :1795407170.M1P5.vm,S=77")
	names, err := m.Subscriptions()
	must(t, err)
	expect(t, "subscriptions", fmt.Sprintf("%q", names), `["Sent.2024" "Entw&APw-rfe" "Tom &- Jerry" ""]`)
	must(t, m.Subscribe("Sent.2024", false))
	must(t, m.Subscribe("Lists.Go", true))
	text, err = os.ReadFile(filepath.Join(m.Path(), "subscriptions"))
	must(t, err)
	expect(t, "subscriptions", string(text), "V\t2\n\nEntw&APw-rfe\nTom &- Jerry\nINBOX\nLists\tGo\n")
}

func TestTwoSessionsSeeEachOthersChanges(t *testing.T) {
	_, m := disk(t)
	f := mustFolder(t, m, Inbox)
	defer f.Close()
	a, b := mustView(t, f, ViewOptions{}), mustView(t, f, ViewOptions{})
	for i := range 5 {
		expect(t, "UID", appendText(t, f, fmt.Sprintf("Subject: %d\r\n\r\nx\r\n", i), 0), i+1)
	}
	expect(t, "a", told(t, a), "=5")
	expect(t, "b", told(t, b), "=5")
	expect(t, "recent of a", a.Recent(), 5)
	expect(t, "recent of b", b.Recent(), 0)
	r, err := a.SetFlags([]uint32{2, 4, 9}, FlagChange{How: Add, Flags: Deleted | Seen})
	must(t, err)
	expect(t, "result", r, FlagResult{Changed: []uint32{2, 4}, Gone: []uint32{9}})
	expect(t, "a is not told", told(t, a), "")
	expect(t, "b is told", told(t, b), "~2(2) ~4(4)")
	gone, err := b.Folder().Expunge([]uint32{1, 2, 4}, ExpungeOptions{})
	must(t, err)
	expect(t, "expunged", gone, []uint32{2, 4})
	expect(t, "a before it is told", show(a), "1: 2! 3: 4! 5:")
	kept, err := a.Sync(nil, SyncOptions{KeepExpunged: true})
	must(t, err)
	expect(t, "kept back", tell(kept), "")
	seq, exact := a.Seq(4)
	expect(t, "number of a ghost", fmt.Sprint(seq, exact), "4 true")
	expect(t, "UIDs", a.UIDs(nil, 2, 4), []uint32{2, 3, 4})
	expect(t, "a", told(t, a), "-2(2) -3(4)")
	expect(t, "a afterwards", show(a), "1: 3: 5:")
	expect(t, "vanished", f.Vanished(nil, f.Status().HighestModSeq-1), []UIDRange{{2, 2}, {4, 4}})
}

func TestEverythingIsThereAfterReopening(t *testing.T) {
	for _, index := range []string{"in step", "lost"} {
		t.Run(index, func(t *testing.T) {
			_, m := disk(t)
			f := mustFolder(t, m, Inbox)
			v := mustView(t, f, ViewOptions{})
			for i := range 6 {
				appendText(t, f, "Subject: x\n\nsome\ntext\n", Seen, "Work", fmt.Sprint("k", i%3))
			}
			_, err := v.SetFlags([]uint32{1, 3}, FlagChange{How: Replace, Flags: Flagged})
			must(t, err)
			_, err = f.Expunge([]uint32{6}, ExpungeOptions{Any: true})
			must(t, err)
			told(t, v)
			before := show(v)
			status := f.Status()
			v.Close()
			f.Close()
			if index == "lost" {
				must(t, os.Remove(filepath.Join(m.Path(), "barid-index")))
			}
			closed, err := m.FolderStatus(Inbox)
			must(t, err)
			if index == "lost" {
				closed.HighestModSeq = status.HighestModSeq
			}
			closed.Recent, status.Recent = 0, 0
			expect(t, "status", closed, status)
			f = mustFolder(t, m, Inbox)
			defer f.Close()
			v = mustView(t, f, ViewOptions{})
			expect(t, "messages", show(v), before)
			expect(t, "next", appendText(t, f, "x\n", 0), 7)
			message, _ := v.ByUID(2)
			expect(t, "date", message.Date, 1_600_000_000)
		})
	}
}

func TestOtherProgramsAreSeen(t *testing.T) {
	_, m := disk(t)
	put(t, m, "cur/1700000001.a.h:2,S", "a\n")
	put(t, m, "cur/1700000002.b.h:2,", "b\n")
	put(t, m, "cur/1700000003.c.h:2,XFz", "c\n")
	f := mustFolder(t, m, Inbox)
	defer f.Close()
	notes := make(chan struct{}, 100)
	v := mustView(t, f, ViewOptions{Notify: func() { notes <- struct{}{} }})
	defer v.Close()
	expect(t, "before", show(v), "1:S 2: 3:F")
	await := func(want string) {
		t.Helper()
		got := told(t, v)
		for len(got) < len(want) {
			<-notes
			got = strings.TrimSpace(got + " " + told(t, v))
		}
		expect(t, "told", got, want)
	}
	at := func(name string) string { return filepath.Join(m.Path(), name) }
	put(t, m, "new/1700000004.d.h", "d\n")
	await("=4")
	must(t, os.Rename(at("cur/1700000002.b.h:2,"), at("cur/1700000002.b.h:2,R")))
	await("~2(2)")
	must(t, os.Remove(at("cur/1700000001.a.h:2,S")))
	await("-1(1)")
	_, err := v.SetFlags([]uint32{3}, FlagChange{How: Add, Flags: Seen})
	must(t, err)
	expect(t, "after", show(v), "2:R 3:FS 4:")
	if _, err := os.Stat(at("cur/1700000003.c.h:2,FSXz")); err != nil {
		t.Error("letters that mean nothing to us are lost:", err)
	}
	if _, err := os.Stat(at("cur/1700000004.d.h:2,")); err != nil {
		t.Error("what a session has seen is not in cur/:", err)
	}
}

func TestCopyAndMoveKeepEverything(t *testing.T) {
	_, m := disk(t)
	must(t, m.CreateFolder("Archive.2024"))
	f, to := mustFolder(t, m, Inbox), mustFolder(t, m, "Archive.2024")
	defer f.Close()
	defer to.Close()
	v, w := mustView(t, f, ViewOptions{}), mustView(t, to, ViewOptions{})
	for i := range 4 {
		appendText(t, f, fmt.Sprintf("Subject: %d\n\n", i), Flagged, "Work")
	}
	appendText(t, to, "there already\n", 0, "Other")
	told(t, v)
	told(t, w)
	from, got, err := f.Copy([]uint32{1, 3, 7}, to, CopyOptions{})
	must(t, err)
	expect(t, "copied", fmt.Sprint(from, got), "[1 3] [2 3]")
	from, got, err = f.Copy([]uint32{2, 4}, to, CopyOptions{Move: true})
	must(t, err)
	expect(t, "moved", fmt.Sprint(from, got), "[2 4] [4 5]")
	expect(t, "told here", told(t, v), "-2(2) -3(4)")
	expect(t, "told there", told(t, w), "=5")
	expect(t, "there", show(w), "1:+Other 2:F+Work 3:F+Work 4:F+Work 5:F+Work")
	original, _ := v.ByUID(1)
	double, _ := w.ByUID(2)
	expect(t, "email id", double.EmailID, original.EmailID)
	expect(t, "date", double.Date, original.Date)
	file, err := to.OpenMessage(5)
	must(t, err)
	defer file.Close()
	text, err := io.ReadAll(file)
	must(t, err)
	expect(t, "text", string(text), "Subject: 3\n\n")
	ids := []uint64{}
	for _, x := range w.Messages(make([]StoredMessage, 0, 9), 1) {
		ids = append(ids, x.EmailID)
	}
	w.Close()
	to.Close()
	must(t, os.Remove(filepath.Join(m.Path(), ".Archive.2024/barid-index")))
	to = mustFolder(t, m, "Archive.2024")
	w = mustView(t, to, ViewOptions{})
	for i, x := range w.Messages(make([]StoredMessage, 0, 9), 1) {
		expect(t, "email id from dovecot-uidlist", x.EmailID, ids[i])
	}
	if !slices.Contains(must2(m.Folders())(t), "Archive.2024") {
		t.Error("the folder is not listed")
	}
}

func must2[T any](x T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		must(t, err)
		return x
	}
}

func TestFolderClosedAfterAChangeIsInStepUntilTheNext(t *testing.T) {
	_, m := disk(t)
	f := mustFolder(t, m, Inbox)
	appendText(t, f, "x\n", Seen)
	f.Close()
	inStep := func() bool {
		_, ok := m.leftStatus(m.Path())
		return ok
	}
	expect(t, "in step", inStep(), true)
	put(t, m, "new/1700000001.a.h", "x\n")
	expect(t, "in step after a delivery", inStep(), false)
	st, err := m.FolderStatus(Inbox)
	must(t, err)
	expect(t, "messages", st.Messages, 2)
	expect(t, "in step again", inStep(), true)
	must(t, os.Remove(filepath.Join(m.Path(), "new/1700000001.a.h")))
	expect(t, "in step after a removal", inStep(), false)
}

func TestUIDsThatDovecotGaveMeanwhileAreTakenOver(t *testing.T) {
	_, m := disk(t)
	must(t, m.CreateFolder("Other"))
	f, other := mustFolder(t, m, Inbox), mustFolder(t, m, "Other")
	defer f.Close()
	defer other.Close()
	v := mustView(t, f, ViewOptions{})
	appendText(t, f, "one\n", 0)
	appendText(t, other, "moved\n", 0)
	uidlist := filepath.Join(m.Path(), "dovecot-uidlist")
	dovecot := func(uid int, name string) {
		t.Helper()
		put(t, m, "cur/"+name+":2,F", "by Dovecot\n")
		text, err := os.ReadFile(uidlist)
		must(t, err)
		must(t, os.WriteFile(uidlist, fmt.Appendf(text, "%d :%s\n", uid, name), 0o600))
	}
	dovecot(2, "1700000001.M1P1.vm")
	expect(t, "appended", appendText(t, f, "three\n", 0), 3)
	dovecot(4, "1600000001.M1P2.vm")
	_, got, err := other.Copy([]uint32{1}, f, CopyOptions{Move: true})
	must(t, err)
	expect(t, "moved", got, []uint32{5})
	told(t, v)
	expect(t, "messages", show(v), "1: 2:F 3: 4:F 5:")
	text, err := os.ReadFile(uidlist)
	must(t, err)
	expect(t, "lines", strings.Count(string(text), "\n"), 6)
}
