package mime

import (
	"bytes"
	"html"
	"slices"
	"unicode"
	"unicode/utf8"

	"barid/internal/message"
)

const (
	// previewRunes is how many characters a preview has at most (RFC 8970
	// section 3.3).
	previewRunes = 200
	// previewOctets is how much of a part is read for it.
	previewOctets = 16 << 10
)

// AppendPreview appends the beginning of what a person would read: of the first
// part that is text/plain and no attachment, or else text/html without its
// markup; on one line, without what is quoted of another message, at most 200
// characters (RFC 8970). Nothing is appended when there is no such part, or
// nothing in it.
func (t *Text) AppendPreview(dst []byte, m *message.Structure) []byte {
	part, isHTML := previewPart(m)
	if part < 0 {
		return dst
	}
	content, _ := m.Decode(part)
	content.LF = true
	t.raw = slices.Grow(t.raw[:0], previewOctets)
	for len(t.raw) < previewOctets {
		n, err := content.Read(t.raw[len(t.raw):previewOctets])
		if err != nil {
			break
		}
		t.raw = t.raw[:len(t.raw)+n]
	}
	media, _ := m.Media(part)
	t.word, _ = media.AppendParameter(t.word[:0], "charset")
	whole, _ := cutRune(t.raw, false)
	t.readable = t.AppendUTF8(t.readable[:0], whole, t.word)
	if isHTML {
		return appendOneLine(dst, []byte(html.UnescapeString(string(withoutMarkup(t.readable)))))
	}
	return appendOneLine(dst, withoutQuotes(t.readable))
}

// previewPart chooses the part; it is negative when there is none.
func previewPart(m *message.Structure) (part int, isHTML bool) {
	part = -1
	for i, p := range m.Parts() {
		media, _ := m.Media(i)
		disposition, _ := message.ParseDisposition(m.Field(i, message.ContentDisposition))
		switch {
		case p.Kind != message.Leaf || p.Opaque || p.BodyOctets == 0 || equalFold(disposition, "attachment"):
		case media.Is("text", "plain"):
			return i, false
		case media.Is("text", "html") && part < 0:
			part = i
		}
	}
	return part, true
}

// withoutQuotes removes the lines that are quoted, where they stand.
func withoutQuotes(text []byte) (kept []byte) {
	kept = text[:0]
	for len(text) > 0 {
		n := bytes.IndexByte(text, '\n') + 1
		if n == 0 {
			n = len(text)
		}
		if text[0] != '>' {
			kept = append(kept, text[:n]...)
		}
		text = text[n:]
	}
	return kept
}

// silent are the elements of HTML whose content nobody reads.
var silent = [...]string{"style", "script", "title", "head"}

// withoutMarkup removes tags and comments of HTML, and what is in elements that
// are silent. Each tag becomes a space.
func withoutMarkup(text []byte) (kept []byte) {
	for len(text) > 0 {
		before, rest, found := bytes.Cut(text, []byte{'<'})
		kept = append(append(kept, before...), ' ')
		if !found {
			break
		}
		end := []byte{'>'}
		if bytes.HasPrefix(rest, []byte("!--")) {
			end = []byte("-->")
		}
		for _, name := range silent {
			if n := len(name); len(rest) > n && equalFold(rest[:n], name) && !unicode.IsLetter(rune(rest[n])) {
				rest = behindElement(rest, name)
			}
		}
		if _, text, found = bytes.Cut(rest, end); !found {
			break
		}
	}
	return kept
}

// behindElement returns what follows "</name".
func behindElement(text []byte, name string) []byte {
	for {
		_, rest, found := bytes.Cut(text, []byte("</"))
		if !found {
			return nil
		}
		if len(rest) >= len(name) && equalFold(rest[:len(name)], name) {
			return rest[len(name):]
		}
		text = rest
	}
}

// appendOneLine appends the first characters of text, with a space for all
// white space and without what cannot be seen.
func appendOneLine(dst, text []byte) []byte {
	count, space := 0, false
	for len(text) > 0 && count < previewRunes {
		r, n := utf8.DecodeRune(text)
		text = text[n:]
		switch {
		case unicode.IsSpace(r):
			space = count > 0
			continue
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r) && r != '\u200d':
			continue
		case space && count+2 > previewRunes:
			return dst
		case space:
			dst = append(dst, ' ')
			count++
		}
		dst = utf8.AppendRune(dst, r)
		count++
		space = false
	}
	return dst
}
