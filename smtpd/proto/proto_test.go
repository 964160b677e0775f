package proto

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"barid/internal/smtp"
)

// said plays the input to a door with these settings and returns the codes
// and first words of its replies after the greeting, one per line.
func said(t *testing.T, d *door, input string) string {
	t.Helper()
	out, _ := d.feed([]byte(input))
	if d.problem != "" {
		t.Fatal(d.problem)
	}
	var codes []string
	for line := range strings.Lines(string(out)) {
		if line[3] == ' ' {
			codes = append(codes, line[:3])
		}
	}
	return strings.Join(codes, " ")
}

func testDoor(t *testing.T, settings ...[2]string) *door {
	t.Helper()
	d, err := newDoor(settings)
	if err != nil {
		t.Fatal(err)
	}
	d.greet()
	return d
}

const envelope = "MAIL FROM:<a@b.example>\r\nRCPT TO:<alice@example.test>\r\n"

func TestEveryRefusalIsWhole(t *testing.T) {
	for r := none + 1; r <= notTrusted; r++ {
		reply := refusals[r]
		if reply.Code < 400 || reply.Code > 599 || int(reply.Status[0]) != reply.Code/100 || reply.Text == "" || len(reply.Detail) > 0 {
			t.Errorf("refusal %d is %+v", r, reply)
		}
	}
	if len(refusals) != int(notTrusted)+1 {
		t.Error("a refusal has no number")
	}
}

func TestRefusalAtDataEndsTheTransaction(t *testing.T) {
	d := testDoor(t)
	for input, want := range map[string]string{
		"EHLO full.example\r\n" + envelope + "DATA\r\n" + envelope + "RSET\r\n":                "250 250 250 452 250 250 250",
		"EHLO full.example\r\n" + envelope + "BDAT 6\r\nQUIT\r\nBDAT 6\r\nQUIT\r\nRSET\r\n":    "250 250 250 452 503 250",
		"EHLO full.example\r\n" + envelope + "BDAT 6 LAST\r\nQUIT\r\n" + envelope + "RSET\r\n": "250 250 250 452 250 250 250",
	} {
		if got := said(t, d, input); got != want {
			t.Errorf("%q: got %s, want %s", input, got, want)
		}
		if !d.s.Idle() || d.open {
			t.Errorf("%q: something is still open", input)
		}
	}
}

// drive steps a session by hand, without the policy of the test's door.
func drive(s *Session, in string) (out string, next Next) {
	rest := []byte(in)
	for {
		n, o, next := s.Step(rest, nil)
		out += string(o)
		rest = rest[n:]
		switch next {
		case AskMail, AskRcpt, AskData:
			out += string(s.Answer(Answer{Verdict: Accept}, nil))
		case TakeBody:
			n, _ := s.TakeBody(rest, nil)
			rest = rest[n:]
		case Ended, More:
		default:
			return out, next
		}
	}
}

func newSession(o Options) *Session {
	s := new(Session)
	o.Offer = Everything
	s.Reset(&o)
	s.Lend(new(Transaction))
	return s
}

func TestLMTPAnswersEachRecipientForItself(t *testing.T) {
	s := newSession(Options{Mode: LMTP})
	_, next := drive(s, "LHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<a@c.example>\r\nRCPT TO:<b@c.example>\r\nRCPT TO:<c@c.example>\r\nDATA\r\nx\r\n.\r\nNOOP\r\n")
	var out []byte
	for i, r := range []smtp.Reply{{}, {Code: 452, Status: smtp.Status{4, 2, 2}, Text: "Full"}, {Code: 550, Status: smtp.Status{5, 2, 1}, Text: "Gone"}} {
		if next != Commit || s.NextRcpt() != i {
			t.Fatalf("answer %d: asked %d about %d", i, next, s.NextRcpt())
		}
		a := Answer{Verdict: Refuse, Reply: r}
		if r.Code == 0 {
			a.Verdict = Accept
		}
		out = s.Answer(a, out)
		_, _, next = s.Step(nil, nil)
	}
	if got := string(out); got != "250 2.0.0 Ok\r\n452 4.2.2 Full\r\n550 5.2.1 Gone\r\n" || next != NeedInput || s.InTransaction() {
		t.Fatalf("got %q, then %d", got, next)
	}
}

func TestFinalAnswersCloseTheSession(t *testing.T) {
	for _, code := range []int{421, 521} {
		for _, input := range []string{
			"EHLO x\r\nMAIL FROM:<a@b.example>\r\n", "EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<a@c.example>\r\n",
			"EHLO x\r\n" + envelope + "DATA\r\n", "EHLO x\r\n" + envelope + "BDAT 3\r\nabc", "EHLO x\r\n" + envelope + "DATA\r\n.\r\n",
		} {
			s := newSession(Options{})
			final := Answer{Verdict: Refuse, Reply: smtp.Reply{Code: code, Status: smtp.Status{uint16(code / 100), 7, 0}, Text: "Enough"}}
			rest := []byte(input)
			var out []byte
			var next Next
			for want := strings.Count(input, "\n") - 1; ; {
				var n int
				n, out, next = s.Step(rest, nil)
				rest = rest[n:]
				if next == Close || next == NeedInput {
					break
				}
				if next == TakeBody {
					n, _ = s.TakeBody(rest, nil)
					rest = rest[n:]
				} else if next >= AskMail && next <= Commit {
					a := Answer{Verdict: Accept}
					if want--; want <= 0 && len(rest) == 0 || strings.HasPrefix(string(rest), "abc") {
						a = final
					}
					out = s.Answer(a, nil)
				}
			}
			if next != Close {
				t.Errorf("%q: %d did not close the session, last %q", input, code, out)
			}
		}
	}
}

func TestHangupClosesInEveryState(t *testing.T) {
	for _, input := range []string{"", "EHLO x\r\n", "EHLO x\r\nMAIL FROM:<a@b.example>\r\n", "EHLO x\r\n" + envelope, "EHLO x\r\n" + envelope + "DATA\r\nhalf", "EHLO x\r\n" + envelope + "BDAT 9\r\nhalf", "BDAT 9\r\nhalf", "EHLO x\r\n" + envelope + "DATA\r\n.\r\n"} {
		s := newSession(Options{})
		drive(s, input)
		out := s.Hangup(smtp.Reply{Code: 421, Status: smtp.Status{4, 3, 2}, Text: "Bye"}, nil)
		if n, more, next := s.Step([]byte("NOOP\r\n"), nil); string(out) != "421 4.3.2 Bye\r\n" || n != 0 || len(more) != 0 || next != Close {
			t.Errorf("%q: said %q, then consumed %d, said %q, %d", input, out, n, more, next)
		}
	}
}

func TestPlainOctetsBehindSTARTTLSClose(t *testing.T) {
	s := newSession(Options{TLS: TLSOffered})
	if _, next := drive(s, "EHLO x\r\nSTARTTLS\r\n"); next != StartTLS {
		t.Fatalf("STARTTLS led to %d", next)
	}
	if n, out, next := s.Step([]byte("MAIL FROM:<a@b.example>\r\n"), nil); n != 0 || len(out) != 0 || next != Close {
		t.Fatalf("plain text was consumed (%d) or answered (%q), %d", n, out, next)
	}
}

func TestSecureForgetsWhatWasSaidInTheClear(t *testing.T) {
	s := newSession(Options{TLS: TLSOffered})
	s.SetAuthenticated(true)
	drive(s, "EHLO x\r\nSTARTTLS\r\n")
	s.Secure()
	if len(s.Helo()) > 0 || s.Authenticated() {
		t.Errorf("it still knows %q, authenticated %v", s.Helo(), s.Authenticated())
	}
	if out, _ := drive(s, "MAIL FROM:<a@b.example>\r\n"); !strings.HasPrefix(out, "503 ") {
		t.Errorf("MAIL before EHLO: %q", out)
	}
}

func TestRefusedRecipientsCostNoMemory(t *testing.T) {
	d := testDoor(t)
	said(t, d, "EHLO x\r\nMAIL FROM:<a@b.example>\r\n")
	for range 200 {
		said(t, d, strings.Repeat("RCPT TO:<later@example.test> ORCPT=rfc822;"+strings.Repeat("x", 400)+"\r\n", 10))
	}
	if got := cap(d.t.arena); got > 4096 {
		t.Errorf("the memory for a transaction has grown to %d octets", got)
	}
}

func TestEnvelopeStaysValidWhileItGrows(t *testing.T) {
	s := newSession(Options{})
	in := "EHLO x\r\nMAIL FROM:<sender@b.example> SIZE=123 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+2Bb\r\n"
	for i := range 500 {
		in += fmt.Sprintf("RCPT TO:<\"user%d\"@example.test> NOTIFY=DELAY ORCPT=rfc822;o%d\r\n", i, i)
	}
	if _, next := drive(s, in+"DATA\r\nReceived: x\r\n\r\nabc\r\n.\r\n"); next != Commit {
		t.Fatalf("got %d", next)
	}
	tr := s.Transaction()
	m := tr.Mail
	if string(m.ReturnPath) != "sender@b.example" || m.Size != 123 || m.Body != Body8Bit || !m.UTF8 || m.Ret != smtp.RetHdrs || string(m.EnvID) != "a+2Bb" || m.Auth != nil {
		t.Errorf("MAIL was read as %+v", m)
	}
	for i, r := range tr.Recipients {
		if string(r.Address) != fmt.Sprintf("user%d@example.test", i) || string(r.ORcpt) != fmt.Sprintf("rfc822;o%d", i) || r.Notify != smtp.NotifyDelay {
			t.Fatalf("recipient %d was read as %s %s %d", i, r.Address, r.ORcpt, r.Notify)
		}
	}
	if got, want := s.Body(), (BodyFacts{Octets: 17, Lines: 3, Header: 12, Received: 1, Longest: 11}); got != want || len(tr.Recipients) != 500 {
		t.Errorf("the body has %+v, not %+v; %d recipients", got, want, len(tr.Recipients))
	}
}

func TestMuchMemoryIsNotKept(t *testing.T) {
	d := testDoor(t)
	said(t, d, "EHLO x\r\nMAIL FROM:<a@b.example>\r\n")
	for range 100 {
		said(t, d, strings.Repeat("RCPT TO:<alice+0123456789@example.test>\r\n", 20))
	}
	if cap(d.t.arena) <= keepMax {
		t.Fatal("the transaction was too small for this test")
	}
	said(t, d, "RSET\r\n")
	if cap(d.t.arena) > keepMax || cap(d.t.Recipients) > keepMax/64 {
		t.Errorf("%d octets and %d recipients are kept", cap(d.t.arena), cap(d.t.Recipients))
	}
}

func TestUnfinishedLinesDoNotPileUp(t *testing.T) {
	d := testDoor(t)
	for _, input := range []string{strings.Repeat("x", 70000), "AUTH " + strings.Repeat("x", 70000), "BDAT 100000\r\n" + strings.Repeat("y", 90000)} {
		d.feed([]byte(input))
		if len(d.in) >= authMax {
			t.Errorf("%d octets are left unread", len(d.in))
		}
	}
}

func TestManyRepliesComeInPieces(t *testing.T) {
	s := newSession(Options{})
	in := []byte(strings.Repeat("EHLO x\r\n", 8000))
	steps := 0
	for next := More; next == More; steps++ {
		var n int
		var out []byte
		n, out, next = s.Step(in, nil)
		if len(out) > moreMax+1024 {
			t.Fatalf("%d octets of replies in one step", len(out))
		}
		in = in[n:]
	}
	if steps < 100 || len(in) > 0 {
		t.Errorf("%d steps, %d octets left", steps, len(in))
	}
}

func TestProtocolNames(t *testing.T) {
	for _, c := range []struct {
		mode  Mode
		hello string
		tls   bool
		auth  bool
		mail  string
		want  string
	}{
		{MX, "HELO", false, false, "", "SMTP"},
		{MX, "EHLO", false, false, "", "ESMTP"},
		{MX, "EHLO", true, false, "", "ESMTPS"},
		{MX, "EHLO", false, true, "", "ESMTPA"},
		{Submission, "EHLO", true, true, "", "ESMTPSA"},
		{Submission, "EHLO", true, true, " SMTPUTF8", "UTF8SMTPSA"},
		{LMTP, "LHLO", false, false, "", "LMTP"},
		{LMTP, "LHLO", true, false, " SMTPUTF8", "UTF8LMTPS"},
	} {
		s := newSession(Options{Mode: c.mode})
		if c.tls {
			s.Secure()
		}
		s.SetAuthenticated(c.auth)
		drive(s, c.hello+" x\r\nMAIL FROM:<a@b.example>"+c.mail+"\r\n")
		if got := s.Protocol(); got != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
}

func TestPasswordsAreWiped(t *testing.T) {
	d := testDoor(t, [2]string{"mode", "submission"}, [2]string{"auth-cleartext", "yes"})
	arena := &d.t
	said(t, d, "EHLO x\r\nAUTH PLAIN\r\n")
	n, _, _ := d.s.Step([]byte("AGFsaWNlQGV4YW1wbGUudGVzdAB3b25kZXJsYW5k\r\n"), nil)
	if !bytes.Contains(d.s.Auth().Response, []byte("wonderland")) || n == 0 {
		t.Fatalf("the response is %q", d.s.Auth().Response)
	}
	d.s.Answer(Answer{Verdict: Accept}, nil)
	if bytes.Contains(arena.arena[:cap(arena.arena)], []byte("wonderland")) {
		t.Error("the password is still there")
	}
}

func TestXClientAttributes(t *testing.T) {
	s := newSession(Options{Trust: XClient | XForward})
	_, next := drive(s, "XCLIENT name=a+2Eb ADDR=IPV6:2001:db8::1 PORT=[Unavailable] LOGIN=al+0Aice HELO=[TEMPUNAVAIL]\r\n")
	c := s.Client()
	if next != AskXClient || string(c.Name) != "a.b" || string(c.Addr) != "IPV6:2001:db8::1" || c.Port == nil || len(c.Port) > 0 ||
		string(c.Login) != "al?ice" || c.Helo == nil || len(c.Helo) > 0 || c.Proto != nil {
		t.Errorf("asked %d about %q", next, c)
	}
	out := s.Answer(Answer{Verdict: Refuse, Reply: smtp.Reply{Code: 550, Status: smtp.Status{5, 7, 0}, Text: "Not for you"}}, nil)
	if string(out) != "550 5.7.0 Not for you\r\n" {
		t.Errorf("got %q", out)
	}
}

func TestWrongUseOfTheEngineIsABrokenInvariant(t *testing.T) {
	for name, use := range map[string]func(s *Session){
		"answer without a question": func(s *Session) { s.Answer(Answer{Verdict: Accept}, nil) },
		"no verdict": func(s *Session) {
			drive(s, "EHLO x\r\n")
			s.Step([]byte("MAIL FROM:<>\r\n"), nil)
			s.Answer(Answer{}, nil)
		},
		"refusal without a reply": func(s *Session) {
			drive(s, "EHLO x\r\n")
			s.Step([]byte("MAIL FROM:<>\r\n"), nil)
			s.Answer(Answer{Verdict: Refuse}, nil)
		},
		"challenge for a sender": func(s *Session) {
			drive(s, "EHLO x\r\n")
			s.Step([]byte("MAIL FROM:<>\r\n"), nil)
			s.Answer(Answer{Verdict: Challenge}, nil)
		},
		"body out of place": func(s *Session) { s.TakeBody([]byte("x"), nil) },
		"memory lent twice": func(s *Session) { s.Lend(new(Transaction)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			use(newSession(Options{}))
		}()
	}
}
