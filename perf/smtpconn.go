package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"time"
)

// smtpConn is one connection of the generator. Commands gather in out until
// the dialogue has to wait for a reply; replies are read in place.
type smtpConn struct {
	plan    *smtpPlan
	load    *smtpLoad
	message *smtpMessage
	tally   *smtpTally
	raw     net.Conn
	conn    net.Conn // raw, or TLS over it
	in      *bufio.Reader
	out     []byte
	renewed time.Time // when the deadline was set last
	err     error     // the first failure to write
}

// refusal is a reply that is not the one hoped for.
type refusal struct{ line string }

func (r *refusal) Error() string { return "refused: " + r.line }

// bodyCopyMax is the longest body that is copied behind its commands so that
// both leave in one write; a longer one is written from where it is.
const bodyCopyMax = 64 << 10

// dialSMTP connects to the server of the plan.
func dialSMTP(ctx context.Context, plan *smtpPlan) (*smtpConn, error) {
	network, addr := "tcp", plan.addr
	if path, ok := strings.CutPrefix(plan.addr, "unix:"); ok {
		network, addr = "unix", path
	}
	dialer := net.Dialer{Timeout: plan.patience}
	conn, err := dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c := &smtpConn{plan: plan, raw: conn, conn: conn, in: bufio.NewReader(conn)}
	if plan.security == implicitTLS {
		c.secure()
	}
	return c, nil
}

// secure continues the connection under TLS. Whose certificate it is does not
// matter to a load generator.
func (c *smtpConn) secure() {
	c.conn = tls.Client(c.raw, &tls.Config{InsecureSkipVerify: true})
	c.in.Reset(c.conn)
}

// close ends the connection, also from another goroutine: whatever is reading
// or writing then fails. What Close itself reports changes no figure.
func (c *smtpConn) close() { _ = c.raw.Close() }

// open does everything that comes before the first message.
func (c *smtpConn) open() error {
	if err := c.reply('2'); err != nil {
		return err
	}
	if err := c.hello(); err != nil {
		return err
	}
	if c.plan.security == startTLS {
		if err := c.command("STARTTLS\r\n"); err != nil {
			return err
		}
		c.secure()
		if err := c.hello(); err != nil {
			return err
		}
	}
	if c.plan.user == "" {
		return nil
	}
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + c.plan.user + "\x00" + c.plan.password))
	return c.command("AUTH PLAIN " + plain + "\r\n")
}

func (c *smtpConn) hello() error {
	if c.plan.lmtp {
		return c.command("LHLO perf.test\r\n")
	}
	return c.command("EHLO perf.test\r\n")
}

// command sends one command and waits for its reply, which must be a 2yz.
func (c *smtpConn) command(line string) error {
	c.out = append(c.out, line...)
	return c.roundTrip('2')
}

func (c *smtpConn) roundTrip(class byte) error {
	c.flush()
	return c.reply(class)
}

// flush writes what has gathered. A failure is kept for the next reply.
func (c *smtpConn) flush() {
	if now := time.Now(); now.Sub(c.renewed) > time.Second {
		c.renewed = now
		c.keep(c.conn.SetDeadline(now.Add(c.plan.patience)))
	}
	_, err := c.conn.Write(c.out)
	c.keep(err)
	c.out = c.out[:0]
}

func (c *smtpConn) keep(err error) {
	if c.err == nil {
		c.err = err
	}
}

// reply reads one reply of one or more lines (RFC 5321 4.2) and demands that
// its last line begins with the class.
func (c *smtpConn) reply(class byte) error {
	if c.err != nil {
		return c.err
	}
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) < 4 {
			return fmt.Errorf("reply %q is too short", line)
		}
		if line[3] == '-' {
			continue
		}
		if line[0] != class {
			return &refusal{strings.TrimSpace(string(line))}
		}
		return nil
	}
}

// sendAll sends messages, t first, until there are no more tickets or the
// connection has had its share, and says QUIT.
func (c *smtpConn) sendAll(ctx context.Context, t ticket) (ticket, bool, error) {
	switch {
	case c.plan.lockStep:
		return c.sendInTurns(ctx, t, c.sendLockStep)
	case c.plan.bdat:
		return c.sendChunks(ctx, t)
	case c.plan.rate > 0:
		return c.sendInTurns(ctx, t, c.sendGrouped)
	}
	return c.sendOverlapped(ctx, t)
}

// mayGoOn says whether this connection has room for another message.
func (c *smtpConn) mayGoOn(sent int) bool {
	return c.plan.perConnection == 0 || sent < c.plan.perConnection
}

// sendInTurns sends one whole message after the other with send.
func (c *smtpConn) sendInTurns(ctx context.Context, t ticket, send func(ticket) error) (ticket, bool, error) {
	ok := true
	for sent := 0; ok && c.mayGoOn(sent); sent++ {
		if err := send(c.begin(t)); err != nil {
			return c.load.drawAfter(ctx, err)
		}
		t, ok = c.load.draw(ctx)
	}
	return t, ok, c.command("QUIT\r\n")
}

// begin starts the clock of a message; in an open loop it has run since the
// message was due.
func (c *smtpConn) begin(t ticket) ticket {
	if c.plan.rate == 0 {
		t.due = time.Now()
	}
	return t
}

// sendLockStep waits for the reply to each command, as a client without
// PIPELINING must.
func (c *smtpConn) sendLockStep(t ticket) error {
	if err := c.command("MAIL FROM:<" + c.plan.from + ">\r\n"); err != nil {
		return err
	}
	for i := range c.plan.rcpts {
		c.out = c.load.appendRecipient(c.out, t.number, i)
		if err := c.roundTrip('2'); err != nil {
			return err
		}
	}
	if c.plan.bdat {
		c.out = c.message.appendChunk(c.out)
		c.putMessage(t)
	} else {
		c.out = append(c.out, "DATA\r\n"...)
		if err := c.roundTrip('3'); err != nil {
			return err
		}
		c.putBody(t)
	}
	c.flush()
	return c.outcome(t)
}

// sendGrouped sends the envelope and DATA in one group, then the body.
func (c *smtpConn) sendGrouped(t ticket) error {
	c.putEnvelope(t)
	c.flush()
	if err := c.envelopeReplies('3'); err != nil {
		return err
	}
	c.putBody(t)
	c.flush()
	return c.outcome(t)
}

// sendOverlapped sends the envelope of the next message in one group with the
// body of the last (RFC 2920 3.1), so that a message takes one round trip.
func (c *smtpConn) sendOverlapped(ctx context.Context, t ticket) (ticket, bool, error) {
	t = c.begin(t)
	c.putEnvelope(t)
	c.flush()
	for sent := 1; ; sent++ {
		if err := c.envelopeReplies('3'); err != nil {
			return c.load.drawAfter(ctx, err)
		}
		c.putBody(t)
		next, more := c.load.draw(ctx)
		goOn := more && c.mayGoOn(sent)
		if goOn {
			next = c.begin(next)
			c.putEnvelope(next)
		} else {
			c.out = append(c.out, "QUIT\r\n"...)
		}
		c.flush()
		if err := c.outcome(t); err != nil {
			return next, more, err
		}
		if !goOn {
			return next, more, c.reply('2')
		}
		t = next
	}
}

// sendChunks keeps up to plan.window messages under way, each in one piece:
// BDAT needs no reply before the body (RFC 3030 4.2).
func (c *smtpConn) sendChunks(ctx context.Context, t ticket) (ticket, bool, error) {
	var underWay [64]ticket // those between answered and sent, by number modulo 64
	answered, sent, more := 0, 0, true
	for {
		for sent-answered < c.plan.window && more && c.mayGoOn(sent) {
			t = c.begin(t)
			c.putChunk(t)
			underWay[sent%len(underWay)] = t
			sent++
			t, more = c.load.draw(ctx)
		}
		if sent == answered {
			return t, more, c.command("QUIT\r\n")
		}
		c.flush()
		for answered < sent {
			if err := c.envelopeReplies(0); err != nil {
				return t, more, err
			}
			if err := c.outcome(underWay[answered%len(underWay)]); err != nil {
				return t, more, err
			}
			answered++
			if c.in.Buffered() == 0 {
				break
			}
		}
	}
}

func (c *smtpConn) putEnvelope(t ticket) {
	c.out = c.load.appendEnvelope(c.out, t.number)
	c.out = append(c.out, "DATA\r\n"...)
}

func (c *smtpConn) putChunk(t ticket) {
	c.out = c.load.appendEnvelope(c.out, t.number)
	c.out = c.message.appendChunk(c.out)
	c.putMessage(t)
}

// putMessage adds the message with the number of the ticket.
func (c *smtpConn) putMessage(t ticket) {
	c.message.setNumber(t.number)
	c.out = append(c.out, c.message.head...)
	if len(c.message.body) <= bodyCopyMax {
		c.out = append(c.out, c.message.body...)
		return
	}
	c.flush()
	_, err := c.conn.Write(c.message.body)
	c.keep(err)
}

// putBody adds the message and the dot that ends it.
func (c *smtpConn) putBody(t ticket) {
	c.putMessage(t)
	c.out = append(c.out, ".\r\n"...)
}

// envelopeReplies reads the replies to MAIL and RCPT, and one of class data
// unless that is 0.
func (c *smtpConn) envelopeReplies(data byte) error {
	for range 1 + c.plan.rcpts {
		if err := c.reply('2'); err != nil {
			return err
		}
	}
	if data == 0 {
		return nil
	}
	return c.reply(data)
}

// outcome reads the reply to the whole message, in LMTP one for each recipient
// (RFC 2033 4.2), and counts it.
func (c *smtpConn) outcome(t ticket) error {
	replies := 1
	if c.plan.lmtp {
		replies = c.plan.rcpts
	}
	for range replies {
		if err := c.reply('2'); err != nil {
			return err
		}
	}
	c.tally.accepted++
	c.tally.latency.add(time.Since(t.due))
	return nil
}
