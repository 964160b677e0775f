package mime

import (
	"encoding/binary"
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Folder makes texts equal that differ in nothing that people would search or
// sort by: the collation i;unicode-casemap (RFC 5051) says that characters are
// titlecased and then decomposed as far as they can be, compatibility
// characters included. So "Ä" is the same as "a" with a diaeresis behind it,
// and is found by "a". Folded texts are compared as octets. The zero value is
// ready.
type Folder struct {
	// cache is where runes were folded to, each at the place of its low bits:
	// the tables of Unicode cost much more than a text in one script needs.
	cache [512]folded
	room  []byte
}

// folded is a rune and what it becomes.
type folded struct {
	from rune
	len  uint8
	to   [11]byte
}

// Append appends text, folded. Octets that are no UTF-8 stay as they are.
func (f *Folder) Append(dst, text []byte) []byte {
	dst = slices.Grow(dst, len(text)+8)
	for len(text) > 0 {
		n := foldASCII(dst[len(dst):cap(dst)], text)
		dst = dst[:len(dst)+n]
		if text = text[n:]; len(text) == 0 {
			break
		}
		for len(text) > 0 && text[0] >= utf8.RuneSelf {
			r, n := utf8.DecodeRune(text)
			if r == utf8.RuneError && n == 1 {
				dst = append(dst, text[0])
			} else {
				dst = f.appendRune(dst, r)
			}
			text = text[n:]
		}
		dst = slices.Grow(dst, len(text)+8)
	}
	return dst
}

// foldASCII writes text in capitals up to the first octet that is not ASCII. p
// has room for 8 octets more than text has.
func foldASCII(p, text []byte) (n int) {
	const ones = 0x0101010101010101
	for ; n+8 <= len(text); n += 8 {
		x := binary.LittleEndian.Uint64(text[n:])
		if x&(0x80*ones) != 0 {
			break
		}
		// Bit 7 of an octet is set by the first sum from "a" on and by the
		// second one behind "z"; bit 5 is what makes letters small.
		small := (x + (0x80-'a')*ones) &^ (x + (0x7f-'z')*ones) & (0x80 * ones)
		binary.LittleEndian.PutUint64(p[n:], x^small>>2)
	}
	for ; n < len(text) && text[n] < utf8.RuneSelf; n++ {
		p[n] = text[n]
		if 'a' <= text[n] && text[n] <= 'z' {
			p[n] -= 'a' - 'A'
		}
	}
	return n
}

// appendRune appends what a rune above 127 is folded to.
func (f *Folder) appendRune(dst []byte, r rune) []byte {
	if 0x3400 <= r && r <= 0x9fff { // Chinese characters, which have no case
		return utf8.AppendRune(dst, r)
	}
	c := &f.cache[uint32(r)%uint32(len(f.cache))]
	if c.from == r {
		return append(dst, c.to[:c.len]...)
	}
	var room [utf8.UTFMax]byte
	f.room = norm.NFKD.Append(f.room[:0], utf8.AppendRune(room[:0], unicode.ToTitle(r))...)
	if n := len(f.room); n <= len(c.to) {
		c.from, c.len = r, uint8(n)
		copy(c.to[:], f.room)
	}
	return append(dst, f.room...)
}

// equalFold reports whether text is the word, which is in lower case, in any
// case.
func equalFold(text []byte, word string) bool {
	if len(text) != len(word) {
		return false
	}
	for i, c := range text {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != word[i] {
			return false
		}
	}
	return true
}
