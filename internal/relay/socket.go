package relay

import (
	"context"
	"net"
	"os"
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
	waiting <-chan struct{}
	release func() bool
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

// endWith makes every wait on the socket end with ctx. Connections serve many
// jobs with the same context, and ask for it once.
func (s *socket) endWith(ctx context.Context) {
	if s.release != nil && s.waiting == ctx.Done() {
		return
	}
	s.forget()
	s.waiting = ctx.Done()
	s.release = context.AfterFunc(ctx, func() { _ = s.SetDeadline(past) })
}

func (s *socket) forget() {
	if s.release != nil {
		s.release()
	}
	s.release = nil
}

// Close implements net.Conn.
func (s *socket) Close() error {
	s.forget()
	return s.Conn.Close()
}
