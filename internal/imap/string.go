package imap

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// quotedMax is how long a quoted string may become; what is longer is a
// literal, because there are clients whose lines end somewhere.
const quotedMax = 1000

// AppendAString appends an atom, a quoted string or a literal, the first of
// them that will do. utf8 as in Enabled.UTF8. The word NIL is quoted, so that
// nobody takes it for nothing.
func AppendAString(out, b []byte, utf8 bool) []byte {
	if astringChar.all(b) && !EqualFold(b, "NIL") {
		return append(out, b...)
	}
	return AppendString(out, b, utf8)
}

// AppendNString appends a string, or NIL when b is nil.
func AppendNString(out, b []byte, utf8 bool) []byte {
	if b == nil {
		return append(out, "NIL"...)
	}
	return AppendString(out, b, utf8)
}

// AppendString appends a quoted string where the client understands that, else
// a literal. In a text, which cannot hold NUL, it becomes a question mark.
func AppendString(out, b []byte, utf8 bool) []byte {
	if canQuote(b, utf8) {
		return AppendQuoted(out, b)
	}
	out = AppendLiteral(out, int64(len(b)))
	start := len(out)
	out = append(out, b...)
	for i := range out[start:] {
		if out[start+i] == 0 {
			out[start+i] = '?'
		}
	}
	return out
}

// canQuote reports whether b can be sent as a quoted string.
func canQuote(b []byte, mayUTF8 bool) bool {
	if len(b) > quotedMax {
		return false
	}
	eight := false
	for _, c := range b {
		switch {
		case c >= 0x80:
			eight = true
		case c == 0, c == '\r', c == '\n':
			return false
		}
	}
	return !eight || mayUTF8 && utf8.Valid(b)
}

// AppendQuoted appends b in quotes. b must not hold NUL, CR or LF, nor octets
// that the client does not take.
func AppendQuoted(out, b []byte) []byte {
	out = append(out, '"')
	if bytes.IndexByte(b, '"') < 0 && bytes.IndexByte(b, '\\') < 0 {
		out = append(out, b...)
		return append(out, '"')
	}
	for _, c := range b {
		if c == '"' || c == '\\' {
			out = append(out, '\\')
		}
		out = append(out, c)
	}
	return append(out, '"')
}

// AppendLiteral appends the announcement of a literal. Its octets, exactly so
// many and none of them NUL, come from the caller: a piece of text, or a range
// of a file that is sent behind what stands in out.
func AppendLiteral(out []byte, octets int64) []byte {
	out = append(out, '{')
	out = strconv.AppendInt(out, octets, 10)
	return append(out, "}\r\n"...)
}

// AppendLiteral8 appends the announcement of a literal8, whose octets may be
// NUL too (RFC 9051 section 9).
func AppendLiteral8(out []byte, octets int64) []byte {
	return AppendLiteral(append(out, '~'), octets)
}

// appendNumber appends a number after a space.
func appendNumber(out []byte, n uint64) []byte {
	return strconv.AppendUint(append(out, ' '), n, 10)
}
