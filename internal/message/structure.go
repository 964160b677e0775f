package message

import (
	"bytes"
	"slices"
)

// headerFieldsMax is how many header fields of a message, those of its parts
// included, are looked at.
const headerFieldsMax = 1_000_000

// Structure says where the parts of a message are (RFC 2046, RFC 9051 section
// 6.4.5.1). The zero value is ready for Parse, which can be called again and
// again: then it allocates nothing but for a message with more parts than any
// before it.
//
// Parsing takes one pass over the message, whatever is in it: a delimiter line
// is compared with the boundaries of all the multiparts that are open where it
// stands, and ends those within the one that it belongs to. What is nested
// deeper than 100 levels, lies behind 10,000 parts or behind 1,000,000 header
// fields is opaque: it is a leaf, and taken for text/plain (RFC 2045 section
// 5.2). So is a multipart that does not name a boundary.
type Structure struct {
	msg   []byte
	parts []Part

	current int     // the innermost part that has not ended
	open    []level // multiparts that have not ended, the innermost last
	room    []byte  // their boundaries
	fields  int     // header fields so far
	tally   tally
}

// Kind is what a part is made of.
type Kind uint8

// The kinds of parts.
const (
	Leaf      Kind = iota // octets
	Multipart             // parts, which follow it; perhaps none
	Nested                // a message, which follows it: message/rfc822 or message/global
)

// Range is a piece of a stored message: the octets from Start to before End.
type Range struct{ Start, End int }

// Part is an entity (RFC 2045 section 2.4): the message as a whole, a part of a
// multipart, or the message within a part that is Nested. Parts stand in a
// flat array, each before those within it.
type Part struct {
	Kind Kind
	// Opaque: it was not looked into, and its Content-Type is not to be
	// believed.
	Opaque bool
	digest bool // part of a multipart/digest
	Depth  uint8
	// Number is the place of a part in its multipart, from 1; 0 is the whole
	// message, or the message within a Nested part.
	Number int32
	Parent int32 // -1 for the whole message
	Next   int32 // the first part behind this one and all within it
	// The header section with its empty line lies from Start to Body, the body
	// from there to End, in octets of the stored message.
	Start, Body, End int
	// HeaderOctets and BodyOctets are the sizes with CRLF for each line end,
	// as every protocol sees them; Lines counts the line ends of the body.
	HeaderOctets, BodyOctets, Lines int64

	values [contentFields]Range
}

// ContentField is a header field that describes a part.
type ContentField uint8

// The fields of RFC 2045, RFC 2183, RFC 3282, RFC 2557 and RFC 1864.
const (
	ContentType ContentField = iota
	ContentTransferEncoding
	ContentID
	ContentDescription
	ContentDisposition
	ContentLanguage
	ContentLocation
	ContentMD5
	contentFields
)

var contentNames = [contentFields]string{
	"Content-Type", encodingField, "Content-ID", "Content-Description",
	"Content-Disposition", "Content-Language", "Content-Location", "Content-MD5",
}

// level is a multipart that has not ended.
type level struct {
	part     int32
	count    int32 // of its parts so far
	boundary Range // in room
	key      uint64
	role     role // of its parts
}

// Parts returns the parts; there is always one, the message. They are valid
// until the next Parse.
func (s *Structure) Parts() []Part { return s.parts }

// Message returns the message that was parsed.
func (s *Structure) Message() []byte { return s.msg }

// Header returns the header section of a part, with its empty line.
func (s *Structure) Header(part int) []byte {
	p := &s.parts[part]
	return s.msg[p.Start:p.Body]
}

// Body returns the body of a part, as it is stored.
func (s *Structure) Body(part int) []byte {
	p := &s.parts[part]
	return s.msg[p.Body:p.End]
}

// Field returns the value of the first such field of a part, as Field.Value;
// nil when there is none.
func (s *Structure) Field(part int, field ContentField) []byte {
	r := s.parts[part].values[field]
	if r.End == 0 {
		return nil
	}
	return s.msg[r.Start:r.End]
}

var (
	plainText     = MediaType{Type: []byte("text"), Subtype: []byte("plain")}
	nestedMessage = MediaType{Type: []byte("message"), Subtype: []byte("rfc822")}
)

// Media returns the media type of a part. known is false when it does not say
// one that can be believed: then it is text/plain, or message/rfc822 in a
// digest (RFC 2045 section 5.2, RFC 2046 section 5.1.5).
func (s *Structure) Media(part int) (media MediaType, known bool) {
	p := &s.parts[part]
	if p.Opaque {
		return plainText, false
	}
	value := s.Field(part, ContentType)
	if value == nil && p.digest {
		return nestedMessage, false
	}
	if media, known = ParseMediaType(value); !known {
		media = plainText
	}
	return media, known
}

// Find returns the part with these numbers; without any it is the message
// (RFC 9051 section 6.4.5.1). The number 1 also is the body of a message that
// is no multipart.
//
//	section-part = nz-number *("." nz-number)       ; RFC 9051 section 9
func (s *Structure) Find(numbers []uint32) (part int, found bool) {
	message := true // part is to be read as a message, not as a part of one
	for _, n := range numbers {
		if !message && s.parts[part].Kind == Nested {
			part, message = part+1, true
		}
		switch {
		case s.parts[part].Kind == Multipart:
			if part, found = s.child(part, n); !found {
				return 0, false
			}
		case !message || n != 1:
			return 0, false
		}
		message = false
	}
	return part, true
}

func (s *Structure) child(part int, number uint32) (int, bool) {
	end := int(s.parts[part].Next)
	for part++; part < end; part = int(s.parts[part].Next) {
		if uint32(s.parts[part].Number) == number {
			return part, true
		}
	}
	return 0, false
}

// Parse finds the parts of a message. It keeps msg.
func (s *Structure) Parse(msg []byte) {
	*s = Structure{
		msg: msg, parts: s.parts[:0], open: s.open[:0], room: s.room[:0],
		current: -1, tally: tally{text: msg},
	}
	at := s.begin(0, messageRole, 0)
	for len(s.open) > 0 {
		start := dashLine(msg, at)
		if start < 0 {
			break
		}
		n := lineLen(msg[start:])
		if at = start + n; !s.delimiter(start, at) {
			break
		}
		at = max(at, s.position())
	}
	s.end(-1, len(msg))
}

// position is where the innermost open part has its body.
func (s *Structure) position() int { return s.parts[s.current].Body }

// delimiter does what the line asks for, if it is a delimiter line; false when
// no more parts are to be followed.
func (s *Structure) delimiter(start, end int) bool {
	i, last := s.levelOf(s.msg[start:end])
	if i < 0 {
		return true
	}
	l := &s.open[i]
	s.end(int(l.part), start-lineEndLen(s.msg[:start]))
	s.open = s.open[:i+1]
	switch {
	case last:
		s.open = s.open[:i]
	case len(s.parts) >= partsMax:
		return false
	default:
		l.count++
		s.begin(end, l.role, l.count)
	}
	return true
}

// levelOf finds the multipart that a delimiter line belongs to, the outermost
// if there are many; -1 when it is no delimiter line. It says the same as
// isDelimiter, but looks at the line once and not for every multipart: a
// hostile message can have a hundred of them open and nothing but such lines.
func (s *Structure) levelOf(line []byte) (i int, last bool) {
	line = bytes.TrimRight(line[len(dashes):], " \t\r\n")
	closed, last := bytes.CutSuffix(line, dashes)
	key, closedKey := boundaryKey(line), boundaryKey(closed)
	for i := range s.open {
		l := &s.open[i]
		switch {
		case l.key == key && bytes.Equal(line, s.room[l.boundary.Start:l.boundary.End]):
			return i, false
		case last && l.key == closedKey && bytes.Equal(closed, s.room[l.boundary.Start:l.boundary.End]):
			return i, true
		}
	}
	return -1, false
}

// boundaryKey tells most boundaries apart: their length and last octets.
func boundaryKey(boundary []byte) (key uint64) {
	for _, c := range boundary[max(0, len(boundary)-6):] {
		key = key<<8 | uint64(c)
	}
	return key | uint64(len(boundary))<<48
}

// begin adds a part whose header section begins at an offset, and the messages
// directly within it. It returns where the innermost of them has its body.
func (s *Structure) begin(at int, role role, number int32) int {
	for {
		s.parts = append(s.parts, Part{Start: at, Number: number, Parent: int32(s.current), digest: role == digestPartRole})
		p := &s.parts[len(s.parts)-1]
		if s.current >= 0 {
			p.Depth = s.parts[s.current].Depth + 1
		}
		s.current = len(s.parts) - 1
		_, before := s.tally.to(at)
		p.Body = s.header(p)
		p.Lines, p.BodyOctets = s.tally.to(p.Body)
		p.HeaderOctets = p.BodyOctets - before
		s.look(p)
		if p.Kind != Nested {
			return p.Body
		}
		at, role, number = p.Body, messageRole, 0
	}
}

// header reads the header section of a part and returns where it ends.
func (s *Structure) header(p *Part) int {
	at := p.Start
	for f := range Fields(s.msg[at:]) {
		if bytes.HasPrefix(f.Raw, dashes) {
			if i, _ := s.levelOf(f.Raw[:lineLen(f.Raw)]); i >= 0 {
				return at // the part ends before its body begins
			}
		}
		if s.fields++; s.fields > headerFieldsMax {
			p.Opaque = true
		} else {
			s.field(p, f, at)
		}
		at += len(f.Raw)
	}
	return at + lineLen(s.msg[at:])
}

// field keeps where the value of a field is that describes the part.
func (s *Structure) field(p *Part, f Field, at int) {
	if len(f.Raw) < len("content-") || lower(f.Raw[0]) != 'c' || f.Raw[7] != '-' {
		return
	}
	for i, name := range contentNames {
		if r := &p.values[i]; r.End == 0 && f.Is(name) {
			start, end := f.valueRange()
			*r = Range{at + start, at + end}
			return
		}
	}
}

// look decides what the part is made of.
func (s *Structure) look(p *Part) {
	if p.Opaque {
		return
	}
	media, _ := s.Media(s.current)
	followed := p.Depth < depthMax
	switch {
	case media.Is("multipart", "*"):
		followed = followed && s.openLevel(media)
		p.Kind = Multipart
	case media.Is("message", "rfc822"), media.Is("message", "global"):
		followed = followed && len(s.parts) < partsMax
		p.Kind = Nested
	default:
		return
	}
	if !followed {
		p.Kind, p.Opaque = Leaf, true
	}
}

// openLevel begins a multipart; false when it has no boundary that can be used.
func (s *Structure) openLevel(media MediaType) bool {
	start := 0
	if n := len(s.open); n > 0 {
		start = s.open[n-1].boundary.End
	}
	s.room = slices.Grow(s.room[:start], boundMax)
	e := entity{media: media}
	boundary := bytes.TrimRight(e.boundary(s.room[start:start:cap(s.room)]), " \t\r\n")
	if len(boundary) == 0 {
		return false
	}
	s.room = append(s.room, boundary...)
	s.open = append(s.open, level{
		part: int32(s.current), role: e.partRole(),
		boundary: Range{start, len(s.room)}, key: boundaryKey(boundary),
	})
	return true
}

// end ends the innermost parts up to the one given, which stays open. A part
// has its empty line even where that is also the line end before a delimiter
// line.
func (s *Structure) end(outer, at int) {
	if s.current == outer {
		return
	}
	at = max(at, s.position())
	lines, octets := s.tally.to(at)
	for s.current != outer {
		p := &s.parts[s.current]
		p.End = at
		p.Lines = lines - p.Lines
		p.BodyOctets = octets - p.BodyOctets
		p.Next = int32(len(s.parts))
		s.current = int(p.Parent)
	}
}

func lineEndLen(text []byte) int { return len(text) - len(trimLineEnd(text)) }
