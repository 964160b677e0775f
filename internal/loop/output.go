package loop

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stuckLook is how often a connection with unsent output is looked at.
const stuckLook = 10 * time.Second

// flush sends what is queued as far as the socket takes it.
func (c *Conn) flush() error {
	var err error
	if c.secure != nil {
		err = c.flushTLS()
	} else {
		err = c.writeSocket(c.out)
	}
	switch n := c.Queued(); {
	case n == 0:
		c.stuck = 0
	case c.stuck == 0 || c.owed <= 0: // all that was queued then has been sent
		c.stuck, c.owed = c.ln.loop.deadline(c.ln.opts.WriteTimeout), int32(n)
	}
	return err
}

// writeSocket sends b in one go, or as much of it as fits.
func (c *Conn) writeSocket(b *buffer) error {
	if c.blocked || b.unread() == 0 {
		return nil
	}
	n, err := syscall.Write(int(c.fd), b.bytes())
	for err == syscall.EINTR {
		n, err = syscall.Write(int(c.fd), b.bytes())
	}
	if err != nil && err != syscall.EAGAIN {
		return err
	}
	b.consume(max(n, 0))
	c.owed -= int32(max(n, 0))
	if b.unread() > 0 {
		return c.awaitRoom()
	}
	return nil
}

// awaitRoom asks epoll for EPOLLOUT. It stays asked for: edge-triggered, it
// costs nothing until the socket is full again.
func (c *Conn) awaitRoom() error {
	c.blocked = true
	if c.watched && !c.watchedOut {
		c.watchedOut = true
		return c.ln.loop.control(unix.EPOLL_CTL_MOD, c.fd, c.id, mask|unix.EPOLLOUT)
	}
	return nil
}

// watch puts c into the epoll set, the first time that it is parked: a
// connection that is refused at once never needs it.
func (c *Conn) watch() error {
	if c.watched {
		return nil
	}
	c.watched = true
	bits := uint32(mask)
	if c.blocked {
		c.watchedOut = true
		bits |= unix.EPOLLOUT
	}
	return c.ln.loop.poller.watch(c.fd, c.id, bits)
}
