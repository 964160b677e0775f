package route

import (
	"net/netip"
	"strings"
	"testing"
)

// gateway makes a router that relays for relayed.test and for what lies within
// sub.test, and has a transport map.
func gateway(t *testing.T, transport string, change func(s *site)) *site {
	t.Helper()
	s := prepare(t, "", "", "alice@example.test", "bob@example.org")
	s.options.RelayDomains = []string{"Relayed.test", ".sub.test", "bücher.example"}
	s.options.TransportFile = s.file("transport", transport)
	if change != nil {
		change(s)
	}
	var err error
	if s.Router, err = New(s.options); err != nil {
		t.Fatal(err)
	}
	return s
}

// relayed is what becomes of an address for a client that may relay.
func (s *site) relayed(address, sender string) string {
	var t Targets
	return outcome(s.Resolve([]byte(address), Sender{Address: []byte(sender), MayRelay: true}, &t), &t)
}

func (s *site) wantRelayed(pairs ...string) {
	s.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if got := s.relayed(pairs[i], "me@example.test"); got != pairs[i+1] {
			s.t.Errorf("%s: %s; want %s", pairs[i], got, pairs[i+1])
		}
	}
}

func TestStrangersRelayNowhere(t *testing.T) {
	s := gateway(t, "* smtp:[gateway.test]\nopen.test smtp:[192.0.2.1]\n", func(s *site) {
		s.options.Smarthost = "[smart.test]:587"
		s.options.Literal = func(a netip.Addr) bool { return a == netip.MustParseAddr("192.0.2.25") }
	})
	for _, address := range []string{
		"user@remote.test", "USER@REMOTE.TEST", "user@remote.test.", "user%remote.test@remote.test", "user@open.test",
		"remote.test!user@remote.test", `"user@remote.test"@remote.test`, `"user@example.test"@remote.test`,
		"user@sub.test", "user@xsub.test", "user@notrelayed.test", "user@relayed.test.remote.test", "user@remote.relayed.test",
		"user@sub.example.test", "user@bücher.remote.test", "user@bucher.example",
		"user@[192.0.2.1]", "user@[127.0.0.1]", "user@[IPv6:::1]", "user@[IPv6:2001:db8::1]", "user@192.0.2.25",
		"user@[IPv6:::ffff:192.0.2.1]",
	} {
		if got := s.show(address); got != "550 5.7.1" {
			t.Errorf("%s: %s", address, got)
		}
	}
	s.want(
		"user%remote.test@example.test", "550 5.1.1",
		"remote.test!user@example.test", "550 5.1.1",
		`"user@remote.test"@example.test`, "550 5.1.1",
		`"user@remote.test"`, "550 5.1.1",
		"user%remote.test", "550 5.1.1",
		`"alice@example.test"@example.org`, "550 5.1.1",
		`" alice"@example.test`, "550 5.1.1",
		`"alice "@example.test`, "550 5.1.1",
		"user@", "553 5.1.3",
		"user@.", "553 5.1.3",
		"user@example.test..", "553 5.1.3",
		"user@ example.test", "553 5.1.3",
		"<@example.test:user@remote.test>", "553 5.1.3",
		"@example.test:user@remote.test", "553 5.1.3",
		"user@[example.test]", "553 5.1.3",
		"user@[]", "553 5.1.3",
		"", "553 5.1.3",
		"alice@example.test@remote.test", "553 5.1.3",
		"alice@[192.0.2.25]", "alice@example.test",
		"alice@[IPv6:::ffff:192.0.2.25]", "alice@example.test",
	)
}

func TestNextHostIsNotMadeARelayByStrangers(t *testing.T) {
	s := gateway(t, "example.org lmtp:unix:/run/lmtp\n", func(s *site) {
		s.write(s.options.VirtualFile, "@example.test @elsewhere.test\ninfo@münchen.example boss@elsewhere.test\n")
	})
	for _, address := range []string{
		"user%remote.test@relayed.test", "remote.test!user@relayed.test", `"user@remote.test"@relayed.test`,
		"user%remote.test@a.sub.test", "user%remote.test@example.org", `"user@remote.test"@example.org`,
		"user%remote.test@example.test", "info+%remote.test@münchen.example",
	} {
		if got := s.show(address); got != "550 5.7.1" {
			t.Errorf("%s: %s", address, got)
		}
	}
	s.wantRelayed("user%remote.test@relayed.test", "smtp:relayed.test as user%remote.test@relayed.test")
}

func TestWhoMayRelayReachesAnybody(t *testing.T) {
	gateway(t, "", nil).wantRelayed(
		"Bob.Smith@Remote.TEST", "smtp:remote.test as Bob.Smith@remote.test",
		"bob+Tag@remote.test.", "smtp:remote.test as bob+Tag@remote.test",
		`"bob"@remote.test`, "smtp:remote.test as bob@remote.test",
		`"b b"@remote.test`, `smtp:remote.test as "b b"@remote.test`,
		"bob@BÜCHER.test", "smtp:xn--bcher-kva.test as bob@xn--bcher-kva.test",
		"bob@xn--bcher-kva.test", "smtp:xn--bcher-kva.test as bob@xn--bcher-kva.test",
		"bücher@remote.test", "smtp:remote.test as bücher@remote.test",
		"bob%third.test@remote.test", "smtp:remote.test as bob%third.test@remote.test",
		"bob@[192.0.2.1]", "smtp:[192.0.2.1] as bob@[192.0.2.1]",
		"bob@[ipv6:2001:DB8::1]", "smtp:[2001:db8::1] as bob@[IPv6:2001:db8::1]",
		"postmaster@remote.test", "smtp:remote.test as postmaster@remote.test",
		"abuse@remote.test", "smtp:remote.test as abuse@remote.test",
		strings.Repeat("long-", 30)+"x@remote.test", "smtp:remote.test as "+strings.Repeat("long-", 30)+"x@remote.test",
		strings.Repeat("x", 300)+"@remote.test", "553 5.1.3",
		strings.Repeat("x", 80)+"@example.test", "550 5.1.1",
		"bob@remote..test", "553 5.1.3",
		"bob@192.0.2.1", "553 5.1.3",
		"bob@remote.1", "553 5.1.3",
		"bob@25", "553 5.1.3",
		"bob@1.test", "smtp:1.test as bob@1.test",
		"bob@", "553 5.1.3",
		"alice@example.test", "alice@example.test",
		"nobody@example.test", "550 5.1.1",
	)
}

func TestRelayDomainsAreForEverybody(t *testing.T) {
	gateway(t, "", nil).want(
		"Any.One@RELAYED.test", "smtp:relayed.test as Any.One@relayed.test",
		"any@a.sub.test", "smtp:a.sub.test as any@a.sub.test",
		"any@b.a.sub.test", "smtp:b.a.sub.test as any@b.a.sub.test",
		"any@sub.test", "550 5.7.1",
		"any@a.relayed.test", "550 5.7.1",
		"any@bücher.example", "smtp:xn--bcher-kva.example as any@xn--bcher-kva.example",
		"any@XN--bcher-kva.example", "smtp:xn--bcher-kva.example as any@xn--bcher-kva.example",
	)
}

func TestUnlistedRecipientsAreRefusedAtTheDoor(t *testing.T) {
	s := gateway(t, "named@relayed.test smtp:[192.0.2.7]\nexample.org smtp:[192.0.2.8]\n", func(s *site) {
		s.options.RelayRecipientFile = s.file("recipients", "# form of Postfix\nKnown@relayed.test OK\n@all.sub.test\n  OK\ncarol@example.org x\n")
		s.write(s.options.AliasFile, "list: alice, gone@relayed.test, known@relayed.test\nlost: gone@relayed.test\n")
	})
	s.want(
		"known@relayed.test", "smtp:relayed.test as known@relayed.test",
		"KNOWN+tag@relayed.test", "smtp:relayed.test as KNOWN+tag@relayed.test",
		"gone@relayed.test", "550 5.1.1",
		"any@all.sub.test", "smtp:all.sub.test as any@all.sub.test",
		"any@other.sub.test", "550 5.1.1",
		"postmaster@relayed.test", "smtp:relayed.test as postmaster@relayed.test",
		"abuse@relayed.test", "550 5.1.1",
		"named@relayed.test", "smtp:[192.0.2.7] as named@relayed.test",
		"list@example.test", "alice@example.test, smtp:relayed.test as known@relayed.test",
		"lost@example.test", "550 5.1.1",
		"carol@example.org", "smtp:[192.0.2.8] as carol@example.org",
		"bob@example.org", "bob@example.org", // not known there, but here
		"nobody@example.org", "550 5.1.1",
	)
	s.wantRelayed("gone@relayed.test", "550 5.1.1", "gone@remote.test", "smtp:remote.test as gone@remote.test")
}

func TestTransportMapIsReadAsTransport5(t *testing.T) {
	gateway(t, `# comment
mx.test        smtp:
host.test      smtp:[Mail.Host.test]
port.test      smtp:[mail.host.test]:2525
domain.test    smtp:Other.test
named.test     relay:[mail.host.test]:submission
four.test      smtp:[192.0.2.1]:25
six.test       smtp:[IPv6:2001:DB8::1]:26
unix.test      lmtp:unix:/run/dovecot//lmtp
inet.test      lmtp:inet:host.test:2003
lmtp.test      lmtp:[::1]:24
lmtp2.test     lmtp:host.test
hop.test       :[mail.host.test]
usual.test     :
discard.test   discard:we do not
error.test     error:5.1.6 it has moved
error2.test    error:it has moved
later.test     error:4.3.2 not today
retry.test     retry:
.within.test   smtp:[within]
deep.within.test  smtp:[deep]
user@usual.test   smtp:[for-user]
user+tag@usual.test
   smtp:[for-tag]
"b b"@usual.test  smtp:[for-quoted]
*              smtp:[everybody]
`, func(s *site) { s.options.Smarthost = "[smart]:587" }).wantRelayed(
		"a@mx.test", "smtp:mx.test as a@mx.test",
		"a@HOST.test", "smtp:[mail.host.test] as a@host.test",
		"a@port.test", "smtp:[mail.host.test]:2525 as a@port.test",
		"a@domain.test", "smtp:other.test as a@domain.test",
		"a@named.test", "smtp:[mail.host.test]:587 as a@named.test",
		"a@four.test", "smtp:[192.0.2.1]:25 as a@four.test",
		"a@six.test", "smtp:[2001:db8::1]:26 as a@six.test",
		"a@unix.test", "lmtp:unix:/run/dovecot/lmtp as a@unix.test",
		"a@inet.test", "lmtp:[host.test]:2003 as a@inet.test",
		"a@lmtp.test", "lmtp:[::1]:24 as a@lmtp.test",
		"a@lmtp2.test", "lmtp:[host.test]:24 as a@lmtp2.test",
		"a@hop.test", "smtp:[mail.host.test] as a@hop.test",
		"a@usual.test", "smtp:[smart]:587 as a@usual.test",
		"a@discard.test", "discard:we do not as a@discard.test",
		"a@error.test", "550 5.1.6",
		"a@error2.test", "550 5.1.2",
		"a@later.test", "450 4.3.2",
		"a@retry.test", "450 4.4.0",
		"a@a.b.within.test", "smtp:[within] as a@a.b.within.test",
		"a@deep.within.test", "smtp:[deep] as a@deep.within.test",
		"a@x.deep.within.test", "smtp:[within] as a@x.deep.within.test",
		"a@within.test", "smtp:[everybody] as a@within.test",
		"User@usual.test", "smtp:[for-user] as User@usual.test",
		"user+other@usual.test", "smtp:[for-user] as user+other@usual.test",
		"USER+TAG@usual.test", "smtp:[for-tag] as USER+TAG@usual.test",
		`"B b"@usual.test`, `smtp:[for-quoted] as "B b"@usual.test`,
		"alice@example.test", "alice@example.test", // "*" is about others
	)
}

func TestOwnDomainIsHandedOnWhenItsWayLeadsElsewhere(t *testing.T) {
	s := gateway(t, `example.test lmtp:unix:/run/lmtp
boss@example.org smtp:[boss.test]
gone@example.org error:5.1.6 she has left
münchen.example local:
`, func(s *site) {
		s.write(s.options.VirtualFile, "info@example.test alice@example.test, known@remote.test\n@example.test catch@example.org\n")
		s.write(s.options.AliasFile, "alice: bob\nsales: alice\n")
		s.accounts = append(s.accounts, "alice@xn--mnchen-3ya.example")
	})
	s.want(
		"Anybody+x@example.test", "lmtp:unix:/run/lmtp as Anybody+x@example.test",
		"alice@example.test", "lmtp:unix:/run/lmtp as alice@example.test",
		"sales@localhost", "lmtp:unix:/run/lmtp as sales@example.test",
		"info@example.test", "lmtp:unix:/run/lmtp as alice@example.test, smtp:remote.test as known@remote.test",
		"boss@example.org", "smtp:[boss.test] as boss@example.org",
		"gone@example.org", "550 5.1.6",
		"bob@example.org", "bob@example.org",
		"alice@example.org", "bob@example.org",
		"postmaster@example.test", "lmtp:unix:/run/lmtp as postmaster@example.test",
	)
	for address, want := range map[string]bool{"alice@example.test": true, "boss@example.org": false, "anybody@example.test": false} {
		if got := s.MaySendAs("alice@example.test", []byte(address)); got != want {
			t.Errorf("alice as %s: %v", address, got)
		}
	}
}

func TestAliasesForwardForEverybody(t *testing.T) {
	s := newSite(t, "away: Carol@Remote.test\nboth: alice, carol@remote.test, CAROL@remote.test, carol@REMOTE.test\nlist: :include:members\n",
		"info@example.test alice, away+x@remote.test\n@example.org @remote.test\n", "alice@example.test")
	s.write(s.options.AliasFile, strings.ReplaceAll("away: Carol@Remote.test\nboth: alice, carol@remote.test, CAROL@remote.test, carol@REMOTE.test\nlist: :include:members\n",
		"members", s.file("members", "x@remote.test\ny@[192.0.2.1]\n")))
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	s.want(
		"away@example.test", "smtp:remote.test as Carol@remote.test",
		"both@example.test", "alice@example.test, smtp:remote.test as carol@remote.test, smtp:remote.test as CAROL@remote.test",
		"list@example.test", "smtp:remote.test as x@remote.test, smtp:[192.0.2.1] as y@[192.0.2.1]",
		"info+t@example.test", "alice@example.test as alice+t@example.test (t), smtp:remote.test as away+x+t@remote.test",
		"Any.Body@example.org", "smtp:remote.test as Any.Body@remote.test",
	)
	if s.MaySendAs("alice@example.test", []byte("away@example.test")) {
		t.Error("alice may send as an alias that leads elsewhere")
	}
}

func TestSenderChoosesTheSmarthost(t *testing.T) {
	s := gateway(t, "direct.test smtp:\nusual.test :\n", func(s *site) {
		s.options.Smarthost = "[smart.test]"
		s.options.SenderFile = s.file("senders", "alice@example.test [smtp.alice.test]:587\n@example.org org.test:25\n<> [null.test]\n")
	})
	for sender, want := range map[string]string{
		"Alice@EXAMPLE.test": "smtp:[smtp.alice.test]:587",
		"any@example.org":    "smtp:org.test:25",
		"bob@example.test":   "smtp:[smart.test]",
		"":                   "smtp:[null.test]",
	} {
		for _, rcpt := range []string{"x@remote.test", "x@usual.test", "x@[192.0.2.1]", "x@relayed.test"} {
			if got := s.relayed(rcpt, sender); got != want+" as "+rcpt {
				t.Errorf("from %q to %s: %s", sender, rcpt, got)
			}
		}
		var to Targets
		if got := outcome(s.Resolve([]byte("x@relayed.test"), Sender{Address: []byte(sender)}, &to), &to); got != "smtp:[smart.test] as x@relayed.test" {
			t.Errorf("a stranger as %q: %s", sender, got)
		}
		if got := s.relayed("x@direct.test", sender); got != "smtp:direct.test as x@direct.test" {
			t.Errorf("from %q: %s", sender, got)
		}
	}
}

func TestRelayMapsThatAreWrongAreRefusedWithFileAndLine(t *testing.T) {
	for text, want := range map[string]string{
		"a.test\n":                       "transport:1: no way after the pattern",
		"@a.test smtp:\n":                "transport:1: @a.test: write a domain without the @",
		"\na.test uucp:x\n":              "transport:2: uucp:x: uucp: which way?",
		"a.test smtp\n":                  "transport:1: smtp: which way?",
		"a.test smtp:[x\n":               "the bracket is not closed",
		"a.test smtp:x:0\n":              "no port after the colon",
		"a.test smtp:[x]25\n":            "no port after the colon",
		"a.test smtp:192.0.2.1\n":        "an address stands in brackets",
		"a.test smtp:2001:db8::1\n":      "an address stands in brackets",
		"a.test smtp:[]\n":               "no host",
		"a.test smtp:x, y\n":             "one next hop only",
		"a.test lmtp:\n":                 "no host",
		"a.test lmtp:unix:private/x\n":   "private/x: write the whole path of the socket",
		"a.test retry:5.1.1 x\n":         "5.1.1 is not a temporary status",
		"a..test smtp:\n":                "transport:1: a..test: malformed domain",
		"a b@x.test smtp:\n":             "which way?",
		"a.test error:5.1.1 \x07 bell\n": "control characters",
	} {
		s := prepare(t, "", "")
		s.options.TransportFile = s.file("transport", text)
		if _, err := New(s.options); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for text, want := range map[string]string{
		"a@b.test\n":       "senders:1: no next hop after the sender",
		"b.test [x]\n":     "senders:1: b.test: no address: write user@domain, or @domain",
		"a@b.test smtp:\n": "senders:1: smtp:: no port",
		"a@b.test [x\n":    "senders:1: [x: the bracket is not closed",
		"a@b.test x y\n":   "one next hop only",
	} {
		s := prepare(t, "", "")
		s.options.SenderFile = s.file("senders", text)
		if _, err := New(s.options); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, change := range []func(*Options){
		func(o *Options) { o.RelayDomains = []string{"*"} },
		func(o *Options) { o.RelayDomains = []string{"."} },
		func(o *Options) { o.RelayDomains = []string{"[192.0.2.1]"} },
		func(o *Options) { o.Smarthost = "a b" },
		func(o *Options) { o.Smarthost = "192.0.2.1" },
		func(o *Options) { o.RelayRecipientFile = "/does/not/exist" },
	} {
		s := prepare(t, "", "")
		change(&s.options)
		if _, err := New(s.options); err == nil {
			t.Errorf("no error for %+v", s.options)
		}
	}
}
