package loop

import (
	"crypto/tls"
	"net"
	"os"
	"time"
)

// secure is the TLS part of a connection.
//
// It is the transport under a tls.Conn. Once the handshake is over, its Read
// never waits: when the socket is empty it returns errWouldBlock, a temporary
// timeout, after which a tls.Conn can be read again as if nothing had been.
// Its Write appends to sealed, which the loop sends.
type secure struct {
	c      *Conn
	conn   *tls.Conn
	up     bool          // the handshake is over
	bye    bool          // close_notify has been queued
	early  *buffer       // came together with the PROXY header
	sealed *buffer       // what tls.Conn wrote and the socket has not taken
	more   bool          // conn may hold more input than was read from it
	failed error         // of the handshake
	begun  instant       // when the handshake began
	wake   chan struct{} // something happened during the handshake
	rest   instant       // when buffers of tls.Conn may be trimmed; 0: nothing to trim
}

// errWouldBlock is what crypto/tls takes for a passing trouble.
var errWouldBlock net.Error = wouldBlock{}

type wouldBlock struct{}

func (wouldBlock) Error() string   { return "nothing to read now" }
func (wouldBlock) Timeout() bool   { return true }
func (wouldBlock) Temporary() bool { return true }

// Read implements net.Conn for the tls.Conn.
func (s *secure) Read(p []byte) (int, error) {
	for {
		n, err := s.readNow(p)
		if n > 0 || err != nil {
			return n, err
		}
		if s.up {
			return 0, errWouldBlock
		}
		if err := s.await(); err != nil {
			return 0, err
		}
	}
}

// readNow gives what there is.
func (s *secure) readNow(p []byte) (int, error) {
	if s.early.unread() > 0 {
		n := copy(p, s.early.bytes())
		s.early.consume(n)
		return n, nil
	}
	if !s.c.readable {
		return 0, nil
	}
	return s.c.readSocket(p)
}

// Write implements net.Conn for the tls.Conn. It always takes all.
func (s *secure) Write(p []byte) (int, error) {
	m := &s.c.ln.loop.memory
	s.sealed = m.grow(s.sealed, len(p))
	s.sealed.end += copy(s.sealed.data[s.sealed.end:], p)
	return len(p), nil
}

// Close implements net.Conn; the descriptor is closed by the loop.
func (s *secure) Close() error { return nil }

// LocalAddr implements net.Conn.
func (s *secure) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(s.c.LocalAddr()) }

// RemoteAddr implements net.Conn.
func (s *secure) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(s.c.remote) }

// SetDeadline implements net.Conn; deadlines are the loop's.
func (s *secure) SetDeadline(time.Time) error { return os.ErrNoDeadline }

// SetReadDeadline implements net.Conn.
func (s *secure) SetReadDeadline(time.Time) error { return os.ErrNoDeadline }

// SetWriteDeadline implements net.Conn.
func (s *secure) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

// fillTLS decrypts what the socket has.
func (c *Conn) fillTLS() (bool, error) {
	c.secure.rest = 0
	before := c.in.end
	for len(c.in.data) > c.in.end {
		n, err := c.secure.conn.Read(c.in.data[c.in.end:])
		c.in.end += n
		if err == errWouldBlock || n > 0 && c.in.end < len(c.in.data) && c.secure.drained() {
			c.secure.more = false
			return c.in.end > before, nil
		}
		if err != nil && c.in.end == before { // else it will be there again
			return false, err
		}
		if err != nil {
			break
		}
	}
	c.secure.more = true
	return true, nil
}

// drained says that the next Read of conn would certainly find nothing, which
// saves it.
func (s *secure) drained() bool {
	return !s.c.readable && s.early.unread() == 0 && tlsRawEmpty(s.conn)
}

// flushTLS encrypts and sends. Nothing is encrypted while earlier output has
// not been sent, so that a client that does not read costs memory once.
func (c *Conn) flushTLS() error {
	s := c.secure
	if err := c.writeSocket(s.sealed); err != nil || !s.up {
		return err
	}
	if s.sealed.unread() > 0 || c.out.unread() == 0 {
		return nil
	}
	if _, err := s.conn.Write(c.out.bytes()); err != nil {
		return err
	}
	c.out.consume(c.out.unread())
	return c.writeSocket(s.sealed)
}

// sayGoodbye queues the close_notify alert.
func (s *secure) sayGoodbye() {
	if s.up && !s.bye {
		s.bye = true
		s.conn.CloseWrite() // fails only when the connection has
	}
}

// trimAfter is how long a connection is idle before the buffers in its
// tls.Conn are freed: one that is sending a body fills them again at once.
const (
	trimAfter = 10 * time.Second
	trimOver  = 4 << 10
)

// park gives back what an idle connection needs not.
func (s *secure) park(m *memory) {
	s.early = m.settle(s.early)
	s.sealed = m.settle(s.sealed)
	k := &s.c.ln.loop.clock
	switch {
	case s.rest == 0 && s.up && tlsSlack(s.conn) > trimOver:
		s.rest = k.deadline(trimAfter)
	case s.rest != 0 && k.now() >= s.rest:
		s.rest = 0
		trimTLS(s.conn)
	}
}

// release gives back all buffers.
func (s *secure) release(m *memory) {
	m.take(s.early)
	m.take(s.sealed)
	s.early, s.sealed = nil, nil
}
