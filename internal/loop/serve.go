package loop

import (
	"errors"
	"io"
	"runtime/debug"
)

// phase is how far a connection has come.
type phase uint8

const (
	phaseAccept phase = iota // not a connection but a listening socket
	phaseNew                 // accepted
	phaseProxy               // a PROXY header is awaited
	phaseHello               // the first bytes of a TLS handshake are awaited
	phaseShake               // a handshake goroutine has it
	phaseServe               // the Session talks
	phaseFlush               // the Session is gone, its last output is not
	phaseLinger              // all is sent; unread input is discarded
)

// Errors given to Session.Close.
var (
	// ErrWriteTimeout: the client did not take queued output in time.
	ErrWriteTimeout = errors.New("client does not read")
	// ErrInputFull: the Session left 64 KiB unread and wanted more.
	ErrInputFull = errors.New("input buffer full")
	// ErrEarlyInput: the client sent plain text after asking for TLS.
	ErrEarlyInput = errors.New("plain input after the request for TLS")
	// ErrNoTLS: WaitTLS on a listener without TLS, or a second time.
	ErrNoTLS = errors.New("no TLS on this listener")
	// ErrOverload: the client did not take queued output and memory is short.
	ErrOverload = errors.New("memory limit reached")
	// ErrShutdown: the loop was closed before the Session was done.
	ErrShutdown = errors.New("loop closed")
	// ErrPanic: the Session panicked; the stack is in the log.
	ErrPanic = errors.New("session panicked")
)

// stepsMax is how often a Session is called before others get a turn.
const stepsMax = 16

// attend looks at what happened to c and does what can be done without
// waiting. This is the only way by which a worker touches a connection.
func (c *Conn) attend(w *worker, ev events) (v verdict) {
	c.worker = w
	defer func() {
		if p := recover(); p != nil {
			c.ln.loop.log.Error("session panicked", "listener", c.ln.opts.Name,
				"remote", c.remote, "panic", p, "stack", string(debug.Stack()))
			c.finish(ErrPanic)
			v = done
		}
	}()
	c.note(ev)
	if c.phase != phaseAccept && c.ln.loop.killed.Load() {
		return c.finish(ErrShutdown)
	}
	return c.proceed()
}

// note keeps what epoll said until it is used.
func (c *Conn) note(ev events) {
	if ev&evRead != 0 {
		c.readable = true
	}
	if ev&evWrite != 0 {
		c.blocked = false
	}
	if ev&evHangup != 0 {
		c.hungUp = true
	}
	if ev&evWake != 0 {
		c.woken = true
	}
}

// proceed does what the phase asks for.
func (c *Conn) proceed() verdict {
	switch c.phase {
	case phaseAccept:
		return c.ln.accept()
	case phaseNew:
		return c.begin()
	case phaseProxy:
		return c.readProxy()
	case phaseHello:
		return c.hello()
	case phaseShake:
		return c.shaken()
	case phaseServe:
		return c.serve()
	case phaseFlush:
		return c.flushLast()
	}
	return c.linger()
}

// open starts the conversation.
func (c *Conn) open() verdict {
	c.phase = phaseServe
	c.patience = c.ln.loop.deadline(c.ln.opts.Patience[0])
	c.session = c.ln.opts.New(c)
	c.wait = c.session.Open(c)
	return c.serve()
}

// serve runs the Session until it has to wait.
func (c *Conn) serve() verdict {
	for range stepsMax {
		if err := c.flush(); err != nil {
			return c.finish(err)
		}
		ready, err := c.ready()
		switch {
		case err == io.EOF:
			return c.endSession(err)
		case err != nil:
			return c.finish(err)
		case c.wait == WaitClose:
			return c.endSession(nil)
		case c.wait == WaitTLS && ready:
			return c.startTLS()
		case !ready:
			if why, over := c.expired(); over {
				return c.expire(why)
			}
			return c.park()
		}
		idle := c.wait == WaitDrain && c.in.unread() == int(c.seen)
		c.step()
		if idle && c.wait == WaitDrain {
			break // it streams: let others have a turn
		}
	}
	return again
}

// step calls the Session.
func (c *Conn) step() {
	c.woken = false
	n, w := c.session.Step(c, c.in.bytes())
	c.in.consume(n)
	c.seen = int32(c.in.unread())
	c.wait = w
}

// ready says whether what the Session waits for has happened.
func (c *Conn) ready() (bool, error) {
	switch c.wait {
	case WaitInput:
		if c.Queued() > c.ln.opts.HighWater {
			return false, nil
		}
		if c.in.unread() > int(c.seen) {
			return true, nil
		}
		more, err := c.fill()
		return more || err == nil && c.woken, err
	case WaitDrain, WaitTLS:
		return c.Queued() == 0, nil
	case WaitPause:
		return c.ln.loop.fresh() >= c.pause, nil
	}
	return true, nil
}

// expired says whether a Session that waits must end, and why.
func (c *Conn) expired() (Reason, bool) {
	l := c.ln.loop
	switch {
	case c.wait == WaitInput && l.now() >= c.patience:
		return Timeout, true
	case c.wait == WaitInput && !c.busy && l.stopping.Load():
		return Shutdown, true
	case c.wait == WaitInput && c.in.unread() > 0 && l.overBudget():
		return Overload, true
	case c.wait == WaitInput && c.holdsTooMuch():
		return Overload, true
	}
	return 0, false
}

// expire lets the Session say its last words.
func (c *Conn) expire(why Reason) verdict {
	c.session.Expire(c, why)
	return c.endSession(nil)
}

// park leaves c alone until something happens.
func (c *Conn) park() verdict {
	l := c.ln.loop
	if c.stuck != 0 && l.now() >= c.stuck {
		return c.finish(ErrWriteTimeout)
	}
	if c.stuck != 0 && l.overBudget() {
		return c.finish(ErrOverload)
	}
	c.in = l.memory.settle(c.in)
	c.out = l.memory.settle(c.out)
	if c.secure != nil {
		c.secure.park(&l.memory)
	}
	if err := c.watch(); err != nil {
		return c.finish(err)
	}
	due, fine := c.nextDue()
	if !l.wakeAt(c, due, fine) {
		return again
	}
	c.worker = nil
	return done
}

// nextDue is when c wants to be looked at though nothing happened.
func (c *Conn) nextDue() (due instant, fine bool) {
	due = c.patience
	switch {
	case c.phase == phaseServe && c.wait == WaitPause:
		return c.pause, true
	case c.phase == phaseServe && c.wait != WaitInput, c.phase == phaseFlush:
		due = c.stuck
	case c.stuck != 0:
		due = min(due, c.stuck)
	}
	if c.stuck != 0 { // look in now and then, in case memory gets short
		due = min(due, c.ln.loop.deadline(stuckLook))
	}
	if c.secure != nil && c.secure.rest != 0 {
		due = min(due, c.secure.rest)
	}
	return due, false
}
