package smtpd

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"barid/spool"
)

// aliases writes a map of aliases and gives its name.
func aliases(t *testing.T, text string) string {
	name := filepath.Join(t.TempDir(), "aliases")
	writeFile(t, name, text)
	return name
}

func TestEnvelopeIsWhatTheClientSaid(t *testing.T) {
	h := newHouse(t, nil)
	c := h.greet()
	c.say("MAIL FROM:<Sender+x@Client.Example> RET=HDRS ENVID=QQ+2B314159 BODY=8BITMIME SIZE=1000", "250 2.1.0 *")
	c.say("RCPT TO:<alice@example.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Alice+2BX@old.example", "250 2.1.5 *")
	c.say("RCPT TO:<Bob+Lists@EXAMPLE.test> NOTIFY=NEVER", "250 2.1.5 *")
	c.data(note, "250 *")
	want := letter{
		from: "Sender+x@Client.Example", envid: "QQ+2B314159", client: "127.0.0.1", ret: spool.RetHeaders, kind: spool.Body8Bit,
		to: []addressee{
			{"alice@example.test", "", "rfc822;Alice+2BX@old.example", "local:alice@example.test", spool.NotifySuccess | spool.NotifyFailure},
			{"bob+Lists@example.test", "Bob+Lists@EXAMPLE.test", "", "local:bob@example.test", spool.NotifyNever},
		},
	}
	got := h.only()
	got.id, got.text = 0, ""
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
}

func TestNothingOfOneEnvelopeIsInTheNext(t *testing.T) {
	h := newHouse(t, nil)
	c := h.greet()
	c.say("MAIL FROM:<a@client.example> RET=FULL ENVID=first BODY=8BITMIME SMTPUTF8", "250 *")
	c.say("RCPT TO:<alice@example.test> NOTIFY=DELAY ORCPT=rfc822;x@y.example", "250 *")
	c.say("RSET", "250 *")
	c.say("MAIL FROM:<b@client.example> RET=FULL ENVID=second SMTPUTF8", "250 *")
	c.say("RCPT TO:<bob@example.test> NOTIFY=DELAY", "250 *")
	c.data(note, "250 *")
	c.say("MAIL FROM:<>", "250 *")
	c.say("RCPT TO:<nobody@example.test> NOTIFY=NEVER ORCPT=rfc822;lost@y.example", "550 5.1.1 *")
	c.say("RCPT TO:<alice@example.test>", "250 *")
	c.data(note, "250 *")
	second, third := h.post.all()[0], h.post.all()[1]
	if !second.utf8 || second.envid != "second" || len(second.to) != 1 || second.to[0].notify != spool.NotifyDelay {
		t.Errorf("the second is %+v", second)
	}
	third.id, third.text = 0, ""
	if want := (letter{client: "127.0.0.1", to: []addressee{{"alice@example.test", "", "", "local:alice@example.test", 0}}}); !reflect.DeepEqual(third, want) {
		t.Errorf("the third is %+v", third)
	}
}

func TestAddressesFindTheirMailboxes(t *testing.T) {
	h := newHouse(t, func(s *settings) {
		s.route.AliasFile = aliases(t, "team: alice, bob\nsales: team, bob+sales\nroot: bob\n")
	})
	c := h.greet()
	for rcpt, want := range map[string]string{
		"<alice@example.test>":                             "alice",
		"<ALICE@Example.Test>":                             "alice",
		`<"alice"@example.test>`:                           "alice",
		`<"al\ice"@example.test>`:                          "alice",
		"<alice+tag@example.test>":                         "alice",
		"<@a.example,@b.example:alice@example.test>":       "alice",
		"<Postmaster>":                                     "alice",
		"<postMASTER@example.test>":                        "alice",
		"<abuse@example.test>":                             "alice",
		"<root@example.test>":                              "bob",
		"<team@example.test>":                              "alice bob",
		"<sales@example.test>":                             "alice bob",
		"alice@example.test":                               "alice",
		"<bob@mx.example.test>":                            "bob", // this host's own name
		"<alice@example.test> ORCPT=rfc822;alice@a.exampl": "alice",
	} {
		before := len(h.post.all())
		c.say("MAIL FROM:<sender@client.example>", "250 *")
		c.say("RCPT TO:"+rcpt, "250 2.1.5 *")
		c.data(note, "250 *")
		l := h.post.all()[before]
		var got []string
		for _, to := range l.to {
			got = append(got, strings.TrimSuffix(strings.TrimPrefix(to.dest, "local:"), "@example.test"))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s went to %v", rcpt, got)
		}
	}
}

func TestOneMailboxGetsOneCopy(t *testing.T) {
	h := newHouse(t, func(s *settings) { s.route.AliasFile = aliases(t, "team: alice, bob\nall: bob, alice\n") })
	c := h.greet()
	c.say("MAIL FROM:<sender@client.example>", "250 *")
	for _, rcpt := range []string{
		"<team@example.test> NOTIFY=FAILURE", "<bob@example.test>", "<all@example.test>", "<Alice@example.test> NOTIFY=NEVER", "<alice+x@example.test>", "<alice+x@EXAMPLE.TEST>",
	} {
		c.say("RCPT TO:"+rcpt, "250 2.1.5 *")
	}
	c.data(note, "250 *")
	want := []addressee{ // the first word about each, in order
		{"alice@example.test", "team@example.test", "", "local:alice@example.test", spool.NotifyFailure},
		{"bob@example.test", "team@example.test", "", "local:bob@example.test", spool.NotifyFailure},
		{"alice+x@example.test", "", "", "local:alice@example.test", 0},
	}
	if l := h.only(); !reflect.DeepEqual(l.to, want) {
		t.Errorf("got\n%+v, want\n%+v", l.to, want)
	}
}

func TestManyRecipientsKeepOrderAndLoseRepeats(t *testing.T) {
	const recipients = 10_000
	h := newHouse(t, func(s *settings) { s.spool.SegmentSize = 8 << 20 })
	c := h.greet()
	c.say("MAIL FROM:<sender@client.example>", "250 *")
	answered := make(chan struct{})
	go func() { // a pipelining client reads while it writes, or both sides stop
		defer close(answered)
		for range 2 * recipients {
			c.want("250 2.1.5 *")
		}
	}()
	var all strings.Builder
	for i := range 2 * recipients {
		fmt.Fprintf(&all, "RCPT TO:<alice+%d@example.test> ORCPT=rfc822;first%d@client.example\r\n", i%recipients, i)
	}
	c.sendRaw(all.String())
	<-answered
	c.data(note, "250 *")
	l := h.only()
	if len(l.to) != recipients {
		t.Fatalf("%d recipients", len(l.to))
	}
	for i, to := range l.to {
		if to.address != fmt.Sprintf("alice+%d@example.test", i) || to.orcpt != fmt.Sprintf("rfc822;first%d@client.example", i) {
			t.Fatalf("recipient %d is %+v", i, to)
		}
	}
	c.say("QUIT", "221 *")
	h.guests.waitGone()
	h.guests.all[0].wantSmall(t)
}

// wantSmall fails when the memory of a session is too much to keep in a pool.
func (g *guest) wantSmall(t *testing.T) {
	t.Helper()
	m := g.memory
	if cap(m.names) > namesKept || cap(m.envelope.Recipients) > recipientsKept || cap(m.targets.List) > recipientsKept {
		t.Errorf("kept are %d octets of names, %d recipients, %d targets", cap(m.names), cap(m.envelope.Recipients), cap(m.targets.List))
	}
}

func TestLargeListLeavesNoLargeMemory(t *testing.T) {
	var members strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&members, "alice+%d@example.test\n", i)
	}
	h := newHouse(t, func(s *settings) {
		list := filepath.Join(t.TempDir(), "list")
		writeFile(t, list, members.String())
		s.route.AliasFile = aliases(t, "everybody: :include:"+list+"\n")
	})
	c := h.greet()
	c.envelope("sender@client.example", "everybody@example.test")
	c.data(note, "250 *")
	if l := h.only(); len(l.to) != 1 { // the same account each time
		t.Errorf("%d recipients", len(l.to))
	}
	c.say("QUIT", "221 *")
	h.guests.waitGone()
	h.guests.all[0].wantSmall(t)
}

func TestMailOfOthersIsNeverRelayed(t *testing.T) {
	h := newHouse(t, nil)
	c := h.greet()
	c.say("MAIL FROM:<alice@example.test>", "250 *")
	for rcpt, want := range map[string]string{
		"<nobody@example.test>":                        "550 5.1.1 *: nobody@example.test",
		"<alice@other.example>":                        "550 5.7.1 *: alice@other.example",
		"<alice@example.test.>":                        "5*",
		"<alice@xexample.test>":                        "550 5.7.1 *",
		"<alice@sub.example.test>":                     "550 5.7.1 *",
		"<alice@example.test@other.example>":           "501 5.1.3 *",
		`<"alice@other.example"@example.test>`:         "550 5.1.1 *",
		`<"alice@example.test"@other.example>`:         "550 5.7.1 *",
		"<alice%other.example@example.test>":           "550 5.1.1 *",
		"<other.example!alice@example.test>":           "550 5.1.1 *",
		"<@example.test:alice@other.example>":          "550 5.7.1 *",
		"<@example.test,@mx.example.test:a@b.example>": "550 5.7.1 *",
		"<alice@>":            "501 5.1.3 *",
		"<@example.test>":     "501 5.1.3 *",
		"<>":                  "501 5.1.3 *",
		"<alice>":             "501 5.1.3 *",
		"<alice@[127.0.0.1]>": "550 5.7.1 *",
		"<alice@[IPv6:::1]>":  "550 5.7.1 *",
		"<alice@[127.0.0.1]":  "501 5.1.3 *",
		"<alice@127.0.0.1>":   "550 5.7.1 *",
		"<alice@test>":        "550 5.7.1 *",
		"<alice@other.example>,<alice@example.test>": "501 5.5.4 *",
		"<alice@example.test\x00@other.example>":     "500 5.5.2 *",
		`<"">`:                                       "501 5.1.3 *",
		`<""@example.test>`:                          "55* *",
		`<" "@example.test>`:                         "550 5.1.1 *",
		`<".."@example.test>`:                        "550 5.1.1 *",
		"<../alice@example.test>":                    "501 5.1.3 *",
	} {
		c.say("RCPT TO:"+rcpt, want)
	}
	c.say("DATA", "554 5.5.1 *")
	c.say("QUIT", "221 *")
	if n := h.spool.Stats().Accepted; n != 0 {
		t.Errorf("%d accepted", n)
	}
}

func TestProxyHeaderSaysWhoMayRelay(t *testing.T) {
	h := newHouse(t, func(s *settings) {
		s.listen.Proxy = at("127.0.0.1")
		s.door.Relay = at("198.51.100.7")
	})
	for source, want := range map[string]string{"198.51.100.7": "250 *", "198.51.100.8": "550 5.7.1 *", "127.0.0.1": "550 5.7.1 *"} {
		c := h.connect(h.plain)
		c.send("PROXY TCP4 " + source + " 192.0.2.1 1234 25")
		c.want("220 *")
		c.hello("EHLO client.example")
		c.say("MAIL FROM:<>", "250 *")
		c.say("RCPT TO:<friend@other.example>", want)
		c.say("QUIT", "221 *")
	}
}

// fullBoxes is a Quota by which the named accounts are full for messages of
// more than 100 octets.
func fullBoxes(accounts ...string) *Quota {
	is := func(account []byte) bool { return strings.Contains(strings.Join(accounts, " "), string(account)) }
	return &Quota{
		Limited: is,
		Fits: func(account []byte, size int64) error {
			if is(account) && size > 100 {
				return errors.New("over quota")
			}
			return nil
		},
	}
}

func TestFullMailboxIsToldAtOnce(t *testing.T) {
	for permanent, want := range map[bool]string{false: "452 4.2.2 *alice@example.test", true: "552 5.2.2 *alice@example.test"} {
		h := newHouse(t, func(s *settings) {
			s.door.Quota = fullBoxes("alice@example.test")
			s.door.Quota.Permanent = permanent
			s.route.AliasFile = aliases(t, "team: alice, bob\nalone: alice\n")
		})
		c := h.greet()
		c.say("MAIL FROM:<> SIZE=101", "250 *")
		c.say("RCPT TO:<alice@example.test>", want)
		c.say("RCPT TO:<alone@example.test>", want[:10]+"*")
		c.say("RCPT TO:<bob@example.test>", "250 *")
		c.say("RCPT TO:<team@example.test>", "250 *") // bob has room
		c.say("RSET", "250 *")
		c.say("MAIL FROM:<> SIZE=100", "250 *")
		c.say("RCPT TO:<alice@example.test>", "250 *")
		c.data(note, "250 *")
		h.only()
	}
}

func TestListWithoutAReaderIsRefusedUntilThereIsOne(t *testing.T) {
	h := newHouse(t, func(s *settings) {
		s.route.AliasFile = aliases(t, "gone: nobody-here\nlater: :include:/does/not/exist\nround: about\nabout: round\n")
	})
	c := h.greet()
	c.say("MAIL FROM:<>", "250 *")
	c.say("RCPT TO:<gone@example.test>", "550 5.1.1 *")
	c.say("RCPT TO:<later@example.test>", "450 4.2.4 *")
	c.say("RCPT TO:<round@example.test>", "550 5.4.6 *")
	c.say("DATA", "554 5.5.1 *")
	if !strings.Contains(h.log.String(), "nobody-here") {
		t.Errorf("the log does not say why:\n%s", h.log)
	}
}
