package mime

import (
	"bytes"
	"unicode/utf8"

	"barid/internal/message"
)

// chunkOctets is how much of a part is looked at at once.
const chunkOctets = 32 << 10

// Searcher looks for strings in messages as people read them: out of encoded
// words, transfer encodings and character sets, and without regard to case and
// the like (see Folder). Strings to look for are folded once, with
// AppendNeedle, and are found within a line or over the lines of a body; an
// empty one is found everywhere. The zero value is ready.
//
// What is looked at are header fields, and of the parts those that are text or
// have to do with messages (message/delivery-status and its like); images and
// documents are not. HTML is searched as it is written.
type Searcher struct {
	Text
	Folder
	folded []byte
	params []byte
}

// AppendNeedle appends a string to look for, which is UTF-8, as the other
// methods want it.
func (s *Searcher) AppendNeedle(dst, text []byte) []byte {
	return s.Folder.Append(dst, bytes.ReplaceAll(text, []byte("\r\n"), []byte{'\n'}))
}

// Field reports whether one of the fields of a header section that have this
// name holds the needle (RFC 9051 section 6.4.4: HEADER, and SUBJECT, FROM, TO,
// CC and BCC).
func (s *Searcher) Field(header, name, needle []byte) bool {
	for f := range message.Fields(header) {
		if f.IsNamed(name) && s.value(f.Value(), needle) {
			return true
		}
	}
	return false
}

// value looks at the value of a field.
func (s *Searcher) value(value, needle []byte) bool {
	if len(needle) == 0 {
		return true
	}
	s.readable = s.AppendHeader(s.readable[:0], value)
	s.folded = s.Folder.Append(s.folded[:0], s.readable)
	return bytes.Contains(s.folded, needle)
}

// Body reports whether the body of a message holds the needle: its parts, and
// the header sections of the messages within it.
func (s *Searcher) Body(m *message.Structure, needle []byte) bool {
	return len(needle) == 0 || s.parts(m, needle, false)
}

// Message reports whether a message holds the needle anywhere: what Body looks
// at, its header section and those of its parts (TEXT of RFC 9051 section
// 6.4.4).
func (s *Searcher) Message(m *message.Structure, needle []byte) bool {
	return len(needle) == 0 || s.parts(m, needle, true)
}

func (s *Searcher) parts(m *message.Structure, needle []byte, headers bool) bool {
	for i, p := range m.Parts() {
		nested := i > 0 && p.Number == 0
		if (headers || nested) && s.header(m.Header(i), needle) {
			return true
		}
		if p.Kind == message.Leaf && s.part(m, i, needle) {
			return true
		}
	}
	return false
}

// header looks at a whole header section.
func (s *Searcher) header(header, needle []byte) bool {
	s.readable = s.readable[:0]
	for f := range message.Fields(header) {
		s.readable = append(append(s.readable, f.Name()...), ": "...)
		s.readable = append(s.AppendHeader(s.readable, f.Value()), '\n')
	}
	s.folded = s.Folder.Append(s.folded[:0], s.readable)
	return bytes.Contains(s.folded, needle)
}

// part looks at the content of a part, if that is text.
func (s *Searcher) part(m *message.Structure, part int, needle []byte) bool {
	media, _ := m.Media(part)
	if !media.Is("text", "*") && !media.Is("message", "*") {
		return false
	}
	s.params, _ = media.AppendParameter(s.params[:0], "charset")
	content, _ := m.Decode(part)
	content.LF = true
	return s.content(&content, s.params, needle)
}

// content looks at what a decoder gives, chunk by chunk. What a chunk ends with
// is looked at again with the next one: as much as may be the beginning of the
// needle.
func (s *Searcher) content(content *message.Decoder, charset, needle []byte) bool {
	d, _ := s.decoder(charset)
	if d != nil {
		d.Reset()
	}
	s.folded, s.raw = s.folded[:0], s.raw[:0]
	if cap(s.raw) < chunkOctets {
		s.raw = make([]byte, 0, chunkOctets)
	}
	for last := false; !last; {
		n, err := content.Read(s.raw[len(s.raw):cap(s.raw)])
		s.raw, last = s.raw[:len(s.raw)+n], err != nil
		text, rest := cutRune(s.raw, last)
		if d != nil {
			s.readable, rest = appendTransformed(s.readable[:0], d, s.raw, last)
			text = s.readable
		}
		s.folded = s.Folder.Append(s.folded, text)
		if bytes.Contains(s.folded, needle) {
			return true
		}
		s.raw = append(s.raw[:0], rest...)
		if keep := len(needle) - 1; len(s.folded) > keep {
			s.folded = append(s.folded[:0], s.folded[len(s.folded)-keep:]...)
		}
	}
	return false
}

// cutRune cuts off a rune at the end that is not there as a whole.
func cutRune(text []byte, last bool) (whole, rest []byte) {
	if last {
		return text, nil
	}
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if c := text[len(text)-n:]; utf8.RuneStart(c[0]) {
			if !utf8.FullRune(c) {
				return text[:len(text)-n], c
			}
			break
		}
	}
	return text, nil
}
