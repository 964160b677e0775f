package route

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckReportsEveryFaultWithFileAndLine(t *testing.T) {
	s := prepare(t, `foreign: alice, a@elsewhere.test, nobody@relayed.test
program: "|/bin/cat"
loop1: loop2
loop2: loop1
gone: nobody
good: alice
good: bob
uses: foreign
noinclude: :include:missing
badinclude: :include:bad
broken line
postmaster: root
`, `alice@other.test alice
x@mail.example.test alice
example.test anything
@example.org @example.test
@münchen.example @example.test, @elsewhere.test, nobody@example.test
bob@example.org @example.test
`, "alice@example.test")
	s.options.RelayDomains, s.options.RelayRecipientFile = []string{"relayed.test"}, s.file("recipients", "known@relayed.test\n")
	s.file("bad", "alice\n\na b\n")
	dir := filepath.Dir(s.options.AliasFile) + "/"
	want := `mail for postmaster goes to its mailbox only because the maps send it nowhere: aliases:12: postmaster: there is no account, alias or virtual entry for root
aliases:1: foreign: there is no account, alias or virtual entry for nobody@relayed.test
aliases:2: program: mail is not handed to programs or files: |/bin/cat
aliases:3: aliases lead back to themselves: loop2 -> loop1 -> loop2
aliases:4: aliases lead back to themselves: loop1 -> loop2 -> loop1
aliases:5: gone: there is no account, alias or virtual entry for nobody
aliases:7: good: is in line 6 already, which counts
aliases:9: noinclude: stat missing: no such file or directory
aliases:10: badinclude: bad:3: a b: white space within an address: put a comma between two of them
aliases:11: no colon after the name: write name: target, target
aliases:12: postmaster: there is no account, alias or virtual entry for root
virtual:1: alice@other.test: other.test is not in domains, so the entry is never used
virtual:2: x@mail.example.test: an address at mail.example.test is looked up without its domain, so the entry is never used
virtual:3: example.test: a domain needs no entry of its own; domains lists it already
virtual:5: @xn--mnchen-3ya.example: there is no account, alias or virtual entry for nobody@example.test
virtual:6: bob@example.org: there is no account, alias or virtual entry for @example.test`
	s.options.FirstAccount = func() string { return "alice@example.test" }
	var got []string
	for _, p := range Check(s.options) {
		got = append(got, strings.ReplaceAll(p.String(), dir, ""))
	}
	if g := strings.Join(got, "\n"); g != want {
		t.Errorf("got\n%s\nwant\n%s", g, want)
	}
}

func TestCheckOfGoodMapsIsSilent(t *testing.T) {
	s := prepare(t, "postmaster: root\nroot: alice\nalice: \\alice, bob\nlist: :include:members\n", "@example.org @example.test\nsales@example.org list@example.test\n",
		"alice@example.test", "bob@example.test")
	s.file("members", "alice\nbob@example.org\n")
	for _, p := range Check(s.options) {
		t.Errorf("%s", p)
	}
}

func TestCheckSaysWhatIsMissing(t *testing.T) {
	s := prepare(t, "", "")
	s.options.AliasFile += "x"
	problems := Check(s.options)
	if len(problems) != 2 || problems[0].Text != "postmaster has no mailbox: set postmaster, add an alias for it, or add an account" ||
		problems[1].String() != s.options.AliasFile+": no such file or directory" || problems[1].Warning {
		t.Errorf("%q", problems)
	}
	s.options.Domains = []string{"a b"}
	if problems := Check(s.options); len(problems) != 1 || problems[0].Warning {
		t.Errorf("%q", problems)
	}
}
