package relay

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"barid/internal/relay/proto"
	"barid/internal/smtp"
	"barid/spool"
)

// connect makes a connection to the first target that takes one, and brings it
// to where the server is ready for mail. nil: there is none; w.failure says
// why. The target stays the one to try, until something goes wrong with it.
func (w *work) connect() *conn {
	for {
		if w.over() {
			return nil
		}
		t := w.way.target(w.ctx)
		if t == nil {
			w.failure.note(w.way.failure)
			return nil
		}
		if !w.relay.pool.takeSlot(w.ctx, w.deadline) {
			w.failure.note(failure{kind: spool.Deferred, status: "4.3.2", text: "too many connections to other servers are open", health: spool.HealthUnknown})
			return nil
		}
		c, f := w.open(t)
		if c != nil {
			return c
		}
		w.relay.pool.giveSlot()
		if f == nil {
			continue // the same target once more, in the clear
		}
		w.failure.note(*f)
		w.nextTarget()
		if f.final {
			return nil
		}
	}
}

// over reports whether there is no time left, and notes why.
func (w *work) over() bool {
	switch {
	case w.ctx.Err() != nil:
		w.failure = failure{kind: spool.Deferred, status: "4.3.2", text: "this server is shutting down"}
		return true
	case !time.Now().Before(w.deadline):
		w.failure.note(failure{kind: spool.Deferred, status: "4.4.1", text: "no server of " + w.site.nextHop + " took the message in time"})
		return true
	}
	return false
}

// nextTarget gives the target up.
func (w *work) nextTarget() {
	w.inClear = false
	w.way.next()
}

// open connects to a target. Without a connection and without a failure, the
// same target is to be tried without TLS.
func (w *work) open(t *target) (*conn, *failure) {
	s, err := w.dial(t)
	if err != nil {
		w.avoid(t)
		w.relay.stats.unreachable.Add(1)
		return nil, &failure{kind: spool.Deferred, status: "4.4.1", text: "cannot connect to " + t.name + ": " + reason(err), health: spool.Dead}
	}
	w.relay.stats.connections.Add(1)
	c := w.newConn(s, t)
	if next := w.establish(c); next == proto.Ready {
		return c, nil
	}
	c.hangup()
	if o := c.client.Failure(); o.Stage == proto.AtTLS && o.Code == 0 && w.policy.TLS == Opportunistic && w.ctx.Err() == nil {
		w.relay.stats.cleared.Add(1)
		w.inClear = true
		return nil, nil
	}
	f := c.failed()
	if f.stage == proto.AtGreeting && f.remote == "" {
		w.avoid(t)
	}
	return nil, &f
}

// avoid has a server that is out of reach, or does not even greet, tried last
// for a while.
func (w *work) avoid(t *target) {
	if t.at.IsValid() && w.ctx.Err() == nil {
		w.relay.unreachable.add(t.at)
	}
}

// dial makes the socket.
func (w *work) dial(t *target) (*socket, error) {
	d := net.Dialer{Timeout: w.relay.o.Timeouts.Connect, Deadline: w.deadline, KeepAlive: -1}
	network, address := "tcp", t.at.String()
	if t.at.IsValid() {
		d.LocalAddr = w.relay.bind(t.at.Addr())
	} else {
		network, address = "unix", t.host
	}
	conn, err := d.DialContext(w.ctx, network, address)
	if err != nil {
		return nil, err
	}
	s, err := newSocket(conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	s.endWith(w.ending)
	return s, nil
}

// bind gives the address that the next connection to a server comes from, nil
// for any: those of its family in turn.
func (r *Relay) bind(to netip.Addr) net.Addr {
	pool := r.bind6
	if to.Is4() {
		pool = r.bind4
	}
	if len(pool) == 0 {
		return nil
	}
	return &net.TCPAddr{IP: pool[r.binds.Add(1)%uint32(len(pool))].AsSlice()}
}

// reason is what went wrong, without the addresses that the text names already.
func reason(err error) string {
	var op *net.OpError
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno) && !errno.Timeout():
		return errno.Error()
	case errors.As(err, &op) && op.Timeout():
		return "timed out"
	}
	return err.Error()
}

// newConn makes a connection that has said nothing yet.
func (w *work) newConn(s *socket, t *target) *conn {
	c := &conn{relay: w.relay, socket: s, wire: s, target: *t, policy: w.policy, made: time.Now()}
	c.options = proto.Options{Hostname: w.relay.o.Hostname, Login: w.login, Ignore: w.policy.Ignore}
	if w.site.key.LMTP {
		c.options.Dialect = proto.LMTP
	}
	switch {
	case w.inClear || w.policy.TLS == Never:
		c.options.TLS = proto.TLSNever
	case w.policy.TLS != Opportunistic:
		c.options.TLS = proto.TLSRequired
	}
	c.implicit = t.at.Port() == w.relay.implicitPort && c.options.Dialect == proto.SMTP
	c.client.Reset(&c.options)
	return c
}

// implicitPort is where TLS begins with the first octet. (RFC 8314 7.3)
const implicitPort = 465

// establish talks until the server is ready for mail.
func (w *work) establish(c *conn) proto.Next {
	w.in, w.out = w.in[:0], w.out[:0]
	if c.implicit {
		if err := c.handshake(w); err != nil {
			return w.lost(c, err)
		}
		w.out = c.client.Secure(w.out)
	}
	return w.converse(c)
}

// lost tells the engine that the connection is of no use, and has it say what
// that means.
func (w *work) lost(c *conn, err error) proto.Next {
	why := smtp.Reply{Text: "lost the connection while ", Detail: []byte(doing(c.client.Awaits()) + ": " + reason(err))}
	var certificate *certificateError
	switch {
	case w.ctx.Err() != nil:
		why = smtp.Reply{Status: smtp.Status{4, 3, 2}, Text: "this server is shutting down"}
	case errors.As(err, &certificate):
		why = smtp.Reply{Status: smtp.Status{4, 7, 5}, Detail: []byte(certificate.Error())}
	case errors.Is(err, os.ErrDeadlineExceeded):
		why = smtp.Reply{Text: "timed out while ", Detail: []byte(doing(c.client.Awaits()))}
	case c.handshakeFailed:
		why = smtp.Reply{Status: smtp.Status{4, 7, 5}, Text: "the TLS handshake failed: ", Detail: []byte(reason(err))}
	}
	c.client.Hangup(why)
	w.out = w.out[:0]
	return w.converse(c)
}

// doing says what a connection was about.
func doing(s proto.Stage) string {
	switch s {
	case proto.AtGreeting:
		return "waiting for the greeting"
	case proto.AtBody:
		return "sending the body"
	}
	return "waiting for the reply to " + s.String()
}
