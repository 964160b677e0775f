package mime

import (
	"barid/internal/imap"
	"barid/internal/message"
)

// AppendSection appends the ranges of the stored message that a section is
// made of (RFC 9051 section 6.4.5.1). found is false when the message has no
// such part, or the part is no message and its header was asked for: then the
// answer is NIL. A section can be there and empty.
func AppendSection(dst []message.Range, s *message.Structure, section *imap.Section) (ranges []message.Range, found bool) {
	part, found := s.Find(section.Part)
	if !found {
		return dst, false
	}
	of := section.Text != imap.SectionAll && section.Text != imap.SectionMIME
	if len(section.Part) > 0 && of {
		if s.Parts()[part].Kind != message.Nested {
			return dst, false
		}
		part++ // the message within
	}
	p := &s.Parts()[part]
	header, body := message.Range{Start: p.Start, End: p.Body}, message.Range{Start: p.Body, End: p.End}
	switch section.Text {
	case imap.SectionAll:
		if len(section.Part) == 0 {
			body.Start = p.Start
		}
		return append(dst, body), true
	case imap.SectionBody:
		return append(dst, body), true
	case imap.SectionHeader, imap.SectionMIME:
		return append(dst, header), true
	}
	return appendFields(dst, s.Header(part), p.Start, section), true
}

// appendFields appends where the fields of a header section are that have one
// of the names, or have none of them, and the empty line.
func appendFields(dst []message.Range, header []byte, start int, section *imap.Section) []message.Range {
	want := section.Text == imap.SectionHeaderFields
	first, at := len(dst), 0
	add := func(end int) {
		if n := len(dst); n > first && dst[n-1].End == start+at {
			dst[n-1].End = start + end
		} else {
			dst = append(dst, message.Range{Start: start + at, End: start + end})
		}
	}
	for f := range message.Fields(header) {
		end := at + len(f.Raw)
		if isNamed(f, section.Fields) == want {
			add(end)
		}
		at = end
	}
	if at < len(header) {
		add(len(header))
	}
	return dst
}

func isNamed(f message.Field, names [][]byte) bool {
	for _, name := range names {
		if f.IsNamed(name) {
			return true
		}
	}
	return false
}
