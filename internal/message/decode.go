package message

import (
	"bytes"
	"io"
)

// Decoder reads the content of a body: without its Content-Transfer-Encoding,
// and with CRLF for each line end that is one (RFC 2045 section 6). It never
// fails: what is no base64 is passed over, and what is no quoted-printable is
// given as it stands.
type Decoder struct {
	// LF, set before the first Read, leaves line ends as they are stored.
	LF   bool
	body []byte
	from Encoding

	line   []byte // what is left of the text of a line
	within bool   // a line, even if nothing of its text is left
	ends   bool   // a line end follows it

	sextets uint32
	count   uint8 // of sextets
	left    uint8 // octets at the end of small that were read ahead
	small   [smallRead]byte
}

// smallRead is the least that is decoded at once.
const smallRead = 4

// Decode returns the content of a part. known is false when its encoding is
// not (see Encoding.Known): then its body is given as it is.
func (s *Structure) Decode(part int) (d Decoder, known bool) {
	from := s.Encoding(part)
	return NewDecoder(s.Body(part), from), from.Known()
}

// NewDecoder returns a decoder of a body in an encoding; see Structure.Encoding.
func NewDecoder(body []byte, from Encoding) Decoder { return Decoder{body: body, from: from} }

// read reads into p, which has room for smallRead octets, as much as fits, but
// for up to two octets; 0 is the end.
func (d *Decoder) read(p []byte) int {
	switch d.from {
	case base64Encoding:
		return d.base64(p)
	case quotedEncoding:
		return d.quoted(p)
	}
	return d.plain(p)
}

// Read reads into p. Some octets of a large p may be left.
func (d *Decoder) Read(p []byte) (n int, err error) {
	if d.left == 0 && len(p) >= smallRead {
		n = d.read(p)
	} else {
		n = d.readSmall(p)
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// readSmall reads through small.
func (d *Decoder) readSmall(p []byte) int {
	if d.left == 0 {
		n := d.read(d.small[:])
		copy(d.small[smallRead-n:], d.small[:n])
		d.left = uint8(n)
	}
	n := copy(p, d.small[smallRead-d.left:])
	d.left -= uint8(n)
	return n
}

// Size reads to the end and returns how many octets that were.
func (d *Decoder) Size() (octets int64) {
	var room [4096]byte
	for {
		n, err := d.Read(room[:])
		if err != nil {
			return octets
		}
		octets += int64(n)
	}
}

// Skip reads so many octets, or to the end.
func (d *Decoder) Skip(octets int64) {
	var room [4096]byte
	for octets > 0 {
		n, err := d.Read(room[:min(octets, int64(len(room)))])
		if err != nil {
			return
		}
		octets -= int64(n)
	}
}

// plain reads a body that is not encoded.
func (d *Decoder) plain(p []byte) (n int) {
	if d.LF {
		n = copy(p, d.body)
		d.body = d.body[n:]
		return n
	}
	for n+2 < len(p) && d.nextLine(false) {
		k := copy(p[n:len(p)-2], d.line)
		n += k
		n += d.advance(k, p[n:])
	}
	return n
}

// nextLine finds the next line, if the last one was read. Finding its end once
// keeps the time linear when p is small and the line is long.
func (d *Decoder) nextLine(quoted bool) bool {
	if d.within || len(d.body) == 0 {
		return d.within
	}
	line := d.body[:lineLen(d.body)]
	d.body = d.body[len(line):]
	d.line = withoutLineEnd(line)
	d.ends = len(d.line) < len(line)
	d.within = true
	if quoted {
		d.line = bytes.TrimRight(d.line, " \t\r") // rule 3
		if n := len(d.line); n > 0 && d.line[n-1] == '=' {
			d.line, d.ends = d.line[:n-1], false // a soft line break
		}
	}
	return true
}

// advance passes over so many octets of the line, and writes its end.
func (d *Decoder) advance(octets int, p []byte) int {
	if d.line = d.line[octets:]; len(d.line) > 0 {
		return 0
	}
	d.within = false
	switch {
	case !d.ends:
		return 0
	case d.LF:
		p[0] = '\n'
		return 1
	}
	p[0], p[1] = '\r', '\n'
	return 2
}

// withoutLineEnd returns a line without its end, if it has one: a CR alone is
// none.
func withoutLineEnd(line []byte) []byte {
	if len(line) == 0 || line[len(line)-1] != '\n' {
		return line
	}
	return trimLineEnd(line)
}

// noSextet is what sextets says of an octet that is not in the alphabet.
const noSextet = 0x80

// sextets says which six bits an octet stands for (RFC 2045 section 6.8).
var sextets = buildSextets()

func buildSextets() (t [256]uint8) {
	for i := range t {
		t[i] = noSextet
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = uint8(i)
	}
	return t
}

// base64 reads base64. Padding ends a run of groups, not the body: there are
// programs that join bodies.
func (d *Decoder) base64(p []byte) (n int) {
	body := d.body
	for len(body) > 0 && n+3 <= len(p) {
		if d.count == 0 && len(body) >= 4 {
			a, b, c, e := sextets[body[0]], sextets[body[1]], sextets[body[2]], sextets[body[3]]
			if (a|b|c|e)&noSextet == 0 {
				v := uint32(a)<<18 | uint32(b)<<12 | uint32(c)<<6 | uint32(e)
				p[n], p[n+1], p[n+2] = byte(v>>16), byte(v>>8), byte(v)
				n += 3
				body = body[4:]
				continue
			}
		}
		c := body[0]
		body = body[1:]
		if v := sextets[c]; v != noSextet {
			d.sextets = d.sextets<<6 | uint32(v)
			d.count++
		}
		if d.count == 4 || c == '=' {
			n += d.flush(p[n:])
		}
	}
	d.body = body
	if len(body) == 0 && n+3 <= len(p) {
		n += d.flush(p[n:])
	}
	return n
}

// flush writes the octets that are whole in the sextets so far.
func (d *Decoder) flush(p []byte) int {
	octets := int(d.count) * 6 / 8
	v := d.sextets << (6 * (4 - uint32(d.count)))
	for i := range octets {
		p[i] = byte(v >> (16 - 8*i))
	}
	d.sextets, d.count = 0, 0
	return octets
}

// quoted reads quoted-printable.
//
//	qp-line = *(qp-segment transport-padding CRLF) qp-part transport-padding
//	qp-segment = qp-section *(SPACE / TAB) "="       ; RFC 2045 section 6.7
func (d *Decoder) quoted(p []byte) (n int) {
	for n+2 < len(p) && d.nextLine(true) {
		read, written := quotedText(p[n:len(p)-2], d.line)
		n += written
		n += d.advance(read, p[n:])
	}
	return n
}

// quotedText decodes the text of a line, and returns how much of it was read.
func quotedText(p, text []byte) (read, written int) {
	for read < len(text) && written < len(p) {
		rest := text[read:]
		run := bytes.IndexByte(rest, '=')
		switch {
		case run < 0:
			n := copy(p[written:], rest)
			return read + n, written + n
		case run > 0:
			n := copy(p[written:], rest[:run])
			read, written = read+n, written+n
		case len(rest) >= 3 && isHex(rest[1]) && isHex(rest[2]):
			p[written] = unhex(rest[1])<<4 | unhex(rest[2])
			read, written = read+3, written+1
		default:
			p[written] = '='
			read, written = read+1, written+1
		}
	}
	return read, written
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return lower(c) - 'a' + 10
}
