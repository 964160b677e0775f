package dsn

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"barid/internal/smtp"
)

const (
	typeRFC822 = "rfc822; "
	typeUTF8   = "utf-8; "
)

// address writes a Final-Recipient.
//
//	final-recipient-field = "Final-Recipient" ":" address-type ";" generic-address    ; RFC 3464 section 2.3.2
func (p *printer) address(name string, address []byte, c charset) {
	switch {
	case isASCII(address):
		p.field(name, typeRFC822, address, ascii, addressMax)
	case c == ascii:
		p.field(name, typeUTF8, appendUTF8Xtext(nil, address), ascii, 4*addressMax)
	default:
		p.field(name, typeUTF8, address, unicode, addressMax)
	}
}

// original writes an Original-Recipient from the value of ORCPT, whose address
// is in xtext, or in a form of its own if the type is utf-8 (RFC 6533 section
// 3).
//
//	original-recipient-field   = "Original-Recipient" ":" address-type ";" generic-address  ; RFC 3464 section 2.3.1
//	original-recipient-address = addr-type ";" xtext                                         ; RFC 3461 section 4.2
func (p *printer) original(orcpt []byte, c charset) {
	const name = "Original-Recipient"
	typ, address, found := bytes.Cut(orcpt, []byte{';'})
	if !found {
		return
	}
	if !smtp.EqualFold(typ, "utf-8") {
		kind := append(appendClean(nil, typ, ascii, nameMax), "; "...)
		p.field(name, string(kind), smtp.AppendXtextDecoded(nil, address), ascii, addressMax)
		return
	}
	address = address[:min(len(address), addressMax)]
	if c == ascii {
		p.field(name, typeUTF8, appendUTF8Xtext(nil, appendUTF8Decoded(nil, address)), ascii, 6*addressMax)
		return
	}
	p.field(name, typeUTF8, appendUTF8Decoded(nil, address), unicode, addressMax)
}

// appendUTF8Xtext appends an address in the form for 7-bit fields (RFC 6533
// section 3).
//
//	utf-8-addr-xtext    = 1*(QCHAR / EmbeddedUnicodeChar)
//	QCHAR               = %x21-2a / %x2c-3c / %x3e-5b / %x5d-7e
//	EmbeddedUnicodeChar = %x5C.78 "{" HEXPOINT "}"
func appendUTF8Xtext(dst, address []byte) []byte {
	const digits = "0123456789ABCDEF"
	for _, r := range string(address) {
		if r > ' ' && r < 0x7f && r != '+' && r != '=' && r != '\\' {
			dst = append(dst, byte(r))
			continue
		}
		shift := 4 // two digits at least
		for r>>(shift+4) > 0 {
			shift += 4
		}
		dst = append(dst, `\x{`...)
		for ; shift >= 0; shift -= 4 {
			dst = append(dst, digits[r>>shift&15])
		}
		dst = append(dst, '}')
	}
	return dst
}

// appendUTF8Decoded appends the plain address of any of its forms; what does
// not conform is copied without alteration, as RFC 6533 section 3 wants.
func appendUTF8Decoded(dst, address []byte) []byte {
	for len(address) > 0 {
		r, n := embedded(address)
		if n == 0 {
			dst = append(dst, address[0])
			address = address[1:]
			continue
		}
		dst = utf8.AppendRune(dst, r)
		address = address[n:]
	}
	return dst
}

// embedded reads an EmbeddedUnicodeChar; n is 0 when there is none.
func embedded(text []byte) (r rune, n int) {
	const hexMost = 6
	rest, found := bytes.CutPrefix(text, []byte(`\x{`))
	if !found {
		return 0, 0
	}
	for i, c := range rest {
		digit := strings.IndexByte("0123456789ABCDEF", upper(c))
		switch {
		case digit >= 0 && i < hexMost:
			r = r<<4 | rune(digit)
		case c == '}' && i >= 2 && utf8.ValidRune(r) && !isBlank(r):
			return r, len(`\x{`) + i + 1
		default:
			return 0, 0
		}
	}
	return 0, 0
}

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

// isMailbox reports whether an address can stand in a header field.
func isMailbox(address []byte) bool {
	rest := smtp.Text(address)
	_, ok := rest.Mailbox()
	return ok && rest.Empty() && len(address) <= addressMax && !bytes.ContainsFunc(address, isLineBreaking)
}

// isLineBreaking reports whether a character that the grammar of addresses
// takes for text does something to a line.
func isLineBreaking(r rune) bool { return r != ' ' && isBlank(r) || r == utf8.RuneError }
