package proto

import (
	"bytes"

	"barid/internal/smtp"
)

// A Transaction is one message on its way to recipients behind one server:
// the envelope, which the owner fills, and the outcome of each recipient,
// which the client does. It is the owner's memory; make it with Reset, use it
// again with Reset, and keep the memory that way. Between Begin and Done
// nobody else touches it.
type Transaction struct {
	ReturnPath []byte // the mailbox; empty for the null sender
	// Size is the size of the message with CRLF as line ends, and without
	// the stuffed dots (RFC 1870 5); 0 when it is not known.
	Size       int64
	Body       Body
	UTF8       bool     // the message needs SMTPUTF8, whatever its addresses (RFC 6531 3.4)
	Ret        smtp.Ret // RFC 3461 4.3
	EnvID      []byte   // ENVID in xtext, nil for none (RFC 3461 4.4)
	Recipients []Recipient

	// Uncertain says that the end of the message was sent, and that the
	// connection was lost before all had been answered: recipients that are
	// Temporary may have got it all the same. To send it again makes a
	// duplicate at worst; not to send it might lose it. (RFC 5321 4.5.3.2.6)
	Uncertain bool

	arena []byte // the texts of the outcomes; when it grows, the old part stays valid
	last  []byte // the newest text in it: most replies are the same
}

// A Body is the value of the BODY parameter. (RFC 6152, RFC 3030)
type Body uint8

// The kinds of body.
const (
	Body7Bit   Body = iota // goes to every server
	Body8Bit               // needs 8BITMIME
	BodyBinary             // needs BINARYMIME; sent verbatim, with the line ends that it has
)

// Recipient is one recipient and what became of it.
type Recipient struct {
	Address []byte      // the mailbox, or Postmaster
	ORcpt   []byte      // ORCPT, type and xtext, nil for none (RFC 3461 4.2)
	Notify  smtp.Notify // RFC 3461 4.1
	Outcome Outcome

	mark mark
}

// A mark is how far a recipient has come.
type mark uint8

const (
	fresh    mark = iota // RCPT is to be sent
	sent                 // RCPT was sent
	accepted             // RCPT was accepted
	decided              // there is an outcome
)

// A Kind is the sort of an outcome.
type Kind uint8

// The kinds.
const (
	Undecided Kind = iota // there is none yet
	Delivered             // the server has taken responsibility (RFC 5321 6.1)
	Temporary             // try again later
	Permanent             // trying again is pointless
	// Untried: the server takes only so many recipients at once. Nothing is
	// wrong; put it into another transaction now, on another connection if
	// none was tried on this one.
	Untried
)

var kindNames = [...]string{"undecided", "delivered", "temporary", "permanent", "untried"}

// String is the kind as a word.
func (k Kind) String() string { return kindNames[k] }

// Outcome is what became of a recipient, and why.
type Outcome struct {
	Kind Kind
	// Stage is the command that was answered, or by whose reply the
	// connection was lost.
	Stage Stage
	// Code is what the server has said; 0 when the verdict is our own.
	Code int
	// Status is the enhanced status code that came with it, or its class
	// with .0.0. (RFC 2034, RFC 3463)
	Status smtp.Status
	// Text is for people: one line of UTF-8 without control characters, at
	// most smtp.ReplyTextMax octets of a server's. It is valid until the
	// transaction is Reset or begun again.
	Text []byte
}

// Reset makes t an empty transaction and keeps its memory.
func (t *Transaction) Reset() {
	*t = Transaction{Recipients: t.Recipients[:0], arena: t.arena[:0]}
}

// verdict makes an outcome, without text, of a reply or of a verdict of our
// own.
func verdict(r smtp.Reply, stage Stage) Outcome {
	o := Outcome{Kind: Temporary, Stage: stage, Code: r.Code, Status: r.Status}
	if o.Status == (smtp.Status{}) {
		o.Status = smtp.Status{uint16(r.Code / 100)}
	}
	switch {
	case o.Status[0] == 2:
		o.Kind = Delivered
	case o.Status[0] == 5:
		o.Kind = Permanent
	}
	return o
}

// keep copies the text of a reply into the arena, unless it is the same as
// that of the one before.
func (t *Transaction) keep(r smtp.Reply) []byte {
	start := len(t.arena)
	t.arena = append(append(t.arena, r.Text...), r.Detail...)
	text := t.arena[start:len(t.arena):len(t.arena)]
	if bytes.Equal(text, t.last) {
		t.arena = t.arena[:start]
		return t.last
	}
	t.last = text
	return text
}

// decide gives a recipient its outcome.
func (c *Client) decide(r *Recipient, why smtp.Reply, stage Stage) {
	r.mark = decided
	r.Outcome = verdict(why, stage)
	r.Outcome.Text = c.t.keep(why)
}

// settle gives all recipients that have none an outcome.
func (c *Client) settle(why smtp.Reply) {
	stage := c.Awaits()
	for i := range c.t.Recipients {
		if r := &c.t.Recipients[i]; r.mark != decided {
			c.decide(r, why, stage)
		}
	}
	c.accepted = 0
}

// finish ends the transaction.
func (c *Client) finish(s state) {
	c.t, c.finished = nil, true
	c.become(s)
}
