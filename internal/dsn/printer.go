package dsn

import (
	"io"
	"time"
	"unicode/utf8"
)

// bufferSize is in which pieces a report is written and a message read.
const bufferSize = 8 << 10

// printer writes a report. The first error ends it; nothing is written then.
type printer struct {
	to   io.Writer
	buf  []byte
	err  error
	head head // of the message
	word []byte
}

func (p *printer) flush() {
	if p.err == nil && len(p.buf) > 0 {
		_, p.err = p.to.Write(p.buf)
	}
	p.buf = p.buf[:0]
}

// Write implements io.Writer, for encoders.
func (p *printer) Write(b []byte) (int, error) {
	if len(p.buf)+len(b) > cap(p.buf) {
		p.flush()
	}
	if p.err == nil && len(b) > cap(p.buf) {
		_, p.err = p.to.Write(b)
		return len(b), p.err
	}
	p.buf = append(p.buf, b...)
	return len(b), p.err
}

func (p *printer) string(s string) {
	if len(p.buf)+len(s) > cap(p.buf) {
		p.flush()
	}
	p.buf = append(p.buf, s...)
}

// dateFormat is RFC 5322 section 3.3 date-time.
const dateFormat = "Mon, 2 Jan 2006 15:04:05 -0700"

func (p *printer) date(name string, t time.Time) {
	if !t.IsZero() {
		p.string(name + ": " + t.Format(dateFormat) + "\n")
	}
}

// Line lengths in octets without the end (RFC 5322 section 2.1.1).
const (
	lineWanted = 78
	lineMost   = 998
)

// field writes a field, folded. The value is of strangers: see clean.
func (p *printer) field(name, typ string, value []byte, c charset, most int) {
	p.word = append(append(p.word[:0], name...), ": "...)
	p.word = append(p.word, typ...)
	p.word = appendClean(p.word, value, c, most)
	p.Write(appendFolded(nil, p.word, "\n "))
	p.string("\n")
}

// charset is which characters may be written.
type charset uint8

const (
	ascii charset = iota
	unicode
)

// appendClean appends a text of strangers as one line: whatever is white or a
// control character, any run of it, becomes one space, and what is not of the
// charset becomes "?". Of text that is longer than most octets the rest is left
// out.
func appendClean(dst, text []byte, c charset, most int) []byte {
	start := len(dst)
	space := false
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		text = text[n:]
		if isBlank(r) {
			space = len(dst) > start
			continue
		}
		if r >= utf8.RuneSelf && c == ascii || r == utf8.RuneError {
			r = '?'
		}
		if len(dst)-start+n+1 > most {
			return append(dst, " ..."...)
		}
		if space {
			dst, space = append(dst, ' '), false
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

// isBlank reports whether a character takes place on a line but shows nothing,
// or does something to the line.
func isBlank(r rune) bool {
	return r <= ' ' || r >= 0x7f && r <= 0xa0 || r == '\u2028' || r == '\u2029' ||
		r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' // directions: they reorder what stands beside
}

// appendFolded appends a line with the line end given before a word where
// more would not fit into 78 octets, and never more than 998: a longer word is
// cut. Spaces in line are single; the line end begins the next one with space.
func appendFolded(dst, line []byte, end string) []byte {
	column, first := 0, true
	for len(line) > 0 {
		n := 0
		for n < len(line) && line[n] != ' ' {
			n++
		}
		word := line[:n]
		line = line[min(n+1, len(line)):]
		switch {
		case first:
		case column+1+len(word) <= lineWanted:
			dst = append(dst, ' ')
			column++
		default:
			dst = append(dst, end...)
			column = len(end) - 1
		}
		for ; len(word) > lineMost/2; word = word[cut(word):] {
			dst = append(append(dst, word[:cut(word)]...), end...)
			column = len(end) - 1
		}
		dst = append(dst, word...)
		column += len(word)
		first = false
	}
	return dst
}

// cut is where a long word is cut: between characters.
func cut(word []byte) int {
	n := lineMost / 2
	for n > lineMost/4 && !utf8.RuneStart(word[n]) {
		n--
	}
	return n
}

func isASCII(text []byte) bool {
	for _, c := range text {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
