package auth

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"barid/internal/vfs"
	"barid/internal/vfs/crash"
)

const (
	before = "# users of the house\r\n" +
		"alice@example.test:{PLAIN}secret:1:2:Alice:/home/a:/bin/sh:userdb_x=1  allow_nets=10.0.0.0/8 odd\r\n" +
		"\n" +
		"bob:!::::::scram_sha_256=" + scramSecret + " userdb_quota_rule=*:storage=1G\n" +
		":disabled:x\n" +
		"old:x:1:2::/home/old:::/var/mail/old\n" +
		"carol:{PLAIN}secret"
	scramMark = " scram_sha_256=16384,"
)

// users writes the text to a file of its own and returns the name.
func usersFile(t *testing.T, text string) string {
	t.Helper()
	file := t.TempDir() + "/users"
	if err := os.WriteFile(file, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
	return file
}

func content(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEditsLeaveEverythingElseAsItIs(t *testing.T) {
	for _, test := range []struct {
		name string
		edit func(file string) error
		old  string // the part of before that changes,
		head string // into something that begins so
		tail string // and ends so
	}{
		{"password of a plain account", func(file string) error {
			return SetPassword(vfs.Disk{}, file, "alice@EXAMPLE.test", []byte("new"), HashOptions{})
		}, "{PLAIN}secret:1:2:Alice:/home/a:/bin/sh:userdb_x=1  allow_nets=10.0.0.0/8 odd",
			"{ARGON2ID}$argon2id$", ":1:2:Alice:/home/a:/bin/sh:userdb_x=1  allow_nets=10.0.0.0/8 odd" + scramMark},
		{"password of a SCRAM account", func(file string) error {
			return SetPassword(vfs.Disk{}, file, "bob", []byte("new"), HashOptions{})
		}, "!::::::scram_sha_256=" + scramSecret + " userdb_quota_rule=*:storage=1G",
			"{ARGON2ID}$argon2id$", "::::::userdb_quota_rule=*:storage=1G" + scramMark},
		{"password of an account without extra fields", func(file string) error {
			return SetPassword(vfs.Disk{}, file, "old", []byte("new"), HashOptions{SCRAM: true})
		}, "x:1:2::/home/old:::/var/mail/old",
			"{ARGON2ID}$argon2id$", ":1:2::/home/old::userdb_mail=/var/mail/old" + scramMark},
		{"last line", func(file string) error {
			return SetPassword(vfs.Disk{}, file, "carol", []byte("new"), HashOptions{})
		}, "carol:{PLAIN}secret", "carol:{ARGON2ID}$argon2id$", "::::::" + scramMark[1:]},
		{"deletion", func(file string) error { return DeleteUser(vfs.Disk{}, file, "bob") },
			"bob:!::::::scram_sha_256=" + scramSecret + " userdb_quota_rule=*:storage=1G\n", "", ""},
		{"deletion of a line with CRLF", func(file string) error { return DeleteUser(vfs.Disk{}, file, "alice@example.test") },
			"alice@example.test:{PLAIN}secret:1:2:Alice:/home/a:/bin/sh:userdb_x=1  allow_nets=10.0.0.0/8 odd\r\n", "", ""},
		{"addition", func(file string) error {
			return AddUser(vfs.Disk{}, file, NewUser{Name: "dave@example.test", Home: "/home/d", Extra: []string{"a=b", "c"}}, []byte("new"), HashOptions{})
		}, "carol:{PLAIN}secret", "carol:{PLAIN}secret\ndave@example.test:{ARGON2ID}$argon2id$", "::::/home/d::a=b c\n"},
	} {
		file := usersFile(t, before)
		if err := test.edit(file); err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		left, right, ok := strings.Cut(before, test.old)
		got := content(t, file)
		middle, okLeft := strings.CutPrefix(got, left)
		middle, okRight := strings.CutSuffix(middle, right)
		tail := middle[strings.LastIndex(middle, test.tail)+len(test.tail):]
		if !ok || !okLeft || !okRight || !strings.HasPrefix(middle, test.head) || !strings.Contains(middle, test.tail) || strings.ContainsAny(tail, ": ") {
			t.Errorf("%s:\n%s\nbecame\n%s", test.name, before, got)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%s: mode %v (%v)", test.name, info.Mode(), err)
		}
	}
}

func TestNewPasswordWorksEverywhereAndTheOldOneNowhere(t *testing.T) {
	s := open(t, "a:{SCRAM-SHA-256}"+scramSecret+"\nb:{PLAIN}secret\n")
	for _, user := range []string{"a", "b"} {
		s.want(right, user, "secret", "")
		if err := SetPassword(vfs.Disk{}, s.file, user, []byte("new"), HashOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := s.Reload(); err != nil {
			t.Fatal(err)
		}
		s.want(Refused, user, "secret", "")
		s.want(right, user, "new", "")
		if a, err := scramLogin(t, s, "SCRAM-SHA-256", "n,,", "", user, "new"); err != nil || a.Name != user {
			t.Errorf("%s: SCRAM with the new password: %v", user, err)
		}
		if _, err := scramLogin(t, s, "SCRAM-SHA-256", "n,,", "", user, "secret"); err == nil {
			t.Errorf("%s: SCRAM with the old password is accepted", user)
		}
	}
}

func TestFirstUserMakesThePrivateFile(t *testing.T) {
	file := t.TempDir() + "/users"
	if err := AddUser(vfs.Disk{}, file, NewUser{Name: "a"}, []byte("pw"), HashOptions{}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v (%v)", info.Mode(), err)
	}
	all, err := ListUsers(vfs.Disk{}, file)
	if err != nil || len(all) != 1 || all[0].Name != "a" || all[0].Scheme != "ARGON2ID" || all[0].SCRAM {
		t.Errorf("%+v %v", all, err)
	}
}

func TestEditsThatAreRefusedChangeNothing(t *testing.T) {
	for _, test := range []struct {
		text string
		edit func(file string) error
		want string
	}{
		{before, func(f string) error { return DeleteUser(vfs.Disk{}, f, "nobody") }, "nobody: no such user"},
		{before, func(f string) error { return DeleteUser(vfs.Disk{}, f, "Carol") }, "Carol: no such user"},
		{before, func(f string) error {
			return SetPassword(vfs.Disk{}, f, "bo", []byte("x"), HashOptions{})
		}, "bo: no such user"},
		{before, func(f string) error { return SetPassword(vfs.Disk{}, f, "bob", nil, HashOptions{}) }, "unusable password: empty"},
		{before, func(f string) error { return add(f, NewUser{Name: "bob"}) }, "bob: user exists already"},
		{before, func(f string) error { return add(f, NewUser{Name: "a:b"}) }, "user name contains ':'"},
		{before, func(f string) error { return add(f, NewUser{Name: "a\nb"}) }, `user name contains '\n'`},
		{before, func(f string) error { return add(f, NewUser{Name: "d", Home: "/a:b"}) }, `"/a:b" does not fit into a passwd-file`},
		{before, func(f string) error { return add(f, NewUser{Name: "d", Extra: []string{"a b"}}) }, `"a b" does not fit into a passwd-file`},
		{before, func(f string) error { return add(f, NewUser{Name: "d", Extra: []string{"allow_nets=x"}}) },
			"not changed, it would become FILE:8: allow_nets: want addresses, networks or local, not \"x\""},
		{"broken", func(f string) error { return add(f, NewUser{Name: "d"}) }, "FILE:1: no ':' after the user name"},
	} {
		file := usersFile(t, test.text)
		err := test.edit(file)
		if err == nil || strings.ReplaceAll(err.Error(), file, "FILE") != test.want {
			t.Errorf("%v, want %s", err, test.want)
		}
		if got := content(t, file); got != test.text {
			t.Errorf("%v, and the file became\n%s", err, got)
		}
	}
}

func add(file string, user NewUser) error {
	return AddUser(vfs.Disk{}, file, user, []byte("password"), HashOptions{})
}

func TestListShowsWhatTheFileHas(t *testing.T) {
	all, err := ListUsers(vfs.Disk{}, usersFile(t, before+"\ndave:{SSHA}xyz::::::nologin\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, l := range all {
		fmt.Fprintf(&got, "%d %s %q scram=%v nets=%q nologin=%v quota=%d mail=%s\n", l.Line, l.Name, l.Scheme, l.SCRAM, l.AllowNets, l.NoLogin, l.QuotaBytes, l.Mail)
	}
	want := `2 alice@example.test "PLAIN" scram=true nets="10.0.0.0/8" nologin=false quota=0 mail=
4 bob "" scram=true nets="" nologin=false quota=1073741824 mail=
6 old "" scram=false nets="" nologin=false quota=0 mail=/var/mail/old
7 carol "PLAIN" scram=true nets="" nologin=false quota=0 mail=
8 dave "" scram=false nets="" nologin=true quota=0 mail=
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
	problems, err := Check(Options{FS: vfs.Disk{}, File: usersFile(t, "a:{SSHA}xyz\n")})
	if err != nil || len(problems) != 1 {
		t.Errorf("%v %v", problems, err)
	}
}

func TestTwoEditsAtOnceAreBothKept(t *testing.T) {
	file := usersFile(t, before)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			if err := add(file, NewUser{Name: fmt.Sprint("new", i)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	all, err := ListUsers(vfs.Disk{}, file)
	if err != nil || len(all) != 4+4 {
		t.Errorf("%d users (%v)", len(all), err)
	}
}

// diskWith returns a file system in memory that durably holds before.
func diskWith(t *testing.T, seed uint64) *crash.FS {
	t.Helper()
	fsys := crash.New(seed)
	if err := errors.Join(fsys.MkdirAll("/etc", 0o755), vfs.WriteAtomic(fsys, "/etc/users", []byte(before), 0o600)); err != nil {
		t.Fatal(err)
	}
	return fsys
}

func usersOn(fsys vfs.FS) string {
	text, _ := vfs.ReadFile(fsys, "/etc/users", 1<<20)
	return string(text)
}

func TestPowerCutDuringAnEditLeavesTheOldOrTheNewFile(t *testing.T) {
	for n := 0; ; n++ {
		fsys := diskWith(t, uint64(n))
		fsys.CutAfter(fsys.Changes() + n)
		err := DeleteUser(fsys, "/etc/users", "bob")
		got := usersOn(fsys.Crash())
		deleted := !strings.Contains(got, "bob:")
		if got != before && !(deleted && strings.HasSuffix(got, "carol:{PLAIN}secret")) {
			t.Fatalf("cut after %d operations: %q", n, got)
		}
		if err == nil && !deleted {
			t.Fatalf("cut after %d operations: reported done and lost", n)
		}
		if err == nil {
			return
		}
		if n > 100 {
			t.Fatal("never done")
		}
	}
}

func TestFailureAnywhereInAnEditIsReported(t *testing.T) {
	for n := 1; ; n++ {
		fsys := diskWith(t, 1)
		fsys.SetFault(crash.Nth(n, 1, syscall.EIO))
		err := DeleteUser(fsys, "/etc/users", "bob")
		fsys.SetFault(nil)
		if got := usersOn(fsys); got != before && strings.Contains(got, "bob:") {
			t.Fatalf("failure %d: %q", n, got)
		}
		if err == nil {
			if strings.Contains(usersOn(fsys), "bob:") {
				t.Fatalf("failure %d: reported done and is not", n)
			}
			return
		}
		if n > 100 {
			t.Fatal("never done")
		}
	}
}

// ownedDisk says that files belong to a stranger and records who gets them.
type ownedDisk struct {
	vfs.Disk
	gave []string
}

func (d *ownedDisk) Stat(name string) (fs.FileInfo, error) {
	info, err := d.Disk.Stat(name)
	if err != nil || len(d.gave) > 0 {
		return info, err
	}
	sys := *info.Sys().(*syscall.Stat_t)
	sys.Uid += uint32(d.excess(name))
	return stranger{info, &sys}, nil
}

// excess is 7 for the file as it was and 0 for the new one, which differs.
func (d *ownedDisk) excess(name string) int {
	if text, _ := os.ReadFile(name); string(text) == before {
		return 7
	}
	return 0
}

func (d *ownedDisk) SetOwner(name string, uid, gid int) error {
	d.gave = append(d.gave, fmt.Sprint(uid-os.Getuid(), gid-os.Getgid()))
	return nil
}

func TestEditedFileStaysWithItsOwner(t *testing.T) {
	disk := new(ownedDisk)
	if err := DeleteUser(disk, usersFile(t, before), "bob"); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(disk.gave); got != "[7 0]" {
		t.Errorf("given to %s", got)
	}
}

// stranger is a file of another owner.
type stranger struct {
	fs.FileInfo
	sys *syscall.Stat_t
}

func (s stranger) Sys() any { return s.sys }
