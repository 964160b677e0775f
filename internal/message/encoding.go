package message

import "encoding/base64"

const encodingField = "Content-Transfer-Encoding"

// Encoding is what a Content-Transfer-Encoding field says, as far as it matters
// here (RFC 2045 section 6.1). The numbers may be kept in files.
type Encoding uint8

const (
	plainEncoding   Encoding = iota // 7bit, 8bit, or none given
	binaryEncoding                  // binary
	quotedEncoding                  // quoted-printable
	base64Encoding                  // base64
	privateEncoding                 // x-anything: not to be decoded by strangers
	bogusEncoding                   // no encoding that exists
)

// encoded reports whether the body is already something else than the content.
func (e Encoding) encoded() bool { return e > binaryEncoding }

// Known reports whether a body in this encoding can be decoded. If not, BINARY
// is to be refused (RFC 3516 section 4.3).
func (e Encoding) Known() bool { return e <= base64Encoding }

// Encoding returns the encoding of a part.
func (s *Structure) Encoding(part int) Encoding {
	return transferEncodingOf(s.Field(part, ContentTransferEncoding))
}

// transferEncoding reads Content-Transfer-Encoding.
//
//	encoding  := "Content-Transfer-Encoding" ":" mechanism
//	mechanism := "7bit" / "8bit" / "binary" / "quoted-printable" / "base64" /
//	             ietf-token / x-token
func transferEncoding(header []byte) Encoding {
	value, _ := Lookup(header, encodingField)
	return transferEncodingOf(value)
}

// transferEncodingOf reads the value of the field; without one the body is
// plain.
func transferEncodingOf(value []byte) Encoding {
	t := text(value)
	t.white()
	token := t.token()
	switch {
	case equalFold(token, "7bit"), equalFold(token, "8bit"), len(token) == 0:
		return plainEncoding
	case equalFold(token, "binary"):
		return binaryEncoding
	case equalFold(token, "quoted-printable"):
		return quotedEncoding
	case equalFold(token, "base64"):
		return base64Encoding
	case len(token) > 1 && lower(token[0]) == 'x' && token[1] == '-':
		return privateEncoding
	}
	return bogusEncoding
}

// base64PerLine octets make a line of 76 characters (RFC 2045 section 6.8).
const base64PerLine = 57

// base64 writes a body in lines of 76 characters.
func (w *rewriter) base64(body []byte) {
	for len(body) > 0 {
		n := min(base64PerLine, len(body))
		w.dst = base64.StdEncoding.AppendEncode(w.dst, body[:n])
		w.dst = append(w.dst, '\n')
		body = body[n:]
	}
}

// base64Lines does the same with a body whose line ends are LF, or CRLF: what
// is encoded has CRLF, which is what they stand for (RFC 2045 section 6.8).
func (w *rewriter) base64Lines(body []byte) {
	var group [base64PerLine]byte
	n := 0
	put := func(c byte) {
		group[n] = c
		if n++; n == len(group) {
			w.base64(group[:])
			n = 0
		}
	}
	for i, c := range body {
		if c == '\n' && (i == 0 || body[i-1] != '\r') {
			put('\r')
		}
		put(c)
	}
	w.base64(group[:n])
}
