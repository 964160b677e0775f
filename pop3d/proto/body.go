package proto

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"

	"barid/internal/smtp"
)

// everything is the number of body lines that RETR wants.
const everything = math.MaxInt64

// body is a message on its way to the client.
type body struct {
	dots   smtp.BodyEncoder
	lines  int64 // of the body, still wanted
	header bool  // the empty line has not come yet, and it matters
	blank  bool  // nothing but a CR, at most, stands in the line so far
	ascii  bool  // octets above 127 in the header are not for this client
}

// answerMessage begins the multi-line reply of RETR and TOP.
func (s *Session) answerMessage(a Answer, out []byte) []byte {
	if a.Verdict != Accept {
		return refuse(out, a.Verdict)
	}
	ascii := !s.utf8 && !s.options.RawHeaders
	s.body = body{lines: s.drop.top, header: ascii || s.drop.top != everything, blank: true, ascii: ascii}
	s.next = SendBody
	if s.drop.top != everything {
		return ok(out, "top of message follows")
	}
	out = append(out, "+OK "...)
	out = strconv.AppendInt(out, a.Octets, 10)
	return append(out, " octets\r\n"...)
}

// AppendBody appends the next part of the stored text of the message, as the
// client has to see it: every line ends in CRLF, dots are stuffed, and TOP
// gets no more lines than it asked for. more is false when the client has
// got all that it wants. out grows by at most twice the length of text, and
// by two octets.
//
// A client that is not in UTF-8 mode must not see a header with octets above
// 127 (RFC 6856 2.1). It gets a surrogate, in which each of them is a question
// mark: the size stays as announced, the structure of the header holds, and
// no stranger can make a mailbox unreadable by mailing such a header, which
// refusing the message (RFC 6856 section 5) would mean for most clients.
// Options.RawHeaders turns that off. The body is never touched: it may be 8bit.
func (s *Session) AppendBody(out, text []byte) (o []byte, more bool) {
	b := &s.body
	if b.header {
		n := b.headerLength(text)
		from := len(out)
		out = b.dots.Append(out, text[:n])
		if b.ascii {
			replaceNonASCII(out[from:])
		}
		text = text[n:]
	}
	if !b.header && b.lines != everything {
		text = b.wanted(text)
	}
	return b.dots.Append(out, text), b.header || b.lines > 0
}

// EndBody ends the reply that AppendBody was building.
func (s *Session) EndBody(out []byte) []byte {
	if s.next != SendBody {
		panic("pop3d/proto: the end of a body that was not begun")
	}
	s.next = NeedInput
	return s.body.dots.End(out)
}

// headerLength returns how much of text belongs to the header, the empty line
// that ends it included.
func (b *body) headerLength(text []byte) int {
	at := 0
	for at < len(text) {
		i := bytes.IndexByte(text[at:], '\n')
		if i < 0 {
			b.blank = b.blank && isBlank(text[at:])
			return len(text)
		}
		if b.blank && isBlank(text[at:at+i]) {
			b.header = false
			return at + i + 1
		}
		b.blank = true
		at += i + 1
	}
	return len(text)
}

// isBlank reports whether a line, or the rest of one, holds nothing: files of
// other programs may have CRLF.
func isBlank(line []byte) bool {
	return len(line) == 0 || len(line) == 1 && line[0] == '\r'
}

// wanted counts lines down and returns the part of text that TOP wants.
func (b *body) wanted(text []byte) []byte {
	at := 0
	for ; b.lines > 0 && at < len(text); b.lines-- {
		i := bytes.IndexByte(text[at:], '\n')
		if i < 0 {
			return text
		}
		at += i + 1
	}
	return text[:at]
}

// replaceNonASCII puts a question mark for every octet above 127. Most headers
// have none, so it looks at eight at a time.
func replaceNonASCII(b []byte) {
	for ; len(b) >= 8; b = b[8:] {
		if binary.LittleEndian.Uint64(b)&0x8080808080808080 != 0 {
			replaceEach(b[:8])
		}
	}
	replaceEach(b)
}

func replaceEach(b []byte) {
	for i, c := range b {
		if c >= 0x80 {
			b[i] = '?'
		}
	}
}
