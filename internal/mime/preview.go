package mime

import (
	"bytes"
	"html"
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
	raw := make([]byte, previewOctets)
	n := 0
	for n < len(raw) {
		k, err := content.Read(raw[n:])
		if err != nil {
			break
		}
		n += k
	}
	media, _ := m.Media(part)
	charset, _ := media.AppendParameter(nil, "charset")
	whole, _ := cutRune(raw[:n], false)
	text := t.AppendUTF8(nil, whole, charset)
	if isHTML {
		text = []byte(html.UnescapeString(string(withoutMarkup(text))))
	} else {
		text = withoutQuotes(text)
	}
	return appendOneLine(dst, text)
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

// withoutQuotes removes the lines that are quoted.
func withoutQuotes(text []byte) (kept []byte) {
	for line := range bytes.Lines(text) {
		if line[0] != '>' {
			kept = append(kept, line...)
		}
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
