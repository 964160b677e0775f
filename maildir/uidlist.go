package maildir

import (
	"bytes"
	"encoding/hex"
	"strconv"
)

// uidHeader is the first line of dovecot-uidlist:
//
//	header = "3" *( SP letter value )
//	         ; V uidvalidity, N a lower bound of the next UID, G the folder's id in hexadecimal
//	line   = uid *( SP letter value ) SP ":" base
//	         ; G the message's id, where it is not the base
//
// and that of version 1, which is only read:
//
//	header = "1" SP uidvalidity SP next-uid
//	line   = uid SP base
type uidHeader struct {
	validity uint32
	next     uint32
	id       [16]byte
	version  int
}

// parseUIDHeader reads the first line; ok is false when it is not one.
func parseUIDHeader(line []byte) (h uidHeader, ok bool) {
	version, rest, _ := bytes.Cut(line, []byte(" "))
	switch string(version) {
	case "1":
		validity, next, _ := bytes.Cut(rest, []byte(" "))
		h = uidHeader{validity: parseUint32(validity), next: parseUint32(next), version: 1}
	case "3":
		h.version = 3
		for word := range bytes.SplitSeq(rest, []byte(" ")) {
			if len(word) > 0 {
				h.set(word[0], word[1:])
			}
		}
	}
	return h, h.version != 0 && h.validity != 0
}

func (h *uidHeader) set(letter byte, value []byte) {
	switch letter {
	case 'V':
		h.validity = parseUint32(value)
	case 'N':
		h.next = parseUint32(value)
	case 'G':
		if len(value) == 2*len(h.id) {
			_, _ = hex.Decode(h.id[:], value) // half an id is an id as well
		}
	}
}

// append appends the first line with its end.
func (h *uidHeader) append(dst []byte) []byte {
	dst = strconv.AppendUint(append(dst, "3 V"...), uint64(h.validity), 10)
	dst = strconv.AppendUint(append(dst, " N"...), uint64(h.next), 10)
	dst = hex.AppendEncode(append(dst, " G"...), h.id[:])
	return append(dst, '\n')
}

// uidLine is one line: the base is known to be that of the UID.
type uidLine struct {
	uid    uint32
	fields []byte // with a space before each
	base   []byte
}

// parseUIDLine reads a line without its end; ok is false for one that a power
// cut or a stranger has left.
func parseUIDLine(line []byte, version int) (l uidLine, ok bool) {
	number, rest, found := bytes.Cut(line, []byte(" "))
	l.uid = parseUint32(number)
	if !found || l.uid == 0 || l.uid > uidMax || bytes.IndexByte(line, 0) >= 0 {
		return l, false
	}
	if version == 1 {
		l.base = rest
		return l, len(l.base) > 0
	}
	for len(rest) > 0 && rest[0] != ':' {
		end := bytes.IndexByte(rest, ' ')
		if end < 0 {
			return l, false
		}
		rest = rest[end+1:]
	}
	if len(rest) < 2 {
		return l, false
	}
	fields := line[len(number) : len(line)-len(rest)-1]
	l.fields, l.base = fields, rest[1:]
	l.base = l.base[:baseLen(l.base)]
	return l, len(l.base) > 0
}

// email is the id of the message of a line.
func (l *uidLine) email() uint64 {
	for word := range bytes.SplitSeq(l.fields, []byte(" ")) {
		if len(word) > 1 && word[0] == 'G' {
			return emailIDOf(word[1:])
		}
	}
	return emailIDOf(l.base)
}

// append appends the line with its end.
func (l *uidLine) append(dst []byte) []byte {
	dst = strconv.AppendUint(dst, uint64(l.uid), 10)
	dst = append(append(dst, l.fields...), " :"...)
	return append(append(dst, l.base...), '\n')
}

// appendUIDLineOf appends the line of a message.
func (r *roster) appendUIDLineOf(dst []byte, m *record) []byte {
	dst = strconv.AppendUint(dst, uint64(m.uid), 10)
	var room [256]byte
	base := r.appendBase(room[:0], m)
	if emailIDOf(base) != m.email {
		dst = AppendEmailID(append(dst, " G"...), m.email)
	}
	return append(append(append(dst, " :"...), base...), '\n')
}

// parseUint32 reads a decimal number; 0 for anything else, and for 0.
func parseUint32(text []byte) uint32 {
	n, length := number(text)
	if length != len(text) || n > 1<<32-1 {
		return 0
	}
	return uint32(n)
}
