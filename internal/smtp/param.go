package smtp

import "strings"

// A Param is one parameter of MAIL or RCPT. The slices point into the line.
type Param struct {
	Keyword []byte // as written; compare with EqualFold
	Value   []byte // nil when there is no "="
}

// Is reports whether the parameter has this keyword.
func (p Param) Is(keyword string) bool { return EqualFold(p.Keyword, keyword) }

// Param consumes a parameter. (RFC 5321 4.1.2, RFC 6531 3.3)
//
//	esmtp-param   = esmtp-keyword ["=" esmtp-value]
//	esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
//	esmtp-value   = 1*(%d33-60 / %d62-126)
//	esmtp-value   =/ UTF8-non-ascii
//
// A second "=" is taken as part of the value: some clients send an ORCPT
// with its "=" not encoded.
func (t *Text) Param() (Param, bool) {
	rest := *t
	keyword := rest.run(ldh)
	if len(keyword) == 0 || keyword[0] == '-' {
		return Param{}, false
	}
	p := Param{Keyword: keyword}
	if rest.Byte('=') {
		if p.Value = rest.Word(); len(p.Value) == 0 {
			return Param{}, false
		}
	} else if len(rest) > 0 && rest[0] != ' ' {
		return Param{}, false
	}
	*t = rest
	return p, true
}

// IsXtext reports whether p is well-formed xtext whose decoded form is
// printable US-ASCII, as ENVID and ORCPT have to be. (RFC 3461 4, 4.2, 4.4)
//
//	xtext   = *( xchar / hexchar )
//	hexchar = "+" followed by two upper case hexadecimal digits
func IsXtext(p []byte) bool {
	for i := 0; i < len(p); i++ {
		if xchar.has(p[i]) {
			continue
		}
		c, ok := hexchar(p[i:])
		if !ok || !graphic.has(c) && c != '\t' {
			return false
		}
		i += 2
	}
	return true
}

// hexchar decodes the three octets of a hexchar.
func hexchar(p []byte) (byte, bool) {
	if len(p) < 3 || p[0] != '+' {
		return 0, false
	}
	hi, lo := hexDigit(p[1]), hexDigit(p[2])
	return byte(hi<<4 | lo), hi >= 0 && lo >= 0
}

func hexDigit(b byte) int {
	return strings.IndexByte("0123456789ABCDEF", b)
}

// AppendXtextDecoded appends what the xtext stands for. Octets that are not
// xtext stand for themselves, because clients older than RFC 1891 send them
// so; who cares asks IsXtext first.
func AppendXtextDecoded(dst, xtext []byte) []byte {
	for i := 0; i < len(xtext); i++ {
		if c, ok := hexchar(xtext[i:]); ok {
			dst = append(dst, c)
			i += 2
			continue
		}
		dst = append(dst, xtext[i])
	}
	return dst
}

// AppendXtext appends p as xtext. (RFC 3461 4)
func AppendXtext(dst, p []byte) []byte {
	const digits = "0123456789ABCDEF"
	for _, b := range p {
		if xchar.has(b) {
			dst = append(dst, b)
		} else {
			dst = append(dst, '+', digits[b>>4], digits[b&15])
		}
	}
	return dst
}
