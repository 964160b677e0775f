package mime

import (
	"slices"
	"unicode/utf8"

	"barid/internal/message"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/transform"
)

// charsetsMax is how many charsets a Text remembers, known or not. There are
// about forty that are known, under more names.
const charsetsMax = 256

// charsetNameMax is how long the name of a charset may be (RFC 2978 section
// 2.3).
const charsetNameMax = 40

// Text makes UTF-8 of what messages hold. The zero value is ready.
type Text struct {
	decoders map[string]*encoding.Decoder // nil for what is not known
	word     []byte                       // encoded words that belong together, decoded
	raw      []byte                       // what was read of a part
	readable []byte                       // the same, in UTF-8

	addresses message.Addresses
}

// decoder returns what converts from a charset. It is nil when nothing needs to
// be converted: then declared tells whether the text says that it is UTF-8.
// The names are those that the WHATWG Encoding Standard knows, which says that
// ISO-8859-1 is windows-1252, and so it is in practice.
func (t *Text) decoder(charset []byte) (d *encoding.Decoder, declared bool) {
	var room [charsetNameMax]byte
	if len(charset) > len(room) {
		return nil, false
	}
	name := room[:copy(room[:], charset)]
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			name[i] = c + 'a' - 'A'
		}
	}
	switch string(name) {
	case "utf-8", "utf8":
		return nil, true
	case "", "us-ascii", "ascii":
		return nil, false
	}
	d, found := t.decoders[string(name)]
	if !found {
		d = t.newDecoder(string(name))
	}
	return d, false
}

func (t *Text) newDecoder(name string) (d *encoding.Decoder) {
	if e, err := htmlindex.Get(name); err == nil && e != encoding.Replacement {
		d = e.NewDecoder()
	} else if name == "hz-gb-2312" {
		d = simplifiedchinese.HZGB2312.NewDecoder()
	} else if name == windows1252 {
		d = charmap.Windows1252.NewDecoder()
	}
	if t.decoders == nil || len(t.decoders) >= charsetsMax {
		t.decoders = make(map[string]*encoding.Decoder)
	}
	t.decoders[name] = d
	return d
}

const windows1252 = "windows-1252"

// KnowsCharset reports whether text in a charset can be read.
func (t *Text) KnowsCharset(charset []byte) bool {
	d, declared := t.decoder(charset)
	return d != nil || declared || equalFold(charset, "us-ascii")
}

// AppendUTF8 appends text in a charset as UTF-8. Without a charset, or with one
// that is not known, it is UTF-8 where it can be, else windows-1252, which is
// what old programs mean that say nothing.
func (t *Text) AppendUTF8(dst, text, charset []byte) []byte {
	d, declared := t.decoder(charset)
	switch {
	case d != nil:
		d.Reset()
		dst, _ = appendTransformed(dst, d, text, true)
		return dst
	case utf8.Valid(text):
		return append(dst, text...)
	case declared:
		return appendValid(dst, text)
	}
	return t.AppendUTF8(dst, text, []byte(windows1252))
}

// appendValid appends text with U+FFFD for what is no UTF-8.
func appendValid(dst, text []byte) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		dst = utf8.AppendRune(dst, r)
		text = text[n:]
	}
	return dst
}

// appendTransformed appends what a decoder makes of text, and returns what of
// it waits for more when last is false.
func appendTransformed(dst []byte, d transform.Transformer, text []byte, last bool) (out, rest []byte) {
	for {
		dst = slices.Grow(dst, len(text)+64)
		written, read, err := d.Transform(dst[len(dst):cap(dst)], text, last)
		dst = dst[:len(dst)+written]
		text = text[read:]
		switch {
		case err == transform.ErrShortDst:
			continue
		case err == transform.ErrShortSrc && !last, err == nil:
			return dst, text
		}
		return append(dst, "\uFFFD"...), nil
	}
}
