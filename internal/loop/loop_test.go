package loop

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// scripted is a Session made of functions. Its default is an echo of lines.
type scripted struct {
	open   func(c *Conn) Wait
	line   func(c *Conn, line string) Wait
	step   func(c *Conn, in []byte) (int, Wait)
	expire func(c *Conn, why Reason)
	closed chan error // gets the reason of Close
}

func newScripted() *scripted { return &scripted{closed: make(chan error, 1)} }

func say(c *Conn, s string) { c.SetOut(append(c.Out(), s...)) }

func (s *scripted) Open(c *Conn) Wait {
	if s.open != nil {
		return s.open(c)
	}
	say(c, "hello\r\n")
	return WaitInput
}

func (s *scripted) Step(c *Conn, in []byte) (int, Wait) {
	if s.step != nil {
		return s.step(c, in)
	}
	n := 0
	for {
		i := bytes.IndexByte(in[n:], '\n')
		if i < 0 {
			return n, WaitInput
		}
		line := string(in[n : n+i+1])
		n += i + 1
		if w := s.command(c, strings.TrimRight(line, "\r\n")); w != WaitInput {
			return n, w
		}
	}
}

func (s *scripted) command(c *Conn, line string) Wait {
	c.SetPatience(0)
	if s.line != nil {
		return s.line(c, line)
	}
	switch line {
	case "QUIT":
		say(c, "bye\r\n")
		return WaitClose
	case "STARTTLS":
		say(c, "go\r\n")
		return WaitTLS
	}
	say(c, line+"\r\n")
	return WaitInput
}

func (s *scripted) Expire(c *Conn, why Reason) {
	if s.expire != nil {
		s.expire(c, why)
		return
	}
	say(c, "expired "+why.String()+"\r\n")
}

func (s *scripted) Close(c *Conn, why error) {
	if s.closed != nil {
		s.closed <- why
	}
}

// server is a loop with one listener, ended with the test.
type server struct {
	*Loop
	ln    *Listener
	clock chan time.Time
	start time.Time
}

func serveTest(t testing.TB, o ListenOptions) *server {
	t.Helper()
	return serveTestLoop(t, Options{}, o)
}

func serveTestLoop(t testing.TB, lo Options, o ListenOptions) *server {
	t.Helper()
	s := &server{clock: make(chan time.Time)}
	lo.Clock = s.clock
	var err error
	if s.Loop, err = New(lo); err != nil {
		t.Fatal(err)
	}
	s.start = s.Loop.start
	t.Cleanup(func() { s.Close() })
	s.ln = s.listen(t, o)
	return s
}

func (s *server) listen(t testing.TB, o ListenOptions) *Listener {
	t.Helper()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if o.New == nil {
		o.New = func(*Conn) Session { return &scripted{} }
	}
	ln, err := s.Listen(tcp, o)
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// tick makes it d after the start, and returns when the loop knows.
func (s *server) tick(d time.Duration) {
	for range 2 { // the second is received when the first has been dealt with
		select {
		case s.clock <- s.start.Add(d):
		case <-s.end:
		}
	}
}

// client is a test's end of a connection.
type client struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func (s *server) dial(t testing.TB) *client { return dialTo(t, s.ln) }

func dialTo(t testing.TB, ln *Listener) *client {
	t.Helper()
	c, err := net.Dial(ln.Addr().Network(), ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	// Not a timing assertion: only so that a failing test ends.
	c.SetDeadline(time.Now().Add(60 * time.Second))
	return &client{t, c, bufio.NewReader(c)}
}

func (c *client) send(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c.Conn, s); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) want(lines ...string) {
	c.t.Helper()
	for _, want := range lines {
		got, err := c.r.ReadString('\n')
		if err != nil || got != want+"\r\n" {
			c.t.Fatalf("got %q, %v; want %q", got, err, want)
		}
	}
}

// wantEnd expects that the server has closed in good order.
func (c *client) wantEnd() {
	c.t.Helper()
	if got, err := io.ReadAll(c.r); err != nil || len(got) > 0 {
		c.t.Fatalf("got %q, %v; want the end", got, err)
	}
}

// wantGone expects that the connection is of no more use.
func (c *client) wantGone() {
	c.t.Helper()
	got, err := io.ReadAll(c.r)
	var timeout net.Error
	if len(got) > 0 || errors.As(err, &timeout) && timeout.Timeout() {
		c.t.Fatalf("got %q, %v; want a closed connection", got, err)
	}
}

func (c *client) startTLS(config *tls.Config) *tls.Conn {
	c.t.Helper()
	t := tls.Client(c.Conn, config)
	if err := t.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	c.Conn, c.r = t, bufio.NewReader(t)
	return t
}

// until waits for a condition that some other goroutine brings about.
func until(t testing.TB, holds func() bool) {
	t.Helper()
	for limit := time.Now().Add(60 * time.Second); !holds(); runtime.Gosched() {
		if time.Now().After(limit) {
			t.Fatal("condition never held")
		}
	}
}
