package addr

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// AppendLocal appends the content of a local part to dst: what is left when
// the quotes and backslashes, which mean nothing, are gone. On an error it
// returns dst as it was.
//
//	Local-part = Dot-string / Quoted-string   ; RFC 5321 4.1.2, UTF-8 by RFC 6531 3.3
func AppendLocal(dst, local []byte) ([]byte, error) {
	if len(local) == 0 {
		return dst, ErrLocal
	}
	if len(local) > 2*LocalMax+2 { // every octet quoted by a backslash
		return dst, ErrLength
	}
	out, ok := dst, isDotString(local)
	if ok {
		out = append(dst, local...)
	} else {
		out, ok = appendUnquoted(dst, local)
	}
	if !ok || !utf8.Valid(local) {
		return dst, ErrLocal
	}
	if len(out)-len(dst) > LocalMax {
		return dst, ErrLength
	}
	return out, nil
}

// Dot-string = Atom *("." Atom)   ; RFC 5321 4.1.2
func isDotString(s []byte) bool {
	atom := false // the octet before belongs to an atom
	for _, c := range s {
		switch {
		case isAtext(c):
			atom = true
		case c == '.' && atom:
			atom = false
		default:
			return false
		}
	}
	return atom
}

// atext = ALPHA / DIGIT / "!" / "#" / "$" / …   ; RFC 5322 3.2.3
// atext =/ UTF8-non-ascii                       ; RFC 6531 3.3
func isAtext(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c >= utf8.RuneSelf:
		return true
	}
	return strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

// Quoted-string = DQUOTE *QcontentSMTP DQUOTE      ; RFC 5321 4.1.2
// QcontentSMTP  = qtextSMTP / quoted-pairSMTP
func appendUnquoted(dst, s []byte) ([]byte, bool) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return dst, false
	}
	s = s[1 : len(s)-1]
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' {
			if i++; i == len(s) {
				return dst, false
			}
			c = s[i]
		} else if c == '"' {
			return dst, false
		}
		if c < ' ' || c == 0x7f {
			return dst, false
		}
		dst = append(dst, c)
	}
	return dst, len(s) > 0
}

// AppendQuoted appends the content of a local part in the form that an
// address needs: as it is when it is a Dot-string, else as a Quoted-string
// with no more backslashes than it must have.
func AppendQuoted(dst, content []byte) []byte {
	if isDotString(content) {
		return append(dst, content...)
	}
	dst = append(dst, '"')
	for _, c := range content {
		if c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

// Subaddress divides the content of a local part at the first of any of the
// separators (RFC 5233 section 1: user and detail). A separator that comes first
// divides nothing, for there would be no user. The parts are slices of content.
func Subaddress(content []byte, separators string) (user, detail []byte, found bool) {
	if separators == "" || len(content) == 0 {
		return content, nil, false
	}
	i := bytes.IndexAny(content[1:], separators)
	if i < 0 {
		return content, nil, false
	}
	return content[:i+1], content[i+2:], true
}
