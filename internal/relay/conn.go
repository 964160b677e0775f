package relay

import (
	"errors"
	"io"
	"net"
	"time"

	"barid/internal/relay/proto"
)

// A conn is a connection to a server, from its greeting to QUIT: the owner of
// an engine. While it is idle it holds no buffers; those are the work's.
type conn struct {
	relay  *Relay
	socket *socket
	wire   net.Conn // the socket, or TLS over it
	target target
	policy Policy
	tls    string // version and whose certificate, for the log; empty in the clear

	client  proto.Client
	options proto.Options

	made      time.Time
	idleSince time.Time
	// implicit: TLS begins with the first octet.
	implicit        bool
	handshakeFailed bool
}

var errClosed = errors.New("closed by the server")

// converse sends what is queued and reads replies until the engine wants
// something else. A connection that is lost is told to the engine.
func (w *work) converse(c *conn) proto.Next {
	renew := true // the time for a reply begins again
	for {
		n, out, next := c.client.Step(w.in, w.out)
		w.in, w.out = w.in[n:], out
		renew = renew || n > 0
		if next == proto.NeedInput && c.client.Awaits() == proto.AtQuit {
			next = proto.Close // nothing depends on the reply (RFC 5321 4.1.1.10)
		}
		switch next {
		case proto.NeedInput:
			renew = renew || len(w.out) > 0
			if err := w.exchange(c, renew); err != nil {
				return w.lost(c, err)
			}
			renew = false
		case proto.StartTLS:
			if err := w.startTLS(c); err != nil {
				return w.lost(c, err)
			}
			w.out = c.client.Secure(w.out)
		case proto.Close:
			_ = w.send(c)
			return next
		default:
			return next
		}
	}
}

// exchange sends what is queued and reads something. When the server has
// stopped reading, what it has said is still read. It has its whole time for a
// reply anew when a line has come, not when an octet has.
func (w *work) exchange(c *conn, renew bool) error {
	if err := w.send(c); err != nil && !c.socket.pending() {
		return err
	}
	if renew {
		if err := w.setDeadline(c, w.relay.o.Timeouts.of(c.client.Awaits())); err != nil {
			return err
		}
	}
	return w.receive(c)
}

// receive reads once.
func (w *work) receive(c *conn) error {
	w.in = append(w.inRoom[:0], w.in...)
	if len(w.in) == cap(w.in) {
		return errors.New("the line does not end") // the engine takes what is longer than smtp.ReplyLineMax
	}
	n, err := c.wire.Read(w.in[len(w.in):cap(w.in)])
	w.in = w.in[:len(w.in)+n]
	switch {
	case n > 0:
		return nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errClosed
	}
	return err
}

// send writes what is queued.
func (w *work) send(c *conn) error {
	if len(w.out) == 0 {
		return nil
	}
	out := w.out
	w.out = out[:0]
	if err := w.setDeadline(c, w.relay.o.Timeouts.Body); err != nil {
		return err
	}
	_, err := c.wire.Write(out)
	return err
}

// setDeadline bounds the next wait, by the time for the whole job too.
func (w *work) setDeadline(c *conn, d time.Duration) error {
	t := time.Now().Add(d)
	if t.After(w.deadline) {
		t = w.deadline
	}
	end := w.ctx
	finishing := c.client.Awaits() == proto.AtEnd
	if c.socket.finishing.Store(finishing); finishing {
		end = w.ending.last
	}
	if err := c.socket.SetDeadline(t); err != nil {
		return err
	}
	return end.Err() // it may have ended just before
}

// fit reports whether an idle connection can be used: it is not too old, and
// the server has neither closed it nor said anything, such as 421.
func (c *conn) fit() bool {
	o := &c.relay.o
	if c.client.Mails() >= o.MessagesMax || time.Since(c.made) >= o.AgeMax {
		return false
	}
	if c.tls != "" {
		return c.quiet()
	}
	return !c.socket.pending()
}

// quiet reports whether nothing has come over a connection with TLS but what
// is of TLS alone, such as a ticket.
func (c *conn) quiet() bool {
	if c.socket.SetDeadline(time.Now().Add(time.Second)) != nil {
		return false
	}
	c.socket.glance = true
	defer func() { c.socket.glance = false }()
	var one [1]byte
	n, err := c.wire.Read(one[:])
	var nothing net.Error
	return n == 0 && errors.As(err, &nothing) && nothing.Timeout()
}

// quit says goodbye to the server and closes an idle connection. Nothing
// depends on its reply, so it is not waited for. (RFC 5321 4.1.1.10)
func (c *conn) quit() {
	if c.socket.SetDeadline(time.Now().Add(time.Second)) == nil {
		_, _ = c.wire.Write(c.client.Quit(nil))
	}
	_ = c.wire.Close()
}

// hangup closes without a word, not even one of TLS.
func (c *conn) hangup() { _ = c.socket.Close() }
