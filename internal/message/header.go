// Package message reads stored messages (RFC 5322, RFC 2045 to 2049) by
// offsets: what it returns are slices of the message given, valid for as long
// as that is. It copies only where it is asked to append a changed form.
//
// Lines end with LF, with or without CR before it: a stored message has LF,
// one that came as BODY=BINARYMIME has CRLF, and below our own Received field
// it has both. Reading never fails: any octets are a message, and what does
// not follow the grammar is kept as it stands. Two rewriters change the form
// of a message for where it goes, and not what it says: AppendText for storage,
// AppendDowngraded for servers without 8BITMIME.
package message

import (
	"bytes"
	"iter"
)

// HeaderLen returns the length of the header section with the empty line that
// ends it; all of the message when there is no such line.
func HeaderLen(msg []byte) int {
	for at := 0; at < len(msg); {
		n := lineLen(msg[at:])
		if isEmptyLine(msg[at : at+n]) {
			return at + n
		}
		at += n
	}
	return len(msg)
}

// lineLen returns the length of the first line of text with its end.
func lineLen(text []byte) int {
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		return i + 1
	}
	return len(text)
}

func isEmptyLine(line []byte) bool {
	return len(line) == 1 && line[0] == '\n' || len(line) == 2 && line[0] == '\r' && line[1] == '\n'
}

// Field is one header field, or a line of the header section that is none
// (then its name is empty).
type Field struct {
	// Raw is the whole field with all its lines and their ends.
	Raw     []byte
	nameLen int
}

// Name is the field's name as written.
func (f Field) Name() []byte { return f.Raw[:f.nameLen] }

// Is reports whether the field has this name (RFC 5322 section 1.2.2: case
// does not matter).
func (f Field) Is(name string) bool {
	return f.nameLen == len(name) && f.nameLen > 0 && equalFold(f.Raw[:f.nameLen], name)
}

// IsNamed is Is for a name that is given as octets.
func (f Field) IsNamed(name []byte) bool {
	return f.nameLen == len(name) && f.nameLen > 0 && equalFold(f.Raw[:f.nameLen], name)
}

// Value is what follows the colon, without white space at either end. A
// folded value keeps its line ends; see AppendUnfolded.
func (f Field) Value() []byte {
	start, end := f.valueRange()
	return f.Raw[start:end]
}

// valueRange is where Value lies in Raw.
func (f Field) valueRange() (start, end int) {
	if f.nameLen == 0 {
		return 0, 0
	}
	start, end = f.nameLen, len(f.Raw)
	start += bytes.IndexByte(f.Raw[start:], ':') + 1
	for start < end && isWhite(f.Raw[start]) {
		start++
	}
	for end > start && isWhite(f.Raw[end-1]) {
		end--
	}
	return start, end
}

func isWhite(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// Fields iterates over the fields of a header section; an empty line ends it.
//
//	field = field-name *WSP ":" unstructured CRLF    ; RFC 5322 section 2.2, 4.5
//	fold  = CRLF WSP                                 ; within a field
func Fields(header []byte) iter.Seq[Field] {
	return func(yield func(Field) bool) {
		for len(header) > 0 {
			n := lineLen(header)
			if isEmptyLine(header[:n]) {
				return
			}
			for n < len(header) && (header[n] == ' ' || header[n] == '\t') {
				n += lineLen(header[n:])
			}
			f := Field{Raw: header[:n]}
			f.nameLen = nameLen(f.Raw)
			if !yield(f) {
				return
			}
			header = header[n:]
		}
	}
}

// nameLen returns the length of the name of a field, 0 if it has no valid one.
//
//	field-name = 1*ftext
//	ftext      = %d33-57 / %d59-126      ; RFC 5322 section 3.6.8
func nameLen(field []byte) int {
	n := 0
	for n < len(field) && field[n] > ' ' && field[n] < 0x7f && field[n] != ':' {
		n++
	}
	end := n
	for end < len(field) && (field[end] == ' ' || field[end] == '\t') {
		end++
	}
	if end == len(field) || field[end] != ':' {
		return 0
	}
	return n
}

// Lookup returns the value of the first field with this name.
func Lookup(header []byte, name string) (value []byte, found bool) {
	for f := range Fields(header) {
		if f.Is(name) {
			return f.Value(), true
		}
	}
	return nil, false
}

// Count counts the fields with this name. Of Received it is how many servers
// a message has passed (RFC 5321 section 6.3).
func Count(header []byte, name string) int {
	n := 0
	for f := range Fields(header) {
		if f.Is(name) {
			n++
		}
	}
	return n
}

// AppendUnfolded appends a value without its line ends (RFC 5322 section
// 2.2.3): the white space that follows each stays.
func AppendUnfolded(dst, value []byte) []byte {
	for _, c := range value {
		if c != '\r' && c != '\n' {
			dst = append(dst, c)
		}
	}
	return dst
}

// equalFold compares ASCII letters without regard to case.
func equalFold[T string | []byte](text []byte, name T) bool {
	if len(text) != len(name) {
		return false
	}
	for i, c := range text {
		if lower(c) != lower(name[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
