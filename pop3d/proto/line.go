package proto

import "bytes"

const (
	// lineMax is the longest line that is understood, without its CRLF. RFC
	// 2449 section 4 demands 253 for commands; the response of a SASL exchange
	// may be longer (RFC 5034 section 4).
	lineMax = 8192
	// lineEndlessMax is where a line that never ends closes the connection.
	lineEndlessMax = 65536
)

// lineEnd is how a line was cut.
type lineEnd uint8

const (
	lineMissing lineEnd = iota // no LF yet
	lineWhole
	lineTooLong // over lineMax; its text is gone
	lineBareLF  // LF without CR
	lineEndless // over lineEndlessMax
)

// cut takes one line off in. It consumes through the LF; of a line that is
// already too long it consumes what has come, but for a last octet that may be
// the CR of its CRLF.
func (s *Session) cut(in []byte) (line []byte, n int, end lineEnd) {
	i := bytes.IndexByte(in[s.scanned:], '\n')
	if i < 0 {
		return nil, s.keep(in), s.unfinished()
	}
	i += int(s.scanned)
	length := int(s.skipped) + i // of the line, without its LF
	s.scanned, s.skipped = 0, 0
	switch {
	case length > lineEndlessMax:
		return nil, i + 1, lineEndless
	case i == 0 || in[i-1] != '\r':
		return nil, i + 1, lineBareLF
	case length-1 > lineMax:
		return nil, i + 1, lineTooLong
	}
	return in[:i-1], i + 1, lineWhole
}

// keep notes how far an unfinished line was searched, and drops it when it has
// become too long to be understood.
func (s *Session) keep(in []byte) (n int) {
	if len(in) > lineMax+1 {
		n = len(in) - 1
		s.skipped += uint32(n)
	}
	s.scanned = uint32(len(in) - n)
	return n
}

func (s *Session) unfinished() lineEnd {
	if s.skipped+s.scanned > lineEndlessMax {
		return lineEndless
	}
	return lineMissing
}

// tooLong answers a line that was dropped for its length. In a SASL exchange
// it was the client's response, so the exchange has failed.
func (s *Session) tooLong(out []byte) []byte {
	if s.inExchange() {
		s.login = nil
	}
	return s.bad(out, "line too long")
}

// isText reports whether b holds no control characters. Octets above 127 are
// left to the commands that may carry UTF-8.
func isText(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

// isASCII reports whether b has no octet above 127.
func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
