package proto

import (
	"bytes"

	"barid/internal/smtp"
)

// admit decides what can be decided without asking the server, and reports
// whether a recipient is left.
func (c *Client) admit() bool {
	left := int64(0)
	why, good := c.judgeMessage()
	for i := range c.t.Recipients {
		r := &c.t.Recipients[i]
		r.Outcome, r.mark = Outcome{}, fresh
		if !good {
			c.decide(r, why, AtNothing)
			continue
		}
		left += c.admitRcpt(r, left)
	}
	return left > 0
}

// judgeMessage says why the server cannot have the message at all.
func (c *Client) judgeMessage() (why smtp.Reply, good bool) {
	t := c.t
	path, wellFormed := mailbox(t.ReturnPath)
	if t.UTF8 || path.NonASCII {
		c.facts |= utf8
	}
	switch {
	case !wellFormed && len(t.ReturnPath) > 0:
		return badSender, false
	case t.Body == Body8Bit && !c.Offers(EightBit):
		return needsEightBit, false
	case t.Body == BodyBinary && !c.Offers(Binary|Chunking):
		return needsBinary, false
	case c.is(utf8) && !c.Offers(UTF8):
		return needsUTF8, false
	case c.limits.size > 0 && t.Size > c.limits.size:
		return tooBig, false
	}
	return smtp.Reply{}, true
}

// mailbox parses an address from the queue. Nothing else goes into a command:
// what is not a mailbox might be two lines. (RFC 5321 4.1.2)
func mailbox(address []byte) (smtp.Path, bool) {
	rest := smtp.Text(address)
	path, ok := rest.Mailbox()
	return path, ok && rest.Empty()
}

// admitRcpt decides about one recipient, when others have been admitted
// before, and returns 1 if it is admitted.
func (c *Client) admitRcpt(r *Recipient, before int64) int64 {
	path, good := mailbox(r.Address)
	switch {
	case !good && !smtp.EqualFold(r.Address, "Postmaster"):
		c.decide(r, badRecipient, AtNothing)
	case path.NonASCII && !c.Offers(UTF8):
		c.decide(r, rcptNeedsUTF8, AtNothing)
	case c.limits.rcpts > 0 && before >= c.limits.rcpts, !c.domainFits(path.Domain):
		c.decide(r, overLimit, AtNothing)
		r.Outcome.Kind = Untried
	default:
		if path.NonASCII {
			c.facts |= utf8
		}
		return 1
	}
	return 0
}

// domainsMax is how many domains are remembered of a connection to a server
// that limits them; a higher limit counts as this.
const domainsMax = 64

// domainFits reports whether a recipient in the domain may be sent on this
// connection, and remembers the domain. (RFC 9422 4.3)
func (c *Client) domainFits(domain []byte) bool {
	if c.limits.rcptDomains == 0 {
		return true
	}
	count := int64(0)
	for known := range bytes.Lines(c.domains) {
		if smtp.EqualFold(known[:len(known)-1], domain) {
			return true
		}
		count++
	}
	if count >= min(c.limits.rcptDomains, domainsMax) {
		return false
	}
	c.domains = append(append(c.domains, domain...), '\n')
	return true
}

// canSendORcpt reports whether the value can be written into RCPT. One that
// is not ASCII needs SMTPUTF8 (RFC 6533 3); without that it is left out.
func (c *Client) canSendORcpt(p []byte) bool {
	if len(p) == 0 || !smtp.IsORcpt(p) || bytes.IndexByte(p, ' ') >= 0 {
		return false
	}
	return c.is(utf8) || bytes.IndexFunc(p, func(r rune) bool { return r >= 0x80 }) < 0
}
