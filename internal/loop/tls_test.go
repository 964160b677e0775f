package loop

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"barid/internal/tlsconf"
)

// testTLS gives configurations for a server and for a client that trusts it.
func testTLS(t testing.TB) (server, client *tls.Config) {
	t.Helper()
	certPEM, keyPEM, err := tlsconf.SelfSigned("localhost")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}}, &tls.Config{InsecureSkipVerify: true}
}

var versions = map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

// eachVersion runs a test with both versions of TLS.
func eachVersion(t *testing.T, f func(t *testing.T, server, client *tls.Config)) {
	server, client := testTLS(t)
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			client := client.Clone()
			client.MaxVersion = version
			f(t, server, client)
		})
	}
}

func TestImplicitTLSGreetsAfterTheHandshake(t *testing.T) {
	eachVersion(t, func(t *testing.T, server, client *tls.Config) {
		c := serveTest(t, ListenOptions{TLS: server, Implicit: true}).dial(t)
		c.startTLS(client)
		c.want("hello")
		c.send("one\r\ntwo\r\nQUIT\r\n")
		c.want("one", "two", "bye")
		c.wantEnd() // an end without close_notify would be an error
	})
}

func TestSTARTTLSBringsTheSessionBack(t *testing.T) {
	eachVersion(t, func(t *testing.T, server, client *tls.Config) {
		s := &scripted{}
		s.line = func(c *Conn, line string) Wait {
			if line == "STARTTLS" {
				say(c, "go\r\n")
				return WaitTLS
			}
			say(c, line+" "+tls.VersionName(c.TLS().Version)+"\r\n")
			return WaitInput
		}
		c := serveTest(t, ListenOptions{TLS: server, New: func(*Conn) Session { return s }}).dial(t)
		c.want("hello")
		c.send("STARTTLS\r\n")
		c.want("go")
		c.startTLS(client)
		c.send("one\r\n")
		c.want("one " + tls.VersionName(client.MaxVersion))
	})
}

// trickle passes on what is written byte by byte.
type trickle struct{ net.Conn }

func (t trickle) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := t.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

func TestTLSByteByByte(t *testing.T) {
	eachVersion(t, func(t *testing.T, server, client *tls.Config) {
		c := serveTest(t, ListenOptions{TLS: server, Implicit: true}).dial(t)
		c.Conn = trickle{c.Conn}
		c.startTLS(client)
		c.want("hello")
		for range 3 {
			c.send("one\r\ntwo ")
			c.send("words\r\n")
			c.want("one", "two words")
		}
		c.send("QUIT\r\n")
		c.want("bye")
		c.wantEnd()
	})
}

func TestPlainInputAfterSTARTTLSClosesTheConnection(t *testing.T) {
	server, _ := testTLS(t)
	s := newScripted()
	c := serveTest(t, ListenOptions{TLS: server, New: func(*Conn) Session { return s }}).dial(t)
	c.want("hello")
	c.send("STARTTLS\r\ninjected\r\n")
	c.want("go")
	if err := <-s.closed; !errors.Is(err, ErrEarlyInput) {
		t.Errorf("closed with %v, want ErrEarlyInput", err)
	}
	c.wantGone()
}

func TestSecondSTARTTLSClosesTheConnection(t *testing.T) {
	server, client := testTLS(t)
	s := newScripted()
	c := serveTest(t, ListenOptions{TLS: server, New: func(*Conn) Session { return s }}).dial(t)
	c.want("hello")
	c.send("STARTTLS\r\n")
	c.want("go")
	c.startTLS(client)
	c.send("STARTTLS\r\n")
	if err := <-s.closed; !errors.Is(err, ErrNoTLS) {
		t.Errorf("closed with %v, want ErrNoTLS", err)
	}
}

func TestBulkThroughTLSBothWays(t *testing.T) {
	eachVersion(t, func(t *testing.T, server, client *tls.Config) {
		c := serveTest(t, ListenOptions{TLS: server, Implicit: true}).dial(t)
		c.startTLS(client)
		c.want("hello")
		line := strings.Repeat("x", 998) + "\r\n"
		const lines = 3000
		sent := make(chan error, 1)
		go func() {
			_, err := io.WriteString(c.Conn, strings.Repeat(line, lines))
			sent <- err
		}()
		for range lines {
			c.want(line[:998])
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	})
}

func TestTLSGarbageIsAClosedConnection(t *testing.T) {
	server, client := testTLS(t)
	s := serveTest(t, ListenOptions{TLS: server, Implicit: true})
	for _, garbage := range []string{"EHLO example.org\r\n", "\x16\x03\x01\x00\x05hello", strings.Repeat("\x00", 20000)} {
		c := s.dial(t)
		c.send(garbage)
		io.Copy(io.Discard, c.r) // an alert, or a reset when not all of it was read
	}
	c := s.dial(t)
	c.startTLS(client)
	c.want("hello")
	for s.ln.Stats().HandshakesFailed != 3 {
		c.send("more\r\n")
		c.want("more")
	}
}

func TestHandshakeOfASilentClientExpires(t *testing.T) {
	server, _ := testTLS(t)
	s := serveTest(t, ListenOptions{TLS: server, Implicit: true, HandshakeTimeout: time.Minute})
	silent, begun := s.dial(t), s.dial(t)
	begun.send("\x16\x03\x01\x02\x00") // the header of a ClientHello
	until(t, func() bool { return s.shakingNow() == 1 && s.ln.Stats().Accepted == 2 })
	s.tick(59 * time.Second)
	s.tick(61 * time.Second)
	silent.wantGone()
	io.Copy(io.Discard, begun.r)
}

func (l *Loop) shakingNow() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shaking
}

func TestHandshakesBeyondTheLimitWaitForTheirTurn(t *testing.T) {
	server, client := testTLS(t)
	s := serveTestLoop(t, Options{HandshakesMax: 1}, ListenOptions{TLS: server, Implicit: true})
	stuck := s.dial(t)
	stuck.send("\x16\x03\x01\x02\x00")
	until(t, func() bool { return s.shakingNow() == 1 })
	c := s.dial(t)
	done := make(chan error, 1)
	conn := tls.Client(c.Conn, client)
	go func() { done <- conn.Handshake() }()
	select {
	case err := <-done:
		t.Fatalf("handshake ended with %v beside another one", err)
	default:
	}
	stuck.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	c.Conn, c.r = conn, bufio.NewReader(conn)
	c.want("hello")
}

func TestIdleTLSConnectionGivesUpTheBuffersOfCryptoTLS(t *testing.T) {
	if !tlsLayout.known {
		t.Fatal("crypto/tls has changed: see trim.go")
	}
	eachVersion(t, func(t *testing.T, server, client *tls.Config) {
		opened := make(chan *Conn, 1)
		s := &scripted{}
		s.open = func(c *Conn) Wait {
			opened <- c
			say(c, "hello\r\n")
			return WaitInput
		}
		srv := serveTest(t, ListenOptions{
			TLS: server, Implicit: true, Patience: [8]time.Duration{1e6 * time.Hour},
			New: func(*Conn) Session { return s },
		})
		c := srv.dial(t)
		c.startTLS(client)
		c.want("hello")
		line := strings.Repeat("x", 30000)
		c.send(line + "\r\n")
		c.want(line)
		conn, second := <-opened, 0
		until(t, func() bool {
			second += 5
			srv.tick(time.Duration(second) * time.Second)
			srv.mu.Lock()
			defer srv.mu.Unlock()
			return conn.state == parked && tlsSlack(conn.secure.conn) <= trimOver
		})
		c.send("QUIT\r\n")
		c.want("bye")
		c.wantEnd()
	})
}

func TestSilentHandshakesMakeWayForThoseThatWait(t *testing.T) {
	server, client := testTLS(t)
	srv := serveTestLoop(t, Options{HandshakesMax: 1}, ListenOptions{TLS: server, Implicit: true})
	silent := srv.dial(t)
	silent.send("\x16\x03\x01\x02\x00")
	until(t, func() bool { return srv.shakingNow() == 1 })
	c := srv.dial(t)
	go func() {
		for second := range 10 {
			until(t, func() bool {
				srv.mu.Lock()
				defer srv.mu.Unlock()
				return len(srv.waiting) == 1 || srv.ln.handshakes.Load() == 1
			})
			srv.tick(time.Duration(second) * time.Second)
		}
	}()
	c.startTLS(client)
	c.want("hello")
	silent.wantGone()
}
