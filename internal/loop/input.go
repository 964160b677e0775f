package loop

import (
	"io"
	"syscall"
)

// fill reads once what the socket has, if it may have something, and says
// whether there is more input than before. io.EOF: the client has closed.
func (c *Conn) fill() (bool, error) {
	if !c.readable && (c.secure == nil || !c.secure.more) {
		return false, nil
	}
	if err := c.makeRoom(); err != nil {
		return false, err
	}
	if c.secure != nil {
		return c.fillTLS()
	}
	n, err := c.readSocket(c.in.data[c.in.end:])
	c.in.end += n
	return n > 0, err
}

// readSocket reads once. 0 and no error: there is nothing now. A short read
// has emptied the socket, and what comes later makes a new event; so the next
// read, which would find nothing, is saved. That does not hold once the peer
// has shut down: no event follows.
func (c *Conn) readSocket(p []byte) (int, error) {
	n, err := syscall.Read(int(c.fd), p)
	for err == syscall.EINTR {
		n, err = syscall.Read(int(c.fd), p)
	}
	switch {
	case err == syscall.EAGAIN:
		c.readable = false
		return 0, nil
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	}
	if n < len(p) && !c.hungUp {
		c.readable = false
	}
	c.adapt(n, len(p))
	return n, nil
}

// adapt chooses the size of the next input buffer by how full this one got:
// a client that sends a body gets large ones, one that sends commands not.
func (c *Conn) adapt(n, room int) {
	switch {
	case n == room && int(c.class) < len(sizes)-1:
		c.class++
	case n < room/4 && c.class > 1:
		c.class--
	}
}

// makeRoom sees to it that c.in has room.
func (c *Conn) makeRoom() error {
	m := &c.ln.loop.memory
	size := sizes[max(c.class, 1)]
	switch n := c.in.unread(); {
	case c.in == nil:
		c.in = m.lend(size)
	case n == sizeMax:
		return ErrInputFull
	case len(c.in.data)-c.in.end >= sizeMin:
	case c.in.start == 0 && len(c.in.data) == sizeMax:
	default:
		c.in = m.resize(c.in, max(size, min(2*n, sizeMax)))
	}
	return nil
}
