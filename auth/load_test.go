package auth

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"barid/internal/vfs"
)

func TestBrokenFileIsRefusedWithLineAndReason(t *testing.T) {
	for text, want := range map[string]string{
		"a:x\nb":                           ":2: no ':' after the user name",
		"a:x\n\n# c\na:y":                  ":4: user a is there twice",
		"a@B.test:x\na@b.TEST:x":           ":2: user a@b.test is there twice",
		"a b:x":                            ":1: user name contains ' '",
		"a/b:x":                            ":1: user name contains '/'",
		"..:x":                             ":1: user name begins with '.'",
		"a\x00b:x":                         `:1: user name contains '\x00'`,
		strings.Repeat("a", 321) + ":x":    ":1: user name longer than 320 bytes",
		"a:{ARGON2ID}$argon2id$v=19$m=655": ":1: malformed password hash",
		"a:x::::::userdb_quota_rule=*:storage=lots":               ":1: userdb_quota_rule: want a size such as 500M or 1G, not \"lots\"",
		"a:x::::::userdb_mail=mbox:~/mail":                        ":1: want maildir:PATH, not \"mbox:~/mail\"",
		"a:x::::::userdb_mail=maildir:~/mail":                     ":1: \"maildir:~/mail\" needs a home directory",
		"a:x::::/home::userdb_mail=maildir:%z":                    ":1: unknown variable in \"maildir:%z\"",
		"a:x::::::allow_nets=10.0.0.0/8,10.300.0.0":               ":1: allow_nets: want addresses, networks or local, not \"10.300.0.0\"",
		"a:" + bcryptSecret + "::::::scram_sha_256=4096,a,b,c":    ":1: scram_sha_256: malformed password hash: want iterations,salt,stored key,server key",
		"a:{PLAIN}x\nb:" + strings.Replace(shaSecret, ".", "", 1): ":2: malformed password hash",
	} {
		file := t.TempDir() + "/users"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(Options{File: file, FS: vfs.Disk{}})
		var e *FileError
		if !errors.As(err, &e) || err.Error() != file+want {
			t.Errorf("%.40q: %v, want %s", text, err, want)
		}
	}
	if _, err := Open(Options{File: t.TempDir() + "/none", FS: vfs.Disk{}}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func TestAccountThatCannotLogInIsAProblemAndNoError(t *testing.T) {
	text := "a:{PLAIN}secret\n# comment\n:also a comment\nb:{SSHA}abcdef\nc:$1$salt$hash\nd:!\ne:\n" +
		"f:$argon2id$v=19$m=524288,t=1,p=1$TAWqiig8+kgIZVhnnBjHDQ$h7U3q5gr+yuFie/dXYPNawhfrDDF6r/ChW1WnyhUDj0\r\n"
	s := open(t, text)
	var got []string
	for _, p := range s.Problems() {
		got = append(got, fmt.Sprintf("%d %s %s", p.Line, p.User, p.Text))
	}
	want := "4 b unsupported password scheme {SSHA}|5 c unsupported password scheme $1$|8 f password hash asks for too much work: m=524288"
	if strings.Join(got, "|") != want {
		t.Errorf("got %q", got)
	}
	for _, user := range []string{"b", "c", "d", "e", "f"} {
		s.want(Refused, user, "secret", "")
		if _, ok := s.Lookup([]byte(user)); !ok {
			t.Errorf("%s receives no mail", user)
		}
	}
	if n := s.Stats().Accounts; n != 6 {
		t.Errorf("%d accounts", n)
	}
}

func TestChangedFileIsRereadAtMostOnceASecond(t *testing.T) {
	s := open(t, "a:{PLAIN}old\n")
	s.pass(time.Second)
	s.want(right, "a", "old", "")
	stats := s.fs.stats.Load()
	s.write("a:{PLAIN}new\n")
	for range 100 {
		s.want(right, "a", "old", "")
	}
	if n := s.fs.stats.Load() - stats; n != 0 {
		t.Errorf("looked %d times within a second", n)
	}
	s.pass(time.Second)
	s.want(right, "a", "new", "")
	s.want(Refused, "a", "old", "") // not from the cache either
	s.write("a:{PLAIN}newer\n")
	if err := s.Reload(); err != nil {
		t.Error(err)
	}
	s.want(right, "a", "newer", "")
}

func TestBrokenNewFileKeepsTheOldAccounts(t *testing.T) {
	s := open(t, "a:{PLAIN}secret\n")
	for _, broken := range []string{"a:{PLAIN}secret\nb", "a:$6$torn"} {
		s.write(broken)
		s.pass(2 * time.Second)
		s.want(right, "a", "secret", "")
		s.write(broken + " ") // another state, as broken
		if err := s.Reload(); err == nil {
			t.Errorf("%q: no error", broken)
		}
		s.want(right, "a", "secret", "")
	}
	if err := os.Remove(s.file); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("removed: %v", err)
	}
	s.want(right, "a", "secret", "")
	s.write("a:{PLAIN}good\n")
	s.pass(2 * time.Second)
	s.want(right, "a", "good", "")
}

func TestFileThatIsCutToBeWrittenLosesNoAccounts(t *testing.T) {
	s := open(t, "a:{PLAIN}secret\n")
	s.write("")
	for range 2 {
		if err := s.Reload(); err == nil {
			t.Error("an empty file is taken at once")
		}
	}
	s.want(right, "a", "secret", "")
	s.write("a:{PLAIN}new\n")
	if err := s.Reload(); err != nil {
		t.Error(err)
	}
	s.want(right, "a", "new", "")
	s.write("")
	for range 2 { // seen, and still so a second later
		s.pass(time.Second)
		s.login("a", "new", "")
	}
	s.want(Refused, "a", "new", "")
}

func TestLogSaysOnceWhatIsWrongAndWhere(t *testing.T) {
	var log bytes.Buffer
	s := open(t, "a:{PLAIN}secret\n", func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	s.write("a:{PLAIN}secret\nb\n")
	for range 5 {
		s.pass(2 * time.Second)
		s.want(right, "a", "secret", "")
	}
	if err := os.Remove(s.file); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		s.pass(2 * time.Second)
		s.want(right, "a", "secret", "")
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], s.file+":2: no ':' after the user name") || !strings.Contains(lines[1], "no such file") {
		t.Errorf("logged\n%s", log.String())
	}
}

func TestCacheSurvivesAChangeOfOtherLines(t *testing.T) {
	s := open(t, "a:"+bcryptSecret+"\nb:"+bcryptSecret+"\n")
	s.want(right, "a", "secret", "")
	s.want(right, "b", "secret", "")
	s.write("# new first line\na:" + bcryptSecret + "\nb:" + bcryptSecret + "::::::nologin\n")
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	before := s.Stats().Hashed
	s.want(right, "a", "secret", "")
	if n := s.Stats().Hashed - before; n != 0 {
		t.Errorf("an unchanged line cost %d hashes", n)
	}
	s.want(Refused, "b", "secret", "")
}

func TestLinkToAFileFollowsItsTarget(t *testing.T) {
	s := open(t, "a:{PLAIN}old\n")
	link := s.file + ".link"
	if err := os.Symlink(s.file, link); err != nil {
		t.Fatal(err)
	}
	a, err := Open(Options{File: link, FS: vfs.Disk{}})
	if err != nil {
		t.Fatal(err)
	}
	s.write("a:{PLAIN}changed\nb:{PLAIN}x\n")
	if err := a.Reload(); err != nil || a.Stats().Accounts != 2 {
		t.Errorf("%d accounts (%v)", a.Stats().Accounts, err)
	}
	if err := SetPassword(vfs.Disk{}, link, "b", []byte("y"), HashOptions{}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced by a file (%v)", err)
	}
}

func TestEveryAccountOfALargeFileIsFound(t *testing.T) {
	const n = 20000
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "user%d@Domain%d.test:{PLAIN}pw%d::::/home/%d::userdb_quota_rule=*:storage=%dM\n", i, i%7, i, i, i)
	}
	s := open(t, text.String())
	for i := range n {
		a, ok := s.Lookup(fmt.Appendf(nil, "user%d@domain%d.TEST", i, i%7))
		if want := fmt.Sprintf("/home/%d", i); !ok || a.Home != want || a.QuotaBytes != int64(i)<<20 {
			t.Fatalf("%d: %+v", i, a)
		}
	}
	if s.Stats().Accounts != n {
		t.Errorf("%d accounts", s.Stats().Accounts)
	}
}

func TestNameThatRunsOnIntoThePasswordIsNotFound(t *testing.T) {
	var text strings.Builder
	const lines = 23 // fill the table as far as it goes: a search passes many lines
	for i := range lines {
		fmt.Fprintf(&text, "u%d:{PLAIN}secret:\n", i)
	}
	o := Options{FS: vfs.Disk{}}
	o.setDefaults()
	for range 50 { // each time in another order
		u, err := parse(&o, "users", text.String())
		if err != nil {
			t.Fatal(err)
		}
		for i := range lines {
			for _, tail := range []string{":{PLAIN}secret", fmt.Sprintf(":{PLAIN}secret:\nu%d", i+1)} {
				if _, _, ok := u.find(fmt.Appendf(nil, "u%d%s", i, tail)); ok {
					t.Fatalf("u%d%q is found", i, tail)
				}
			}
		}
	}
}

func TestUnchangedFileIsReadOnce(t *testing.T) {
	s := open(t, "a:{PLAIN}secret\n")
	for range 10 {
		s.pass(2 * time.Second)
		s.want(right, "a", "secret", "")
	}
	if n := s.fs.opens.Load(); n != 1 {
		t.Errorf("read %d times", n)
	}
}

// Whatever the file holds: no panic, and every line that was accepted can be
// found by its name.
func FuzzFile(f *testing.F) {
	f.Add("a:{PLAIN}secret\n# x\nb@C.test:" + bcryptSecret + "::::/h::userdb_quota_rule=*:storage=1G nologin\n")
	f.Add("a:x:::::::/var/mail/a\r\n\r\nb:::::::userdb_mail=maildir:~/x allow_nets=1.2.3.4,::1/128")
	f.Add("a:x::::::userdb_quota_rule=*:bytes=12KiB:messages=5  k=v=w \n")
	f.Fuzz(func(t *testing.T, text string) {
		o := Options{FS: vfs.Disk{}, File: "users"}
		o.setDefaults()
		u, err := parse(&o, "users", text)
		if err != nil {
			return
		}
		found := 0
		for line := range strings.Lines(text) {
			line = strings.TrimRight(line, "\r\n")
			if isComment(line) {
				continue
			}
			e, _ := cutEntry(line)
			got, _, ok := u.find(appendFolded(nil, e.name))
			if !ok || strings.TrimRight(got, "\r") != line {
				t.Errorf("%q: found %q", line, got)
			}
			found++
		}
		if found != u.count {
			t.Errorf("%d accounts, counted %d", found, u.count)
		}
	})
}
