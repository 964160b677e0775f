package spool

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"barid/internal/vfs/crash"
)

// testReporter writes reports that list what they are about.
type testReporter struct {
	mu      sync.Mutex
	changed *sync.Cond
	calls   []string // "address kind text" for each recipient, sorted as they came
	err     error
	silent  bool // no report is due
}

func newReporter() *testReporter {
	r := &testReporter{}
	r.changed = sync.NewCond(&r.mu)
	return r
}

func (p *testReporter) Report(job *Job, w *Writer) (*Envelope, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.changed.Broadcast()
	var about []string
	for _, r := range job.Recipients {
		about = append(about, fmt.Sprintf("%s %v %s", r.Address, r.Outcome.Kind, r.Outcome.Text))
	}
	p.calls = append(p.calls, strings.Join(about, ", "))
	if p.err != nil {
		return nil, p.err
	}
	if p.silent || len(job.Envelope.ReturnPath) == 0 {
		return nil, nil
	}
	fmt.Fprintf(w, "%s", strings.Join(about, "\n"))
	return &Envelope{Recipients: []Recipient{{Address: job.Envelope.ReturnPath, Dest: []byte("local:reports")}}}, nil
}

// waitFor returns what was asked of the Reporter when that are n calls.
func (p *testReporter) waitFor(n int) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.calls) < n {
		p.changed.Wait()
	}
	return append([]string(nil), p.calls...)
}

func (p *testReporter) set(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

// byAddress is an agent that does what the local part says.
func byAddress() *testAgent {
	a := newAgent()
	a.deliver = func(_ *Job, r *JobRecipient) Outcome {
		switch what, _, _ := strings.Cut(string(r.Address), "@"); what {
		case "fails":
			return Outcome{Kind: Failed, Status: "5.1.1", Text: "nobody here", Remote: "mx.example.net"}
		case "waits":
			return Outcome{Kind: Deferred, Status: "4.2.2", Text: "full"}
		case "passes":
			return Outcome{Kind: Delivered, Action: ActionPassed}
		}
		return Outcome{Kind: Delivered, Action: ActionRelayed, Text: "taken"}
	}
	return a
}

// untilGone returns when the message is no longer in the spool.
func untilGone(s *Spool, id ID) {
	for {
		s.mu.Lock()
		gone := s.messages[id] == nil
		s.mu.Unlock()
		if gone {
			return
		}
		runtime.Gosched()
	}
}

func TestFailedRecipientIsReportedAndThenGone(t *testing.T) {
	fsys, a, p := crash.New(1), byAddress(), newReporter()
	o := options(fsys, a)
	o.Reporter = p
	s := open(t, o)
	id := must2(t)(submit(s, []byte("x"), envelope("fails@x")))
	if got := p.waitFor(1)[0]; got != "fails@x failed nobody here" {
		t.Errorf("reported %q", got)
	}
	a.waitFor(2) // the report
	untilGone(s, id)
	settleDown(s)
	must(t, s.Checkpoint())
	if st := s.Stats(); st.Messages != 0 || st.Reports != 1 {
		t.Errorf("%+v", st)
	}
	a.mu.Lock()
	if got := a.got[1]; got.address != "sender@example.org" || string(a.bodies[got.id]) != "fails@x failed nobody here" {
		t.Errorf("the report: %+v, %q", got, a.bodies[got.id])
	}
	a.mu.Unlock()
	closeSpool(t, s)
	s = open(t, o)
	settleDown(s)
	closeSpool(t, s)
	if n := len(p.waitFor(1)); n != 1 {
		t.Errorf("reported %d times", n)
	}
}

func TestReportsOfOneMessageAreGathered(t *testing.T) {
	c, a, p := newClock(), byAddress(), newReporter()
	o := options(crash.New(1), a)
	o.Reporter, o.Now = p, c.Now
	s := open(t, o)
	e := to("s@x")
	for _, dest := range []string{"a", "b", "c"} {
		e.Recipients = append(e.Recipients, Recipient{Address: []byte("fails@" + dest), Dest: []byte("local:" + dest)})
	}
	e.Recipients = append(e.Recipients, Recipient{Address: []byte("waits@x"), Dest: []byte("local:d")})
	id := must2(t)(submit(s, []byte("x"), e))
	settleDown(s)
	c.advance(gatherPause * time.Second)
	s.Wake()
	if got := p.waitFor(1)[0]; strings.Count(got, "nobody here") != 3 {
		t.Errorf("reported %q", got)
	}
	a.waitFor(5)
	settleDown(s)
	for s.Stats().Reports < 1 {
		runtime.Gosched()
	}
	if got := states(t, s, id); got != "done done done deferred" {
		t.Errorf("states %q", got)
	}
	closeSpool(t, s)
}

// TestReportWaitsForNobodyWhenAllIsSaid lets no time go by.
func TestReportWaitsForNobodyWhenAllIsSaid(t *testing.T) {
	c, a, p := newClock(), byAddress(), newReporter()
	o := options(crash.New(1), a)
	o.Reporter, o.Now = p, c.Now
	s := open(t, o)
	e := to("s@x")
	for _, address := range []string{"fails@a", "good@b", "fails@c", "good@d"} {
		e.Recipients = append(e.Recipients, Recipient{Address: []byte(address), Dest: []byte("local:" + address)})
	}
	id := must2(t)(submit(s, []byte("x"), e))
	if got := p.waitFor(1)[0]; strings.Count(got, "nobody here") != 2 {
		t.Errorf("reported %q", got)
	}
	untilGone(s, id)
	closeSpool(t, s)
}

func TestSuccessIsReportedWhenAskedForAfterTheAgentHasSynced(t *testing.T) {
	a, p := byAddress(), newReporter()
	broken := errors.New("no sync")
	a.sync = func() error { return broken }
	fsys := crash.New(1)
	o := options(fsys, a)
	o.Reporter = p
	s := open(t, o)
	e := envelope("goes@x", "passes@x", "quiet@x")
	e.Recipients[0].Notify, e.Recipients[1].Notify = NotifySuccess, NotifySuccess
	id := must2(t)(submit(s, []byte("x"), e))
	settleDown(s)
	if err := s.Checkpoint(); !errors.Is(err, broken) {
		t.Errorf("checkpoint: %v", err)
	}
	if got := states(t, s, id); got != "delivered delivered delivered" {
		t.Errorf("states %q", got)
	}
	a.mu.Lock()
	a.sync = nil
	a.mu.Unlock()
	p.set(errors.New("not yet"))
	must(t, s.Checkpoint())
	if got := states(t, s, id); got != "delivered done done" {
		t.Errorf("states %q", got)
	}
	closeSpool(t, s)

	p.set(nil)
	b := byAddress()
	s = open(t, func() Options { o.Agents["local"] = b; return o }())
	if got := b.waitFor(1); got[0].address != "sender@example.org" {
		t.Errorf("delivered again: %v", got)
	}
	untilGone(s, id)
	calls := p.waitFor(1)
	for _, got := range calls {
		if got != "goes@x delivered taken" {
			t.Errorf("reported %q", got)
		}
	}
	closeSpool(t, s)
}

func TestWithoutReporterAReportThatWasPendingIsForgotten(t *testing.T) {
	a, p := byAddress(), newReporter()
	p.set(errors.New("not now"))
	o := options(crash.New(1), a)
	o.Reporter = p
	s := open(t, o)
	e := envelope("goes@x")
	e.Recipients[0].Notify = NotifySuccess
	id := must2(t)(submit(s, []byte("x"), e))
	settleDown(s)
	must(t, s.Checkpoint())
	closeSpool(t, s)
	o.Reporter = nil
	s = open(t, o)
	untilGone(s, id)
	closeSpool(t, s)
}

func TestFailureOfTheNullSenderEndsWithoutReport(t *testing.T) {
	a, p := byAddress(), newReporter()
	o := options(crash.New(1), a)
	o.Reporter = p
	s := open(t, o)
	e := envelope("fails@x")
	e.ReturnPath = nil
	id := must2(t)(submit(s, []byte("x"), e))
	untilGone(s, id)
	if st := s.Stats(); st.Reports != 0 || st.Failed != 1 {
		t.Errorf("%+v", st)
	}
	closeSpool(t, s)
}

func TestReportThatFailsIsWrittenLaterAndAfterRestart(t *testing.T) {
	fsys, c, a, p := crash.New(1), newClock(), byAddress(), newReporter()
	o := options(fsys, a)
	o.Reporter, o.Now = p, c.Now
	p.set(errors.New("not now"))
	s := open(t, o)
	id := must2(t)(submit(s, []byte("x"), envelope("fails@x")))
	p.waitFor(1)
	for i := range 6 {
		for states(t, s, id) != "failed" {
			runtime.Gosched()
		}
		for reporting(s, id) {
			runtime.Gosched()
		}
		s.mu.Lock()
		if pause := s.reports.pause; pause != reportPauseMin<<i {
			t.Errorf("pause %d is %v", i, pause)
		}
		s.mu.Unlock()
		c.advance(time.Hour)
		s.Wake()
		p.waitFor(2 + i)
	}
	closeSpool(t, s)
	p.set(nil)
	s = open(t, o)
	untilGone(s, id)
	closeSpool(t, s)
}

// reporting says that the Reporter is at work on a message.
func reporting(s *Spool, id ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.messages[id]
	return m != nil && (m.reporting || m.inReports)
}

func TestOperatorDecidesBeforeOrAfterAReportButNotDuringIt(t *testing.T) {
	fsys, a, p := crash.New(1), byAddress(), newReporter()
	o := options(fsys, a)
	o.Reporter = p
	s := open(t, o)
	p.mu.Lock() // the Reporter hangs
	id := must2(t)(submit(s, []byte("x"), envelope("fails@x")))
	for !reporting(s, id) {
		runtime.Gosched()
	}
	decided := make(chan error)
	go func() { decided <- s.Release(id) }()
	p.mu.Unlock()
	if err := <-decided; err != nil && !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	untilGone(s, id)
	closeSpool(t, s)
	if n := len(p.waitFor(1)); n != int(s.Stats().Reports) {
		t.Errorf("asked for %d reports, wrote %d", n, s.Stats().Reports)
	}
}

func TestReportIsInTheLogTogetherWithTheEndOfWhatItIsAbout(t *testing.T) {
	fsys, p := crash.New(1), newReporter()
	o := options(fsys, byAddress())
	o.Reporter = p
	s := open(t, o)
	must2(t)(submit(s, []byte("x"), envelope("fails@x")))
	for s.Stats().Reports == 0 {
		runtime.Gosched()
	}
	fsys.CutAfter(0)
	again := newReporter()
	after := options(fsys.Crash(), byAddress())
	after.Reporter = again
	s2 := open(t, after)
	settleDown(s2)
	closeSpool(t, s2)
	if len(again.calls) != 0 {
		t.Errorf("reported again: %q", again.calls)
	}
}
