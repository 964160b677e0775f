package mime

import (
	"bytes"
	"encoding/base64"
)

// AppendHeader appends the value of a header field for reading: without its
// folds, with spaces for tabs, and with encoded words decoded. Words with white
// space alone between them are put together, and characters that were cut in
// two with them; what is no valid word stays as it is.
//
//	encoded-word = "=?" charset ["*" language] "?" encoding "?" encoded-text "?="
//	               ; RFC 2047 section 2, RFC 2231 section 5
func (t *Text) AppendHeader(dst, value []byte) []byte {
	var charset []byte // of the words in t.word; nil: there are none
	t.word = t.word[:0]
	for len(value) > 0 {
		plain, w, rest := cutWord(value)
		if w.text == nil || len(bytes.Trim(plain, " \t\r\n")) > 0 || !bytes.EqualFold(charset, w.charset) {
			dst = t.AppendUTF8(dst, t.word, charset)
			t.word = t.word[:0]
		}
		if w.text == nil || charset == nil || len(bytes.Trim(plain, " \t\r\n")) > 0 {
			dst = t.appendPlain(dst, plain)
		}
		if charset = w.charset; w.text != nil {
			t.word = w.appendDecoded(t.word)
		}
		value = rest
	}
	return t.AppendUTF8(dst, t.word, charset)
}

// appendPlain appends text that is not encoded.
func (t *Text) appendPlain(dst, text []byte) []byte {
	start := len(dst)
	dst = t.AppendUTF8(dst, text, nil)
	kept := dst[:start]
	for _, c := range dst[start:] {
		switch c {
		case '\r', '\n':
		case '\t':
			kept = append(kept, ' ')
		default:
			kept = append(kept, c)
		}
	}
	return kept
}

// word is an encoded word.
type word struct {
	charset, text []byte
	base64        bool
}

// cutWord cuts a value around its first encoded word; the text of the word is
// nil when there is none.
func cutWord(value []byte) (plain []byte, w word, rest []byte) {
	for at := 0; ; at += 2 {
		i := bytes.Index(value[at:], []byte("=?"))
		if i < 0 {
			return value, word{}, nil
		}
		at += i
		if w, n := parseWord(value[at:]); n > 0 {
			return value[:at], w, value[at+n:]
		}
	}
}

// wordMax is how long the parts of an encoded word may be. RFC 2047 allows 75
// characters in all; many programs write more.
const wordMax = 4096

// parseWord reads an encoded word; n is 0 when it is none.
func parseWord(value []byte) (w word, n int) {
	charset, rest, ok := cutQuestion(value[2:min(len(value), 2+wordMax)])
	if !ok || len(charset) == 0 || len(rest) < 2 || rest[1] != '?' || bytes.ContainsAny(charset, " \t\r\n") {
		return word{}, 0
	}
	switch rest[0] {
	case 'b', 'B':
		w.base64 = true
	case 'q', 'Q':
	default:
		return word{}, 0
	}
	text, after, ok := cutQuestion(rest[2:])
	if !ok || len(after) == 0 || after[0] != '=' || w.base64 && !isBase64(text) {
		return word{}, 0
	}
	w.charset, _, _ = bytes.Cut(charset, []byte{'*'})
	w.text = text
	return w, len("=?") + len(charset) + len("?q?") + len(text) + len("?=")
}

// isBase64 reports whether text has no octets that base64 has not.
func isBase64(text []byte) bool {
	for _, c := range text {
		switch {
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9', c == '+', c == '/', c == '=':
		default:
			return false
		}
	}
	return true
}

func cutQuestion(value []byte) (before, after []byte, found bool) {
	i := bytes.IndexByte(value, '?')
	if i < 0 {
		return nil, nil, false
	}
	return value[:i:i], value[i+1:], true
}

// appendDecoded appends the octets that a word stands for.
func (w word) appendDecoded(dst []byte) []byte {
	if w.base64 {
		// What stands before an error was decoded, and is the word.
		dst, _ = base64.RawStdEncoding.AppendDecode(dst, bytes.TrimRight(w.text, "="))
		return dst
	}
	for i := 0; i < len(w.text); i++ {
		c := w.text[i]
		switch {
		case c == '_':
			c = ' '
		case c == '=' && i+2 < len(w.text) && unhex(w.text[i+1]) >= 0 && unhex(w.text[i+2]) >= 0:
			c = byte(unhex(w.text[i+1])<<4 | unhex(w.text[i+2]))
			i += 2
		case c == '\r' || c == '\n':
			continue
		}
		dst = append(dst, c)
	}
	return dst
}

// unhex is the value of a hexadecimal digit, negative when it is none.
func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}
