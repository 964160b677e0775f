package proto

import (
	"bytes"
	"strings"
	"testing"
	"unsafe"

	"barid/internal/smtp"
	server "barid/smtpd/proto"
)

// ready makes a client that is Ready after this reply to EHLO.
func ready(t testing.TB, o Options, offers string) *Client {
	t.Helper()
	c := new(Client)
	c.Reset(&o)
	if _, _, next := c.Step([]byte("220 mx\r\n250-mx\r\n"+offers+"250 X\r\n"), nil); next != Ready {
		t.Fatalf("it wants %d, not to begin", next)
	}
	return c
}

func to(addresses ...string) *Transaction {
	t := &Transaction{ReturnPath: []byte("a@b.example")}
	for _, a := range addresses {
		t.Recipients = append(t.Recipients, Recipient{Address: []byte(a)})
	}
	return t
}

func TestWhatTheServerOffersIsKnownWhenReady(t *testing.T) {
	c := ready(t, Options{Ignore: DSN}, "250-SIZE 12345\r\n250-DSN\r\n250-8BITMIME\r\n250-LIMITS MAILMAX=1\r\n")
	if !c.Offers(Size|EightBit) || c.Offers(DSN) || c.Offers(EightBit|UTF8) || c.SizeMax() != 12345 {
		t.Errorf("offers %b, size %d", c.offered, c.SizeMax())
	}
	if !c.Reusable() || c.Mails() != 0 || c.Failure().Kind != Undecided {
		t.Errorf("a fresh connection is of no use: %v", c.Failure())
	}
	c.Begin(to("c@d.example"), nil)
	if _, _, next := c.Step([]byte("550 no\r\n"), nil); next != Done || c.Reusable() || c.Mails() != 1 {
		t.Errorf("after MAILMAX transactions: next %d, reusable %v", next, c.Reusable())
	}
}

func TestCommandsInFlightAreBounded(t *testing.T) {
	c := ready(t, Options{}, "250-PIPELINING\r\n")
	tr := to(strings.Fields(strings.Repeat("c@d.example ", 1000))...)
	said := string(c.Begin(tr, nil))
	commands := strings.Count(said, "\n")
	if commands != flightMax {
		t.Fatalf("%d commands at once", commands)
	}
	for answered := 0; ; answered++ {
		_, out, next := c.Step([]byte("250 ok\r\n"), nil)
		said += string(out)
		if commands = strings.Count(said, "\n"); commands-answered-1 > flightMax {
			t.Fatalf("%d commands are unanswered", commands-answered-1)
		}
		if answered == 1000 {
			if next != NeedInput || !strings.HasSuffix(said, "\r\nDATA\r\n") || commands != 1002 {
				t.Fatalf("next %d after %d commands", next, commands)
			}
			return
		}
	}
}

func TestRecipientsBehindTheWindowAreNotTriedAfterARefusal(t *testing.T) {
	c := ready(t, Options{}, "250-PIPELINING\r\n")
	tr := to(strings.Fields(strings.Repeat("c@d.example ", 300))...)
	out := c.Begin(tr, nil)
	_, out, next := c.Step([]byte("550 5.7.1 no\r\n"+strings.Repeat("503 no\r\n", flightMax-1)), out)
	if next != Done || bytes.Count(out, []byte("\n")) != flightMax || !c.Reusable() {
		t.Fatalf("next %d after %d commands", next, bytes.Count(out, []byte("\n")))
	}
	for i := range tr.Recipients {
		if o := tr.Recipients[i].Outcome; o.Kind != Permanent || o.Stage != AtMail {
			t.Fatalf("recipient %d: %+v", i, o)
		}
	}
}

func TestEqualTextsAreKeptOnce(t *testing.T) {
	c := ready(t, Options{}, "250-PIPELINING\r\n")
	tr := to(strings.Fields(strings.Repeat("c@d.example ", 500))...)
	c.Begin(tr, nil)
	_, _, next := c.Step([]byte("250 ok\r\n"+strings.Repeat("550 "+strings.Repeat("no ", 500)+"\r\n", 500)+"554 none\r\n"), nil)
	if next != Done || len(tr.arena) != smtp.ReplyTextMax {
		t.Errorf("next %d, %d octets of text", next, len(tr.arena))
	}
	if text := tr.Recipients[499].Outcome.Text; len(text) != smtp.ReplyTextMax {
		t.Errorf("%q", text)
	}
}

func TestGivingUpSaysWhetherTheMessageMayHaveArrived(t *testing.T) {
	for upTo, uncertain := range []bool{false, false, false, true} {
		c := ready(t, Options{}, "")
		tr := to("c@d.example")
		c.Begin(tr, nil)
		if upTo > 0 {
			c.Step([]byte("250 ok\r\n250 ok\r\n354 go\r\n"), nil)
		}
		if upTo > 1 {
			c.Body([]byte("hello\n"), nil)
		}
		if upTo > 2 {
			c.EndBody(nil)
		}
		c.Hangup(smtp.Reply{Status: smtp.Status{4, 3, 0}, Text: "cannot read: ", Detail: []byte("disk")})
		_, out, next := c.Step(nil, nil)
		o := tr.Recipients[0].Outcome
		if next != Done || len(out) > 0 || c.Reusable() || tr.Uncertain != uncertain || o.Kind != Temporary || o.Code != 0 || string(o.Text) != "cannot read: disk" {
			t.Errorf("%d: next %d, said %q, uncertain %v, %+v", upTo, next, out, tr.Uncertain, o)
		}
		if _, _, next = c.Step(nil, nil); next != Close {
			t.Errorf("%d: next %d", upTo, next)
		}
	}
}

func TestQuitInsteadOfReset(t *testing.T) {
	c := ready(t, Options{}, "")
	c.Begin(to("c@d.example"), nil)
	_, _, next := c.Step([]byte("250 ok\r\n550 no\r\n"), nil)
	out := c.Quit(c.Quit(nil))
	if next != Done || string(out) != "QUIT\r\n" {
		t.Errorf("next %d, then %q", next, out)
	}
	if _, out, next = c.Step(nil, nil); next != NeedInput || len(out) > 0 || c.Awaits() != AtQuit {
		t.Errorf("next %d, said %q", next, out)
	}
}

func TestCallsOutOfTurnPanic(t *testing.T) {
	begun := func() *Client {
		c := ready(t, Options{}, "")
		c.Begin(to("c@d.example"), nil)
		return c
	}
	for name, call := range map[string]func(){
		"Begin before Ready":         func() { c := new(Client); c.Reset(&Options{}); c.Begin(to("c@d.example"), nil) },
		"Begin within a transaction": func() { begun().Begin(to("c@d.example"), nil) },
		"Begin before Done was seen": func() { c := begun(); c.Step([]byte("550 no\r\n"), nil); c.finished = true; c.Begin(to("x"), nil) },
		"Body before SendBody":       func() { begun().Body([]byte("x"), nil) },
		"EndBody before SendBody":    func() { begun().EndBody(nil) },
		"Quit within a transaction":  func() { begun().Quit(nil) },
		"Secure without StartTLS":    func() { ready(t, Options{}, "").Secure(nil) },
		"a permanent Hangup":         func() { begun().Hangup(smtp.Reply{Status: smtp.Status{5, 0, 0}}) },
		"a Hangup with a code":       func() { begun().Hangup(smtp.Reply{Code: 451}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			call()
		}()
	}
}

func TestClientIsUsedAgainAfterReset(t *testing.T) {
	c := ready(t, Options{}, "250-PIPELINING\r\n250-LIMITS RCPTDOMAINMAX=1\r\n")
	c.Begin(to("c@d.example"), nil)
	c.Reset(&Options{Dialect: LMTP})
	if _, out, next := c.Step([]byte("220 x\r\n"), nil); string(out) != "LHLO \r\n" || next != NeedInput {
		t.Fatalf("said %q, next %d", out, next)
	}
	c.Step([]byte("250-x\r\n250 LIMITS RCPTDOMAINMAX=1\r\n"), nil)
	if out := c.Begin(to("x@other.example"), nil); !bytes.HasPrefix(out, []byte("MAIL")) || c.Offers(Pipelining) {
		t.Fatalf("said %q", out)
	}
}

func TestVerdictsOfOurOwnAreWhole(t *testing.T) {
	for _, r := range []smtp.Reply{badSender, badRecipient, needsEightBit, needsBinary, needsUTF8, rcptNeedsUTF8, tooBig, bareCR} {
		if o := verdict(r, AtNothing); o.Kind != Permanent || o.Code != 0 || r.Text == "" {
			t.Errorf("%+v is %v", r, o.Kind)
		}
	}
	for _, r := range []smtp.Reply{overLimit, notAReply, endless, unasked, wrongReply, injected, tlsMissing, authMissing, authInClear, authBroken} {
		if o := verdict(r, AtNothing); o.Kind != Temporary || o.Code != 0 || r.Text == "" {
			t.Errorf("%+v is %v", r, o.Kind)
		}
	}
}

func TestIdleClientIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(Client{}); size > 512 {
		t.Errorf("a client has %d bytes", size)
	}
}

// FuzzEnvelope: whatever stands in an envelope, our own server reads from the
// commands one MAIL, and one RCPT for each recipient that was sent, and finds
// in them what was in the envelope.
func FuzzEnvelope(f *testing.F) {
	f.Add([]byte("a@b.example"), []byte("c@d.example"), []byte("rfc822;c@d"), []byte("QQ"), uint8(7))
	f.Add([]byte(""), []byte("c@d>\r\nRSET\r\nMAIL FROM:<x@y"), []byte("utf-8;x y"), []byte("\r\n"), uint8(31))
	f.Add([]byte(`"\ "@b`), []byte(`"a>b\"c"@[IPv6:::1]`), []byte("x;+"), []byte("+2B"), uint8(0))
	f.Add([]byte("j\u00f8@b"), []byte("postmaster"), []byte("utf-8;\u00f8"), []byte(""), uint8(13))
	f.Fuzz(func(t *testing.T, from, rcpt, orcpt, envid []byte, bits uint8) {
		p := &peer{opts: server.Options{Offer: server.Everything, Reports: true, Mode: server.MX}}
		p.s.Reset(&p.opts)
		p.s.Lend(&p.t)
		hello, _ := p.feed([]byte("EHLO x\r\n"))
		c := new(Client)
		c.Reset(&Options{Hostname: "x"})
		c.Step(append([]byte("220 mx\r\n"), hello...), nil)
		tr := to(string(rcpt))
		tr.ReturnPath, tr.EnvID, tr.UTF8 = from, envid, bits&1 != 0
		tr.Body, tr.Ret, tr.Size = Body(bits>>1&1), smtp.Ret(bits>>2&1), int64(bits)
		tr.Recipients[0].ORcpt, tr.Recipients[0].Notify = orcpt, smtp.Notify(bits>>3&1)*smtp.NotifyFailure
		out := c.Begin(tr, nil)
		if kind := tr.Recipients[0].Outcome.Kind; kind != Undecided {
			if kind != Permanent || len(out) > 0 {
				t.Fatalf("%v, and %q", kind, out)
			}
			return
		}
		said, _ := p.feed(out)
		p.complain(said)
		got := p.s.Transaction()
		if p.odd != "" || bytes.Count(out, []byte("\n")) != 3 || bytes.Count(said, []byte("\n")) != 3 && len(got.Recipients) > 0 {
			t.Fatalf("%q is answered with %q", out, said)
		}
		if want := same(from); string(got.Mail.ReturnPath) != want {
			t.Fatalf("%q is read as the sender %q, not %q", out, got.Mail.ReturnPath, want)
		}
		for _, r := range got.Recipients {
			if want := same(rcpt); string(r.Address) != want {
				t.Fatalf("%q is read as the recipient %q, not %q", out, r.Address, want)
			}
		}
	})
}

// same is an address as the server will call it.
func same(address []byte) string {
	path, ok := mailbox(address)
	if !ok {
		return string(address) // none, or Postmaster
	}
	return string(path.AppendMailbox(nil))
}
