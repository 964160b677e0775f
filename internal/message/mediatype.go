package message

// MediaType is the value of a Content-Type field (RFC 2045 section 5.1).
type MediaType struct {
	Type, Subtype []byte // as written; compare with Is
	params        text
}

// text is what remains to be read of a structured value. Its methods are the
// elements of the grammar; each advances only when it finds what it is named
// for.
type text []byte

// ParseMediaType reads the value of a Content-Type field. ok is false when it
// does not begin with a type and a subtype; then RFC 2045 section 5.2 wants
// text/plain to be assumed.
//
//	content   = type "/" subtype *( ";" parameter )
func ParseMediaType(value []byte) (m MediaType, ok bool) {
	t := text(value)
	t.white()
	m.Type = t.token()
	t.white()
	if len(m.Type) == 0 || !t.octet('/') {
		return MediaType{}, false
	}
	t.white()
	m.Subtype = t.token()
	m.params = t
	return m, len(m.Subtype) > 0
}

// Is compares type and subtype, both given in lower case; a subtype of "*"
// is any.
func (m MediaType) Is(typ, subtype string) bool {
	return equalFold(m.Type, typ) && (subtype == "*" || equalFold(m.Subtype, subtype))
}

// AppendParameter appends the value of the first parameter with this name.
// What stands between parameters and is none is passed over.
func (m MediaType) AppendParameter(dst []byte, name string) (value []byte, found bool) {
	p := m.Parameters()
	for start := len(dst); ; dst = dst[:start] {
		attribute, appended := p.Next(dst)
		if dst = appended; attribute == nil || equalFold(attribute, name) {
			return dst, attribute != nil
		}
	}
}

// Parameters returns what walks over the parameters.
func (m MediaType) Parameters() Parameters { return Parameters{m.params} }

// Parameters walks over the parameters of a structured value.
type Parameters struct{ rest text }

// Next returns the name of the next parameter as written, nil behind the last
// one, and appends its value, which has lost its quotes.
//
//	parameter = attribute "=" ( token / quoted-string )   ; RFC 2045 section 5.1
func (p *Parameters) Next(dst []byte) (name, value []byte) {
	t := &p.rest
	for t.toParameter() {
		attribute := t.token()
		t.white()
		if len(attribute) == 0 || !t.octet('=') {
			continue
		}
		t.white()
		return attribute, t.appendValue(dst)
	}
	return nil, dst
}

// ParseDisposition reads the value of a Content-Disposition field (RFC 2183
// section 2). disposition is as written, and empty when there is none.
//
//	disposition = disposition-type *( ";" disposition-parm )
func ParseDisposition(value []byte) (disposition []byte, parameters Parameters) {
	t := text(value)
	t.white()
	disposition = t.token()
	return disposition, Parameters{t}
}

// NextToken returns the next token of a list with commas, such as the value of
// a Content-Language field (RFC 3282 section 2), or the only one of
// a Content-Transfer-Encoding field; and what follows it. It is nil at the end.
func NextToken(value []byte) (token, rest []byte) {
	for t := text(value); ; t = t[1:] {
		t.white()
		if len(t) == 0 {
			return nil, nil
		}
		if token := t.token(); len(token) > 0 {
			return token, t
		}
	}
}

// toParameter advances behind the next ";" outside of quotes and comments.
func (t *text) toParameter() bool {
	for len(*t) > 0 {
		t.white()
		switch {
		case t.octet(';'):
			t.white()
			return true
		case len(*t) > 0 && (*t)[0] == '"':
			t.appendQuoted(nil)
		case len(*t) > 0:
			*t = (*t)[1:]
		}
	}
	return false
}

func (t *text) octet(c byte) bool {
	if len(*t) == 0 || (*t)[0] != c {
		return false
	}
	*t = (*t)[1:]
	return true
}

// white passes over white space, line ends and comments, which nest (RFC 5322
// section 3.2.2).
func (t *text) white() {
	for len(*t) > 0 {
		switch (*t)[0] {
		case ' ', '\t', '\r', '\n':
			*t = (*t)[1:]
		case '(':
			t.comment()
		default:
			return
		}
	}
}

func (t *text) comment() {
	depth, i := 0, 0
	for ; i < len(*t); i++ {
		switch (*t)[i] {
		case '(':
			depth++
		case ')':
			depth--
		case '\\':
			i++
		}
		if depth == 0 {
			break
		}
	}
	*t = (*t)[min(i+1, len(*t)):]
}

// token = 1*<any CHAR except SPACE, CTLs, or tspecials>
func (t *text) token() []byte {
	n := 0
	for n < len(*t) && isToken((*t)[n]) {
		n++
	}
	token := (*t)[:n]
	*t = (*t)[n:]
	return token
}

// tspecials = "(" / ")" / "<" / ">" / "@" / "," / ";" / ":" / "\" / <"> / "/" / "[" / "]" / "?" / "="
func isToken(c byte) bool {
	if c <= ' ' || c >= 0x7f {
		return false
	}
	switch c {
	case '(', ')', '<', '>', '@', ',', ';', ':', '\\', '"', '/', '[', ']', '?', '=':
		return false
	}
	return true
}

// appendValue appends a parameter's value. An unquoted one is read generously
// up to white space or ";", because many programs forget to quote "=" or "/"
// in boundaries.
func (t *text) appendValue(dst []byte) []byte {
	if len(*t) > 0 && (*t)[0] == '"' {
		return t.appendQuoted(dst)
	}
	for len(*t) > 0 {
		switch c := (*t)[0]; c {
		case ' ', '\t', '\r', '\n', ';':
			return dst
		default:
			dst = append(dst, c)
			*t = (*t)[1:]
		}
	}
	return dst
}

// appendQuoted appends the contents of a quoted-string; one without an end
// goes to the end of the text.
func (t *text) appendQuoted(dst []byte) []byte {
	i := 1
	for ; i < len(*t) && (*t)[i] != '"'; i++ {
		c := (*t)[i]
		if c == '\\' && i+1 < len(*t) {
			i++
			c = (*t)[i]
		} else if c == '\r' || c == '\n' {
			continue // a fold
		}
		dst = append(dst, c)
	}
	*t = (*t)[min(i+1, len(*t)):]
	return dst
}
