package smtp

import "bytes"

// A BodyEncoder turns the stored form of a message into the dotted transfer
// form: LF becomes CRLF, a dot at the start of a line is doubled. A CRLF that
// is stored as such (by another program, in a mailbox) stays one. The zero
// value is ready at the start of a message.
type BodyEncoder struct {
	state bodyState // lineStart, midLine or afterCR
}

// Append encodes src and appends the result to dst, at most 2*len(src)
// octets. Any cut of the message gives the same result.
func (e *BodyEncoder) Append(dst, src []byte) []byte {
	for len(src) > 0 {
		if src[0] == '.' && e.state == lineStart {
			dst = append(dst, '.')
		}
		i := bytes.IndexByte(src, '\n')
		if i < 0 {
			e.state = midLine
			if src[len(src)-1] == '\r' {
				e.state = afterCR
			}
			return append(dst, src...)
		}
		dst = append(dst, src[:i]...)
		if i > 0 && src[i-1] != '\r' || i == 0 && e.state != afterCR {
			dst = append(dst, '\r')
		}
		dst = append(dst, '\n')
		e.state = lineStart
		src = src[i+1:]
	}
	return dst
}

// BareCR reports whether src, which Append will get next, shows that there is
// a CR that ends no line. It must not be sent: somebody on the way may take
// it for a line end. (RFC 5321 2.3.8)
func (e *BodyEncoder) BareCR(src []byte) bool {
	if e.state == afterCR && len(src) > 0 && src[0] != '\n' {
		return true
	}
	for {
		i := bytes.IndexByte(src, '\r')
		if i < 0 || i == len(src)-1 {
			return false // what follows the last octet comes with the next piece
		}
		if src = src[i+1:]; src[0] != '\n' {
			return true
		}
	}
}

// End appends the end of the body, CRLF "." CRLF, of which the first CRLF is
// there already when the message ends with a line end or is empty.
func (e *BodyEncoder) End(dst []byte) []byte {
	switch e.state {
	case midLine:
		dst = append(dst, "\r\n"...)
	case afterCR:
		dst = append(dst, '\n')
	}
	return append(dst, ".\r\n"...)
}
