// Package dsn writes delivery status notifications: what became of a message,
// for the person who sent it and for the program that sent it
// (RFC 3464, RFC 6522, RFC 6533).
//
// A notification has three parts: a text in plain words, the same in fields
// that programs read, and the message, or its header, so that both know what
// all this is about.
//
// What servers elsewhere said, and every address, is the word of strangers:
// control characters never get through, lines are folded, and everything that
// they wrote is bounded, so that a report is well-formed whatever they said.
//
// The receiver of a notification is the sender of the message, and nobody can
// ask what his server understands. One whose address is not ASCII gets UTF-8
// throughout (RFC 6533 section 4); for all others what would need SMTPUTF8 is
// encoded, and the rest needs 8BITMIME at most, which a relay can convert.
//
// The package is pure: the time, the identifiers and the random boundary are
// given. Lines end with LF, the stored form.
package dsn

import (
	"io"
	"time"
)

// Action is what became of a recipient (RFC 3464 section 2.3.3).
type Action uint8

// The actions, from the one that matters least to the sender.
const (
	Delivered Action = iota // it is in the mailbox
	Relayed                 // a server has it that sends no reports
	Expanded                // it went on to the members of a list
	Delayed                 // it is still being tried
	Failed                  // it will not be tried any more
)

// String is the action as a field says it.
func (a Action) String() string {
	return [...]string{"delivered", "relayed", "expanded", "delayed", "failed"}[a]
}

// Report is one notification. Host, ID, Boundary, To and Recipients are needed.
type Report struct {
	Host     string    // our name: Reporting-MTA, the sender's domain
	ID       string    // of the report, for its Message-ID: an atom
	Boundary uint64    // random: nobody may be able to guess it before the report is written
	Date     time.Time // of the report
	// To is the sender of the message, a mailbox without brackets. When it is
	// not ASCII, he is taken to read SMTPUTF8.
	To []byte
	// Postmaster says that To is our postmaster, because the sender cannot be
	// told: there is none, or no way to him (RFC 3461 section 5.2).
	Postmaster bool

	Queue        string    // the message's ID here, for the people who read logs
	EnvID        []byte    // ENVID of the message in xtext, as it came; empty: none was given
	ReceivedFrom string    // an MTA name of type dns, where it came from; empty: unknown
	Arrived      time.Time // of the message; zero: unknown
	Recipients   []Recipient

	Message io.ReaderAt // the message in stored form
	Size    int64       // of it in octets
	// Full returns all of the message, else its header only. It must not be
	// set for a message that came as BODY=BINARYMIME.
	Full bool
	// UTF8 says that the message came with SMTPUTF8: its header is UTF-8.
	UTF8 bool
}

// Recipient is one recipient of the message and what became of him.
type Recipient struct {
	Address []byte // as it was in RCPT TO
	ORcpt   []byte // ORCPT, as it came; empty: none was given
	Action  Action
	Status  string // enhanced status code (RFC 3463); one that is none becomes x.0.0
	Text    string // what Remote said, with its reply code; or our own word
	Remote  string // the server that said Text; empty: nobody but us
	// LastAttempt is when the delivery was tried; zero: unknown.
	LastAttempt time.Time
	// RetryUntil is when a Delayed is given up; zero: unknown.
	RetryUntil time.Time
}

// Form is what the envelope of a report has to say about its text.
type Form struct {
	EightBit bool // BODY=8BITMIME (RFC 6152)
	SMTPUTF8 bool // RFC 6531
}

// Limits on what strangers can make a report carry.
const (
	addressMax    = 600        // octets of an address, as it came
	textMax       = 1000       // octets of a reply
	nameMax       = 255        // octets of a server's name
	spelledMax    = 100        // recipients in the text part; the fields have all
	headerMax     = 64 << 10   // octets of the message's header
	boundaryStart = "=_report" // "=_" occurs in no quoted-printable and no base64
)

// Write writes the report into w, in pieces. On error, of w or of the message,
// what was written is worthless.
func Write(w io.Writer, r *Report) (Form, error) {
	p := printer{to: w, buf: make([]byte, 0, bufferSize)}
	if err := p.readHead(r); err != nil {
		return Form{}, err
	}
	utf8 := !isASCII(r.To)
	returned := returnedPart(&p, r, utf8)
	text := appendText(nil, r)
	form := Form{EightBit: returned.eightBit || !isASCII(text) || utf8, SMTPUTF8: utf8}

	boundary := boundaryOf(r)
	p.header(r, form, boundary)
	p.textPart(text, boundary)
	p.statusPart(r, utf8, boundary)
	p.delimiter(boundary)
	returned.write(&p, r)
	p.string("\n--" + boundary + "--\n")
	p.flush()
	return form, p.err
}

// boundaryOf makes the boundary of random bits, so that nobody can put it into
// a message before.
func boundaryOf(r *Report) string {
	const digits = "0123456789abcdef"
	b := append(make([]byte, 0, 40), boundaryStart...)
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, digits[r.Boundary>>shift&15])
	}
	return string(b)
}

// worst is the action that matters most to the sender; it names the report.
func worst(rs []Recipient) Action {
	a := Delivered
	for i := range rs {
		a = max(a, rs[i].Action)
	}
	return a
}
