package smtp

import (
	"bytes"
	"errors"
)

// Errors of BodyDecoder. After either, what follows cannot be told from a
// message made by somebody else: say so and close the connection.
var (
	ErrBareCR = errors.New("smtp: carriage return without line feed")
	ErrBareLF = errors.New("smtp: line feed without carriage return")
)

// A Framing says how a body is transferred and where it ends.
type Framing uint8

// The framings.
const (
	Dotted  Framing = iota // DATA: ends with CRLF.CRLF, dots are stuffed (RFC 5321 4.5.2)
	Counted                // BDAT: the caller knows the end, lines end with CRLF (RFC 3030 2)
	Binary                 // BDAT with BODY=BINARYMIME: verbatim (RFC 3030 3)
)

// A BodyDecoder turns the transfer form of a message into the stored form:
// CRLF becomes LF and the stuffed dots go. It works through any cut of its
// input alike, keeps two octets at most in mind, and runs at about the speed
// of copying, because it looks for line ends with bytes.IndexByte and moves
// whole lines.
//
// Only CRLF ends a line and only CRLF "." CRLF ends a dotted body. All the
// sequences by which messages have been smuggled past a server that is
// lenient here (LF.LF, LF.CRLF, CR.CR, CRLF.CR, CRLF.LF and so on) are
// therefore ErrBareCR or ErrBareLF.
//
// The zero value decodes a dotted body. The fields are facts about what has
// been decoded so far.
type BodyDecoder struct {
	// Octets is the size of the decoded form.
	Octets int64
	// Lines is the number of line ends, so that Octets+Lines is the size in
	// the sense of SIZE (RFC 1870 5), or 0 for Binary.
	Lines int64
	// Longest is the longest line so far in octets, without its end.
	Longest int64

	column  int64 // octets of the line that is being decoded
	framing Framing
	state   bodyState
}

// bodyState is where in a line the decoder stands.
type bodyState uint8

const (
	lineStart  bodyState = iota // nothing of the line seen yet
	midLine                     // something of it seen
	afterCR                     // CR seen, LF must follow
	afterDot                    // Dotted: "." at the start of the line
	afterDotCR                  // Dotted: "." CR at the start of the line
	ended                       // Dotted: the end has been seen
)

// Reset makes the decoder ready for another body.
func (d *BodyDecoder) Reset(framing Framing) { *d = BodyDecoder{framing: framing} }

// WireSize is the size of the message in the sense of SIZE: with its line
// ends as CRLF, without the stuffed dots. (RFC 1870 5)
func (d *BodyDecoder) WireSize() int64 { return d.Octets + d.Lines }

// Complete reports whether a counted body may end here: not between CR and
// LF.
func (d *BodyDecoder) Complete() bool { return d.state != afterCR }

// Decode decodes a prefix of src and appends the result to dst, at most
// len(src) octets of it. It consumes all of src unless the body ends (done)
// or there is an error; n is what it consumed. A dotted body is done after
// its CRLF "." CRLF; the others never are. src and dst must not overlap.
func (d *BodyDecoder) Decode(dst, src []byte) (n int, out []byte, done bool, err error) {
	if d.framing == Binary {
		d.Octets += int64(len(src))
		return len(src), append(dst, src...), false, nil
	}
	before, rest := len(dst), src
	for len(rest) > 0 && d.state != ended && err == nil {
		if d.state <= midLine {
			dst, rest, err = d.lines(dst, rest)
		} else {
			dst, rest, err = d.edge(dst, rest)
		}
	}
	d.Octets += int64(len(dst) - before)
	return len(src) - len(rest), dst, d.state == ended, err
}

// edge handles one octet where its meaning hangs on the one before: after a
// CR, after a dot at the start of a line.
func (d *BodyDecoder) edge(dst, src []byte) (out, rest []byte, err error) {
	b := src[0]
	switch {
	case d.state == afterDot && b == '\r':
		d.state = afterDotCR
		return dst, src[1:], nil
	case d.state == afterDot:
		d.state = midLine // the dot was stuffing; b is the first octet of the line
		return dst, src, nil
	case b != '\n':
		return dst, src, ErrBareCR
	case d.state == afterDotCR:
		d.state = ended
		return dst, src[1:], nil
	}
	d.endLine()
	return append(dst, '\n'), src[1:], nil
}

// lines is the hot loop: as long as src holds whole lines it finds the LF,
// looks at the octet before it, and moves the line. That no CR stands
// anywhere else is checked afterwards for all the lines at once, by counting
// the CRs: a search in each line costs half as much again.
func (d *BodyDecoder) lines(dst, src []byte) (out, rest []byte, err error) {
	crs := 0 // those that stand before a LF
	rest = src
	for len(rest) > 0 {
		if rest[0] == '.' && d.state == lineStart && d.framing == Dotted {
			d.state = afterDot
			rest = rest[1:]
			break
		}
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			dst, rest = d.part(dst, rest), nil
			break
		}
		if i == 0 || rest[i-1] != '\r' {
			rest, err = rest[i:], ErrBareLF
			break
		}
		dst = append(dst, rest[:i]...)
		dst[len(dst)-1] = '\n' // where the CR went
		d.column += int64(i - 1)
		d.endLine()
		crs++
		rest = rest[i+1:]
	}
	if d.state == afterCR {
		crs++ // its LF is still to come
	}
	if bytes.Count(src[:len(src)-len(rest)], []byte{'\r'}) != crs {
		err = ErrBareCR
	}
	return dst, rest, err
}

// part moves a piece of a line whose end is not there yet.
func (d *BodyDecoder) part(dst, src []byte) []byte {
	d.state = midLine
	if last := len(src) - 1; src[last] == '\r' {
		d.state, src = afterCR, src[:last]
	}
	d.column += int64(len(src))
	d.Longest = max(d.Longest, d.column)
	return append(dst, src...)
}

func (d *BodyDecoder) endLine() {
	d.Lines++
	d.Longest = max(d.Longest, d.column)
	d.column = 0
	d.state = lineStart
}
