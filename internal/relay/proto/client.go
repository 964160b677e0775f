package proto

import (
	"errors"

	"barid/internal/smtp"
)

// Next is what a connection needs from its owner.
type Next uint8

// The needs.
const (
	// NeedInput: send what is queued and wait for the server; Awaits says
	// for what. Octets that were not consumed come again, with more behind
	// them.
	NeedInput Next = iota
	// StartTLS: send what is queued, do the handshake as client, then call
	// Secure. If it fails, Hangup.
	StartTLS
	// Ready: the connection is idle. Begin a transaction, or Quit, or keep
	// it; whatever the server says meanwhile goes into Step.
	Ready
	// SendBody: give the next piece of the message with Body, or EndBody.
	// When what is queued has been sent, call Step again, also with what the
	// server may have said.
	SendBody
	// Done: the transaction is over and every recipient has its outcome.
	// Call Step again, or Quit.
	Done
	// Close: send what is queued and close. Failure says what was wrong, if
	// anything was.
	Close
)

// A Client is the client's side of one connection. It is a value: make it
// with Reset, use it again with Reset. The methods are not for concurrent
// use.
type Client struct {
	opts  *Options
	t     *Transaction // the one under way, nil for none
	reply smtp.ReplyReader

	offered Extension
	limits  limits
	failure Outcome
	why     []byte // memory of failure.Text
	domains []byte // of the recipients on this connection, each with a line end; kept when RCPTDOMAINMAX is offered
	pieces  smtp.BodyEncoder

	mails    int // transactions begun
	next     int // index of the recipient that is sent next
	answered int // index of the recipient whose reply comes next
	accepted int // recipients accepted and not yet decided
	flight   int // commands sent and not yet answered

	state    state
	facts    fact
	finished bool // Done is to be reported
}

// A limits is what a server has said of itself; zero is no limit.
type limits struct {
	size        int64 // octets of a message (RFC 1870 4)
	mails       int64 // transactions on a connection (RFC 9422 4.1)
	rcpts       int64 // recipients of a transaction (RFC 9422 4.2)
	rcptDomains int64 // domains of the recipients on a connection (RFC 9422 4.3)
}

// A fact is something true of a connection, or of its transaction.
type fact uint8

const (
	secure   fact = 1 << iota // TLS is up
	noTLS                     // STARTTLS was refused
	bdatDone                  // this server has taken a chunk: it knows BDAT

	utf8    // the transaction needs SMTPUTF8
	refused // MAIL was not accepted; what is left is to read the replies
	mailed  // MAIL was accepted
	dataOut // DATA was sent

	ofTransaction = utf8 | refused | mailed | dataOut
)

func (c *Client) is(f fact) bool { return c.facts&f != 0 }

// Reset makes c the client of a new connection with these options, which it
// keeps. Memory is kept too. A transaction that is under way is forgotten.
func (c *Client) Reset(opts *Options) {
	c.reply.Reset()
	*c = Client{opts: opts, reply: c.reply, why: c.why[:0], domains: c.domains[:0]}
}

// Step consumes a prefix of in, appends commands to out, and says what is
// needed now. in holds the octets that were not consumed before and what has
// come since.
func (c *Client) Step(in, out []byte) (n int, o []byte, next Next) {
	for {
		need := rows[c.state].need
		switch {
		case c.finished:
			c.finished = false
			return n, out, Done
		case c.state == closed:
			return n, out, Close
		case c.state.in(idle) && c.spent():
			out = c.Quit(out)
		case c.state == dirtyState:
			out = c.reset(out)
		case c.state == handshakeState && n < len(in):
			c.fail(injected) // somebody wants this to be taken for said under TLS
		case n == len(in):
			return n, out, need
		default:
			var used int
			used, out = c.read(in[n:], out)
			n += used
			if used == 0 {
				return n, out, need
			}
		}
	}
}

// read reads a line of a reply and does what the reply asks for, if this was
// its last line.
func (c *Client) read(in, out []byte) (n int, o []byte) {
	n, line, part, err := c.reply.Read(in)
	switch {
	case errors.Is(err, smtp.ErrEndlessReply):
		c.fail(endless)
	case err != nil:
		c.fail(notAReply)
	case part == smtp.NoLine:
		return n, out
	case c.state == helloState && c.reply.Code == 250 && c.reply.Lines > 1:
		c.offer(line)
	}
	if part == smtp.LastLine {
		out = c.take(out)
	}
	return n, out
}

// take does what a reply asks for. 421 may come at any time and means the
// same everywhere. (RFC 5321 3.8)
func (c *Client) take(out []byte) []byte {
	if c.reply.Code == 421 && c.state != quitState {
		c.fail(c.said())
		return out
	}
	switch c.state {
	case greetState:
		return c.greeted(out)
	case helloState:
		return c.helloAnswered(out)
	case heloState:
		return c.heloAnswered(out)
	case tlsState:
		return c.tlsAnswered(out)
	case plainState, loginState, userState, passwordState:
		return c.authAnswered(out)
	case mailState, rcptState, dataState:
		return c.envelopeAnswered(out)
	case bodyState, chunkState:
		c.tooEarly()
	case waitState:
		c.chunkAnswered()
	case endState:
		c.endAnswered()
	case dotState:
		c.finish(readyState)
	case resetState:
		return c.resetAnswered(out)
	case quitState:
		c.become(closed)
	default:
		c.fail(unasked)
	}
	return out
}

// said is the reply that was just read.
func (c *Client) said() smtp.Reply {
	return smtp.Reply{Code: c.reply.Code, Status: c.reply.Status, Detail: c.reply.Text}
}

// class is the first digit of the reply: all that decides. (RFC 5321 4.2.1)
func (c *Client) class() int { return c.reply.Code / 100 }

// fail ends the connection without a further word. A transaction that is
// under way ends with it. After QUIT nothing can go wrong.
func (c *Client) fail(why smtp.Reply) {
	if c.state == quitState || c.state == closed {
		c.become(closed)
		return
	}
	c.blame(why)
	if c.t != nil {
		c.t.Uncertain = c.state == endState && (why.Code == 0 || c.repliesLeft() > 1)
		c.settle(why)
		c.finish(closed)
		return
	}
	c.become(closed)
}

// giveUp ends the connection politely, outside of a transaction.
func (c *Client) giveUp(why smtp.Reply, out []byte) []byte {
	c.blame(why)
	return c.Quit(out)
}

// blame notes why the connection is of no use. Only who is turned away at
// the door is not wanted; what goes wrong later goes wrong with a message, or
// with a login that somebody will mend.
func (c *Client) blame(why smtp.Reply) {
	c.why = append(append(c.why[:0], why.Text...), why.Detail...)
	c.failure = verdict(why, c.Awaits())
	c.failure.Text = c.why
	if s := c.failure.Stage; s != AtGreeting && s != AtHello {
		c.failure.Kind = Temporary
	}
}

// Hangup tells the client that the connection is lost or given up: the server
// has closed it, it was too slow, the handshake failed, the message cannot be
// read. Text and Detail of why say so, Status may say it with a code of class
// 4; without one it is 4.4.2. If there is a transaction its recipients are
// temporary failures, but for those that were answered: give Step everything
// that the server has said first. Step then says Done, if there was a
// transaction, and Close.
func (c *Client) Hangup(why smtp.Reply) {
	if why.Status == (smtp.Status{}) {
		why.Status = smtp.Status{4, 4, 2}
	}
	if why.Status[0] != 4 || why.Code != 0 {
		panic("proto: a lost connection is a temporary failure of our own")
	}
	c.fail(why)
}

// Quit ends the connection between two transactions. The reply may be waited
// for, but nothing depends on it: who has sent QUIT may close. (RFC 5321
// 4.1.1.10)
func (c *Client) Quit(out []byte) []byte {
	if c.t != nil {
		panic("proto: QUIT within a transaction")
	}
	if c.state == closed || c.state == quitState {
		return out
	}
	c.become(quitState)
	return append(out, "QUIT\r\n"...)
}

// Secure tells the client that TLS is up: after StartTLS, or before the first
// Step on a port with implicit TLS. What the server said before is forgotten.
// (RFC 3207 4.2)
func (c *Client) Secure(out []byte) []byte {
	c.facts |= secure
	if c.state == greetState {
		return out
	}
	return c.hello(out)
}

// Awaits is the command whose reply is awaited, or AtBody while the body is
// being sent: how long to wait depends on it. (RFC 5321 4.5.3.2)
func (c *Client) Awaits() Stage { return rows[c.state].awaits }

// Offers reports whether the server offers all these extensions, and none of
// them is to be ignored. It is known when Step says Ready.
func (c *Client) Offers(e Extension) bool { return c.offered&e == e }

// SizeMax is the limit for a message that the server has announced, in octets
// as SIZE counts them; 0 for none. (RFC 1870 4)
func (c *Client) SizeMax() int64 { return c.limits.size }

// Mails is how many transactions have been begun on the connection.
func (c *Client) Mails() int { return c.mails }

// Reusable reports whether the connection may serve another transaction:
// whether Ready is to be expected after Done.
func (c *Client) Reusable() bool { return c.state.in(idle) && !c.spent() }

// spent reports whether the server wants no further transaction. (RFC 9422
// 4.1)
func (c *Client) spent() bool {
	return c.limits.mails > 0 && int64(c.mails) >= c.limits.mails
}

// Failure is why the connection is of no use, and which reply or which loss
// has shown it; its Kind is Undecided when nothing is wrong. Kind Permanent
// means that this server does not want us: others may. The text is valid
// until Reset.
func (c *Client) Failure() Outcome { return c.failure }

// reset appends RSET, after a transaction that the server does not know to be
// over. (RFC 5321 4.1.1.5)
func (c *Client) reset(out []byte) []byte {
	c.become(resetState)
	return append(out, "RSET\r\n"...)
}

func (c *Client) resetAnswered(out []byte) []byte {
	if c.class() != 2 {
		return c.giveUp(c.said(), out)
	}
	c.become(readyState)
	return out
}
