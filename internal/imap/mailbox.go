package imap

import (
	"bytes"
	"unicode/utf8"
)

// nameMax is how many octets a mailbox name may have, in UTF-8. File systems
// end at 255 for one component; the store says so itself.
const nameMax = 1024

// The Faults of names that no mailbox can have, though they are well-formed
// strings: the command is to be answered with NO and CANNOT.
const (
	NameNotUTF7      Fault = "a mailbox name is not in modified UTF-7"
	NameNotUTF8      Fault = "a mailbox name is not UTF-8"
	NameTooLong      Fault = "a mailbox name is too long"
	NameNotPrintable Fault = "control character in a mailbox name"
)

// Mailbox consumes the name of a mailbox and returns it as UTF-8, with INBOX
// in capitals.
//
//	mailbox = "INBOX" / astring                     ; RFC 9051 section 9
func (p *Parser) Mailbox() ([]byte, Fault) {
	raw, fault := p.AString()
	if fault != "" {
		return nil, fault
	}
	name, ok := p.decodeName(raw)
	switch {
	case !ok:
		return nil, NameNotUTF7
	case !utf8.Valid(name):
		return nil, NameNotUTF8
	case len(name) > nameMax:
		return nil, NameTooLong
	case !printable(name):
		return nil, NameNotPrintable
	}
	return p.foldInbox(name), ""
}

// decodeName decodes a name, or a pattern for names, into the parser's memory.
func (p *Parser) decodeName(raw []byte) (name []byte, ok bool) {
	if p.utf8 || bytes.IndexByte(raw, '&') < 0 {
		return raw, true
	}
	start := len(p.text)
	p.text, ok = AppendFromUTF7(p.text, raw)
	return p.text[start:len(p.text):len(p.text)], ok
}

// foldInbox writes INBOX in capitals, alone or as the first component.
func (p *Parser) foldInbox(name []byte) []byte {
	const inbox = "INBOX"
	n := len(inbox)
	if len(name) >= n && EqualFold(name[:n], inbox) && (len(name) == n || name[n] == p.separator) {
		copy(name, inbox)
	}
	return name
}

// printable reports whether a name has none of the characters that RFC 6855
// section 3 forbids: controls and the separators of lines and paragraphs.
func printable(name []byte) bool {
	for i := 0; i < len(name); {
		if c := name[i]; c < utf8.RuneSelf {
			if c < ' ' || c == 0x7F {
				return false
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(name[i:])
		if 0x80 <= r && r < 0xA0 || r == 0x2028 || r == 0x2029 {
			return false
		}
		i += size
	}
	return true
}

// AppendMailbox appends the name of a mailbox, given as UTF-8, as the client
// understands it.
func AppendMailbox(out, name []byte, utf8 bool) []byte {
	if utf8 || isASCII(name) && bytes.IndexByte(name, '&') < 0 {
		return AppendAString(out, name, utf8)
	}
	var buf [256]byte
	return AppendAString(out, AppendUTF7(buf[:0], name), false)
}

// ListMailbox consumes the reference or a pattern of LIST and returns it as
// UTF-8. What is no possible name or pattern stays as it is, and matches
// nothing.
//
//	list-mailbox = 1*list-char / string             ; RFC 9051 section 9
//	list-char    = ATOM-CHAR / list-wildcards / resp-specials
func (p *Parser) ListMailbox() ([]byte, Fault) {
	raw := p.run(listChar)
	if len(raw) == 0 {
		var fault Fault
		if raw, fault = p.String(); fault != "" {
			return nil, fault
		}
	}
	if name, ok := p.decodeName(raw); ok {
		raw = name
	}
	return p.foldInbox(raw), ""
}
