package maildir

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"barid/internal/vfs/crash"
)

// Whatever stands in the files beside the messages, a folder opens, shows every
// message once, and gives no UID twice.
func FuzzDamagedFilesLoseNoMessage(f *testing.F) {
	list := []byte("3 V1795407163 N5 G18213e1a39bd036b8256000083ecc375\n1 :1700000001.a.h\n2 W82 :1700000002.b.h\n")
	f.Add(list, []byte("0 Junk\n"), 0, byte(0))
	f.Add([]byte("1 1795407163 9\n3 1700000001.a.h:2,S\n"), []byte("99 x\n"), 20, byte(7))
	f.Add(list[:70], []byte{}, 520, byte(0xff))
	f.Add([]byte("3 V5 N4294967295\n4294967295 :1700000001.a.h\n"), []byte("0\n"), 600, byte(1))
	f.Fuzz(func(t *testing.T, uids, keywords []byte, at int, xor byte) {
		fsys := crash.New(1)
		m := New(Options{FS: fsys, Host: "h", Now: steppingClock()}).Mailbox("/m", Quota{})
		must(t, m.Create(Inbox))
		write := func(name string, text []byte) {
			fsys.Remove(name)
			file, err := fsys.Create(name, 0o600)
			must(t, err)
			if _, err := file.Write(text); err != nil && len(text) > 0 {
				t.Fatal(err)
			}
		}
		for i, name := range []string{"a", "b", "c"} {
			write(fmt.Sprintf("/m/cur/170000000%d.%s.h:2,Sa", i+1, name), []byte(name))
		}
		write("/m/dovecot-uidlist", uids)
		write("/m/dovecot-keywords", keywords)
		before := openedTexts(t, m)
		if len(before) != 3 {
			t.Fatalf("%v", before)
		}
		damage(t, fsys, "/m/barid-index", at, xor)
		if after := openedTexts(t, m); !maps.Equal(before, after) {
			t.Fatalf("%v, with a damaged index %v", before, after)
		}
	})
}

// openedTexts opens INBOX and reads all messages.
func openedTexts(t *testing.T, m Mailbox) map[uint32]string {
	t.Helper()
	f := mustFolder(t, m, Inbox)
	defer f.Close()
	texts := map[uint32]string{}
	for uid, flags := range flagsIn(f) {
		text, err := textOf(f, uid)
		must(t, err)
		if texts[uid] = text; flags&Seen == 0 {
			t.Fatalf("UID %d has lost its flag", uid)
		}
	}
	return texts
}

func damage(t *testing.T, fsys *crash.FS, name string, at int, xor byte) {
	t.Helper()
	file, err := fsys.OpenWrite(name)
	must(t, err)
	defer file.Close()
	size, _ := file.Size()
	if at < 0 || int64(at) >= size {
		return
	}
	var octet [1]byte
	file.ReadAt(octet[:], int64(at))
	octet[0] ^= xor
	if _, err := file.WriteAt(octet[:], int64(at)); err != nil {
		t.Fatal(err)
	}
}

func FuzzUIDLineIsReadAsItIsWritten(f *testing.F) {
	f.Add([]byte("1 :1795407161.M469211P22149.vm,S=77,W=82"))
	f.Add([]byte("2 W82 P000001 GM0123456789abcdef :a b:2,S"))
	f.Add([]byte("4294967295 :x"))
	f.Fuzz(func(t *testing.T, line []byte) {
		if bytes.IndexByte(line, '\n') >= 0 {
			return
		}
		l, ok := parseUIDLine(line, 3)
		if !ok {
			return
		}
		again, ok := parseUIDLine(bytes.TrimSuffix(l.append(nil), newline), 3)
		if !ok || again.uid != l.uid || !bytes.Equal(again.fields, l.fields) || !bytes.Equal(again.base, l.base) {
			t.Fatalf("%q: %+v, %+v", line, l, again)
		}
	})
}

func FuzzNameIsPutTogetherAsItWas(f *testing.F) {
	f.Add([]byte("1763855555.M012345Q00c5wq3k7m9rx.mx.example.org,S=4321,W=4400:2,FS"), true)
	f.Add([]byte("1700000003.c.h:2,XFz"), true)
	f.Add([]byte("x,S=5,S=6,W=5:1,foo"), true)
	f.Add([]byte("a.b.c,W=10,S=3"), false)
	f.Fuzz(func(t *testing.T, name []byte, cur bool) {
		if len(name) == 0 || len(name) > 255 || bytes.ContainsAny(name, "/\x00") || baseLen(name) == 0 {
			return
		}
		var r roster
		m := record{uid: 1}
		r.setName(&m, name, cur)
		r.take(m)
		if got := r.appendName(nil, r.find(1)); !bytes.Equal(got, name) {
			t.Fatalf("%q became %q", name, got)
		}
		base := name[:baseLen(name)]
		if r.byKey(base[:keyLen(base)]) == nil {
			t.Fatalf("%q is not found by its key", name)
		}
		text := appendImage(nil, &r, 2, nil, nil)
		r.shown = 1
		text = appendImage(text[:0], &r, 2, nil, []string{"k"})
		im, ok := decodeImage(text)
		if !ok || !bytes.Equal(im.roster.appendName(nil, im.roster.find(1)), name) {
			t.Fatalf("%q is not as it was in the index: %v", name, ok)
		}
	})
}

func TestIndexThatIsCutAnywhereGivesTheSameFolder(t *testing.T) {
	_, m := disk(t)
	f := mustFolder(t, m, Inbox)
	var v *View
	for range 5 {
		appendText(t, f, "x\n", Seen, "Work")
	}
	f.Close() // an image
	f = mustFolder(t, m, Inbox)
	v = mustView(t, f, ViewOptions{})
	_, err := v.SetFlags([]uint32{2}, FlagChange{How: Add, Flags: Flagged})
	must(t, err)
	appendText(t, f, "y\n", Answered)
	_, err = f.Expunge([]uint32{1}, ExpungeOptions{Any: true})
	must(t, err)
	want := flagsIn(f)
	f.Close()
	name := filepath.Join(m.Path(), "barid-index")
	whole, err := os.ReadFile(name)
	must(t, err)
	for length := 0; length < len(whole); length += 7 {
		must(t, os.WriteFile(name, whole[:length], 0o600))
		f = mustFolder(t, m, Inbox)
		if got := flagsIn(f); !maps.Equal(got, want) {
			t.Fatalf("cut to %d: %v, want %v", length, got, want)
		}
		f.Close()
	}
}
