package smtp

import (
	"bytes"
	"net/netip"
	"unicode/utf8"
)

// The longest parts that are accepted. RFC 5321 4.5.3.1 asks for at least 64
// and 255; senders that encode a recipient in their return path need more of
// the former.
const (
	LocalPartMax = 256 // octets, quotes included
	DomainMax    = 255 // octets
	labelMax     = 63  // octets, RFC 1035 2.3.4
)

// A Path is a parsed reverse-path or forward-path. The slices point into the
// line that was parsed.
type Path struct {
	// Local is the local part as it was written, with its quotes. Empty in
	// the null reverse-path.
	Local []byte
	// Domain is the domain or the address literal with its brackets. Empty
	// in the null reverse-path and in <Postmaster>.
	Domain []byte
	// NonASCII reports that the mailbox needs SMTPUTF8 (RFC 6531).
	NonASCII bool
}

// Null reports whether the path is the null reverse-path.
func (p Path) Null() bool { return len(p.Local) == 0 }

// ReversePath is the argument of MAIL FROM. (RFC 5321 4.1.2)
//
//	Reverse-path = Path / "<>"
func (t *Text) ReversePath() (Path, bool) {
	if t.Literal("<>") {
		return Path{}, true
	}
	return t.path()
}

// ForwardPath is the argument of RCPT TO. (RFC 5321 4.1.1.3, 4.1.2)
//
//	rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path ) ...
func (t *Text) ForwardPath() (Path, bool) {
	const postmaster = "<Postmaster>"
	rest := *t
	if rest.Literal(postmaster) {
		p := Path{Local: (*t)[1 : len(postmaster)-1]}
		*t = rest
		return p, true
	}
	return t.path()
}

// path accepts also a mailbox without its brackets, because printers and
// scripts send it so; a source route is read and forgotten, as RFC 5321 F.2
// wants. (RFC 5321 4.1.2)
//
//	Path  = "<" [ A-d-l ":" ] Mailbox ">"
//	A-d-l = At-domain *( "," At-domain )
func (t *Text) path() (Path, bool) {
	rest := *t
	bracket := rest.Byte('<')
	if bracket && len(rest) > 0 && rest[0] == '@' && !rest.sourceRoute() {
		return Path{}, false
	}
	p, ok := rest.Mailbox()
	if !ok || bracket && !rest.Byte('>') {
		return Path{}, false
	}
	*t = rest
	return p, true
}

// sourceRoute consumes A-d-l and its colon. (RFC 5321 4.1.2, C)
//
//	At-domain = "@" Domain
func (t *Text) sourceRoute() bool {
	rest := *t
	for {
		if !rest.Byte('@') {
			return false
		}
		if _, ok := rest.domain(); !ok {
			return false
		}
		if rest.Byte(':') {
			*t = rest
			return true
		}
		if !rest.Byte(',') {
			return false
		}
	}
}

// Mailbox consumes an address. (RFC 5321 4.1.2, RFC 6531 3.3)
//
//	Mailbox = Local-part "@" ( Domain / address-literal )
func (t *Text) Mailbox() (Path, bool) {
	rest := *t
	local, ok := rest.localPart()
	if !ok || !rest.Byte('@') {
		return Path{}, false
	}
	domain, ok := rest.addressLiteral()
	if !ok {
		domain, ok = rest.domain()
	}
	if !ok {
		return Path{}, false
	}
	*t = rest
	return Path{Local: local, Domain: domain, NonASCII: !isASCII(local) || !isASCII(domain)}, true
}

// localPart consumes the part before the "@". (RFC 5321 4.1.2)
//
//	Local-part = Dot-string / Quoted-string
func (t *Text) localPart() ([]byte, bool) {
	rest := *t
	local, ok := rest.quotedString()
	if !ok {
		local, ok = rest.dotString()
	}
	if !ok || len(local) > LocalPartMax || !utf8.Valid(local) {
		return nil, false
	}
	*t = rest
	return local, true
}

// dotString consumes atoms with dots between them. (RFC 5321 4.1.2, RFC 6531 3.3)
//
//	Dot-string = Atom *("." Atom)
//	Atom       = 1*atext
//	atext      =/ UTF8-non-ascii
func (t *Text) dotString() ([]byte, bool) {
	rest := *t
	for {
		if len(rest.run(atext|high)) == 0 {
			return nil, false
		}
		if !rest.Byte('.') {
			return t.take(len(*t) - len(rest)), true
		}
	}
}

// quotedString consumes a quoted string with its quotes. (RFC 5321 4.1.2, RFC 6531 3.3)
//
//	Quoted-string  = DQUOTE *QcontentSMTP DQUOTE
//	QcontentSMTP   = qtextSMTP / quoted-pairSMTP
//	quoted-pairSMTP = %d92 %d32-126
//	qtextSMTP      =/ UTF8-non-ascii
func (t *Text) quotedString() ([]byte, bool) {
	rest := *t
	if !rest.Byte('"') {
		return nil, false
	}
	for {
		rest.run(qtext | high)
		if rest.Byte('"') {
			return t.take(len(*t) - len(rest)), true
		}
		if !rest.Byte('\\') || len(rest) == 0 || !graphic.has(rest[0]) {
			return nil, false
		}
		rest.take(1)
	}
}

// domain consumes a domain name. Whether its U-labels obey IDNA is the
// business of who looks the domain up. (RFC 5321 4.1.2, RFC 6531 3.3)
//
//	Domain     = sub-domain *("." sub-domain)
//	sub-domain = Let-dig [Ldh-str]
//	sub-domain =/ U-label
//	Ldh-str    = *( ALPHA / DIGIT / "-" ) Let-dig
func (t *Text) domain() ([]byte, bool) {
	rest := *t
	for {
		name := rest.run(label | high)
		if len(name) == 0 || name[0] == '-' || name[len(name)-1] == '-' {
			return nil, false
		}
		if len(name) > labelMax && isASCII(name) {
			return nil, false
		}
		if !rest.Byte('.') {
			break
		}
	}
	n := len(*t) - len(rest)
	if n > DomainMax || !utf8.Valid((*t)[:n]) {
		return nil, false
	}
	return t.take(n), true
}

// addressLiteral consumes an address in brackets. (RFC 5321 4.1.3)
//
//	address-literal = "[" ( IPv4-address-literal / IPv6-address-literal /
//	                  General-address-literal ) "]"
//	IPv6-address-literal    = "IPv6:" IPv6-addr
//	General-address-literal = Standardized-tag ":" 1*dcontent
func (t *Text) addressLiteral() ([]byte, bool) {
	rest := *t
	if !rest.Byte('[') {
		return nil, false
	}
	inside := rest.run(dcontent)
	if !rest.Byte(']') || !validLiteral(inside) {
		return nil, false
	}
	return t.take(len(*t) - len(rest)), true
}

// validLiteral reports whether the inside of an address literal is one. No
// tag but IPv6 has ever been standardized, so a general literal names
// nothing; it is well formed all the same.
func validLiteral(inside []byte) bool {
	rest := Text(inside)
	if rest.Literal("IPv6:") {
		a, err := netip.ParseAddr(string(rest))
		return err == nil && a.Is6() && a.Zone() == ""
	}
	if tag := rest.run(ldh); len(tag) > 0 && tag[len(tag)-1] != '-' && rest.Byte(':') {
		return len(rest) > 0
	}
	a, err := netip.ParseAddr(string(inside))
	return err == nil && a.Is4()
}

// AppendMailbox appends the mailbox of the path in the form with the least
// quoting, because all quoted forms of a local part mean the same mailbox
// (RFC 5321 4.1.2). The null reverse-path appends nothing, <Postmaster> only
// its local part.
func (p Path) AppendMailbox(dst []byte) []byte {
	if len(p.Local) > 0 && p.Local[0] == '"' {
		dst = appendRequoted(dst, p.Local[1:len(p.Local)-1])
	} else {
		dst = append(dst, p.Local...)
	}
	if len(p.Domain) == 0 {
		return dst
	}
	dst = append(dst, '@')
	return append(dst, p.Domain...)
}

// appendRequoted appends the inside of a quoted string, quoted only where
// that is needed.
func appendRequoted(dst, inside []byte) []byte {
	start := len(dst)
	dst = append(dst, '"')
	for i := 0; i < len(inside); i++ {
		if inside[i] == '\\' {
			i++ // the grammar promises that one octet follows
		}
		if inside[i] == '"' || inside[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, inside[i])
	}
	bare := Text(dst[start+1:])
	if _, ok := bare.dotString(); ok && bare.Empty() {
		copy(dst[start:], dst[start+1:])
		return dst[:len(dst)-1]
	}
	return append(dst, '"')
}

// SplitMailbox cuts an address at the "@" before its domain. Without a
// domain everything is local part.
func SplitMailbox(address []byte) (local, domain []byte) {
	at := bytes.LastIndexByte(address, '@')
	if at < 0 || address[len(address)-1] == '"' {
		return address, nil
	}
	return address[:at], address[at+1:]
}

func isASCII(p []byte) bool {
	for _, b := range p {
		if high.has(b) {
			return false
		}
	}
	return true
}
