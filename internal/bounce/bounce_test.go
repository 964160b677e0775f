package bounce

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/mail"
	"strings"
	"testing"
	"time"

	"barid/internal/vfs"
	"barid/spool"
)

const plainMessage = "From: Alice <alice@example.org>\nSubject: lunch\nMessage-ID: <1@example.org>\n\nToday?\n"

// scene is a queue whose agent "smtp" has the reporter write a report at once,
// and whose agent "local" shows what arrives.
type scene struct {
	t        *testing.T
	reporter *Reporter
	outcomes map[string]spool.Outcome // by address; else a refusal
	spool    *spool.Spool
	reports  chan report
	done     chan verdict
	log      bytes.Buffer
}

// verdict is what Report said.
type verdict struct {
	written bool
	err     error
}

// report is a message that arrived at "local".
type report struct {
	text     string
	envelope spool.Envelope
	to       []string
}

var refusal = spool.Outcome{Kind: spool.Failed, Status: "5.1.1", Text: "550 5.1.1 no such user", Remote: "mx.example.net"}

var errBusy = errors.New("the maps cannot be read")

func newScene(t *testing.T, o Options) *scene {
	t.Helper()
	s := &scene{t: t, outcomes: map[string]spool.Outcome{}, reports: make(chan report, 10), done: make(chan verdict, 10)}
	o.Hostname, o.Log = "mx.example.test", slog.New(slog.NewTextHandler(&s.log, nil))
	o.Route = s.route
	s.reporter = New(o)
	var err error
	s.spool, err = spool.Open(spool.Options{
		FS: vfs.Disk{}, Dir: t.TempDir(), SegmentSize: 1 << 20, SpillSize: 4096, ReserveBytes: 1,
		Agents: map[string]spool.Agent{"smtp": outside{s}, "local": inside{s}}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.spool.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *scene) route(address []byte) ([]spool.Recipient, error) {
	switch local, domain, _ := strings.Cut(string(address), "@"); {
	case local == "busy":
		return nil, errBusy
	case domain == "nowhere.example":
		return nil, nil
	case local == "team":
		return []spool.Recipient{
			{Address: []byte("ann@example.org"), Original: address, Dest: []byte("local:ann")},
			{Address: []byte("ben@example.org"), Original: address, Dest: []byte("local:ben")},
		}, nil
	}
	return []spool.Recipient{{Address: address, Dest: append([]byte("local:"), address...)}}, nil
}

// outside is the agent whose outcomes are reported.
type outside struct{ *scene }

func (s outside) Deliver(_ context.Context, job *spool.Job) {
	for i := range job.Recipients {
		r := &job.Recipients[i]
		o, known := s.outcomes[string(r.Address)]
		if !known {
			o = refusal
		}
		r.Outcome = o
	}
	job.Expires = job.Arrived.Add(5 * 24 * time.Hour)
	s.done <- s.report(job)
	for i := range job.Recipients {
		job.Recipients[i].Outcome = spool.Outcome{Kind: spool.Delivered} // it is over for the queue
	}
}

func (s outside) report(job *spool.Job) verdict {
	w := s.spool.Writer()
	defer w.Release()
	if _, err := w.Begin(); err != nil {
		return verdict{err: err}
	}
	e, err := s.reporter.Report(job, w)
	if err != nil || e == nil {
		return verdict{err: err}
	}
	return verdict{true, w.Commit(e)}
}

func (s outside) Sync() error { return nil }

// inside is the agent that gets the reports.
type inside struct{ *scene }

func (s inside) Deliver(_ context.Context, job *spool.Job) {
	text, err := job.ReadAll(nil)
	if err != nil {
		s.t.Error(err)
	}
	r := report{text: string(text), envelope: job.Envelope}
	if len(job.Envelope.ReturnPath) > 0 {
		s.t.Errorf("a report comes from %q", job.Envelope.ReturnPath)
	}
	for i := range job.Recipients {
		r.to = append(r.to, string(job.Recipients[i].Address))
		if job.Recipients[i].Notify != spool.NotifyNever {
			s.t.Error("a report on a report is asked for")
		}
		job.Recipients[i].Outcome = spool.Outcome{Kind: spool.Delivered}
	}
	s.reports <- r
}

func (s inside) Sync() error { return nil }

// envelope is one from alice.
func envelope(notify spool.Notify, addresses ...string) *spool.Envelope {
	e := &spool.Envelope{ReturnPath: []byte("alice@example.org"), Client: []byte("2001:db8::1")}
	for _, a := range addresses {
		e.Recipients = append(e.Recipients, spool.Recipient{Address: []byte(a), Dest: []byte("smtp:example.net"), Notify: notify})
	}
	return e
}

// send sends a message and returns what Report said.
func (s *scene) send(body string, e *spool.Envelope) verdict {
	s.t.Helper()
	w := s.spool.Writer()
	defer w.Release()
	if _, err := w.Begin(); err != nil {
		s.t.Fatal(err)
	}
	if _, err := io.WriteString(w, body); err != nil {
		s.t.Fatal(err)
	}
	if err := w.Commit(e); err != nil {
		s.t.Fatal(err)
	}
	return <-s.done
}

// reported sends a message and returns the report, which there must be.
func (s *scene) reported(body string, e *spool.Envelope) report {
	s.t.Helper()
	if v := s.send(body, e); !v.written || v.err != nil {
		s.t.Fatalf("no report: %v", v.err)
	}
	r := <-s.reports
	if _, err := mail.ReadMessage(strings.NewReader(r.text)); err != nil {
		s.t.Errorf("%v in\n%s", err, r.text)
	}
	return r
}

// silent sends a message and wants no report.
func (s *scene) silent(e *spool.Envelope) {
	s.t.Helper()
	if v := s.send(plainMessage, e); v.written || v.err != nil {
		s.t.Errorf("a report was written: %v, %v", v.written, v.err)
	}
}

func TestNotifyDecidesWhatIsReported(t *testing.T) {
	s := newScene(t, Options{})
	outcomes := map[string]spool.Outcome{
		"failed@x": refusal, "delayed@x": {Kind: spool.Deferred, Status: "4.4.1"}, "delivered@x": {Kind: spool.Delivered},
		"relayed@x": {Kind: spool.Delivered, Action: spool.ActionRelayed}, "expanded@x": {Kind: spool.Delivered, Action: spool.ActionExpanded},
		"passed@x": {Kind: spool.Delivered, Action: spool.ActionPassed}, "unset@x": {},
	}
	s.outcomes = outcomes
	all := spool.NotifySuccess | spool.NotifyFailure | spool.NotifyDelay
	for _, c := range []struct {
		notify spool.Notify
		want   string
	}{
		{0, "failed delayed"}, {spool.NotifyNever, ""}, {spool.NotifyFailure, "failed"}, {spool.NotifyDelay, "delayed"},
		{spool.NotifySuccess, "delivered relayed expanded"}, {all, "failed delayed delivered relayed expanded"},
	} {
		for address := range outcomes {
			action, _, _ := strings.Cut(address, "@")
			e := envelope(c.notify, address)
			if !strings.Contains(c.want, action) {
				s.silent(e)
				continue
			}
			r := s.reported(plainMessage, e)
			if !strings.Contains(r.text, "\nAction: "+action+"\n") || len(r.to) != 1 || r.to[0] != "alice@example.org" {
				t.Errorf("NOTIFY %d, %s: to %v\n%s", c.notify, action, r.to, r.text)
			}
			if late := strings.Contains(r.text, "Will-Retry-Until: "); late != (action == "delayed") {
				t.Errorf("%s: Will-Retry-Until is %v", action, late)
			}
		}
	}
}

func TestOneReportTellsOfAllWhoAreDue(t *testing.T) {
	s := newScene(t, Options{})
	s.outcomes["good@example.net"] = spool.Outcome{Kind: spool.Delivered}
	e := envelope(0, "a@example.net", "good@example.net", "b@example.net")
	e.EnvID = []byte("E+2BID")
	e.Recipients[0].Original, e.Recipients[0].ORcpt = []byte("list@example.test"), []byte("rfc822;List@example.test")
	text := s.reported(plainMessage, e).text
	for _, want := range []string{
		"To: <alice@example.org>\n", "\nFinal-Recipient: rfc822; list@example.test\n", "\nOriginal-Recipient: rfc822; List@example.test\n", "\nFinal-Recipient: rfc822; b@example.net\n",
		"\nOriginal-Envelope-Id: E+ID\n", "\nReceived-From-MTA: dns; [IPv6:2001:db8::1]\n", "\nRemote-MTA: dns; mx.example.net\n", "\nIn-Reply-To: <1@example.org>\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("not there: %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "good@") || strings.Contains(text, "a@example.net") {
		t.Errorf("it says more than it should:\n%s", text)
	}
}

func TestReturnedAsAskedForAndAllowed(t *testing.T) {
	long := plainMessage + strings.Repeat("a line\n", 1000)
	for _, c := range []struct {
		name   string
		o      Options
		ret    spool.Ret
		body   spool.Body
		msg    string
		action spool.Kind
		full   bool
	}{
		{"nothing said", Options{}, spool.RetUnset, 0, plainMessage, spool.Failed, false},
		{"nothing said, full by default", Options{ReturnFull: true}, spool.RetUnset, 0, plainMessage, spool.Failed, true},
		{"FULL", Options{}, spool.RetFull, 0, plainMessage, spool.Failed, true},
		{"HDRS", Options{ReturnFull: true}, spool.RetHeaders, 0, plainMessage, spool.Failed, false},
		{"FULL but large", Options{SizeMax: 100}, spool.RetFull, 0, long, spool.Failed, false},
		{"FULL in its own file", Options{}, spool.RetFull, 0, long, spool.Failed, true},
		{"FULL but binary", Options{}, spool.RetFull, spool.BodyBinary, plainMessage, spool.Failed, false},
		{"FULL but only late", Options{}, spool.RetFull, 0, plainMessage, spool.Deferred, false},
	} {
		s := newScene(t, c.o)
		s.outcomes["bob@example.net"] = spool.Outcome{Kind: c.action}
		e := envelope(0, "bob@example.net")
		e.Ret, e.Body = c.ret, c.body
		text := s.reported(c.msg, e).text
		if got := strings.Contains(text, "\nToday?\n"); got != c.full || strings.Contains(text, "message/rfc822") != c.full {
			t.Errorf("%s: %v\n%s", c.name, got, text)
		}
	}
}

func TestEnvelopeSaysWhatTheReportNeeds(t *testing.T) {
	s := newScene(t, Options{ReturnFull: true})
	e := envelope(0, "bob@example.net")
	if r := s.reported(plainMessage, e); r.envelope.Body != spool.Body7Bit || r.envelope.SMTPUTF8 {
		t.Errorf("an ASCII report: %+v", r.envelope)
	}
	if r := s.reported(plainMessage+"ä\n", e); r.envelope.Body != spool.Body8Bit || r.envelope.SMTPUTF8 {
		t.Errorf("a report with 8 bits: %+v", r.envelope)
	}
	e.ReturnPath, e.SMTPUTF8 = []byte("älice@example.org"), true
	if r := s.reported(plainMessage, e); r.envelope.Body != spool.Body8Bit || !r.envelope.SMTPUTF8 {
		t.Errorf("a report to a UTF-8 address: %+v", r.envelope)
	}
}

func TestReportsTakeTheWayThatMailToTheSenderTakes(t *testing.T) {
	s := newScene(t, Options{})
	e := envelope(0, "bob@example.net")
	e.ReturnPath = []byte("team@example.org")
	first, second := s.reported(plainMessage, e), <-s.reports
	if got := strings.Join(append(first.to, second.to...), " "); got != "ann@example.org ben@example.org" && got != "ben@example.org ann@example.org" {
		t.Errorf("it went to %s", got)
	}
	e.ReturnPath = []byte("busy@example.org")
	if v := s.send(plainMessage, e); v.written || !errors.Is(v.err, errBusy) {
		t.Errorf("a way that is not known now: %+v", v)
	}
}

func TestNobodyReportsToTheNullSender(t *testing.T) {
	s := newScene(t, Options{})
	s.outcomes["late@example.net"] = spool.Outcome{Kind: spool.Deferred}
	for _, address := range []string{"bob@example.net", "late@example.net"} {
		e := envelope(0, address)
		e.ReturnPath = nil
		s.silent(e)
		e.ReturnPath = []byte("alice@nowhere.example")
		s.silent(e)
	}
	log := s.log.String()
	for _, want := range []string{"it has the null sender", "no mail can be sent to its sender", "to=bob@example.net", "550 5.1.1 no such user"} {
		if !strings.Contains(log, want) {
			t.Errorf("not in the log: %s\n%s", want, log)
		}
	}
	if strings.Contains(log, "late@example.net") {
		t.Errorf("a delay is no loss:\n%s", log)
	}
}

func TestPostmasterGetsWhatNobodyElseCanGet(t *testing.T) {
	s := newScene(t, Options{Postmaster: []byte("postmaster@example.test")})
	e := envelope(spool.NotifyNever, "bob@example.net")
	e.ReturnPath = nil
	if r := s.reported(plainMessage, e); r.to[0] != "postmaster@example.test" || !strings.Contains(r.text, "neither delivered nor returned") {
		t.Errorf("to %v\n%s", r.to, r.text)
	}
	e.ReturnPath, e.Recipients[0].Notify = []byte("alice@nowhere.example"), 0
	if r := s.reported(plainMessage, e); r.to[0] != "postmaster@example.test" {
		t.Errorf("to %v", r.to)
	}
}

func TestReportThatCannotReachThePostmasterEndsThere(t *testing.T) {
	s := newScene(t, Options{Postmaster: []byte("postmaster@example.test")})
	e := envelope(0, "Postmaster@example.test")
	e.ReturnPath = nil
	s.silent(e)
	e = envelope(0, "carol@example.net")
	e.ReturnPath, e.Recipients[0].Original = nil, []byte("postmaster@example.test")
	s.silent(e)
}

func TestDiagnosticIsTheReplyAlone(t *testing.T) {
	for text, want := range map[string]string{
		"550 5.1.1 no such user":                             "smtp; 550 5.1.1 no such user",
		"host mx[192.0.2.1] said: 550 no (in reply to RCPT)": "smtp; 550 no",
		"expired after 120h0m0s: host mx[192.0.2.1] said: 450 he said: no (in reply to x) (in reply to RCPT)": "smtp; 450 he said: no (in reply to x)",
		"host mx[192.0.2.1] said: 550 no (in re":                                       "smtp; 550 no (in re",
		"host mx[192.0.2.1] refused to talk to me: 554 5.7.1 no (in reply to nothing)": "smtp; 554 5.7.1 no (in reply to nothing)",
		"host mx[192.0.2.1] refused to talk to me: 554 he said: no":                    "smtp; 554 he said: no",
		"host mx[192.0.2.1] said: 550 x refused to talk to me: 554 (in reply to MAIL)": "smtp; 550 x refused to talk to me: 554",
		"words without a code": "x-barid; words without a code",
	} {
		s := newScene(t, Options{})
		s.outcomes["bob@example.net"] = spool.Outcome{Kind: spool.Failed, Remote: "mx", Text: text}
		if got := s.reported(plainMessage, envelope(0, "bob@example.net")).text; !strings.Contains(got, "\nDiagnostic-Code: "+want+"\n") {
			t.Errorf("%q became\n%s", text, got)
		}
	}
}

func TestServersAreNamedByDomainOrLiteral(t *testing.T) {
	for remote, want := range map[string]string{
		"mx.example.net": "mx.example.net", "192.0.2.1": "[192.0.2.1]", "2001:db8::1": "[IPv6:2001:db8::1]", "/run/lmtp": "localhost",
	} {
		s := newScene(t, Options{})
		s.outcomes["bob@example.net"] = spool.Outcome{Kind: spool.Failed, Remote: remote, Text: "550 no"}
		if got := s.reported(plainMessage, envelope(0, "bob@example.net")).text; !strings.Contains(got, "\nRemote-MTA: dns; "+want+"\n") {
			t.Errorf("%s: %s", remote, got)
		}
	}
}

func TestReportsAreNotAlike(t *testing.T) {
	s := newScene(t, Options{})
	id := func() string {
		m, err := mail.ReadMessage(strings.NewReader(s.reported(plainMessage, envelope(0, "bob@example.net")).text))
		if err != nil {
			t.Fatal(err)
		}
		return m.Header.Get("Message-ID") + m.Header.Get("Content-Type")
	}
	if a, b := id(), id(); a == b {
		t.Errorf("two reports have %s", a)
	}
}
