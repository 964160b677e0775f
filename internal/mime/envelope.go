package mime

import (
	"barid/internal/imap"
	"barid/internal/message"
)

// Encoder encodes what the header fields of messages say for FETCH responses.
type Encoder struct {
	// UTF8 as in imap.Enabled.UTF8: strings that are UTF-8 are quoted.
	UTF8      bool
	text      []byte
	addresses message.Addresses
}

// The fields of an envelope, in the order of RFC 9051 section 7.5.2.
const (
	envDate = iota
	envSubject
	envFrom
	envSender
	envReplyTo
	envTo
	envCc
	envBcc
	envInReplyTo
	envMessageID
	envFields
)

var envelopeNames = [envFields]string{
	"Date", "Subject", "From", "Sender", "Reply-To", "To", "Cc", "Bcc", "In-Reply-To", "Message-ID",
}

// envelope is what a header section has of each field.
type envelope [envFields]struct {
	value []byte // of the first one, nil when there is none
	more  bool   // there are others
}

func readEnvelope(header []byte) (v envelope) {
	for f := range message.Fields(header) {
		if n := len(f.Name()); n < len("To") || n > len("In-Reply-To") {
			continue
		}
		for i, name := range &envelopeNames {
			if !f.Is(name) {
				continue
			}
			if v[i].value != nil {
				v[i].more = true
			} else {
				v[i].value = f.Value()
			}
			break
		}
	}
	return v
}

// AppendEnvelope appends the ENVELOPE of a message with this header section. A
// Sender or Reply-To that is missing or has no address is the same as From.
// Fields that may occur once are taken where they occur first, those with
// addresses are put together (RFC 5322 section 4.5.3).
//
//	envelope = "(" env-date SP env-subject SP env-from SP env-sender SP
//	           env-reply-to SP env-to SP env-cc SP env-bcc SP
//	           env-in-reply-to SP env-message-id ")"  ; RFC 9051 section 9
func (e *Encoder) AppendEnvelope(out, header []byte) []byte {
	v := readEnvelope(header)
	out = append(out, '(')
	out = e.nstring(out, v[envDate].value)
	out = e.nstring(append(out, ' '), v[envSubject].value)
	from := len(out) + 1
	out = e.addressField(append(out, ' '), header, &v, envFrom)
	fromEnd := len(out)
	for i := envSender; i <= envBcc; i++ {
		out = append(out, ' ')
		start := len(out)
		out = e.addressField(out, header, &v, i)
		if i <= envReplyTo && string(out[start:]) == "NIL" {
			out = append(out[:start], out[from:fromEnd]...)
		}
	}
	out = e.nstring(append(out, ' '), v[envInReplyTo].value)
	out = e.nstring(append(out, ' '), v[envMessageID].value)
	return append(out, ')')
}

// nstring appends a value without its folds.
func (e *Encoder) nstring(out, value []byte) []byte {
	if value == nil {
		return append(out, "NIL"...)
	}
	e.text = message.AppendUnfolded(e.text[:0], value)
	return imap.AppendString(out, e.text, e.UTF8)
}

// addressField appends the addresses of a field, or NIL when it has none.
func (e *Encoder) addressField(out, header []byte, v *envelope, field int) []byte {
	start := len(out)
	out = append(out, '(')
	if v[field].more {
		for f := range message.Fields(header) {
			if f.Is(envelopeNames[field]) {
				out = e.appendAddresses(out, f.Value())
			}
		}
	} else {
		out = e.appendAddresses(out, v[field].value)
	}
	if len(out) == start+1 {
		return append(out[:start], "NIL"...)
	}
	return append(out, ')')
}

// addressesMax is how many elements of a field are told, so that a header
// section of nothing but commas cannot become many times as long.
const addressesMax = 10_000

// appendAddresses appends a list of addresses.
//
//	address = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")"  ; RFC 9051 section 9
func (e *Encoder) appendAddresses(out, value []byte) []byte {
	e.addresses.Reset(value)
	group := false
	for n := 0; n < addressesMax || group; n++ {
		a, ok := e.addresses.Next()
		if !ok {
			break
		}
		if n >= addressesMax && a.Kind != message.GroupEnd {
			continue
		}
		group = a.Kind == message.GroupBegin || group && a.Kind != message.GroupEnd
		switch a.Kind {
		case message.GroupBegin:
			out = imap.AppendString(append(out, "(NIL NIL "...), a.Name, e.UTF8)
			out = append(out, " NIL)"...)
		case message.GroupEnd:
			out = append(out, "(NIL NIL NIL NIL)"...)
		default:
			out = e.optional(append(out, '('), a.Name)
			out = e.optional(append(out, ' '), a.Route)
			out = imap.AppendString(append(out, ' '), a.Local, e.UTF8)
			out = imap.AppendString(append(out, ' '), a.Domain, e.UTF8)
			out = append(out, ')')
		}
	}
	return out
}

// optional appends a string, or NIL when it is empty.
func (e *Encoder) optional(out, text []byte) []byte {
	if len(text) == 0 {
		return append(out, "NIL"...)
	}
	return imap.AppendString(out, text, e.UTF8)
}
