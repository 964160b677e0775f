package message

import "bytes"

// quotedLineMax is how long a line of quoted-printable may be, in characters,
// with the "=" of a soft line break (RFC 2045 section 6.7, rule 5).
const quotedLineMax = 76

// quoter writes quoted-printable.
type quoter struct {
	dst    []byte
	column int // characters of the line so far
	// repair is set when the body is quoted-printable already, but for
	// octets that should not be there: then only these change.
	repair bool
}

// quoted writes a body whose line ends are LF, or CRLF, as quoted-printable
// (RFC 2045 section 6.7). The body's last line gets an end only if it had one.
func (w *rewriter) quoted(body []byte, repair bool) {
	q := quoter{dst: w.dst, repair: repair}
	for len(body) > 0 {
		n := lineLen(body)
		line := body[:n]
		body = body[n:]
		if line[n-1] != '\n' {
			q.line(line)
			break
		}
		q.line(trimLineEnd(line))
		q.dst = append(q.dst, '\n')
		q.column = 0
	}
	w.dst = q.dst
}

// line writes the octets of a line.
func (q *quoter) line(line []byte) {
	if q.repair {
		line = bytes.TrimRight(line, " \t") // no reader counts these (rule 3)
	}
	for len(line) > 0 {
		n, literal := q.next(line)
		width := n
		if !literal {
			width = 3
		}
		limit := quotedLineMax
		if len(line) > n {
			limit-- // room for a soft line break
		}
		if q.column+width > limit {
			q.dst = append(q.dst, "=\n"...)
			q.column = 0
			continue // how an octet is written depends on the column
		}
		if literal {
			q.dst = append(q.dst, line[:n]...)
		} else {
			q.dst = appendQuoted(q.dst, line[0])
		}
		q.column += width
		line = line[n:]
	}
}

// next says how many octets of a line belong together, and whether they can
// stand as they are.
//
//	quoted-printable := qp-line *(CRLF qp-line)
//	ptext            := hex-octet / safe-char
//	safe-char        := <any octet with decimal value of 33 through 60 inclusive, and 62 through 126>
//	hex-octet        := "=" 2(DIGIT / "A" / "B" / "C" / "D" / "E" / "F")
func (q *quoter) next(line []byte) (n int, literal bool) {
	c := line[0]
	switch {
	case c == '=' && q.repair:
		if len(line) >= 3 && isHex(line[1]) && isHex(line[2]) {
			return 3, true
		}
		return 1, len(line) == 1 // a soft line break
	case c == ' ' || c == '\t':
		return 1, len(line) > 1 // rule 3
	case c < ' ' || c == '=' || c >= 0x7f:
		return 1, false
	}
	return 1, q.column > 0 || !beginsBadly(line)
}

// beginsBadly reports whether a line that begins so can be taken for something
// else on the way: the end of the message, the beginning of the next one in a
// mailbox file (RFC 2049 section 3), or the end of a part, if it is the latter
// half of a long line.
func beginsBadly(line []byte) bool {
	switch line[0] {
	case '.':
		return true
	case 'F':
		return bytes.HasPrefix(line, []byte("From "))
	case '-':
		return len(line) > 1 && line[1] == '-'
	}
	return false
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || lower(c) >= 'a' && lower(c) <= 'f'
}

func appendQuoted(dst []byte, c byte) []byte {
	const digits = "0123456789ABCDEF"
	return append(dst, '=', digits[c>>4], digits[c&15])
}

// quotedLen estimates how many characters quoted makes of body.
func quotedLen(body []byte) int {
	n := len(body)
	for _, c := range body {
		if c >= 0x7f || c == '=' || c < ' ' && c != '\n' && c != '\t' {
			n += 2
		}
	}
	return n
}
