package relay

import (
	"context"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A socket is a connection that can be asked whether there is something to
// read without waiting for it, and that ends with a context.
type socket struct {
	net.Conn
	raw     syscall.RawConn
	look    func(fd uintptr) // made once: a closure per question would be an allocation
	poll    [1]unix.PollFd
	glance  bool // Read does not wait
	release []func() bool
	ending  *ending // whose ends the socket ends with
	// finishing: the end of a message is on its way, or its reply awaited. It
	// is only given up when there is no more time at all.
	finishing atomic.Bool
}

func newSocket(conn net.Conn) (*socket, error) {
	s := &socket{Conn: conn}
	var err error
	if s.raw, err = conn.(syscall.Conn).SyscallConn(); err != nil {
		return nil, err
	}
	s.look = func(fd uintptr) {
		s.poll[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
		if n, err := unix.Poll(s.poll[:], 0); n <= 0 || err != nil {
			s.poll[0].Revents = 0
		}
	}
	return s, nil
}

// pending reports whether a Read would return at once: with octets, or
// because the other side has closed.
func (s *socket) pending() bool {
	return s.raw.Control(s.look) != nil || s.poll[0].Revents != 0
}

// Read implements net.Conn.
func (s *socket) Read(p []byte) (int, error) {
	if s.glance && !s.pending() {
		return 0, os.ErrDeadlineExceeded
	}
	return s.Conn.Read(p)
}

// past is a deadline that is over.
var past = time.Unix(1, 0)

// endWith makes every wait on the socket end when it has to. Connections serve
// many jobs that end together, and ask for it once.
func (s *socket) endWith(e *ending) {
	if s.ending == e {
		return
	}
	s.forget()
	s.ending = e
	s.release = append(s.release[:0],
		context.AfterFunc(e.last, func() { _ = s.SetDeadline(past) }),
		context.AfterFunc(e.soon, func() {
			if !s.finishing.Load() {
				_ = s.SetDeadline(past)
			}
		}))
}

func (s *socket) forget() {
	for _, release := range s.release {
		release()
	}
	s.release, s.ending = nil, nil
}

// Close implements net.Conn.
func (s *socket) Close() error {
	s.forget()
	return s.Conn.Close()
}
