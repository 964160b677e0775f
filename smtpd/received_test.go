package smtpd

import (
	"crypto/tls"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"barid/auth"
	"barid/smtpd/proto"
	"barid/spool"
)

// example is a trace with everything in it.
func example() trace {
	return trace{
		helo:      []byte("client.example"),
		from:      origin{addr: netip.MustParseAddr("192.0.2.1")},
		tls:       tlsFacts{tls.VersionTLS13, tls.TLS_AES_128_GCM_SHA256},
		hostname:  "mx.example.test",
		protocol:  "ESMTPSA",
		id:        spool.ID(1_700_000_000_000_000),
		recipient: []byte("alice@example.test"),
		now:       time.Date(2024, 2, 3, 4, 5, 6, 0, time.FixedZone("", -3*3600)),
	}
}

func TestReceivedFieldTellsTheHop(t *testing.T) {
	for want, change := range map[string]func(*trace){
		`Received: from client.example ([192.0.2.1])
	(using TLS 1.3 with cipher TLS_AES_128_GCM_SHA256)
	by mx.example.test (barid) with ESMTPSA id ID
	for <alice@example.test>;
	Sat, 3 Feb 2024 04:05:06 -0300
`: func(*trace) {},
		`Received: from client.example ([192.0.2.1])
	by mx.example.test (barid) with SMTP id ID;
	Sat, 3 Feb 2024 04:05:06 -0300
`: func(t *trace) { t.tls, t.protocol, t.recipient = tlsFacts{}, "SMTP", nil },
		`Received: from client.example ([IPv6:2001:db8::1])
	by mx.example.test (barid) with ESMTP id ID;
	Sat, 3 Feb 2024 04:05:06 -0300
`: func(t *trace) {
			t.tls, t.protocol, t.recipient = tlsFacts{}, "ESMTP", []byte("postmaster")
			t.from.addr = netip.MustParseAddr("2001:db8::1")
		},
		`Received: from unknown (mail.example [192.0.2.1])
	by mx.example.test (barid) with ESMTP id ID
	for <"a>b"@example.test>;
	Sat, 3 Feb 2024 04:05:06 -0300
`: func(t *trace) {
			t.tls, t.protocol, t.helo = tlsFacts{}, "ESMTP", nil
			t.from.name, t.recipient = []byte("mail.example"), []byte(`"a>b"@example.test`)
		},
		`Received: from client.example (uid 1000)
	by mx.example.test (barid) with ESMTP id ID;
	Sat, 3 Feb 2024 04:05:06 -0300
`: func(t *trace) {
			t.tls, t.protocol, t.recipient = tlsFacts{}, "ESMTP", nil
			t.from = origin{local: true, uid: 1000}
		},
		`Received: from client.example
	by mx.example.test (barid) with ESMTP id ID;
	Sat, 3 Feb 2024 04:05:06 -0300
`: func(t *trace) {
			t.tls, t.protocol, t.recipient, t.from = tlsFacts{}, "ESMTP", nil, origin{}
		},
	} {
		tr := example()
		change(&tr)
		want = strings.Replace(want, "id ID", "id "+tr.id.String(), 1)
		if got := string(tr.append(nil)); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	}
}

func TestHostileNamesCannotBreakTheReceivedField(t *testing.T) {
	for helo, want := range map[string]string{
		"a(b":                 "a?b",
		"a)b":                 "a?b",
		`a\b"c`:               "a?b?c",
		"x;y":                 "x?y",
		"[":                   "?",
		"[]":                  "??",
		"[192.0.2.1]":         "[192.0.2.1]",
		"[IPv6:2001:db8::1]":  "[IPv6:2001:db8::1]",
		"[[1.2.3.4]":          "[?1.2.3.4]",
		"[a]b]":               "[a?b]",
		"a:b[":                "a?b?",
		"[1.2.3.4":            "?1.2.3.4",
		"<script>":            "?script?",
		"my_pc-1.example":     "my_pc-1.example",
		"a\nInjected: field":  "a?Injected??field",
		"[a\r\n\r\nbody\x00]": "[a????body?]",
		"h\xc3\xa9":           "h??",
	} {
		if got := string(appendHelo(nil, []byte(helo))); got != want {
			t.Errorf("%q became %q, not %q", helo, got, want)
		}
	}
	o := origin{addr: netip.MustParseAddr("192.0.2.1"), name: []byte("a])\n(b")}
	if got := string(o.append(nil)); got != " (a????b [192.0.2.1])" {
		t.Errorf("%q", got)
	}
}

func TestHostileHeloArrivesHarmless(t *testing.T) {
	h := newHouse(t, nil)
	for _, helo := range []string{"x(]);by[evil", "[", "((((", `"`} {
		c := h.dial()
		c.hello("EHLO " + helo)
		c.envelope("", "alice@example.test")
		c.data(note, "250 *")
	}
	for _, l := range h.post.all() {
		field, text := l.received()
		if before, _, _ := strings.Cut(field, " ([127.0.0.1]) by mx.example.test"); text != note || strings.ContainsAny(before, "()[];\"\n") {
			t.Errorf("%q", field)
		}
	}
}

// with is the protocol in the Received field of a message sent by send.
func with(t *testing.T, h *house, send func()) string {
	t.Helper()
	before := len(h.post.all())
	send()
	letters := h.post.all()
	if len(letters) != before+1 {
		t.Fatalf("%d messages came through", len(letters)-before)
	}
	field, _ := letters[before].received()
	_, after, _ := strings.Cut(field, "(barid) with ")
	protocol, _, _ := strings.Cut(after, " ")
	return protocol
}

func TestReceivedSaysWithWhichProtocol(t *testing.T) {
	h := newHouse(t, nil)
	note := func(c *client, more string) func() {
		return func() {
			c.say("MAIL FROM:<alice@example.test>"+more, "250 *")
			c.say("RCPT TO:<bob@example.test>", "250 *")
			c.data("\n", "250 *")
		}
	}
	c := h.dial()
	c.say("HELO client.example", "250 *")
	if got := with(t, h, note(c, "")); got != "SMTP" {
		t.Errorf("after HELO %s", got)
	}
	c.hello("EHLO client.example")
	for more, want := range map[string]string{"": "ESMTP", " BODY=8BITMIME": "ESMTP", " SMTPUTF8": "UTF8SMTP"} {
		if got := with(t, h, note(c, more)); got != want {
			t.Errorf("%q: %s", more, got)
		}
	}
	c.say("STARTTLS", "220 *")
	must(t, c.conn.StartTLS())
	c.hello("EHLO client.example")
	if got := with(t, h, note(c, "")); got != "ESMTPS" {
		t.Errorf("after STARTTLS %s", got)
	}
	if field, _ := h.post.all()[4].received(); !strings.Contains(field, " (using TLS 1.3 with cipher TLS_") {
		t.Errorf("%q", field)
	}
	secure := h.secure()
	secure.hello("EHLO client.example")
	if got := with(t, h, note(secure, " SMTPUTF8")); got != "UTF8SMTPS" {
		t.Errorf("under TLS %s", got)
	}
}

func TestReceivedSaysThatTheSenderHasAuthenticated(t *testing.T) {
	h := newHouse(t, func(s *settings) { s.door.Engine.Mode, s.auth.Cleartext = proto.Submission, auth.Always })
	send := func(c *client, more string) func() {
		return func() {
			c.hello("EHLO [192.0.2.7]")
			c.say("AUTH PLAIN "+plain("alice@example.test", "wonderland"), "235 *")
			c.say("MAIL FROM:<alice@example.test>"+more, "250 *")
			c.say("RCPT TO:<bob@example.test>", "250 *")
			c.data("\n", "250 *")
		}
	}
	if got := with(t, h, send(h.dial(), "")); got != "ESMTPA" {
		t.Error(got)
	}
	secure := h.secure()
	if got := with(t, h, send(secure, " SMTPUTF8")); got != "UTF8SMTPSA" {
		t.Error(got)
	}
	for _, l := range h.post.all() {
		if field, _ := l.received(); !strings.HasPrefix(field, "Received: from [192.0.2.7] ([127.0.0.1]) ") || l.account != "alice@example.test" || l.client != "127.0.0.1" {
			t.Errorf("%q for %q from %q", field, l.account, l.client)
		}
	}
}

func TestReceivedNamesTheRecipientOnlyWhenThereIsNoOther(t *testing.T) {
	h := newHouse(t, func(s *settings) {
		s.route.AliasFile = aliases(t, "team: alice, bob\n")
	})
	c := h.greet()
	for to, want := range map[string]string{
		"alice@example.test":                    "for <alice@example.test>",
		"Alice+Tag@Example.TEST":                "for <Alice+Tag@Example.TEST>",
		"alice@example.test bob@example.test":   "",
		"alice@example.test alice@example.test": "",
		"team@example.test":                     "for <team@example.test>", // and not who is in it
		"postmaster":                            "",
	} {
		before := len(h.post.all())
		c.envelope("sender@client.example", strings.Fields(to)...)
		c.data(note, "250 *")
		field, _ := h.post.all()[before].received()
		_, after, found := strings.Cut(field, " for <")
		if got, _, _ := strings.Cut(after, ">"); found != (want != "") || found && "for <"+got+">" != want {
			t.Errorf("%s: %q", to, field)
		}
	}
}

func TestProgramOnAUnixSocketIsNamedByItsUser(t *testing.T) {
	h := newHouse(t, nil)
	ln, err := net.Listen("unix", h.path("socket"))
	must(t, err)
	c := h.connect(h.listen(ln, h.opts))
	c.want("220 *")
	c.hello("EHLO localhost")
	c.envelope("root@example.test", "alice@example.test")
	c.data(note, "250 *")
	l := h.only()
	uid := itoa(os.Getuid())
	if field, _ := l.received(); !strings.HasPrefix(field, "Received: from localhost (uid "+uid+") by mx.example.test (barid) with ESMTP id ") {
		t.Errorf("%q", field)
	}
	if l.client != "uid "+uid || !strings.Contains(h.log.String(), `remote="uid `+uid+`"`) {
		t.Errorf("the client is %q, the log\n%s", l.client, h.log)
	}
}

func TestIPv6ClientIsAnAddressLiteral(t *testing.T) {
	h := newHouse(t, func(s *settings) { s.listen.Proxy = func(netip.Addr) bool { return true } })
	for from, want := range map[string]string{
		"TCP6 2001:db8::7 2001:db8::1": "[IPv6:2001:db8::7]",
		"TCP4 192.0.2.9 192.0.2.1":     "[192.0.2.9]",
	} {
		c := h.connect(h.plain)
		c.send("PROXY " + from + " 50000 25")
		c.want("220 *")
		c.hello("EHLO client.example")
		before := len(h.post.all())
		c.envelope("", "alice@example.test")
		c.data(note, "250 *")
		l := h.post.all()[before]
		if field, _ := l.received(); !strings.HasPrefix(field, "Received: from client.example ("+want+") by ") {
			t.Errorf("%s: %q", from, field)
		}
		if l.client != strings.Fields(from)[1] {
			t.Errorf("%s: the client is %q", from, l.client)
		}
	}
	if !strings.Contains(h.log.String(), "[2001:db8::7]:50000") {
		t.Errorf("the log:\n%s", h.log)
	}
}

// FuzzNamesInReceived gives the field any name of a client. Whatever it is,
// nothing but the name itself changes: no comment, literal or line begins or
// ends in it.
func FuzzNamesInReceived(f *testing.F) {
	for _, seed := range []string{"client.example", "[192.0.2.1]", "[[]", "x)(y", "\r\n.\r\n", "\xc3\xa9", ""} {
		f.Add([]byte(seed), []byte(seed))
	}
	f.Fuzz(func(t *testing.T, helo, name []byte) {
		tr := example()
		tr.helo, tr.from.name = helo, name
		field := string(tr.append(nil))
		said, rest, found := strings.Cut(strings.TrimPrefix(field, "Received: from "), " (")
		told, rest, found2 := strings.Cut(rest, "[192.0.2.1])\n\t(using ")
		inside := strings.TrimSuffix(strings.TrimPrefix(said, "["), "]")
		if !found || !found2 || said == "" || strings.ContainsAny(inside+told, "()[]<>;,\"\\\r\n\t\x00") || strings.Contains(said, " ") {
			t.Errorf("%q", field)
		}
		tr.helo, tr.from.name = []byte("client.example"), nil
		if plain := string(tr.append(nil)); !strings.HasSuffix(plain, rest) {
			t.Errorf("%q and %q", field, plain)
		}
	})
}
