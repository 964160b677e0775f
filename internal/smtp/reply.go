package smtp

import "strconv"

// A Status is an enhanced mail system status code: class, subject, detail.
// The zero Status means that a reply has none. (RFC 3463, RFC 5248)
type Status [3]uint16

// Append appends the code as text, such as 5.1.1.
func (s Status) Append(dst []byte) []byte {
	dst = strconv.AppendUint(dst, uint64(s[0]), 10)
	dst = append(dst, '.')
	dst = strconv.AppendUint(dst, uint64(s[1]), 10)
	dst = append(dst, '.')
	return strconv.AppendUint(dst, uint64(s[2]), 10)
}

// String returns the code as text.
func (s Status) String() string { return string(s.Append(nil)) }

// LineMax is the longest line of a reply with its CRLF. (RFC 5321 4.5.3.1.5)
const LineMax = 512

// A Reply is what a server says to one command.
type Reply struct {
	Code   int    // three digits
	Status Status // zero for none
	// Text is what people read; \n separates the lines of a reply of
	// several.
	Text string
	// Detail follows Text on its last line. It is for what is not a
	// constant, so that no reply needs an allocation.
	Detail []byte
}

// Append appends the reply as it goes on the wire. Control characters in it
// become "?", so that no text can end a line, and what is over LineMax is cut
// off. (RFC 5321 4.2, RFC 2034 3)
//
//	Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF
func (r Reply) Append(dst []byte) []byte {
	text := r.Text
	for i := 0; i < len(text); i++ {
		if text[i] == '\n' {
			dst = r.appendLine(dst, '-', text[:i], nil)
			text, i = text[i+1:], -1
		}
	}
	return r.appendLine(dst, ' ', text, r.Detail)
}

func (r Reply) appendLine(dst []byte, separator byte, text string, detail []byte) []byte {
	start := len(dst)
	dst = strconv.AppendInt(dst, int64(r.Code), 10)
	dst = append(dst, separator)
	if r.Status != (Status{}) {
		dst = r.Status.Append(dst)
		dst = append(dst, ' ')
	}
	free := len(dst)
	dst = append(dst, text...)
	dst = append(dst, detail...)
	dst = dst[:min(len(dst), start+LineMax-2)]
	for i := free; i < len(dst); i++ {
		if control.has(dst[i]) {
			dst[i] = '?'
		}
	}
	return append(dst, "\r\n"...)
}

// Permanent reports whether trying again is pointless (5xx).
func (r Reply) Permanent() bool { return r.Code >= 500 }
