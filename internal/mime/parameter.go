package mime

import (
	"bytes"
	"strconv"

	"barid/internal/message"
)

// segmentsMax is how many pieces of a parameter are put together.
const segmentsMax = 100

// AppendParameter appends the value of a parameter for reading: put together
// from its segments, in their order, percent-decoded and in UTF-8 (RFC 2231);
// else a plain one, with the encoded words that do not belong there but are
// common. found is false when there is no such parameter.
//
//	attribute       = 1*attribute-char              ; RFC 2231 section 7
//	initial-section = "*0"
//	other-sections  = "*" ("1" / ... ) *DIGIT
//	extended-initial-value = [charset] "'" [language] "'" extended-other-values
func (t *Text) AppendParameter(dst []byte, parameters message.Parameters, name string) (value []byte, found bool) {
	var charset []byte
	joined := t.word[:0]
	for i := 0; i < segmentsMax; i++ {
		at := len(joined)
		var extended, more bool
		if joined, extended, more = appendSegment(joined, parameters, name, i); !more {
			break
		}
		found = true
		if !extended {
			continue
		}
		rest := joined[at:]
		if i == 0 {
			charset, rest = cutCharset(rest)
		}
		joined = appendPercentDecoded(joined[:at], rest)
	}
	t.word = joined
	if found {
		return t.AppendUTF8(dst, joined, charset), true
	}
	joined, _, found = appendSegment(joined, parameters, name, whole)
	return t.AppendHeader(dst, bytes.Clone(joined)), found
}

// whole is the number of a parameter that is not in segments.
const whole = -1

// appendSegment appends a segment of a parameter as it stands.
func appendSegment(dst []byte, p message.Parameters, name string, number int) (segment []byte, extended, found bool) {
	for at := len(dst); ; dst = dst[:at] {
		var attribute []byte
		if attribute, dst = p.Next(dst); attribute == nil {
			return dst, false, false
		}
		if i, extended, ok := segmentOf(attribute, name); ok && i == number {
			return dst, extended, true
		}
	}
}

// cutCharset cuts the charset and the language off the first segment.
func cutCharset(segment []byte) (charset, rest []byte) {
	charset, rest, ok := bytes.Cut(segment, []byte{'\''})
	_, rest, more := bytes.Cut(rest, []byte{'\''})
	if !ok || !more {
		return nil, segment
	}
	return bytes.Clone(charset), rest
}

// appendPercentDecoded appends text with the octets that are written in
// hexadecimal. text may begin behind the end of dst, in the same memory.
func appendPercentDecoded(dst, text []byte) []byte {
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '%' && i+2 < len(text) && unhex(text[i+1]) >= 0 && unhex(text[i+2]) >= 0 {
			c = byte(unhex(text[i+1])<<4 | unhex(text[i+2]))
			i += 2
		}
		dst = append(dst, c)
	}
	return dst
}

// segmentOf says which segment of the parameter an attribute is; and in
// which form it is.
func segmentOf(attribute []byte, name string) (i int, extended, ok bool) {
	if len(attribute) < len(name) || !equalFold(attribute[:len(name)], name) {
		return 0, false, false
	}
	rest := attribute[len(name):]
	if len(rest) == 0 {
		return whole, false, true
	}
	if rest[0] != '*' {
		return 0, false, false
	}
	rest, extended = bytes.CutSuffix(rest[1:], []byte{'*'})
	if len(rest) == 0 {
		return 0, true, true // "name*": a whole one
	}
	i, err := strconv.Atoi(string(rest))
	return i, extended, err == nil && i >= 0
}
