package loop

import (
	"fmt"
	"sync"
	"testing"
)

// sleeper is a Session that says how often it was woken without input.
type sleeper struct {
	scripted
	wakers chan Waker
}

func newSleeper() *sleeper {
	s := &sleeper{wakers: make(chan Waker, 1)}
	s.closed = make(chan error, 1)
	s.open = func(c *Conn) Wait {
		say(c, "hello\r\n")
		s.wakers <- c.Waker()
		return WaitInput
	}
	return s
}

func (s *sleeper) Step(c *Conn, in []byte) (int, Wait) {
	if len(in) == 0 {
		say(c, "woken\r\n")
		return 0, WaitInput
	}
	return s.scripted.Step(c, in)
}

func TestAWaitingSessionIsWokenByAnotherGoroutine(t *testing.T) {
	s := newSleeper()
	c := serveTest(t, one(s)).dial(t)
	c.want("hello")
	waker := <-s.wakers
	for range 100 {
		waker.Wake()
		c.want("woken")
	}
	c.send("one\r\n")
	c.want("one")
}

func TestAWakeWhileTheSessionRunsIsNotLost(t *testing.T) {
	s := newSleeper()
	entered, release := make(chan struct{}), make(chan struct{})
	s.line = func(c *Conn, line string) Wait {
		c.Blocking()
		entered <- struct{}{}
		<-release
		say(c, line+"\r\n")
		return WaitInput
	}
	c := serveTest(t, one(s)).dial(t)
	c.want("hello")
	waker := <-s.wakers
	for range 100 {
		c.send("busy\r\n")
		<-entered
		waker.Wake()
		waker.Wake()
		release <- struct{}{}
		c.want("busy", "woken")
	}
}

func TestAWakeAfterTheEndReachesNobody(t *testing.T) {
	s := newSleeper()
	srv := serveTest(t, one(s))
	c := srv.dial(t)
	c.want("hello")
	old := <-s.wakers
	c.Close()
	<-s.closed
	next := srv.dial(t) // gets the same descriptor
	next.want("hello")
	<-s.wakers
	old.Wake()
	Waker{}.Wake()
	next.send("one\r\n")
	next.want("one")
}

func TestManyWakersAtOnce(t *testing.T) {
	s := newSleeper()
	c := serveTest(t, one(s)).dial(t)
	c.want("hello")
	waker := <-s.wakers
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				waker.Wake()
			}
		})
	}
	for i := range 50 {
		c.send(fmt.Sprintf("line %d\r\n", i))
	}
	all.Wait()
	seen := 0
	for seen < 50 {
		switch line, err := c.r.ReadString('\n'); line {
		case "woken\r\n":
		case fmt.Sprintf("line %d\r\n", seen):
			seen++
		default:
			t.Fatalf("got %q, %v; want line %d", line, err, seen)
		}
	}
}
