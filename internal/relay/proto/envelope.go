package proto

import (
	"strconv"

	"barid/internal/smtp"
)

// flightMax is how many commands may be unanswered with PIPELINING. Their
// replies, at 512 octets each, fit into the buffers between two hosts, so
// that never both wait for the other to read. (RFC 2920 3.1)
const flightMax = 100

// Begin begins a transaction when Step has said Ready. What cannot be sent to
// this server is decided here; if nothing is left, Step says Done at once.
func (c *Client) Begin(t *Transaction, out []byte) []byte {
	if c.state != readyState || c.finished || c.spent() {
		panic("proto: a transaction while the client was not Ready")
	}
	c.t = t
	t.Uncertain, t.arena, t.last = false, t.arena[:0], nil
	c.facts &^= ofTransaction
	c.next, c.answered, c.accepted, c.flight = 0, 0, 0, 0
	if !c.admit() {
		c.finish(readyState)
		return out
	}
	c.mails++
	c.flight++
	c.become(mailState)
	return c.push(c.appendMail(out))
}

// push appends the commands that may be sent now: with PIPELINING all of
// them, a limited number at a time, otherwise one after each reply.
func (c *Client) push(out []byte) []byte {
	most := 1
	if c.Offers(Pipelining) {
		most = flightMax
	}
	for c.flight < most && !c.is(refused) {
		switch r := c.nextRcpt(); {
		case r != nil:
			r.mark = sent
			out = c.appendRcpt(out, r)
		case c.wantsData():
			c.facts |= dataOut
			out = append(out, "DATA\r\n"...)
		default:
			return out
		}
		c.flight++
	}
	return out
}

// nextRcpt is the next recipient to send, nil when all were sent.
func (c *Client) nextRcpt() *Recipient {
	for all := c.t.Recipients; c.next < len(all); {
		r := &all[c.next]
		c.next++
		if r.mark == fresh {
			return r
		}
	}
	return nil
}

// wantsData reports whether DATA is to be sent, now that all RCPT are: as
// long as one may be accepted, and unless the body goes in chunks.
func (c *Client) wantsData() bool {
	return !c.is(dataOut) && c.t.Body != BodyBinary && c.accepted+c.flight > 0
}

// envelopeAnswered is a reply to MAIL, RCPT or DATA, which come in the order
// of the commands. (RFC 2920 3.1)
func (c *Client) envelopeAnswered(out []byte) []byte {
	c.flight--
	switch {
	case c.class() == 3 && c.state != dataState:
		c.fail(c.senseless(wrongReply))
		return out
	case c.state == mailState:
		c.mailAnswered()
	case c.state == rcptState:
		c.rcptAnswered()
	default:
		return c.dataAnswered(out)
	}
	out = c.push(out)
	c.advance()
	return out
}

// advance goes on when there is no RCPT left to be answered, and ends the
// transaction when there is nothing else either.
func (c *Client) advance() {
	rcpts := c.flight
	if c.is(dataOut) {
		rcpts--
	}
	if rcpts > 0 {
		return
	}
	c.become(dataState)
	switch {
	case c.is(dataOut):
	case c.accepted > 0:
		c.become(chunkState)
	default:
		c.giveBack()
	}
}

// giveBack ends the transaction before its body.
func (c *Client) giveBack() {
	if c.is(mailed) {
		c.finish(dirtyState)
	} else {
		c.finish(readyState)
	}
}

// mailAnswered is the reply to MAIL; a refusal is one for all recipients.
func (c *Client) mailAnswered() {
	if c.class() == 2 {
		c.facts |= mailed
	} else {
		c.facts |= refused
		c.settle(c.said())
	}
	c.become(rcptState)
}

// rcptAnswered is the reply to a RCPT. After a refused MAIL it means nothing.
func (c *Client) rcptAnswered() {
	if c.is(refused) {
		return
	}
	r := c.nextMarked(sent)
	if c.class() == 2 {
		r.mark = accepted
		c.accepted++
		return
	}
	said := c.said()
	c.decide(r, said, AtRcpt)
	if !tooMany(said) {
		return
	}
	r.Outcome.Kind, r.Outcome.Status[0] = Temporary, 4
	if c.accepted > 0 {
		r.Outcome.Kind = Untried
	}
}

// tooMany reports whether the reply to RCPT says that there are too many
// recipients. There are servers that say 552. (RFC 5321 4.5.3.1.10)
func tooMany(r smtp.Reply) bool {
	s := r.Status
	return (r.Code == 452 || r.Code == 552) && (s == smtp.Status{} || s[1] == 5 && s[2] == 3)
}

// nextMarked is the first recipient with the mark behind those that have been
// answered.
func (c *Client) nextMarked(m mark) *Recipient {
	for all := c.t.Recipients; ; {
		r := &all[c.answered]
		c.answered++
		if r.mark == m {
			return r
		}
	}
}

// dataAnswered is the reply to DATA. A server that wants a body although
// nobody is there to get it has one without a single octet. In LMTP nobody
// knows how many replies that would have. (RFC 2920 3.1, RFC 2033 4.2)
func (c *Client) dataAnswered(out []byte) []byte {
	switch class := c.class(); {
	case class == 3 && c.accepted > 0:
		c.beginBody()
		c.become(bodyState)
	case class == 3 && c.opts.Dialect == SMTP:
		c.become(dotState)
		return append(out, ".\r\n"...)
	case class <= 3:
		c.fail(c.senseless(wrongReply))
	default:
		c.settle(c.said())
		c.giveBack()
	}
	return out
}

// appendMail appends MAIL with the parameters that the server knows. (RFC
// 5321 4.1.1.2)
//
//	mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF
func (c *Client) appendMail(out []byte) []byte {
	t := c.t
	out = append(out, "MAIL FROM:<"...)
	out = append(append(out, t.ReturnPath...), '>')
	if t.Size > 0 && c.Offers(Size) {
		out = append(out, " SIZE="...)
		out = strconv.AppendInt(out, t.Size, 10)
	}
	switch t.Body {
	case Body8Bit:
		out = append(out, " BODY=8BITMIME"...)
	case BodyBinary:
		out = append(out, " BODY=BINARYMIME"...)
	}
	if c.is(utf8) {
		out = append(out, " SMTPUTF8"...)
	}
	if c.Offers(DSN) && t.Ret != smtp.RetUnset {
		out = append(append(out, " RET="...), t.Ret.String()...)
	}
	if c.Offers(DSN) && len(t.EnvID) > 0 && len(t.EnvID) <= smtp.EnvIDMax && smtp.IsXtext(t.EnvID) {
		out = append(append(out, " ENVID="...), t.EnvID...)
	}
	return append(out, "\r\n"...)
}

// appendRcpt appends RCPT with the parameters that the server knows. (RFC
// 5321 4.1.1.3)
//
//	rcpt = "RCPT TO:" ( "<Postmaster>" / Forward-path ) [SP Rcpt-parameters] CRLF
func (c *Client) appendRcpt(out []byte, r *Recipient) []byte {
	out = append(out, "RCPT TO:<"...)
	out = append(append(out, r.Address...), '>')
	if c.Offers(DSN) && r.Notify != 0 {
		out = r.Notify.Append(append(out, " NOTIFY="...))
	}
	if c.Offers(DSN) && c.canSendORcpt(r.ORcpt) {
		out = append(append(out, " ORCPT="...), r.ORcpt...)
	}
	return append(out, "\r\n"...)
}
