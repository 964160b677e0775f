package loop

import (
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

const (
	lingerTime = 5 * time.Second
	lingerMax  = 1 << 20 // octets discarded before patience ends
)

// endSession says good-bye to the Session and sends what it has queued.
func (c *Conn) endSession(why error) verdict {
	c.closeSession(why)
	c.phase = phaseFlush
	c.stuck = c.ln.loop.deadline(lingerTime)
	return c.flushLast()
}

// flushLast sends the last output, then says good-bye to the client.
func (c *Conn) flushLast() verdict {
	until := c.stuck
	if err := c.flush(); err != nil {
		return c.finish(err)
	}
	if c.Queued() == 0 && c.secure != nil {
		c.secure.sayGoodbye()
		if err := c.flush(); err != nil {
			return c.finish(err)
		}
	}
	if c.Queued() > 0 {
		c.stuck = until // progress does not buy more time
		return c.park()
	}
	return c.startLinger()
}

// startLinger closes the connection, or only our half of it when the client
// is still sending: closing a socket with unread input sends a reset, which
// can destroy the last reply before the client has read it. One that was
// refused has to be content with less: who connects again and again could
// have all descriptors linger.
func (c *Conn) startLinger() verdict {
	unread := c.in.unread()
	c.release()
	if !c.counted && c.ln.loop.halfFull() {
		return c.finish(nil)
	}
	if unread == 0 || c.hungUp {
		if more, open := c.discard(); !more || !open {
			return c.finish(nil)
		}
	}
	if err := unix.Shutdown(int(c.fd), unix.SHUT_WR); err != nil {
		return c.finish(nil)
	}
	c.phase = phaseLinger
	c.patience = c.ln.loop.deadline(lingerTime)
	return c.linger()
}

// linger discards input until the client closes or the time is over.
func (c *Conn) linger() verdict {
	for range stepsMax {
		more, open := c.discard()
		if !open || c.discarded > lingerMax || c.ln.loop.now() >= c.patience {
			return c.finish(nil)
		}
		if !more {
			return c.park()
		}
	}
	return again
}

// discard reads and drops: whether there was something, and whether the
// client's side is still open.
func (c *Conn) discard() (more, open bool) {
	b := c.ln.loop.memory.lend(sizes[1])
	defer c.ln.loop.memory.take(b)
	n, err := c.readSocket(b.data)
	c.discarded += int32(n)
	return n > 0, err == nil
}

// closeSession calls Session.Close, once, and survives its panic.
func (c *Conn) closeSession(why error) {
	s := c.session
	if s == nil {
		return
	}
	c.session = nil
	defer func() {
		c.SetHeld(0)
		if p := recover(); p != nil {
			c.ln.loop.log.Error("session panicked in Close", "listener", c.ln.opts.Name,
				"remote", c.remote, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	s.Close(c, why)
}

// release gives back all buffers.
func (c *Conn) release() {
	m := &c.ln.loop.memory
	m.take(c.in)
	m.take(c.out)
	c.in, c.out = nil, nil
	if c.secure != nil {
		c.secure.release(m)
	}
}

// finish closes the descriptor. Nothing touches c afterwards.
func (c *Conn) finish(why error) verdict {
	l := c.ln.loop
	c.closeSession(why)
	c.release()
	l.forget(c)
	l.mu.Lock()
	l.leave(c) // before the number can be another's
	l.mu.Unlock()
	unix.Close(int(c.fd))
	c.ln.departed(c)
	c.worker = nil
	return done
}
