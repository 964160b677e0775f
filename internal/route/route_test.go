package route

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"barid/internal/watch"
)

// site is a router with its maps in a directory.
type site struct {
	t        *testing.T
	options  Options
	accounts []string
	now      time.Time
	log      bytes.Buffer
	*Router
}

// newSite makes a router for example.test and example.org.
func newSite(t *testing.T, aliases, virtual string, accounts ...string) *site {
	t.Helper()
	s := prepare(t, aliases, virtual, accounts...)
	var err error
	if s.Router, err = New(s.options); err != nil {
		t.Fatal(err)
	}
	return s
}

func prepare(t *testing.T, aliases, virtual string, accounts ...string) *site {
	t.Helper()
	dir := t.TempDir()
	s := &site{t: t, accounts: accounts, now: time.Now()}
	s.options = Options{
		Domains: []string{"example.test", "Example.ORG", "münchen.example"}, Hostname: "mail.example.test", Separators: "+",
		AliasFile: filepath.Join(dir, "aliases"), VirtualFile: filepath.Join(dir, "virtual"),
		Account: func(name []byte) (string, bool) { return string(name), slices.Contains(s.accounts, string(name)) },
		Now:     func() time.Time { return s.now },
	}
	s.options.Log = slog.New(slog.NewTextHandler(&s.log, nil))
	s.write(s.options.AliasFile, aliases)
	s.write(s.options.VirtualFile, virtual)
	return s
}

func (s *site) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// file writes a file beside the maps.
func (s *site) file(name, text string) string {
	name = filepath.Join(filepath.Dir(s.options.AliasFile), name)
	s.write(name, text)
	return name
}

// show resolves an address and writes the outcome in one line.
func (s *site) show(address string) string {
	var t Targets
	v := s.Resolve([]byte(address), Sender{}, &t)
	return outcome(v, &t)
}

func outcome(v Verdict, t *Targets) string {
	if v.Kind != Accept {
		return fmt.Sprintf("%d %s", v.Code, v.Status)
	}
	var all []string
	for _, target := range t.List {
		one := string(target.Account)
		if one == "" {
			one = string(target.Dest)
		}
		if !bytes.Equal(target.Address, target.Account) {
			one += " as " + string(target.Address)
		}
		if len(target.Detail) > 0 {
			one += " (" + string(target.Detail) + ")"
		}
		all = append(all, one)
	}
	return strings.Join(all, ", ")
}

func (s *site) want(pairs ...string) {
	s.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if got := s.show(pairs[i]); got != pairs[i+1] {
			s.t.Errorf("%s: %s; want %s", pairs[i], got, pairs[i+1])
		}
	}
}

func TestMailboxesAreFoundByEverySpelling(t *testing.T) {
	newSite(t, "", "", "alice@example.test", "bob", `a b@example.test`, `"a b"@example.test`, "x+y@example.test", "ü@xn--mnchen-3ya.example").want(
		"alice@example.test", "alice@example.test",
		"ALICE@EXAMPLE.TEST.", "alice@example.test",
		`"alice"@example.test`, "alice@example.test",
		"alice+Tag@example.test", "alice@example.test as alice+Tag@example.test (Tag)",
		"alice+@example.test", "alice@example.test as alice+@example.test",
		"x+y@example.test", "x+y@example.test",
		"X+y+z@example.test", "550 5.1.1",
		`"a b"@example.test`, `"a b"@example.test`,
		"bob@example.org", "bob as bob@example.org",
		"Bob+t@example.org", "bob as bob+t@example.org (t)",
		"Ü@MÜNCHEN.example", "ü@xn--mnchen-3ya.example",
		"ü@xn--mnchen-3ya.example", "ü@xn--mnchen-3ya.example",
	)
}

func TestWhatIsNotOursIsRefused(t *testing.T) {
	newSite(t, "", "@example.org alice\n", "alice@example.test", "alice@other.test", "bob").want(
		"alice@other.test", "550 5.7.1",
		"bob@other.test", "550 5.7.1",
		"bob@sub.example.test", "550 5.7.1",
		"bob@[127.0.0.1]", "550 5.7.1",
		"bob@exa mple.test", "553 5.1.3",
		"bob@", "553 5.1.3",
		"bob%other.test@other.test", "550 5.7.1",
		"nobody@example.test", "550 5.1.1",
		"alice%other.test@example.test", "550 5.1.1",
		"a..b@example.test", "553 5.1.3",
		"@example.test", "553 5.1.3",
		"", "553 5.1.3",
	)
}

func TestThisHostsOtherNamesMeanThePrimaryDomain(t *testing.T) {
	newSite(t, "root: alice\n", "", "alice@example.test").want(
		"alice@mail.example.test", "alice@example.test",
		"root@localhost", "alice@example.test",
		"root", "alice@example.test",
	)
}

func TestVirtualMapIsLookedUpInTheOrderOfVirtual5(t *testing.T) {
	newSite(t, "two: other@example.test\n", `
one+tag@example.test a@example.test
one@example.test b@example.test
one+tag c@example.test
one d@example.test
two e@example.test
@example.org f@example.test
@münchen.example @example.test
`, "a@example.test", "b@example.test", "c@example.test", "d@example.test", "e@example.test", "f@example.test", "known@example.org", "other@example.test").want(
		"one+tag@example.test", "a@example.test",
		"One+x@example.test", "b@example.test as b+x@example.test (x)",
		"one@example.test", "b@example.test",
		"one+tag@example.org", "c@example.test",
		"one+x@example.org", "d@example.test as d+x@example.test (x)",
		"two@example.test", "e@example.test",
		"known@example.org", "known@example.org",
		"unknown+x@example.org", "f@example.test",
		"a+t@münchen.example", "a@example.test as a+t@example.test (t)",
		"nobody@münchen.example", "550 5.1.1",
	)
}

func TestAliasesAreReadAsAliases5(t *testing.T) {
	s := prepare(t, "", "", "alice@example.test", "bob@example.test", "carol@example.test", "bob@example.org", `"o dd"@example.test`)
	s.file("members", "# the members\nalice\n\nbob@example.test,\ncarol\r\n")
	s.write(s.options.AliasFile, `# a comment
list: alice, bob@example.test,
	# a comment within
	Carol Jones <carol@example.test>
"quo ted" : "o dd"@example.test
nested: list, members
members: :include:members
quotedinclude: ":include:`+filepath.Join(filepath.Dir(s.options.AliasFile), "members")+`"
owner-list: alice
local: bob
both: bob@example.test, bob@example.org, bob
UPPER: alice
`)
	var err error
	if s.Router, err = New(s.options); err != nil {
		t.Fatal(err)
	}
	s.want(
		"list@example.test", "alice@example.test, bob@example.test, carol@example.test",
		`"quo ted"@example.test`, `"o dd"@example.test`,
		"nested@example.test", "alice@example.test, bob@example.test, carol@example.test",
		"members@example.test", "alice@example.test, bob@example.test, carol@example.test",
		"quotedinclude@example.test", "alice@example.test, bob@example.test, carol@example.test",
		"owner-list@example.test", "alice@example.test",
		"local@example.test", "bob@example.test",
		"local@example.org", "bob@example.org",
		"local+tag@example.org", "bob@example.org",
		"list@example.org", "alice@example.test, bob@example.test, carol@example.test",
		"both@example.org", "bob@example.test, bob@example.org",
		"upper@example.test", "alice@example.test",
	)
}

func TestNamesThatStopTheExpansion(t *testing.T) {
	newSite(t, "alice: alice, bob\nbob: \\bob, carol\ncarol: \\alice@example.test\ndave: dave\n",
		"eve@example.test eve@example.test, alice\neve@example.org eve@example.test\n@example.org @example.org\n",
		"alice@example.test", "bob@example.test", "carol@example.test", "eve@example.test").want(
		"alice@example.test", "alice@example.test, bob@example.test",
		"bob@example.test", "bob@example.test, alice@example.test",
		"carol@example.test", "alice@example.test",
		"dave@example.test", "550 5.1.1",
		"eve@example.test", "eve@example.test, alice@example.test, bob@example.test",
		"eve+t@example.org", "eve@example.test as eve+t@example.test (t), alice@example.test, bob@example.test",
		"nobody@example.org", "550 5.1.1",
	)
}

func TestOneEntryServesEachAddressOfAListAnew(t *testing.T) {
	newSite(t, "all: info@example.test, info@example.org\ninfo: boss\nold: a@example.org, b@example.org\n", "@example.org @example.test\n",
		"boss@example.test", "boss@example.org", "a@example.test", "b@example.test").want(
		"all@example.test", "boss@example.test, boss@example.org",
		"old@example.test", "a@example.test, b@example.test",
	)
}

func TestFaultyEntriesRefuseTheWholeRecipient(t *testing.T) {
	s := newSite(t, `
program: alice, "|/usr/bin/vacation alice"
file: /var/mail/archive, alice
loop: loop1
loop1: alice, loop2
loop2: loop1
gone: nobody
half: nobody, alice
noinclude: :include:missing
`, "a@example.test b@example.test\nb@example.test a@example.test\n", "alice@example.test")
	s.want(
		"program@example.test", "550 5.3.5",
		"file@example.test", "550 5.3.5",
		"loop@example.test", "550 5.4.6",
		"a@example.test", "550 5.4.6",
		"gone@example.test", "550 5.1.1",
		"half@example.test", "alice@example.test",
		"noinclude@example.test", "450 4.2.4",
	)
	var to Targets
	for address, reason := range map[string]string{
		"loop@example.test":      "aliases:6: aliases lead back to themselves: loop1 -> loop2 -> loop1",
		"program@example.test":   "aliases:2: program: mail is not handed to programs or files: |/usr/bin/vacation alice",
		"gone@example.test":      "aliases:7: gone: there is no account, alias or virtual entry for nobody",
		"half@example.test":      "aliases:8: half: there is no account, alias or virtual entry for nobody",
		"noinclude@example.test": "no such file or directory",
	} {
		if v := s.Resolve([]byte(address), Sender{}, &to); !strings.HasSuffix(v.Reason, reason) {
			t.Errorf("%s: reason %q", address, v.Reason)
		}
		if v := s.Resolve([]byte(address), Sender{}, &to); v.Kind != Accept && len(to.List) > 0 {
			t.Errorf("%s: refused with %d targets", address, len(to.List))
		}
	}
	if n := strings.Count(s.log.String(), "level=WARN"); n != 3 { // half, three times
		t.Errorf("%d warnings in the log:\n%s", n, s.log.String())
	}
}

func TestPostmasterIsAlwaysThere(t *testing.T) {
	for _, c := range []struct{ aliases, postmaster, first, want string }{
		{"", "", "alice@example.test", "alice@example.test"},
		{"", "", "bob", "bob as bob@example.test"},
		{"", "bob", "alice@example.test", "bob as bob@example.test"},
		{"", "list", "", "alice@example.test"},
		{"", "postmaster", "", "bob as bob@example.test"}, // by the catch-all
		{"", "", "", "450 4.3.5"},
		{"postmaster: bob\n", "", "alice@example.test", "bob as bob@example.test"},
		{"postmaster: \\root\n", "", "alice@example.test", "alice@example.test"},
		{"postmaster: me@elsewhere.test\n", "alice@example.test", "", "smtp:elsewhere.test as me@elsewhere.test"},
		{"", "me@elsewhere.test", "alice@example.test", "smtp:elsewhere.test as me@elsewhere.test"},
		{"abuse: postmaster\nmailer-daemon: postmaster\npostmaster: root\nroot: alice\n", "", "bob", "alice@example.test"},
	} {
		s := prepare(t, "list: alice\n"+c.aliases, "@example.test bob\n", "alice@example.test", "bob")
		s.options.Postmaster = c.postmaster
		s.options.FirstAccount = func() string { return c.first }
		var err error
		if s.Router, err = New(s.options); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"postmaster", "Postmaster@example.test", "abuse@example.test", "MAILER-DAEMON@mail.example.test"} {
			if got := s.show(name); got != c.want {
				t.Errorf("%+v: %s: %s", c, name, got)
			}
		}
	}
}

func TestSubaddressesMayHaveSeveralSeparatorsOrNone(t *testing.T) {
	s := prepare(t, "", "", "alice@example.test")
	for separators, want := range map[string]string{"": "550 5.1.1", "+-": "alice@example.test as alice-a+b@example.test (a+b)"} {
		s.options.Separators = separators
		s.Router, _ = New(s.options)
		s.want("alice-a+b@example.test", want)
	}
}

func TestAccountOfAnotherDomainIsNotABareOne(t *testing.T) {
	s := newSite(t, "", "", "alice@example.test")
	s.Router.options.Account = func(name []byte) (string, bool) { // completes names, as logins want
		return "alice@example.test", string(name) == "alice" || string(name) == "alice@example.test"
	}
	s.want("alice@example.org", "550 5.1.1", "alice+x@example.org", "550 5.1.1", "alice", "alice@example.test")
}

func TestMaySendAs(t *testing.T) {
	s := newSite(t, "sales: alice\nteam: alice, bob\nbob: bob, alice\nhalf: alice, nobody\n", "boss@example.org alice+boss@example.test\ncarol@example.test alice\n@example.org dave\n",
		"alice@example.test", "bob@example.test", "carol@example.test", "dave")
	for _, c := range []struct {
		account, address string
		want             bool
	}{
		{"alice@example.test", "", true},
		{"alice@example.test", "ALICE@example.test", true},
		{"alice@example.test", "alice+tag@example.test", true},
		{"alice@example.test", "sales@example.org", true},
		{"alice@example.test", "boss@example.org", true},
		{"alice@example.test", "team@example.test", false},
		{"alice@example.test", "bob@example.test", false},
		{"alice@example.test", "half@example.test", true},
		{"bob@example.test", "bob@example.test", true}, // though alice gets copies
		{"carol@example.test", "carol@example.test", true},
		{"bob@example.test", "sales@example.test", false},
		{"alice@example.test", "alice@elsewhere.test", false},
		{"dave", "dave@elsewhere.test", false},
		{"dave", "dave@example.org", true},
		{"dave", "anything@example.org", true},
		{"alice@example.test", "nobody@example.test", false},
		{"alice@example.test", "..@example.test", false},
	} {
		if got := s.MaySendAs(c.account, []byte(c.address)); got != c.want {
			t.Errorf("%s as %q: %v", c.account, c.address, got)
		}
	}
}

func TestExpansionIsBounded(t *testing.T) {
	var deep, wide, bomb, dup strings.Builder
	for i := range depthMax + 10 {
		fmt.Fprintf(&deep, "deep%d: deep%d\n", i, i+1)
		fmt.Fprintf(&bomb, "bomb%d@example.test bomb%d+a@example.test, bomb%d+b@example.test\n", i, i+1, i+1)
	}
	wide.WriteString("wide: ")
	dup.WriteString("dup: ")
	accounts := map[string]bool{}
	for i := range targetsMax + 1 {
		name := fmt.Sprintf("user%d@example.test", i)
		accounts[name] = true
		fmt.Fprintf(&wide, "%s,\n ", name)
		fmt.Fprintf(&dup, "user%d@example.test, ", i%100)
	}
	s := newSite(t, deep.String()+wide.String()+"\n"+dup.String()+"\n", bomb.String())
	s.Router.options.Account = func(name []byte) (string, bool) { return string(name), accounts[string(name)] }
	s.want("deep0@example.test", "550 5.2.4", "wide@example.test", "550 5.2.4", "bomb0@example.test", "550 5.2.4")
	var to Targets
	if v := s.Resolve([]byte("dup@example.test"), Sender{}, &to); v.Kind != Accept || len(to.List) != 100 {
		t.Errorf("%+v, %d targets", v, len(to.List))
	}
}

func TestMapsFollowTheirFiles(t *testing.T) {
	s := newSite(t, "a: alice\n", "", "alice@example.test", "bob@example.test")
	s.want("a@example.test", "alice@example.test")
	s.change(s.options.AliasFile, "a: bob\n", 10*time.Second)
	s.want("a@example.test", "alice@example.test") // not looked at yet
	s.now = s.now.Add(20 * time.Second)
	s.want("a@example.test", "bob@example.test")

	s.change(s.options.AliasFile, "a: alice\n", 40*time.Second)
	s.now = s.now.Add(20*time.Second + settleTime/2)
	s.want("a@example.test", "bob@example.test") // perhaps still being written
	s.now = s.now.Add(watch.Interval)
	s.want("a@example.test", "alice@example.test")
}

// change writes a file as if it had happened some time after the start.
func (s *site) change(name, text string, after time.Duration) {
	s.t.Helper()
	s.write(name, text)
	info, err := os.Stat(s.options.VirtualFile) // written once, at the start
	if err == nil {
		when := info.ModTime().Add(after)
		err = os.Chtimes(name, when, when)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestBrokenMapKeepsTheOldOneAndIsLoggedOnce(t *testing.T) {
	s := newSite(t, "a: alice\n", "", "alice@example.test", "bob@example.test")
	s.change(s.options.AliasFile, "a: bob\nnonsense\n", 10*time.Second)
	for range 3 {
		s.now = s.now.Add(time.Minute)
		s.want("a@example.test", "alice@example.test")
	}
	if err := os.Remove(s.options.AliasFile); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s.now = s.now.Add(time.Minute)
		s.want("a@example.test", "alice@example.test")
	}
	log := s.log.String()
	if strings.Count(log, "\n") != 2 || !strings.Contains(log, "aliases:2: no colon") || !strings.Contains(log, "no such file") {
		t.Errorf("log:\n%s", log)
	}
	if err := s.Reload(); err == nil {
		t.Error("Reload of a missing map: no error")
	}
	s.write(s.options.AliasFile, "a: bob\n")
	if err := s.Reload(); err != nil {
		t.Error(err)
	}
	s.want("a@example.test", "bob@example.test")
}

func TestIncludedFilesFollowTheirFiles(t *testing.T) {
	s := prepare(t, "a: :include:list\n", "", "alice@example.test", "bob@example.test")
	list := s.file("list", "alice\n")
	s.Router, _ = New(s.options)
	s.want("a@example.test", "alice@example.test")
	s.change(list, "alice\nbob\n", 10*time.Second)
	s.now = s.now.Add(time.Minute)
	s.want("a@example.test", "alice@example.test, bob@example.test")
	s.change(list, "alice bob\n", 20*time.Second)
	s.now = s.now.Add(time.Minute)
	s.want("a@example.test", "alice@example.test, bob@example.test")
	if !strings.Contains(s.log.String(), "list:1: alice bob: white space within an address") {
		t.Errorf("log:\n%s", s.log.String())
	}
}

func TestIncludedFilesThatIncludeThemselvesAreALoop(t *testing.T) {
	s := prepare(t, "a: :include:one\n", "", "alice@example.test")
	s.file("one", "alice\n:include:two\n")
	s.file("two", ":include:one\n")
	s.Router, _ = New(s.options)
	s.want("a@example.test", "550 5.4.6")
}

func TestNewRefusesBrokenMapsWithFileAndLine(t *testing.T) {
	for text, want := range map[string]string{
		"ok: alice\nno colon here\n":     "aliases:2: no colon after the name: write name: target, target",
		"a: \n":                          "aliases:1: leads nowhere: nothing is listed",
		"a: alice bob\n":                 "aliases:1: alice bob: white space within an address: put a comma between two of them",
		"a: alice # friend\n":            "aliases:1: alice # friend: a # begins a comment only at the start of a line",
		"a@example.test: alice\n":        "aliases:1: a@example.test: an address at a domain, where only a name is possible; addresses belong in virtual.map",
		"a b: alice\n":                   "aliases:1: a b: white space within an address: put a comma between two of them",
		"\n\na: alice@-bad\n":            "aliases:3: alice@-bad: malformed domain",
		"a:\n  alice,\n  :blackhole:\n":  "aliases:1: :blackhole:: malformed local part",
		"a: " + strings.Repeat("x", 100): "longer than RFC 5321 allows",
		"x: alice\n" + "a: \x00" + "\n":  "aliases:2: \x00: malformed local part",
	} {
		_, err := New(prepare(t, text, "").options)
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for text, want := range map[string]string{
		"alone@example.test\n": "virtual:1: no target after the address: divide the two by white space",
		"a@-x alice\n":         "virtual:1: a@-x: malformed domain",
		"a@x alice bob\n":      "virtual:1: alice bob: white space within an address: put a comma between two of them",
	} {
		_, err := New(prepare(t, "", text).options)
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestNewRefusesBadOptions(t *testing.T) {
	for _, change := range []func(*Options){
		func(o *Options) { o.Domains = []string{"not a domain"} },
		func(o *Options) { o.Domains = []string{"[127.0.0.1]"} },
		func(o *Options) { o.Postmaster = "a b" },
		func(o *Options) { o.AliasFile = o.AliasFile + "x" },
		func(o *Options) { o.AliasFile = filepath.Dir(o.AliasFile) },
	} {
		s := prepare(t, "", "")
		change(&s.options)
		if _, err := New(s.options); err == nil {
			t.Errorf("no error for %+v", s.options)
		}
	}
}
