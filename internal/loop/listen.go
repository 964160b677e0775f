package loop

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Listener is a listening socket that the loop accepts from.
type Listener struct {
	loop    *Loop
	opts    ListenOptions
	conn    Conn         // the listening socket, as an entry in the schedule
	from    net.Listener // kept for unix sockets: its Close removes the name
	addr    net.Addr
	unix    bool
	resting bool // accepts again at the next tick; guarded by Loop.mu

	mu      sync.Mutex
	open    int
	perAddr map[netip.Addr]int32

	accepted, refused, handshakes, failed atomic.Int64
}

// Stats are counts of one listener since it was made, but for Open.
type Stats struct {
	// Open connections now.
	Open int
	// Accepted connections, including the refused ones.
	Accepted int64
	// Refused because of a limit.
	Refused int64
	// Handshakes completed and HandshakesFailed.
	Handshakes, HandshakesFailed int64
}

// Listen takes over ln, a TCP or unix listener, and accepts connections from
// it at once. The caller must not use ln afterwards.
func (l *Loop) Listen(ln net.Listener, opts ListenOptions) (*Listener, error) {
	if opts.New == nil {
		return nil, errors.New("loop: ListenOptions.New is missing")
	}
	if opts.Implicit && opts.TLS == nil {
		return nil, errors.New("loop: implicit TLS without a TLS configuration")
	}
	li := &Listener{loop: l, opts: opts, addr: ln.Addr(), perAddr: map[netip.Addr]int32{}}
	li.opts.fill()
	fd, err := li.adopt(ln)
	if err != nil {
		return nil, fmt.Errorf("loop: listen on %v: %w", ln.Addr(), err)
	}
	li.conn = Conn{ln: li, fd: int32(fd), phase: phaseAccept}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.stopping.Load() {
		unix.Close(fd)
		return nil, net.ErrClosed
	}
	l.enter(&li.conn)
	if err := l.poller.watch(li.conn.fd, li.conn.id, unix.EPOLLIN|unix.EPOLLET); err != nil {
		l.table[fd] = nil
		unix.Close(fd)
		return nil, fmt.Errorf("loop: listen on %v: %w", ln.Addr(), err)
	}
	l.listeners = append(l.listeners, li)
	return li, nil
}

// fill puts the defaults where nothing is set.
func (o *ListenOptions) fill() {
	for i := range o.Patience {
		if o.Patience[i] <= 0 {
			o.Patience[i] = 5 * time.Minute
		}
	}
	if o.WriteTimeout <= 0 {
		o.WriteTimeout = 5 * time.Minute
	}
	if o.HandshakeTimeout <= 0 {
		o.HandshakeTimeout = 30 * time.Second
	}
	if o.HighWater <= 0 {
		o.HighWater = 64 << 10
	}
}

// adopt gets a descriptor of our own. The original of a TCP listener is
// closed, so that Go's poller is not woken for each connection as well.
func (li *Listener) adopt(ln net.Listener) (int, error) {
	switch ln := ln.(type) {
	case *net.TCPListener:
		fd, err := duplicate(ln)
		if err != nil {
			return -1, err
		}
		// Accepted sockets inherit it: one system call less for each.
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			unix.Close(fd)
			return -1, err
		}
		return fd, ln.Close()
	case *net.UnixListener:
		li.unix, li.from = true, ln
		return duplicate(ln)
	}
	return -1, fmt.Errorf("%T is neither TCP nor unix", ln)
}

// duplicate gives another descriptor of the same socket, non-blocking as it
// is, because that is a property of the socket.
func duplicate(s syscall.Conn) (int, error) {
	raw, err := s.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd := -1
	var dupErr error
	err = raw.Control(func(f uintptr) {
		fd, dupErr = unix.FcntlInt(f, unix.F_DUPFD_CLOEXEC, 0)
	})
	return fd, errors.Join(err, os.NewSyscallError("fcntl", dupErr))
}

// Addr is where the listener listens.
func (li *Listener) Addr() net.Addr { return li.addr }

// Name is the name given in ListenOptions.
func (li *Listener) Name() string { return li.opts.Name }

// File gives another descriptor of the listening socket, to hand over to a
// new process. It works during Shutdown, until the loop is closed.
func (li *Listener) File() (*os.File, error) {
	fd, err := unix.FcntlInt(uintptr(li.conn.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), li.addr.String()), nil
}

// Stats counts. It may be called at any time.
func (li *Listener) Stats() Stats {
	li.mu.Lock()
	open := li.open
	li.mu.Unlock()
	return Stats{
		Open: open, Accepted: li.accepted.Load(), Refused: li.refused.Load(),
		Handshakes: li.handshakes.Load(), HandshakesFailed: li.failed.Load(),
	}
}
