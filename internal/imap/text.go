package imap

import (
	"bytes"
	"unicode/utf8"
)

// A Fault says what is wrong with a command, in words for the client. It is
// empty when nothing is.
type Fault string

// Incomplete is the Fault of a text that ends in the announcement of a literal
// whose octets have not come.
const Incomplete Fault = "the literal is missing"

// Text is what is left of a command, without the CRLF that ends it. The
// methods that consume advance only when they succeed, but for a quoted string
// with escapes, which is unescaped where it stands.
type Text []byte

// Empty reports whether nothing is left.
func (t Text) Empty() bool { return len(t) == 0 }

// Peek returns the next octet, and 0 when there is none.
func (t Text) Peek() byte {
	if len(t) == 0 {
		return 0
	}
	return t[0]
}

// Byte consumes the octet b.
func (t *Text) Byte(b byte) bool {
	if len(*t) == 0 || (*t)[0] != b {
		return false
	}
	*t = (*t)[1:]
	return true
}

// SP consumes exactly one space (RFC 9051 section 9, note 2).
func (t *Text) SP() Fault {
	switch {
	case t.Byte(' '):
		return ""
	case t.Empty():
		return "the command ends too early"
	}
	return "a space was expected"
}

// take consumes n octets.
func (t *Text) take(n int) []byte {
	taken := (*t)[:n:n]
	*t = (*t)[n:]
	return taken
}

// run consumes the octets of the class that come next, perhaps none.
func (t *Text) run(c class) []byte {
	n := 0
	for n < len(*t) && c.has((*t)[n]) {
		n++
	}
	return t.take(n)
}

// Keyword consumes the name of a command, a key, an item or an option, and
// turns it into capitals. It is empty when there is none.
func (t *Text) Keyword() []byte { return toUpper(t.run(keywordChar)) }

// Word consumes the word, which is in capitals, in any case, if it is all of
// the next keyword.
func (t *Text) Word(word string) bool {
	n := len(word)
	if len(*t) < n || !EqualFold((*t)[:n], word) || len(*t) > n && keywordChar.has((*t)[n]) {
		return false
	}
	t.take(n)
	return true
}

// Tag consumes a tag; empty when there is none.
//
//	tag = 1*<any ASTRING-CHAR except "+">           ; RFC 9051 section 9
func (t *Text) Tag() []byte { return t.run(tagChar) }

// Atom consumes an atom; empty when there is none.
//
//	atom = 1*ATOM-CHAR                              ; RFC 9051 section 9
func (t *Text) Atom() []byte { return t.run(atomChar) }

// AString consumes an astring.
//
//	astring = 1*ASTRING-CHAR / string               ; RFC 9051 section 9
func (t *Text) AString() ([]byte, Fault) {
	if b := t.run(astringChar); len(b) > 0 {
		return b, ""
	}
	return t.String()
}

// String consumes a string, which is not nil, also when it is empty.
//
//	string = quoted / literal                       ; RFC 9051 section 9
func (t *Text) String() ([]byte, Fault) {
	switch t.Peek() {
	case '"':
		return t.Quoted()
	case '{':
		return t.literal()
	}
	return nil, "a string was expected"
}

// NString consumes an nstring. NIL is nil.
//
//	nstring = string / nil                          ; RFC 9051 section 9
func (t *Text) NString() ([]byte, Fault) {
	if t.Word("NIL") {
		return nil, ""
	}
	return t.String()
}

// Quoted consumes a quoted string and unescapes it. UTF-8 in it is taken from
// every client, as RFC 6855 section 3 wants.
//
//	quoted      = DQUOTE *QUOTED-CHAR DQUOTE        ; RFC 9051 section 9
//	QUOTED-CHAR = <any TEXT-CHAR except quoted-specials> /
//	              "\" quoted-specials / UTF8-2 / UTF8-3 / UTF8-4
func (t *Text) Quoted() ([]byte, Fault) {
	b := *t
	if len(b) == 0 || b[0] != '"' {
		return nil, "a quoted string was expected"
	}
	eight := false
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			s := b[1:i:i]
			if eight && !utf8.Valid(s) {
				return nil, "a quoted string is not UTF-8"
			}
			*t = b[i+1:]
			return s, ""
		case c == '\\':
			return t.unescape(i)
		case c >= 0x80:
			eight = true
		case !quotable.has(c):
			return nil, "control character in a quoted string"
		}
	}
	return nil, "a quoted string does not end"
}

// unescape consumes the quoted string whose first backslash is at from. What
// stands before was looked at by Quoted.
func (t *Text) unescape(from int) ([]byte, Fault) {
	b := *t
	to := from
	for i := from; i < len(b); i++ {
		c := b[i]
		switch {
		case c == '"':
			s := b[1:to:to]
			if !utf8.Valid(s) {
				return nil, "a quoted string is not UTF-8"
			}
			*t = b[i+1:]
			return s, ""
		case c == '\\':
			i++
			if i == len(b) || b[i] != '"' && b[i] != '\\' {
				return nil, `only \ and " are escaped in a quoted string`
			}
			c = b[i]
		case c < 0x80 && !quotable.has(c):
			return nil, "control character in a quoted string"
		}
		b[to] = c
		to++
	}
	return nil, "a quoted string does not end"
}

// literal consumes a literal with its octets.
//
//	literal = "{" number64 ["+"] "}" CRLF *CHAR8    ; RFC 9051 section 9
func (t *Text) literal() ([]byte, Fault) {
	head, l := cutLiteral(*t)
	switch {
	case head == 0 || l.Binary:
		return nil, "a literal was expected"
	case l.Size > int64(len(*t)-head):
		return nil, Incomplete
	}
	b := (*t)[head : head+int(l.Size) : head+int(l.Size)]
	if bytes.IndexByte(b, 0) >= 0 {
		return nil, "NUL in a literal"
	}
	*t = (*t)[head+int(l.Size):]
	return b, ""
}

// Literal is the announcement of a literal.
type Literal struct {
	Size   int64 // octets
	Sync   bool  // the client waits for a continuation before it sends them
	Binary bool  // a literal8, which may hold NUL (RFC 3516)
}

// cutLiteral reads the announcement of a literal at the start of b and returns
// its length with the CRLF; 0 when there is none.
func cutLiteral(b []byte) (n int, l Literal) {
	i := 0
	if i < len(b) && b[i] == '~' {
		l.Binary = true
		i++
	}
	if i == len(b) || b[i] != '{' {
		return 0, l
	}
	rest := Text(b[i+1:])
	size, fault := rest.Number64()
	if fault != "" {
		return 0, l
	}
	l.Size, l.Sync = size, !rest.Byte('+')
	if !rest.Byte('}') || !rest.Byte('\r') || !rest.Byte('\n') {
		return 0, l
	}
	return len(b) - len(rest), l
}

// LiteralAtEnd reports whether a line, with its CRLF, ends in the announcement
// of a literal. Whatever stands before it, what follows are the octets of that
// literal (RFC 7888 section 3).
func LiteralAtEnd(line []byte) (l Literal, found bool) {
	if len(line) < 5 || line[len(line)-3] != '}' {
		return l, false
	}
	open := bytes.LastIndexByte(line, '{')
	if open < 0 {
		return l, false
	}
	if open > 0 && line[open-1] == '~' {
		open--
	}
	n, l := cutLiteral(line[open:])
	return l, n > 0
}

// Literal8 consumes a literal8 with its octets.
//
//	literal8 = "~{" number64 ["+"] "}" CRLF *OCTET  ; RFC 9051 section 9, RFC 7888 section 6
func (t *Text) Literal8() ([]byte, Fault) {
	head, l := cutLiteral(*t)
	switch {
	case head == 0 || !l.Binary:
		return nil, "a literal8 was expected"
	case l.Size > int64(len(*t)-head):
		return nil, Incomplete
	}
	t.take(head)
	return t.take(int(l.Size)), ""
}

// Announcement consumes the announcement of a literal, which has to be the end
// of the text.
func (t *Text) Announcement() (l Literal, found bool) {
	n, l := cutLiteral(*t)
	if n == 0 || n != len(*t) {
		return l, false
	}
	t.take(n)
	return l, true
}

// Base64 consumes the characters of base64 that come next, perhaps none. What
// they mean is for a decoder to say.
//
//	base64 = *(4base64-char) [base64-terminal]      ; RFC 9051 section 9
func (t *Text) Base64() []byte { return t.run(base64Char) }
