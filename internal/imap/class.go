package imap

// A class is a set of octets. An octet may be in many.
type class uint8

const (
	atomChar    class = 1 << iota // ATOM-CHAR
	astringChar                   // ASTRING-CHAR
	listChar                      // list-char
	tagChar                       // tag: ASTRING-CHAR except "+"
	quotable                      // QUOTED-CHAR but for quoted-specials, 7 bits
	keywordChar                   // what the names of commands, keys and items are made of
	digit                         // DIGIT
	base64Char                    // base64-char and the "=" of base64-terminal
)

// classes says for every octet to which classes it belongs. The ranges are
// written as RFC 9051 section 9 writes them; class_test.go counts each class.
var classes = buildClasses()

func buildClasses() (t [256]class) {
	for b := 1; b < 0x80; b++ {
		if b != '\r' && b != '\n' && b != '"' && b != '\\' {
			t[b] |= quotable
		}
		if b > ' ' && b < 0x7f {
			t[b] |= atomChar | astringChar | listChar | tagChar
		}
	}
	remove := func(c class, set string) {
		for i := range len(set) {
			t[set[i]] &^= c
		}
	}
	remove(atomChar|astringChar|listChar|tagChar, `(){"\`)
	remove(atomChar|astringChar|tagChar, "%*")
	remove(atomChar, "]")
	remove(tagChar, "+")
	each := func(c class, set string) {
		for i := range len(set) {
			t[set[i]] |= c
		}
	}
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	each(digit|keywordChar|base64Char, "0123456789")
	each(keywordChar|base64Char, letters)
	each(keywordChar, ".-_=")
	each(base64Char, "+/=")
	return t
}

func (c class) has(b byte) bool { return classes[b]&c != 0 }

// all reports whether b is not empty and all of the class.
func (c class) all(b []byte) bool {
	for _, o := range b {
		if !c.has(o) {
			return false
		}
	}
	return len(b) > 0
}

// IsAtom reports whether b is an atom (RFC 9051 section 9).
func IsAtom(b []byte) bool { return atomChar.all(b) }

// IsTag reports whether b is a tag (RFC 9051 section 9).
func IsTag(b []byte) bool { return tagChar.all(b) }

// isASCII reports whether b has no octet above 127.
func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		c -= 'a' - 'A'
	}
	return c
}

// EqualFold reports whether b is the word, which is in capitals, in any case.
func EqualFold(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i := range b {
		if upper(b[i]) != word[i] {
			return false
		}
	}
	return true
}

// toUpper turns the letters of b into capitals where they stand.
func toUpper(b []byte) []byte {
	for i := range b {
		b[i] = upper(b[i])
	}
	return b
}
