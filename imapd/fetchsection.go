package imapd

import (
	"bytes"
	"encoding/binary"
	"slices"

	"barid/internal/imap"
	"barid/internal/message"
)

// outline says where the parts of a message are, without its text: what is
// kept of a message.Structure, so that a part can be sent without looking for
// it again.
type outline []place

// place is where a part is; see message.Part.
type place struct {
	kind                     message.Kind
	encoding                 encoding
	depth                    int
	number                   uint32
	start, body, end         int
	headerOctets, bodyOctets int64
}

// encoding is the Content-Transfer-Encoding of a part, as far as it has to be
// taken off.
type encoding uint8

const (
	notEncoded encoding = iota
	inBase64
	inQuotedPrintable
	unknownEncoding
)

var encodingNames = [...][]byte{inBase64: []byte("base64"), inQuotedPrintable: []byte("quoted-printable")}

// encodingOf is the encoding of a part.
func encodingOf(s *message.Structure, part int) encoding {
	if _, known := s.Decode(part); !known {
		return unknownEncoding
	}
	value := s.Field(part, message.ContentTransferEncoding)
	for e := inBase64; e <= inQuotedPrintable; e++ {
		if n := len(encodingNames[e]); len(value) >= n && bytes.EqualFold(value[:n], encodingNames[e]) {
			return e
		}
	}
	return notEncoded
}

// appendOutline appends the places of the parts.
func appendOutline(dst outline, s *message.Structure) outline {
	parts := s.Parts()
	for i := range parts {
		p := &parts[i]
		dst = append(dst, place{
			encoding: encodingOf(s, i),
			kind:     p.Kind, depth: int(p.Depth), number: uint32(p.Number),
			start: p.Start, body: p.Body, end: p.End,
			headerOctets: p.HeaderOctets, bodyOctets: p.BodyOctets,
		})
	}
	return dst
}

// find returns the part with these numbers (RFC 9051 6.4.5.1). The number 1
// also is the body of a message that is no multipart.
func (o outline) find(numbers []uint32) (part int, found bool) {
	if len(o) == 0 {
		return 0, false
	}
	within := true // part is to be read as a message, not as a part of one
	for _, n := range numbers {
		if !within && o[part].kind == message.Nested && part+1 < len(o) {
			part, within = part+1, true
		}
		switch {
		case o[part].kind == message.Multipart:
			if part, found = o.child(part, n); !found {
				return 0, false
			}
		case !within || n != 1:
			return 0, false
		}
		within = false
	}
	return part, true
}

func (o outline) child(part int, number uint32) (int, bool) {
	depth := o[part].depth
	for part++; part < len(o) && o[part].depth > depth; part++ {
		if o[part].depth == depth+1 && o[part].number == number {
			return part, true
		}
	}
	return 0, false
}

// header and text are the two halves of a part.
func (p *place) header() source {
	return source{from: message.Range{Start: p.start, End: p.body}, octets: p.headerOctets}
}

func (p *place) text() source {
	return source{from: message.Range{Start: p.body, End: p.end}, octets: p.bodyOctets}
}

// section finds what a section-spec with numbers names. fields: of the header,
// only some fields are wanted.
//
//	section-spec = section-msgtext / (section-part ["." section-text])  ; RFC 9051 section 9
func (o outline) section(s *imap.Section) (from source, fields bool) {
	part, found := o.find(s.Part)
	if !found {
		return missing, false
	}
	p := &o[part]
	switch s.Text {
	case imap.SectionAll:
		return p.text(), false
	case imap.SectionMIME:
		return p.header(), false
	}
	// The others are of a message within the part.
	if p.kind != message.Nested || part+1 >= len(o) {
		return missing, false
	}
	p = &o[part+1]
	if s.Text == imap.SectionBody {
		return p.text(), false
	}
	return p.header(), s.Text != imap.SectionHeader
}

// appendFields appends those fields of a header section that a section-spec
// names, or those that it does not name, with CRLF, and an empty line (RFC
// 9051 6.4.5.1).
func appendFields(dst, header []byte, s *imap.Section) []byte {
	for f := range message.Fields(header) {
		named := slices.ContainsFunc(s.Fields, func(name []byte) bool { return f.Is(string(name)) })
		if named == (s.Text == imap.SectionHeaderFields) {
			dst = message.AppendLines(dst, f.Raw, message.Range{End: len(f.Raw)})
			if n := len(dst); dst[n-1] != '\n' {
				dst = append(dst, "\r\n"...)
			}
		}
	}
	return append(dst, "\r\n"...)
}

// append appends the form in which an outline is kept: varints, seven for each
// part.
func (o outline) append(dst []byte) []byte {
	for i := range o {
		p := &o[i]
		dst = append(dst, byte(p.kind)|byte(p.encoding)<<4)
		for _, n := range [...]int64{
			int64(p.depth), int64(p.number), int64(p.start), int64(p.body - p.start), int64(p.end - p.body),
			p.headerOctets, p.bodyOctets,
		} {
			dst = binary.AppendUvarint(dst, uint64(n))
		}
	}
	return dst
}

// parseOutline reads what append has made.
func parseOutline(o outline, blob []byte) outline {
	for len(blob) > 0 {
		p := place{kind: message.Kind(blob[0] & 15), encoding: encoding(blob[0] >> 4)}
		blob = blob[1:]
		var n [7]uint64
		for i := range n {
			v, k := binary.Uvarint(blob)
			if k <= 0 {
				return o
			}
			n[i], blob = v, blob[k:]
		}
		p.depth, p.number, p.start = int(n[0]), uint32(n[1]), int(n[2])
		p.body = p.start + int(n[3])
		p.end = p.body + int(n[4])
		p.headerOctets, p.bodyOctets = int64(n[5]), int64(n[6])
		o = append(o, p)
	}
	return o
}
