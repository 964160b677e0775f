package loop

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// one serves a single Session.
func one(s Session) ListenOptions {
	return ListenOptions{New: func(*Conn) Session { return s }}
}

func TestPipelinedLinesAreAnsweredInOrder(t *testing.T) {
	c := serveTest(t, ListenOptions{}).dial(t)
	c.want("hello")
	c.send("one\r\ntwo\r\nthree\r\nQUIT\r\nignored\r\n")
	c.want("one", "two", "three", "bye")
	c.wantEnd()
}

func TestEveryCutOfInputIsTheSame(t *testing.T) {
	c := serveTest(t, ListenOptions{}).dial(t)
	c.want("hello")
	for _, b := range []byte("one\r\ntwo\r\nQUIT\r\n") {
		c.send(string(b))
	}
	c.want("one", "two", "bye")
	c.wantEnd()
}

func TestInputBeforeTheGreetingIsSeenByPending(t *testing.T) {
	opened, written := make(chan struct{}), make(chan struct{})
	s := &scripted{open: func(c *Conn) Wait {
		c.Blocking()
		close(opened)
		<-written
		say(c, fmt.Sprintf("pending %v\r\n", c.Pending()))
		return WaitInput
	}}
	c := serveTest(t, one(s)).dial(t)
	<-opened
	c.send("early\r\n")
	close(written)
	c.want("pending true", "early")
}

func TestASilentClientIsNotPending(t *testing.T) {
	s := &scripted{open: func(c *Conn) Wait {
		say(c, fmt.Sprintf("pending %v\r\n", c.Pending()))
		return WaitInput
	}}
	c := serveTest(t, one(s)).dial(t)
	c.want("pending false")
	c.send("one\r\n")
	c.want("one")
}

func TestHalfClosedClientGetsItsReplies(t *testing.T) {
	s := newScripted()
	c := serveTest(t, one(s)).dial(t)
	c.send("one\r\ntwo\r\nunfinished")
	c.Conn.(*net.TCPConn).CloseWrite()
	c.want("hello", "one", "two")
	c.wantEnd()
	if err := <-s.closed; err != io.EOF {
		t.Errorf("closed with %v, want io.EOF", err)
	}
}

func TestBlockedSessionsDoNotHoldUpOthers(t *testing.T) {
	const blocked = 50
	release, entered := make(chan struct{}), make(chan struct{}, blocked)
	s := &scripted{line: func(c *Conn, line string) Wait {
		if line == "block" {
			c.Blocking()
			entered <- struct{}{}
			<-release
		}
		say(c, line+"\r\n")
		return WaitInput
	}}
	srv := serveTest(t, one(s))
	var clients []*client
	for range blocked {
		c := srv.dial(t)
		c.want("hello")
		c.send("block\r\n")
		clients = append(clients, c)
	}
	for range blocked {
		<-entered
	}
	free := srv.dial(t)
	free.want("hello")
	free.send("free\r\n")
	free.want("free")
	close(release)
	for _, c := range clients {
		c.want("block")
	}
}

func TestInputWhileBlockedIsNotLost(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	s := &scripted{line: func(c *Conn, line string) Wait {
		if line == "block" {
			c.Blocking()
			entered <- struct{}{}
			<-release
		}
		say(c, line+"\r\n")
		return WaitInput
	}}
	c := serveTest(t, one(s)).dial(t)
	c.want("hello")
	for range 100 {
		c.send("block\r\n")
		<-entered
		c.send("meanwhile\r\n")
		release <- struct{}{}
		c.want("block", "meanwhile")
	}
}

func TestPanicClosesOnlyItsConnection(t *testing.T) {
	s := newScripted()
	s.line = func(c *Conn, line string) Wait {
		if line == "panic" {
			panic("broken")
		}
		say(c, line+"\r\n")
		return WaitInput
	}
	var log bytes.Buffer
	srv := serveTestLoop(t, Options{Log: slog.New(slog.NewTextHandler(&log, nil))}, one(s))
	c, other := srv.dial(t), srv.dial(t)
	c.want("hello")
	other.want("hello")
	c.send("panic\r\n")
	if err := <-s.closed; !errors.Is(err, ErrPanic) {
		t.Errorf("closed with %v, want ErrPanic", err)
	}
	c.wantGone()
	other.send("one\r\n")
	other.want("one")
	if !strings.Contains(log.String(), "broken") || !strings.Contains(log.String(), "serve_test.go") {
		t.Errorf("log has no stack: %s", &log)
	}
}

func TestSessionThatStreamsIsDrainedPieceByPiece(t *testing.T) {
	const pieces = 200
	sent := 0
	s := &scripted{step: func(c *Conn, in []byte) (int, Wait) {
		if sent == 0 && len(in) == 0 {
			return 0, WaitInput
		}
		if c.Queued() != 0 {
			t.Error("called before the output had been sent")
		}
		if sent == pieces {
			say(c, "end\r\n")
			return len(in), WaitInput
		}
		sent++
		c.SetOut(append(c.OutRoom(64<<10), bytes.Repeat([]byte("x"), 64<<10)...))
		return 0, WaitDrain
	}}
	c := serveTest(t, one(s)).dial(t)
	c.want("hello")
	c.send("go")
	n, err := io.CopyN(io.Discard, c.r, pieces*64<<10)
	if err != nil {
		t.Fatalf("got %d octets, %v", n, err)
	}
	c.want("end")
}

func TestFiveHundredClientsChatterAtRandom(t *testing.T) {
	srv := serveTest(t, ListenOptions{})
	var wg sync.WaitGroup
	for i := range 500 {
		c := srv.dial(t)
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			c.want("hello")
			for range 10 {
				var lines []string
				for range 1 + random.IntN(20) {
					lines = append(lines, fmt.Sprintf("%d %s", i, strings.Repeat("y", random.IntN(2000))))
				}
				text := strings.Join(lines, "\r\n") + "\r\n"
				cut := random.IntN(len(text))
				c.send(text[:cut])
				c.send(text[cut:])
				c.want(lines...)
			}
			c.send("QUIT\r\n")
			c.want("bye")
			c.wantEnd()
		})
	}
	wg.Wait()
	until(t, func() bool { return srv.ln.Stats().Open == 0 })
	if n := srv.memory.lent.Load(); n != 0 {
		t.Errorf("%d octets of buffers are still lent", n)
	}
}

func TestPauseHoldsBackInputUntilItsEnd(t *testing.T) {
	var srv *server
	var resumed, begun instant
	s := &scripted{line: func(c *Conn, line string) Wait {
		say(c, line+"\r\n")
		if line == "pause" {
			begun = srv.now()
			c.PauseFor(3 * time.Second)
			return WaitPause
		}
		resumed = srv.now()
		return WaitInput
	}}
	srv = serveTest(t, one(s))
	c := srv.dial(t)
	c.want("hello")
	c.send("pause\r\nafter\r\n")
	c.want("pause")
	for d := range 32 {
		srv.tick(time.Duration(d) * 100 * time.Millisecond)
	}
	c.want("after")
	if resumed < begun+3000 {
		t.Errorf("resumed %d ms after the pause began", resumed-begun)
	}
}

func TestExpiryCountsFromSetPatienceNotFromInput(t *testing.T) {
	s := newScripted()
	s.step = func(c *Conn, in []byte) (int, Wait) { // swallows, as a body does
		say(c, fmt.Sprintf("%d\r\n", len(in)))
		return len(in), WaitInput
	}
	o := one(s)
	o.Patience[0] = 10 * time.Second
	srv := serveTest(t, o)
	c := srv.dial(t)
	c.want("hello")
	for second := range 10 {
		srv.tick(time.Duration(second) * time.Second)
		c.send("x")
		c.want("1")
	}
	srv.tick(10 * time.Second)
	c.want("expired timeout")
	c.wantEnd()
	if err := <-s.closed; err != nil {
		t.Errorf("closed with %v, want nil", err)
	}
}

func TestSetPatienceChoosesFromTheTable(t *testing.T) {
	s := &scripted{line: func(c *Conn, line string) Wait {
		c.SetPatience(Patience(line[0] - '0'))
		say(c, line+"\r\n")
		return WaitInput
	}}
	o := one(s)
	o.Patience = [8]time.Duration{time.Hour, 2 * time.Hour, 30 * time.Second}
	srv := serveTest(t, o)
	c := srv.dial(t)
	c.want("hello")
	c.send("1\r\n")
	c.want("1")
	srv.tick(90 * time.Minute)
	c.send("2\r\n")
	c.want("2")
	srv.tick(90*time.Minute + 29*time.Second)
	c.send("2\r\n")
	c.want("2")
	srv.tick(91 * time.Minute)
	c.want("expired timeout")
	c.wantEnd()
}

// fillSocket has the session send until the client's socket is full.
func fillSocket(t *testing.T, lo Options, o ListenOptions) (*server, *client, *scripted) {
	s := newScripted()
	s.line = func(c *Conn, line string) Wait {
		c.SetOut(append(c.OutRoom(1000), bytes.Repeat([]byte("x"), 1000)...))
		if c.Queued() > 64<<10 {
			return WaitDrain
		}
		return WaitInput
	}
	o.New = func(*Conn) Session { return s }
	srv := serveTestLoop(t, lo, o)
	c := srv.dial(t)
	c.want("hello")
	c.SetWriteDeadline(time.Now().Add(time.Minute))
	go func() {
		for {
			if _, err := io.WriteString(c.Conn, strings.Repeat("more\r\n", 100)); err != nil {
				return
			}
		}
	}()
	return srv, c, s
}

func TestReaderThatNeverReadsCostsBoundedMemoryAndExpires(t *testing.T) {
	srv, _, s := fillSocket(t, Options{}, ListenOptions{
		WriteTimeout: time.Minute, Patience: [8]time.Duration{1e6 * time.Hour},
	})
	for second := 0; ; second += 5 {
		select {
		case err := <-s.closed:
			if !errors.Is(err, ErrWriteTimeout) {
				t.Errorf("closed with %v, want ErrWriteTimeout", err)
			}
			return
		case srv.clock <- srv.start.Add(time.Duration(second) * time.Second):
		}
		if n := srv.memory.lent.Load(); n > 256<<10 {
			t.Fatalf("%d octets of buffers are lent", n)
		}
		runtime.Gosched()
	}
}

func TestSlowReaderGetsEverythingAndCostsBoundedMemory(t *testing.T) {
	srv := serveTest(t, ListenOptions{}) // an echo that never looks at Queued
	c := srv.dial(t)
	c.want("hello")
	const lines = 20000
	line := strings.Repeat("z", 998)
	go io.WriteString(c.Conn, strings.Repeat(line+"\r\n", lines))
	until(t, func() bool { return srv.memory.lent.Load() > 64<<10 }) // nothing is read yet
	for range lines {
		c.want(line)
		if n := srv.memory.lent.Load(); n > 512<<10 {
			t.Fatalf("%d octets of buffers are lent", n)
		}
	}
}

func TestSessionsThatBlockUnannouncedDoNotStopTheLoop(t *testing.T) {
	release := make(chan struct{})
	s := &scripted{line: func(c *Conn, line string) Wait {
		if line == "hog" {
			<-release
		}
		say(c, line+"\r\n")
		return WaitInput
	}}
	srv := serveTestLoop(t, Options{Workers: 1, Log: slog.New(slog.DiscardHandler)}, one(s))
	hog, other := srv.dial(t), srv.dial(t)
	hog.want("hello")
	other.want("hello")
	hog.send("hog\r\n")
	until(t, func() bool {
		srv.mu.Lock()
		defer srv.mu.Unlock()
		return srv.running == 1
	})
	other.send("other\r\n")
	for second := range 3 {
		srv.tick(time.Duration(second) * time.Second)
	}
	other.want("other")
	close(release)
	hog.want("hog")
}

func TestSessionThatWantsOneTurnAfterAnotherDoesNotStarveOthers(t *testing.T) {
	var stop atomic.Bool
	var turns atomic.Int64
	s := &scripted{step: func(c *Conn, in []byte) (int, Wait) {
		switch {
		case string(in) == "stop":
			stop.Store(true)
			return len(in), WaitClose
		case stop.Load():
			return len(in), WaitClose
		}
		turns.Add(1)
		return 0, WaitDrain
	}}
	srv := serveTestLoop(t, Options{Workers: 1}, one(s))
	greedy, other := srv.dial(t), srv.dial(t)
	greedy.want("hello")
	other.want("hello")
	greedy.send("go")
	until(t, func() bool { return turns.Load() > 1000 })
	other.send("stop")
	other.wantEnd()
	greedy.wantEnd()
}

func TestReaderThatMakesProgressIsNotCutOff(t *testing.T) {
	const piece = 64 << 10
	s := &scripted{line: func(c *Conn, line string) Wait {
		c.SetOut(append(c.OutRoom(piece), bytes.Repeat([]byte("x"), piece)...))
		return WaitInput
	}}
	o := one(s)
	o.WriteTimeout, o.HighWater = time.Minute, 10<<20
	o.Patience[0] = 1e6 * time.Hour
	srv := serveTest(t, o)
	// Small socket buffers, so that something is always queued.
	unix.SetsockoptInt(int(srv.ln.conn.fd), unix.SOL_SOCKET, unix.SO_SNDBUF, 64<<10)
	unix.SetsockoptInt(int(srv.ln.conn.fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 64<<10)
	c := srv.dial(t)
	c.Conn.(*net.TCPConn).SetReadBuffer(64 << 10)
	c.want("hello")
	c.send("1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n")
	for second := 0; second < 300; second += 5 {
		if n, err := io.CopyN(io.Discard, c.r, piece); err != nil {
			t.Fatalf("%v after %d octets, %d seconds", err, n, second)
		}
		c.send("more\r\n")
		srv.tick(time.Duration(second) * time.Second)
	}
}

func TestClientThatHasClosedGetsTheLastReplyThoughItSentMore(t *testing.T) {
	srv := serveTest(t, ListenOptions{})
	for range 20 {
		c := srv.dial(t)
		c.want("hello")
		go func() {
			io.WriteString(c.Conn, "QUIT\r\n"+strings.Repeat("unread\r\n", 20000))
			c.Conn.(*net.TCPConn).CloseWrite()
		}()
		c.want("bye")
		c.wantEnd()
	}
}
