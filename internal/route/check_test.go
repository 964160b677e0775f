package route

import (
	"net/netip"
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

func TestCheckKnowsTheMapsOfMailForOthers(t *testing.T) {
	s := prepare(t, "", "info@relayed.test alice\n@relayed.test alice\n", "alice@example.test")
	s.options.FirstAccount = func() string { return "alice@example.test" }
	s.options.Literal = func(a netip.Addr) bool { return a.IsLoopback() }
	s.options.RelayDomains = []string{"relayed.test"}
	s.options.Smarthost = "[mail.example.test]:25"
	s.options.TransportFile = s.file("transport", `mail.example.test smtp:[x.test]
example.org :[x.test]
elsewhere.test local:
.test local:
example.test smtp:
loop.test smtp:[MAIL.example.test]
loop2.test smtp:[127.0.0.1]
loop3.test :[::1]:25
filter.test smtp:[127.0.0.1]:10025
other.test smtp:mail.example.test:smtp
fine.test smtp:[x.test]
fine.test smtp:[y.test]
münchen.example lmtp:unix:/run/lmtp
* local:
broken
`)
	s.options.SenderFile = s.file("senders", "@a.test [localhost]\n@b.test [x.test]:587\n")
	s.options.RelayRecipientFile = s.file("recipients", "a@relayed.test\na@münchen.example\na@example.org\na@remote.test\n")
	dir := filepath.Dir(s.options.AliasFile) + "/"
	const circle = " is this host, and mail would go in a circle"
	want := "relay.host: smtp:[mail.example.test]:25" + circle + `
recipients:3: a@example.org: mail for example.org is not handed on from anybody, so the entry is never used
recipients:4: a@remote.test: mail for remote.test is not handed on from anybody, so the entry is never used
senders:1: @a.test: smtp:[localhost]` + circle + `
transport:1: mail.example.test: an address at a name of this host is looked up without its domain, so the entry is never used
transport:2: example.org: mail for it goes into mailboxes here, for which a next hop says nothing: write smtp: before it to hand it on
transport:3: elsewhere.test: it is none of domains, so local: does nothing
transport:5: example.test: the MX of a domain of ours is most likely this host, and mail goes in a circle: name the host that gets it, in brackets
transport:6: loop.test: smtp:[mail.example.test]` + circle + `
transport:7: loop2.test: smtp:[127.0.0.1]` + circle + `
transport:8: loop3.test: smtp:[::1]:25` + circle + `
transport:10: other.test: smtp:mail.example.test:25` + circle + `
transport:12: fine.test: is in line 11 already, which counts
transport:14: *: it is none of domains, so local: does nothing
transport:15: no way after the pattern: divide the two by white space
virtual:2: @relayed.test: relayed.test is not in domains, so the entry is never used`
	var got []string
	for _, p := range Check(s.options) {
		got = append(got, strings.ReplaceAll(p.String(), dir, ""))
		if p.Warning == (p.Line == 15) {
			t.Errorf("%s: warning is %v", p, p.Warning)
		}
	}
	if g := strings.Join(got, "\n"); g != want {
		t.Errorf("got\n%s\nwant\n%s", g, want)
	}
}
