package proto

import (
	"bytes"

	"barid/internal/smtp"
)

// The longest command lines, in octets with their CRLF. RFC 5321 4.5.3.1.4
// says 512; the extensions add to MAIL and RCPT, ORCPT alone 500 (RFC 3461
// 4.2). RFC 4954 4 wants 12288 for AUTH.
const (
	commandMax = 2048
	authMax    = 12288
)

// A lineKind is what nextLine found.
type lineKind uint8

const (
	lineMissing lineKind = iota // no end of line yet
	lineGood
	lineLong    // over the limit; it has been thrown away
	lineDirty   // has control characters
	lineBareEnd // has a CR or LF by itself
)

// nextLine finds the command line at the start of in and says how many
// octets to consume. The line comes without its CRLF.
//
// Nothing is consumed of a line that is not complete, so that what is parsed
// is always one slice; s.searched remembers how far was looked. Only a line
// over the limit is thrown away piece by piece.
func (s *Session) nextLine(in []byte) (line smtp.Text, n int, kind lineKind) {
	if s.overlong {
		return s.discardLine(in)
	}
	limit := s.lineLimit(in)
	i := bytes.IndexByte(in[s.searched:], '\n')
	if i >= 0 {
		i += int(s.searched)
	} else if len(in) < limit {
		s.searched = uint16(len(in))
		return nil, 0, lineMissing
	}
	s.searched = 0
	if i < 0 || i >= limit {
		s.overlong = true
		return s.discardLine(in)
	}
	return in[:max(i-1, 0)], i + 1, kindOf(in[:i+1])
}

// lineLimit is the limit for the line at the start of in.
func (s *Session) lineLimit(in []byte) int {
	if s.state == authState || len(in) >= commandMax && smtp.EqualFold(in[:5], "AUTH ") {
		return authMax
	}
	return commandMax
}

// kindOf judges a line that has its LF.
func kindOf(line []byte) lineKind {
	end := len(line) - 2
	if end < 0 || line[end] != '\r' {
		return lineBareEnd
	}
	if smtp.FindControl(line[:end]) < 0 {
		return lineGood
	}
	if bytes.IndexByte(line[:end], '\r') >= 0 {
		return lineBareEnd
	}
	return lineDirty
}

// discardLine throws away what there is of a line over the limit. A CR at
// the end of in stays until the octet after it is there.
func (s *Session) discardLine(in []byte) (line smtp.Text, n int, kind lineKind) {
	i := bytes.IndexByte(in, '\n')
	n, content := i+1, in[:max(i-1, 0)]
	if i < 0 {
		n = len(in)
		if n > 0 && in[n-1] == '\r' {
			n--
		}
		content = in[:n]
	}
	switch {
	case bytes.IndexByte(content, '\r') >= 0, i == 0, i > 0 && in[i-1] != '\r':
		return nil, n, lineBareEnd
	case i < 0:
		return nil, n, lineMissing
	}
	s.overlong = false
	return nil, n, lineLong
}
