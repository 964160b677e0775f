package relay

import (
	"fmt"
	"testing"
	"time"

	"barid/internal/relay/proto"
)

// oneMore is a transaction on a connection that is open.
const oneMore = mailOne + body + accepted

func kept(t *testing.T) *scene {
	s := newScene(t, "")
	s.o.Idle = time.Hour
	return s
}

var toA = to("smtp:[127.0.0.1]", "a@example.org")

const delivered = "a@example.org delivered 2.0.0: "

func TestNextMessageGoesOverTheSameConnection(t *testing.T) {
	s := kept(t)
	s.serve("127.0.0.1", greeting+oneMore+oneMore+oneMore+bye)
	for range 3 {
		want(t, s.send(toA), delivered)
	}
	if got := s.relay.Stats(); got.Connections != 1 || got.Reused != 2 || got.Open != 1 || got.Idle != 1 {
		t.Errorf("%+v", got)
	}
	s.relay.Close()
}

func TestConnectionIsGoodForOtherMailAfterARefusal(t *testing.T) {
	s := kept(t)
	s.serve("127.0.0.1", greeting+"C: MAIL*\nC: RCPT*\nC: DATA\nS: 250 Ok\nS: 550 5.1.1 Nobody\nS: 503 No\nC: RSET\nS: 250 Ok\n"+oneMore+bye)
	want(t, s.send(toA), "a@example.org failed 5.1.1*")
	want(t, s.send(toA), delivered)
	s.relay.Close()
}

// TestServerThatHangsUpMeanwhileDelaysNothing plays what servers do to a
// connection that is idle for too long.
func TestServerThatHangsUpMeanwhileDelaysNothing(t *testing.T) {
	for name, script := range map[string]string{
		"closes":             "SIGNAL\n",
		"says 421":           "S: 421 4.4.2 Idle for too long\nSIGNAL\n",
		"says anything":      "S: 250 What was that?\nSIGNAL\nHANG\n",
		"closes at MAIL":     "SIGNAL\nC: MAIL*\nC: RCPT*\nC: DATA\n",
		"says 421 at MAIL":   "SIGNAL\nC: MAIL*\nC: RCPT*\nC: DATA\nS: 421 4.4.2 Idle for too long\n",
		"nonsense at MAIL":   "SIGNAL\nC: MAIL*\nC: RCPT*\nC: DATA\nS: ?\n",
		"resets at MAIL":     "SIGNAL\nC: MAIL*\nC: RCPT*\nC: DATA\nRESET\n",
		"closes behind RCPT": "SIGNAL\nC: MAIL*\nC: RCPT*\nC: DATA\nS: 250 Ok\nS: 250 Ok\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := kept(t)
			s.signal = make(chan struct{})
			s.serve("127.0.0.1", greeting+oneMore+script, greeting+oneMore+bye)
			want(t, s.send(toA), delivered)
			<-s.signal
			if name == "closes" {
				s.settled(1)
			}
			want(t, s.send(toA), delivered)
			s.relay.Close()
		})
	}
}

// settled waits until the kernel has told that so many idle connections were
// closed.
func (s *scene) settled(n int) {
	for gone := 0; gone < n; {
		gone = 0
		s.relay.pool.mu.Lock()
		for _, site := range s.relay.pool.sites {
			for _, c := range site.idle {
				if c.socket.pending() {
					gone++
				}
			}
		}
		s.relay.pool.mu.Unlock()
	}
}

func TestConnectionServesSoManyMessagesAndNoMore(t *testing.T) {
	s := kept(t)
	s.o.MessagesMax = 2
	s.serve("127.0.0.1", greeting+oneMore+oneMore+bye, greeting+oneMore+bye)
	for range 3 {
		want(t, s.send(toA), delivered)
	}
	s.relay.Close()
}

func TestConnectionServesSoLongAndNoLonger(t *testing.T) {
	s := kept(t)
	s.o.AgeMax = 1
	s.serve("127.0.0.1", greeting+oneMore+bye, greeting+oneMore+bye)
	for range 2 {
		want(t, s.send(toA), delivered)
	}
	s.relay.Close()
}

func TestIdleConnectionIsClosedWithGoodbye(t *testing.T) {
	s := kept(t)
	s.o.Idle = time.Millisecond
	s.signal = make(chan struct{})
	s.serve("127.0.0.1", greeting+oneMore+"C: QUIT\nS: 221 Bye\nEND\nSIGNAL\n")
	want(t, s.send(toA), delivered)
	<-s.signal
	for {
		if got := s.relay.Stats(); got.Open == 0 && got.Idle == 0 {
			return
		}
	}
}

func TestIdleConnectionsMakeRoomForOthers(t *testing.T) {
	s := kept(t)
	s.o.ConnectionsMax = 2
	for i := range 3 {
		script := greeting + oneMore + bye
		if i == 2 {
			script = greeting + oneMore + oneMore + bye
		}
		s.serve(fmt.Sprintf("127.0.0.%d", i+1), script)
	}
	for _, i := range []int{1, 2, 3, 3} {
		want(t, s.send(to(fmt.Sprintf("smtp:[127.0.0.%d]", i), "a@example.org")), delivered)
	}
	if got := s.relay.Stats(); got.Open != 2 || got.Idle != 2 {
		t.Errorf("%+v", got)
	}
	s.relay.Close()
}

func TestMailWaitsForAConnectionWhenAllAreBusy(t *testing.T) {
	s := kept(t)
	s.o.ConnectionsMax = 1
	s.signal = make(chan struct{})
	s.serve("127.0.0.1", greeting+mailOne+body+"SIGNAL\nSIGNAL\n"+accepted+bye)
	s.serve("127.0.0.2", greeting+oneMore+bye)
	s.commit(message1, toA)
	<-s.signal
	s.commit(message1, to("smtp:[127.0.0.2]", "a@example.org"))
	for s.relay.pool.waiting.Load() == 0 {
		continue
	}
	<-s.signal
	want(t, s.results(2), delivered, delivered)
	s.relay.Close()
}

func TestConnectionIsNotSharedBetweenLoginsOrPolicies(t *testing.T) {
	s := kept(t)
	hello := "S: 220 mx\nC: EHLO*\nS: 250-mx\nS: 250-PIPELINING\nS: 250 AUTH PLAIN\n"
	s.o.Policy = func(string) Policy { return Policy{ClearLogin: true} }
	s.o.Login = func(_ string, from []byte) (proto.Login, bool) {
		return proto.Login{User: string(from), Password: "x"}, true
	}
	one := "S: 235 Ok\nC: MAIL*\nC: RCPT*\nC: DATA\nS: 250 Ok\nS: 250 Ok\nS: 354 Go\n" + body + accepted
	s.serve("127.0.0.1", hello+"C: AUTH PLAIN AGFAZXhhbXBsZS5vcmcAeA==\n"+one+bye, hello+"C: AUTH PLAIN AGJAZXhhbXBsZS5vcmcAeA==\n"+one+bye)
	for _, from := range []string{"a@example.org", "b@example.org"} {
		e := to("smtp:[127.0.0.1]", "a@example.org")
		e.ReturnPath = []byte(from)
		want(t, s.send(e), delivered)
	}
	s.relay.Close()
}

func TestNothingIsKeptAfterClose(t *testing.T) {
	s := kept(t)
	s.serve("127.0.0.1", greeting+oneMore+bye)
	s.start()
	s.relay.Close()
	want(t, s.send(toA), delivered)
	if got := s.relay.Stats(); got.Open != 0 {
		t.Errorf("%+v", got)
	}
}
