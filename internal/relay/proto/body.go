package proto

import (
	"bytes"
	"strconv"

	"barid/internal/smtp"
)

// beginBody makes ready for the pieces of a body.
func (c *Client) beginBody() { c.pieces = smtp.BodyEncoder{} }

// Body appends the next piece of the message, after Step has said SendBody,
// and consumes a prefix of p: all of it, but for the beginning of a message
// in chunks. The message comes with LF line ends and goes out with CRLF and
// its dots stuffed, at most 2*len(p) octets; but a BodyBinary goes out as it
// is. Afterwards call Step.
func (c *Client) Body(p, out []byte) (n int, o []byte) {
	switch {
	case c.state == chunkState:
		return c.chunk(p, out)
	case c.state != bodyState:
		panic("proto: a body that was not asked for")
	case c.pieces.BareCR(p):
		c.settle(bareCR)
		c.finish(closed) // there is no other way to take a body back
		return len(p), out
	}
	return len(p), c.pieces.Append(out, p)
}

// EndBody appends the end of the message. Afterwards call Step.
func (c *Client) EndBody(out []byte) []byte {
	switch c.state {
	case bodyState:
		out = c.pieces.End(out)
	case chunkState:
		out = append(out, "BDAT 0 LAST\r\n"...)
	default:
		panic("proto: the end of a body that was not asked for")
	}
	c.answered = 0
	c.become(endState)
	return out
}

// chunk appends a chunk and waits for its reply. (RFC 3030 2)
//
//	bdat-cmd ::= "BDAT" SP chunk-size [ SP end-marker ] CR LF
//
// The octets of a chunk follow the command at once. A server that offers
// CHUNKING but does not know BDAT would read them as commands, and they may
// have been written to be read so. So until a server has taken one chunk it
// gets one line only, which in a message that is relayed is a field of our
// own.
func (c *Client) chunk(p, out []byte) (n int, o []byte) {
	if len(p) == 0 {
		return 0, out // a chunk of nothing is a mistake to some servers
	}
	if i := bytes.IndexByte(p, '\n'); !c.is(bdatDone) && i >= 0 {
		p = p[:i+1]
	}
	out = append(out, "BDAT "...)
	out = strconv.AppendInt(out, int64(len(p)), 10)
	out = append(out, "\r\n"...)
	c.become(waitState)
	return len(p), append(out, p...)
}

// chunkAnswered is the reply to a chunk that is not the last. After a refusal
// nothing but RSET makes sense.
func (c *Client) chunkAnswered() {
	switch c.class() {
	case 2:
		c.facts |= bdatDone
		c.become(chunkState)
	case 3:
		c.fail(c.senseless(wrongReply))
	default:
		c.settle(c.said())
		c.finish(dirtyState)
	}
}

// tooEarly is a reply while the body is being sent. A refusal is believed: the
// server does not want the rest, and to be left in the middle of a body is the
// only way not to get it.
func (c *Client) tooEarly() {
	if c.class() >= 4 {
		c.fail(c.said())
		return
	}
	c.fail(c.senseless(wrongReply))
}

// repliesLeft is how many replies the end of the message still gets.
func (c *Client) repliesLeft() int {
	if c.opts.Dialect == LMTP {
		return c.accepted
	}
	return 1
}

// endAnswered is a reply to the end of the message; in LMTP there is one for
// each recipient that was accepted, in order. (RFC 2033 4.2, 4.3)
func (c *Client) endAnswered() {
	switch {
	case c.class() == 3:
		c.fail(c.senseless(wrongReply))
		return
	case c.repliesLeft() > 1:
		c.accepted--
		c.decide(c.nextMarked(accepted), c.said(), AtEnd)
		return
	}
	c.settle(c.said())
	if c.t.Body == BodyBinary && c.class() != 2 {
		c.finish(dirtyState) // RFC 3030 2: the state is indeterminate
		return
	}
	c.finish(readyState)
}
