package proto

import "barid/internal/smtp"

// A Transaction is the memory of one mail transaction: the envelope and the
// state of the body. The door lends it to a session with Lend before it calls
// Step and gets it back with Reclaim when the session is idle, so that
// thousands of idle sessions share a few. The zero value is ready; its memory
// is kept from use to use.
//
// All slices in it are valid from the question that shows them until the
// transaction is over: until the last answer to Commit, or Ended, or Close.
// Those of a recipient that was refused end with the answer.
type Transaction struct {
	Mail       Mail
	Recipients []Recipient // those that were accepted, in order

	rcpt      Recipient // the one that AskRcpt is about
	newDomain bool      // its domain is not yet among the Recipients
	domains   int       // among the Recipients; counted when RcptDomainMax is set
	auth      Exchange
	client    Client
	arena     []byte // what the slices point into; when it grows, the old part stays valid
	mark      int    // length of arena before rcpt
	verdict   []byte // the reply to a chunk that is being thrown away

	body   smtp.BodyDecoder
	header headerScan
}

// A Body is the value of the BODY parameter. (RFC 6152, RFC 3030)
type Body uint8

// The kinds of body. The kind is a promise of the client: it says how to
// pass the message on, not what is in it.
const (
	Body7Bit   Body = iota // BODY=7BIT or none
	Body8Bit               // BODY=8BITMIME
	BodyBinary             // BODY=BINARYMIME: stored verbatim, with CRLF
)

// Mail is what MAIL said.
type Mail struct {
	ReturnPath []byte // the reverse-path with the least quoting; empty for the null sender
	Size       int64  // declared by SIZE, 0 when it was not (RFC 1870)
	Body       Body
	UTF8       bool     // SMTPUTF8 was given (RFC 6531)
	Ret        smtp.Ret // RFC 3461 4.3
	EnvID      []byte   // ENVID in xtext as it came, nil when absent (RFC 3461 4.4)
	Auth       []byte   // AUTH= decoded: an address or <>, nil when absent (RFC 4954 5)
}

// Recipient is what RCPT said.
type Recipient struct {
	Address []byte      // the forward-path with the least quoting; Postmaster may lack a domain
	ORcpt   []byte      // ORCPT as it came, type and xtext, nil when absent (RFC 3461 4.2)
	Notify  smtp.Notify // RFC 3461 4.1
}

// BodyFacts is what is known of a body at Commit.
type BodyFacts struct {
	Octets   int64 // as it was handed out by TakeBody
	Lines    int64 // line ends among them; 0 for BodyBinary
	Header   int64 // octets of the header, without the empty line
	Received int   // Received fields in the header
	Longest  int64 // octets of the longest line
}

// reset forgets the transaction and keeps the memory.
func (t *Transaction) reset() {
	*t = Transaction{Recipients: t.Recipients[:0], arena: t.arena[:0], verdict: t.verdict[:0]}
}

// keepMax is how much memory of a kind a Transaction keeps while nobody uses
// it: one giant transaction shall not make the pool giant.
const keepMax = 16 << 10

// trim lets go of memory that was needed only once.
func (t *Transaction) trim() {
	if cap(t.arena) > keepMax {
		t.arena = nil
	}
	if cap(t.Recipients) > keepMax/64 {
		t.Recipients = nil
	}
}

// GrownOctets is how many octets of memory there are, about, for one in a slice
// that grew by append while what it was before stayed in use.
const GrownOctets = 3

// recipientOctets is about what a Recipient takes.
const recipientOctets = 128

// Memory is about how many octets the transaction takes.
func (t *Transaction) Memory() int {
	return GrownOctets*len(t.arena) + recipientOctets*len(t.Recipients)
}

// keep copies p into the arena.
func (t *Transaction) keep(p []byte) []byte {
	start := len(t.arena)
	t.arena = append(t.arena, p...)
	return t.arena[start:len(t.arena):len(t.arena)]
}

// keepMailbox writes the mailbox of the path into the arena.
func (t *Transaction) keepMailbox(p smtp.Path) []byte {
	start := len(t.arena)
	t.arena = p.AppendMailbox(t.arena)
	return t.arena[start:len(t.arena):len(t.arena)]
}
