package proto

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"barid/internal/dialog"
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

// drive steps a session by hand, without the policy of the test's door, until
// it cannot go on or wants something unusual.
func drive(s *Session, in string) (out string, next Next) {
	for rest := []byte(in); ; {
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

// driveTo drives until a question and returns what has not been consumed.
func driveTo(s *Session, in string, question Next) (rest []byte, next Next) {
	for rest = []byte(in); ; {
		n, _, next := s.Step(rest, nil)
		rest = rest[n:]
		switch {
		case next == question || next == NeedInput || next == Close:
			return rest, next
		case next == TakeBody:
			n, _ = s.TakeBody(rest, nil)
			rest = rest[n:]
		case next != Ended:
			s.Answer(Answer{Verdict: Accept}, nil)
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
	for input, question := range map[string]Next{
		"EHLO x\r\nMAIL FROM:<a@b.example>\r\n":          AskMail,
		"EHLO x\r\n" + envelope:                          AskRcpt,
		"EHLO x\r\n" + envelope + "DATA\r\n":             AskData,
		"EHLO x\r\n" + envelope + "BDAT 3\r\nabc":        AskData,
		"EHLO x\r\n" + envelope + "BDAT 3 LAST\r\na\r\n": Commit,
		"EHLO x\r\n" + envelope + "DATA\r\n.\r\nNOOP":    Commit,
	} {
		for _, code := range []int{421, 521} {
			s := newSession(Options{})
			rest, next := driveTo(s, input, question)
			if next != question {
				t.Fatalf("%q led to %d, not %d", input, next, question)
			}
			final := smtp.Reply{Code: code, Status: smtp.Status{uint16(code / 100), 7, 0}, Text: "Enough"}
			out := s.Answer(Answer{Verdict: Refuse, Reply: final}, nil)
			n, more, next := s.Step(rest, nil)
			if string(out)+string(more) != string(final.Append(nil)) || n != 0 || next != Close {
				t.Errorf("%q: %d was answered with %q and %q, %d", input, code, out, more, next)
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

// What a door believes of the memory must not be less than what clients can
// have it hold.
func TestMemoryOfATransactionIsKnown(t *testing.T) {
	s := newSession(Options{})
	drive(s, "EHLO x\r\nMAIL FROM:<a@b.example>\r\n")
	if n := s.Transaction().Memory(); n > 200 {
		t.Errorf("a begun transaction takes %d octets", n)
	}
	for range 1000 {
		drive(s, "RCPT TO:<"+strings.Repeat("r", 60)+"@b.example> ORCPT=rfc822;"+strings.Repeat("o", 400)+"\r\n")
	}
	if n := s.Transaction().Memory(); n < 1000*(60+400) || n > 4<<20 {
		t.Errorf("with a thousand recipients it takes %d octets", n)
	}
	drive(s, "RSET\r\n")
	if n := s.Transaction().Memory(); n != 0 {
		t.Errorf("with none it takes %d octets", n)
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
		{MX, "EHLO x\r\nHELO", true, true, "", "SMTP"},
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
	_, next := drive(s, "XCLIENT name=a+2Eb ADDR=IPV6:2001:db8::1 PORT=[Unavailable] LOGIN=al+0Ai+20c+7Fe HELO=[TEMPUNAVAIL] \r\n")
	c := s.Client()
	if next != AskXClient || string(c.Name) != "a.b" || string(c.Addr) != "IPV6:2001:db8::1" || c.Port == nil || len(c.Port) > 0 ||
		string(c.Login) != "al?i c?e" || c.Helo == nil || len(c.Helo) > 0 || c.Proto != nil {
		t.Errorf("asked %d about %q", next, c)
	}
	out := s.Answer(Answer{Verdict: Refuse, Reply: smtp.Reply{Code: 550, Status: smtp.Status{5, 7, 0}, Text: "Not for you"}}, nil)
	if string(out) != "550 5.7.0 Not for you\r\n" {
		t.Errorf("got %q", out)
	}
}

func TestXClientForgetsTheLogin(t *testing.T) {
	s := newSession(Options{Trust: XClient})
	s.SetAuthenticated(true)
	drive(s, "EHLO x\r\nXCLIENT ADDR=192.0.2.1\r\n")
	s.Answer(Answer{Verdict: Accept}, nil)
	if s.Authenticated() || len(s.Helo()) > 0 || s.Protocol() != "SMTP" {
		t.Errorf("it still knows %q, %s, authenticated %v", s.Helo(), s.Protocol(), s.Authenticated())
	}
}

func TestMechanismOfTLSInTheClear(t *testing.T) {
	s := newSession(Options{Mechanisms: []string{"SCRAM-SHA-256"}, MechanismsTLS: []string{"PLAIN", "SCRAM-SHA-256"}})
	for input, code := range map[string]string{"AUTH PLAIN x\r\n": "538", "AUTH LOGIN\r\n": "504"} {
		drive(s, "EHLO x\r\n")
		if out, _ := drive(s, input); out[:3] != code {
			t.Errorf("%q: %q", input, out)
		}
	}
	if _, next := drive(s, "AUTH scram-sha-256\r\n"); next != AskAuth || s.Auth().Mechanism != "SCRAM-SHA-256" || s.Auth().Response != nil {
		t.Errorf("asked %d about %+v", next, s.Auth())
	}
}

// An empty initial response is one, also in memory that was never used.
func TestEmptyInitialResponseIsNotNone(t *testing.T) {
	s := newSession(Options{Mechanisms: []string{"PLAIN"}})
	drive(s, "EHLO x\r\n")
	if _, next := drive(s, "AUTH PLAIN =\r\n"); next != AskAuth || s.Auth().Response == nil || len(s.Auth().Response) > 0 {
		t.Errorf("asked %d about %#v", next, s.Auth())
	}
}

func TestMailAuthParameter(t *testing.T) {
	for value, want := range map[string]string{"<>": "<>", "e+2Bmc2@example.com": "e+mc2@example.com", "a+2": "refused", "": "refused"} {
		s := newSession(Options{Mechanisms: []string{"PLAIN"}})
		drive(s, "EHLO x\r\n")
		got := "refused"
		if _, _, next := s.Step([]byte("MAIL FROM:<a@b.example> AUTH="+value+"\r\n"), nil); next == AskMail {
			got = string(s.Mail().Auth)
		}
		if got != want {
			t.Errorf("AUTH=%s: %s", value, got)
		}
	}
}

func TestLimitsNamesOnlyThoseThatAre(t *testing.T) {
	s := newSession(Options{RcptMax: 7})
	if out, _ := drive(s, "EHLO x\r\n"); !strings.Contains(out, "250-LIMITS RCPTMAX=7\r\n") {
		t.Errorf("%q", out)
	}
	s = newSession(Options{})
	if out, _ := drive(s, "EHLO x\r\n"); strings.Contains(out, "LIMITS") {
		t.Errorf("%q", out)
	}
}

func TestRecipientsOfADomainCountOnce(t *testing.T) {
	s := newSession(Options{RcptDomainMax: 2})
	out, _ := drive(s, "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@x>\r\nRCPT TO:<b@X>\r\nRCPT TO:<c@x>\r\nRCPT TO:<d@y>\r\nRCPT TO:<d@z>\r\nRCPT TO:<e@Y>\r\n")
	if !strings.HasSuffix(out, strings.Repeat("250 2.1.5 Ok\r\n", 4)+refusalText(tooManyDomains)+"250 2.1.5 Ok\r\n") {
		t.Errorf("%q", out)
	}
}

func refusalText(r refusal) string { return string(refusals[r].Append(nil)) }

func TestLineLimitIsExact(t *testing.T) {
	for length, want := range map[int]string{commandMax: "250 2.0.0 Ok\r\n", commandMax + 1: refusalText(lineTooLong)} {
		input := "NOOP" + strings.Repeat("x", length-len("NOOP\r\n")) + "\r\n"
		input = strings.Replace(input, "x", " ", 1)
		for _, pieces := range [][]string{{input}, {input[:length-1], input[length-1:]}, {input[:length-2], input[length-2:]}} {
			s := newSession(Options{})
			var got string
			var left []byte
			for _, p := range pieces {
				left = append(left, p...)
				n, out, _ := s.Step(left, nil)
				left = left[n:]
				got += string(out)
			}
			if got != want || len(left) > 0 {
				t.Errorf("a line of %d octets in %d pieces: %q, %d left", length, len(pieces), got, len(left))
			}
		}
	}
}

func TestOverlongLineCutAnywhere(t *testing.T) {
	long := strings.Repeat("x", commandMax)
	for line, want := range map[string]string{
		long + "\r\nNOOP\r\n":        refusalText(lineTooLong) + "250 2.0.0 Ok\r\n",
		long + "yyy\r\nNOOP\r\n":     refusalText(lineTooLong) + "250 2.0.0 Ok\r\n",
		long + "\rNOOP\r\nNOOP\r\n":  refusalText(badLineEnd) + "(Close)\n",
		long + "y\rNOOP\r\nNOOP\r\n": refusalText(badLineEnd) + "(Close)\n",
		long + "\nNOOP\r\n":          refusalText(badLineEnd) + "(Close)\n",
		long + "\r":                  "",
	} {
		for _, cuts := range [][]byte{{0}, {1}, {6}, {254}} {
			dialog.CutEqual(t, []byte(line), cuts, func(pieces [][]byte) string {
				got := play(t, nil, pieces)
				if _, got, _ = strings.Cut(got, "\n"); got != want {
					t.Errorf("...%q: %q", line[commandMax:], got)
				}
				return got
			})
		}
	}
}

func TestLoopIsSeenInAnyChunk(t *testing.T) {
	d := testDoor(t, [2]string{"received-max", "1"})
	input := "EHLO x\r\n" + envelope + "BDAT 26\r\nReceived: x\r\nReceived: x\r\nBDAT 6\r\nQUIT\r\nRSET\r\n"
	if got := said(t, d, input); got != "250 250 250 554 503 250" || d.open {
		t.Errorf("got %s; a transaction is open: %v", got, d.open)
	}
}

func TestResetBeginsAnew(t *testing.T) {
	s := newSession(Options{})
	drive(s, "EHLO x\r\n"+envelope)
	s.Reset(&Options{Hostname: "other"})
	if len(s.Helo()) > 0 || s.InTransaction() || len(s.Transaction().Recipients) > 0 || string(s.Greet(nil)) != "220 other ESMTP\r\n" {
		t.Errorf("it still knows %q and %d recipients", s.Helo(), len(s.Transaction().Recipients))
	}
}

func TestWhatIsNotOfferedIsNotUnderstood(t *testing.T) {
	s := newSession(Options{Hostname: "mx", Banner: "at your service"})
	s.opts.Offer = 0
	if got := string(s.Greet(nil)); got != "220 mx ESMTP at your service\r\n" {
		t.Errorf("greeting %q", got)
	}
	out, _ := drive(s, "EHLO x\r\n")
	if want := "250-mx\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 0\r\n250 ENHANCEDSTATUSCODES\r\n"; out != want {
		t.Errorf("offered %q", out)
	}
	for _, c := range [][2]string{
		{"MAIL FROM:<a@b.example> SMTPUTF8\r\n", "555"}, {"MAIL FROM:<a@b.example> RET=FULL\r\n", "555"},
		{"MAIL FROM:<a@b.example> ENVID=x\r\n", "555"}, {"MAIL FROM:<a@b.example> BODY=BINARYMIME\r\n", "501"},
		{"MAIL FROM:<a@b.example> BODY=7bit SIZE=99999999999\r\n", "250"},
		{"RCPT TO:<a@b.example> NOTIFY=NEVER\r\n", "555"}, {"RCPT TO:<a@b.example> ORCPT=rfc822;a\r\n", "555"}, {"RCPT TO:<a@b.example>\r\n", "250"},
		{"BDAT 6 LAST\r\nQUIT\r\n", "502"}, {"STARTTLS\r\n", "502"}, {"AUTH PLAIN\r\n", "502"}, {"XCLIENT ADDR=::1\r\n", "550"},
	} {
		if out, _ := drive(s, c[0]); len(out) < 3 || out[:3] != c[1] || strings.Count(out, "\n") != 1 {
			t.Errorf("%q: %q", c[0], out)
		}
	}
	if s.Errors() != 10 {
		t.Errorf("%d errors were counted", s.Errors())
	}
	if s.Release() == nil || s.Transaction() != nil {
		t.Error("the memory was not released")
	}
}

func TestHeaderScan(t *testing.T) {
	for text, want := range map[string]headerScan{
		"Received: a\nreceived:b\n\nReceived: c\n": {octets: 23, received: 2, over: true},
		"A: b\r\nRECEIVED: x\r\n\r\nReceived: c":   {octets: 19, received: 1, over: true, at: emptyCR},
		"Receive\nX-Received: a\n received:\n":     {octets: 8 + 14 + 11},
		"\nReceived: a\n":                          {over: true},
		"Received":                                 {octets: 8, at: 8},
		"\rX\nReceived: x\n":                       {octets: 15, received: 1},
		"Received\x1a x\n":                         {octets: 12},
	} {
		var whole, cut headerScan
		whole.scan([]byte(text))
		for i := range text {
			cut.scan([]byte(text[i : i+1]))
		}
		if whole != want || cut != want {
			t.Errorf("%q: %+v, cut %+v", text, whole, cut)
		}
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

func TestDSNIsAnnouncedOnlyWithReports(t *testing.T) {
	for _, reports := range []bool{false, true} {
		var s Session
		s.Reset(&Options{Hostname: "mx.example.test", Offer: Everything, Reports: reports})
		s.Lend(new(Transaction))
		_, out, _ := s.Step([]byte("EHLO c.example\r\n"), nil)
		if got := bytes.Contains(out, []byte("250-DSN\r\n")); got != reports {
			t.Errorf("Reports %v: %s", reports, out)
		}
	}
}
