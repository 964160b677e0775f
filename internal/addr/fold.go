package addr

import (
	"unicode"
	"unicode/utf8"
)

// AppendFolded appends text in lower case, character by character. Octets
// that are not UTF-8 stay as they are.
//
// Lower case rather than case folding, because folding joins what IDNA2008
// keeps apart (σ and ς); RFC 5895 2.1 maps domains so.
func AppendFolded(dst, text []byte) []byte {
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			dst = append(dst, c)
			i++
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		if lower := foldRune(r); lower != r {
			dst = utf8.AppendRune(dst, lower)
		} else {
			dst = append(dst, text[i:i+size]...)
		}
		i += size
	}
	return dst
}

// foldRune is unicode.ToLower, save for İ (U+0130): its lower case is two
// characters, i and a dot above, and a plain i would make two different names one.
func foldRune(r rune) rune {
	if r == 'İ' {
		return r
	}
	return unicode.ToLower(r)
}
