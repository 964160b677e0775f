package dnsres

import (
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"barid/dnsres/dnstest"
)

// TestAServerThatIsSilentIsAskedLast counts the questions to a first server
// that never answers; the second one always does.
func TestAServerThatIsSilentIsAskedLast(t *testing.T) {
	var asked atomic.Int64
	s := play(t, func(q *dnstest.Query) { q.Send(address(q, good).Octets()) }, mute(func() { asked.Add(1) }), func(o *Options) {
		o.Servers = []netip.AddrPort{silentServer, o.Servers[0]}
	})
	n := 0
	ask := func(want int64) {
		t.Helper()
		n++
		s.wantGood(fmt.Sprintf("a%d.example", n))
		if got := asked.Load(); got != want {
			t.Fatalf("after %d questions: the silent server got %d of them, want %d", n, got, want)
		}
	}
	ask(1)
	ask(2)
	ask(2) // for a second
	s.clock.pass(time.Second)
	ask(3) // the trial
	ask(3)
	s.clock.pass(time.Second)
	ask(3)
	s.clock.pass(time.Second)
	ask(4)
	for range 8 {
		s.clock.pass(backoffMax)
		ask(asked.Load() + 1)
	}
	s.clock.pass(backoffMax - 1)
	ask(asked.Load())
	if h := s.Servers()[0]; h.Failures != 12 || h.LastUntil.Sub(s.clock.Now()) != 1 {
		t.Errorf("%+v", h)
	}
}

func TestAllServersSilentIsTemporaryAndEndsAfterTheRounds(t *testing.T) {
	var asked atomic.Int64
	s := play(t, nil, mute(func() { asked.Add(1) }), func(o *Options) {
		o.Servers, o.Attempts = []netip.AddrPort{silentServer}, 3
	})
	_, err := s.MX(t.Context(), "example")
	s.want(ErrTemporary, err)
	if asked.Load() != 3 {
		t.Errorf("asked %d times", asked.Load())
	}
	if err.Error() != "example MX: no answer: no reply in time (127.0.0.99:53)" {
		t.Error(err)
	}
}

func TestManyFailuresAtOnceAreOne(t *testing.T) {
	now := time.Now()
	s := &server{log: New(Options{}).o.Log}
	for range 100 {
		s.failed(now, now.Add(time.Second), errors.New("silence"))
	}
	if s.failures != failuresMax || s.until != now.Add(time.Second+backoffMin) {
		t.Errorf("%d failures, until %v", s.failures, s.until.Sub(now))
	}
}

func TestOneTrialAtATime(t *testing.T) {
	now := time.Now()
	s := &server{log: New(Options{}).o.Log}
	for range failuresMax {
		s.failed(now, now, errors.New("silence"))
	}
	now = now.Add(backoffMin)
	if s.failing(now) || !s.failing(now) {
		t.Error("not one trial")
	}
	s.replied(time.Millisecond)
	if s.failing(now) {
		t.Error("a reply does not make it whole")
	}
}

func TestPatienceFollowsTheRoundTrips(t *testing.T) {
	s := &server{log: New(Options{}).o.Log}
	const timeout = 5 * time.Second
	if p := s.patience(0, timeout); p != patienceNew {
		t.Errorf("unknown: %v", p)
	}
	for range 100 {
		s.replied(time.Millisecond)
	}
	if p := s.patience(0, timeout); p != patienceMin {
		t.Errorf("a fast server: %v", p)
	}
	for range 100 {
		s.replied(800 * time.Millisecond)
	}
	if p := s.patience(0, timeout); p < 1500*time.Millisecond || p > 2*time.Second {
		t.Errorf("a slow server: %v", p)
	}
	if p := s.patience(1, timeout); p != timeout {
		t.Errorf("the second round: %v", p)
	}
	if p := s.patience(0, time.Second); p != time.Second {
		t.Errorf("never longer than the timeout: %v", p)
	}
	s.failures = failuresMax
	if p := s.patience(1, timeout); p > 2*time.Second {
		t.Errorf("a server that answers nobody: %v", p)
	}
}

func TestRotateTakesTurns(t *testing.T) {
	var us [3]*dnstest.Server
	conf := "options rotate\n"
	u := &upstream{settings: parseResolvConf([]byte(conf))}
	for i := range us {
		u.servers = append(u.servers, &server{addr: netip.AddrPortFrom(silentServer.Addr(), uint16(i))})
	}
	first := map[uint16]int{}
	for range 30 {
		order, healthy := u.order(time.Now())
		if len(order) != 3 || healthy != 3 {
			t.Fatal(order, healthy)
		}
		first[order[0].addr.Port()]++
	}
	if first[0] != 10 || first[1] != 10 || first[2] != 10 {
		t.Errorf("%v", first)
	}
}

// TestAServerThatSaysNothingIsGivenUp is the one test that lets time pass: it
// waits for a real socket.
func TestAServerThatSaysNothingIsGivenUp(t *testing.T) {
	for _, conf := range []string{"", "options use-vc\n"} {
		s := play(t, func(q *dnstest.Query) {}, func(o *Options) { o.Timeout, o.Attempts = 10*time.Millisecond, 2 })
		s.write("resolv.conf", conf)
		_, err := s.MX(t.Context(), "example")
		s.want(ErrTemporary, err)
		if h := s.Servers()[0]; h.Failures != 2 || h.RTT != 0 {
			t.Errorf("%+v", h)
		}
	}
}

func TestUseVCAsksOverTCPAlone(t *testing.T) {
	s := play(t, func(q *dnstest.Query) { q.Send(address(q, good).Octets()) })
	s.write("resolv.conf", "options use-vc\n")
	s.wantGood("example")
	if !s.server.Asked()[0].TCP() {
		t.Error("asked over UDP")
	}
}

func TestQuestionsOnTheNetworkAreBounded(t *testing.T) {
	const atOnce, questions = 2, 20
	var running atomic.Int64
	arrived, answer := make(chan bool, questions), make(chan bool)
	s := play(t, func(q *dnstest.Query) {
		if n := running.Add(1); n > atOnce {
			t.Errorf("%d at once", n)
		}
		arrived <- true
		<-answer
		running.Add(-1)
		q.Send(address(q, good).Octets())
	}, func(o *Options) { o.QueriesMax = atOnce })
	done := make(chan error, questions)
	for i := range questions {
		go func() {
			_, err := s.Addrs(t.Context(), fmt.Sprintf("a%d.example", i), V4)
			done <- err
		}()
	}
	for range atOnce {
		<-arrived
	}
	close(answer)
	for range questions {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
