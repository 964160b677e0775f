package loop

import (
	"crypto/tls"
	"os"
	"time"
)

// A handshake is a dialogue inside crypto/tls that cannot be left and
// resumed, so it gets a goroutine, once the client has sent something.
// Options.HandshakesMax bounds how many there are at a time, and a token per
// processor bounds how many of these compute: a flood of handshakes delays
// other handshakes, not the conversations that run.

// crowdedTime is how long a handshake may take while others wait for their
// turn: clients that fall silent amid it cannot keep everybody else out.
const crowdedTime = 3 * time.Second

// startTLS begins TLS, on request of the Session or on an implicit listener.
func (c *Conn) startTLS() verdict {
	switch {
	case c.ln.opts.TLS == nil || c.secure != nil:
		return c.finish(ErrNoTLS)
	case c.session != nil && c.in.unread() > 0:
		return c.finish(ErrEarlyInput)
	}
	c.secure = &secure{c: c, early: c.in, wake: make(chan struct{}, 1)}
	c.in, c.seen = nil, 0
	c.phase = phaseHello
	c.patience = c.ln.loop.deadline(c.ln.opts.HandshakeTimeout)
	return c.hello()
}

// hello waits for the first bytes of the handshake.
func (c *Conn) hello() verdict {
	switch {
	case c.readable || c.secure.early.unread() > 0:
		return c.shake()
	case c.overdue():
		return c.finish(os.ErrDeadlineExceeded)
	}
	return c.park()
}

// overdue says whether a client that has no Session yet must go.
func (c *Conn) overdue() bool {
	l := c.ln.loop
	return l.now() >= c.patience || l.stopping.Load()
}

// shake hands c to a handshake goroutine, now or when one is free.
func (c *Conn) shake() verdict {
	l := c.ln.loop
	if err := c.watch(); err != nil {
		return c.finish(err)
	}
	c.phase = phaseShake
	c.worker = nil
	l.wakeAt(c, c.patience, false)
	l.mu.Lock()
	defer l.mu.Unlock()
	c.state = shaking
	if l.shaking >= l.shakingMax {
		l.waiting = append(l.waiting, c)
		return givenAway
	}
	l.shaking++
	l.exited.Add(1)
	go l.shakeHands(c)
	return givenAway
}

// shakeHands runs c's handshake and those that wait for their turn.
func (l *Loop) shakeHands(c *Conn) {
	defer l.exited.Done()
	for c != nil {
		l.processors <- struct{}{}
		c.secure.handshake()
		<-l.processors
		l.mu.Lock()
		l.push(c)
		l.callWorker()
		c = nil
		if len(l.waiting) > 0 {
			c = l.waiting[0]
			l.waiting = l.waiting[1:]
		} else {
			l.shaking--
		}
		l.mu.Unlock()
	}
}

// handshake does it.
func (s *secure) handshake() {
	if s.c.overdue() {
		s.failed = os.ErrDeadlineExceeded
		return
	}
	s.begun = s.c.ln.loop.now()
	s.conn = tls.Server(s, s.c.ln.opts.TLS)
	s.failed = s.conn.Handshake()
	s.up = s.failed == nil
	s.more = s.up // application data may have come with the last flight
}

// await sends what is sealed and waits for input, as part of a handshake.
func (s *secure) await() error {
	l := s.c.ln.loop
	if err := s.c.writeSocket(s.sealed); err != nil {
		return err
	}
	<-l.processors
	defer func() { l.processors <- struct{}{} }()
	for !s.c.readable {
		<-s.wake
		if s.c.overdue() || l.crowded.Load() && l.now() >= s.begun.add(crowdedTime) {
			return os.ErrDeadlineExceeded
		}
		if err := s.collect(); err != nil {
			return err
		}
	}
	return nil
}

// collect takes note of what happened during the handshake.
func (s *secure) collect() error {
	c, l := s.c, s.c.ln.loop
	l.mu.Lock()
	ev := c.pending
	c.pending = 0
	l.mu.Unlock()
	c.note(ev)
	if ev&evTimer != 0 { // it came too early
		l.wakeAt(c, c.patience, false)
	}
	return c.writeSocket(s.sealed)
}

// shaken goes on after the handshake.
func (c *Conn) shaken() verdict {
	s := c.secure
	if s.failed != nil {
		c.ln.failed.Add(1)
		c.ln.loop.log.Debug("TLS handshake failed", "listener", c.ln.opts.Name,
			"remote", c.remote, "err", s.failed)
		return c.endSession(s.failed)
	}
	c.ln.handshakes.Add(1)
	s.wake = nil
	trimTLS(s.conn)
	if c.session == nil {
		return c.open()
	}
	c.phase = phaseServe
	c.step()
	return c.serve()
}
