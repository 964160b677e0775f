package spool

import (
	"encoding/binary"
	"errors"
	"math"
)

// Body says what the octets of a message may be (RFC 6152, RFC 3030).
type Body uint8

// The values of BODY= at MAIL.
const (
	Body7Bit   Body = iota // lines of US-ASCII
	Body8Bit               // lines of octets
	BodyBinary             // octets without lines, stored as they came
)

// Ret is what a delivery report shall return (RFC 3461 4.3).
type Ret uint8

// The values of RET= at MAIL.
const (
	RetUnset   Ret = iota
	RetFull        // the whole message
	RetHeaders     // its header only
)

// Notify is when a recipient's sender wants a report (RFC 3461 4.1); bits.
type Notify uint8

// The values of NOTIFY= at RCPT; 0 is "not given".
const (
	NotifyNever Notify = 1 << iota
	NotifySuccess
	NotifyFailure
	NotifyDelay
)

// Envelope is what belongs to a message beside its text. In an Envelope that
// the spool hands out, all slices are valid as long as it says there.
type Envelope struct {
	ReturnPath []byte // mailbox of MAIL FROM; empty: the null sender
	EnvID      []byte // ENVID, in xtext as it was given (RFC 3461 4.4)
	Account    []byte // who authenticated, empty: nobody
	Client     []byte // where it came from, for logs and operators
	Ret        Ret
	Body       Body
	SMTPUTF8   bool // RFC 6531
	Recipients []Recipient
}

// Recipient is one final target of a message.
type Recipient struct {
	Address  []byte // where it goes, after aliases
	Original []byte // what RCPT TO said, when that differs; else empty
	ORcpt    []byte // ORCPT, as it was given (RFC 3461 4.2)
	Dest     []byte // destination key; what stands before the first ':' names the agent
	Notify   Notify
}

// fieldMax is the longest string that an envelope can hold, in bytes.
const fieldMax = math.MaxUint16

// RecipientsMax is how many recipients a message can have.
const RecipientsMax = 50_000

// ErrEnvelope is returned by Commit for an envelope that cannot be stored: no
// recipient or more than RecipientsMax, a string over 65,535 bytes, a Dest
// without an agent, or all of it larger than a segment. It is permanent.
var ErrEnvelope = errors.New("spool: the envelope cannot be stored")

var errBadRecord = errors.New("spool: bad record")

const (
	flagSMTPUTF8 = 1 << iota
	flagSpilled
)

// headFixed is the length of the fixed part of a message's head.
const headFixed = 32

// messageHead is the head of a message record without its strings.
type messageHead struct {
	id       ID
	body     Body
	ret      Ret
	flags    uint8
	count    uint32 // recipients
	size     uint64 // of the body in bytes, spilled or not
	spillCRC uint32
	stateLen uint32 // of the entries behind the envelope, when the message was moved
}

// appendHead appends the head of a message record (docs/spool.md).
func appendHead(dst []byte, h *messageHead, e *Envelope) ([]byte, error) {
	if len(e.Recipients) == 0 || len(e.Recipients) > RecipientsMax {
		return dst, ErrEnvelope
	}
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.id))
	dst = append(dst, byte(h.body), byte(h.ret), h.flags, 0)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(e.Recipients)))
	dst = binary.LittleEndian.AppendUint64(dst, h.size)
	dst = binary.LittleEndian.AppendUint32(dst, h.spillCRC)
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	ok := true
	for _, field := range [...][]byte{e.ReturnPath, e.EnvID, e.Account, e.Client} {
		dst, ok = appendField(dst, field, ok)
	}
	for i := range e.Recipients {
		r := &e.Recipients[i]
		dst = append(dst, byte(r.Notify))
		for _, field := range [...][]byte{r.Address, r.Original, r.ORcpt, r.Dest} {
			dst, ok = appendField(dst, field, ok)
		}
	}
	if !ok {
		return dst, ErrEnvelope
	}
	return dst, nil
}

func appendField(dst, field []byte, ok bool) ([]byte, bool) {
	if len(field) > fieldMax {
		return dst, false
	}
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(field)))
	return append(dst, field...), ok
}

// parseHead reads a message's head into h and e, whose slices then point into
// head; e.Recipients keeps its memory.
func parseHead(head []byte, h *messageHead, e *Envelope) error {
	rest, err := parseHeadFixed(head, h)
	if err != nil {
		return err
	}
	e.Body, e.Ret, e.SMTPUTF8 = h.body, h.ret, h.flags&flagSMTPUTF8 != 0
	r := fieldReader{rest: rest}
	e.ReturnPath, e.EnvID, e.Account, e.Client = r.field(), r.field(), r.field(), r.field()
	e.Recipients = e.Recipients[:0]
	for range h.count {
		notify := Notify(r.octet())
		e.Recipients = append(e.Recipients, Recipient{
			Notify: notify, Address: r.field(), Original: r.field(), ORcpt: r.field(), Dest: r.field(),
		})
	}
	if r.bad || len(r.rest) != 0 {
		return errBadRecord
	}
	return nil
}

func parseHeadFixed(head []byte, h *messageHead) (rest []byte, err error) {
	if len(head) < headFixed {
		return nil, errBadRecord
	}
	*h = messageHead{
		id:       ID(binary.LittleEndian.Uint64(head)),
		body:     Body(head[8]),
		ret:      Ret(head[9]),
		flags:    head[10],
		count:    binary.LittleEndian.Uint32(head[12:]),
		size:     binary.LittleEndian.Uint64(head[16:]),
		spillCRC: binary.LittleEndian.Uint32(head[24:]),
		stateLen: binary.LittleEndian.Uint32(head[28:]),
	}
	if h.count == 0 || h.count > RecipientsMax || h.size > math.MaxInt64 || int64(h.stateLen) > int64(len(head)-headFixed) {
		return nil, errBadRecord
	}
	return head[headFixed : len(head)-int(h.stateLen)], nil
}

// withState makes the head of a moved message of its old head and entries.
func withState(head, entries []byte) []byte {
	old := int(binary.LittleEndian.Uint32(head[28:]))
	moved := append(append([]byte(nil), head[:len(head)-old]...), entries...)
	binary.LittleEndian.PutUint32(moved[28:], uint32(len(entries)))
	return moved
}

// addState says in a head without entries how long those will be that follow.
func addState(head, entries []byte) {
	binary.LittleEndian.PutUint32(head[28:], uint32(len(entries)))
}

// stateOf is where the entries of a head begin, and these.
func stateOf(head []byte, h *messageHead) (at int, entries []byte) {
	at = len(head) - int(h.stateLen)
	return at, head[at:]
}

// fieldReader cuts strings off the front of rest; once bad it stays so.
type fieldReader struct {
	rest []byte
	bad  bool
}

func (r *fieldReader) octet() byte {
	if len(r.rest) == 0 {
		r.bad = true
		return 0
	}
	c := r.rest[0]
	r.rest = r.rest[1:]
	return c
}

func (r *fieldReader) field() []byte {
	if len(r.rest) < 2 {
		r.bad = true
		return nil
	}
	n := int(binary.LittleEndian.Uint16(r.rest))
	if len(r.rest)-2 < n {
		r.bad = true
		return nil
	}
	field := r.rest[2 : 2+n : 2+n]
	r.rest = r.rest[2+n:]
	return field
}
