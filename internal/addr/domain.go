package addr

import (
	"bytes"
	"net/netip"
	"unicode"
	"unicode/utf8"
)

// AppendDomain appends the canonical form of a domain or address literal to
// dst: lower case, U-labels turned into A-labels, no trailing dot. On an error it
// returns dst as it was.
//
//	Domain     = sub-domain *("." sub-domain)    ; RFC 5321 4.1.2
//	sub-domain = Let-dig [Ldh-str] / U-label     ; RFC 6531 3.3
//
// Of IDNA2008 (RFC 5891) it does as much as two spellings of one domain need
// and no more. A U-label is put into lower case (RFC 5895 2.1) and its
// characters must be letters, marks or numbers. Not checked: normal form C,
// the tables of permitted code points, context and bidi rules, and whether an
// A-label is well-formed. A label that fails there is not registered anywhere;
// it compares as what it is.
func AppendDomain(dst, domain []byte) ([]byte, error) {
	if len(domain) > 0 && domain[0] == '[' {
		return appendLiteral(dst, domain)
	}
	if n := len(domain); n > 1 && domain[n-1] == '.' {
		domain = domain[:n-1]
	}
	if len(domain) > 4*DomainMax {
		return dst, ErrLength
	}
	out := dst
	for rest, more := domain, true; more; {
		var label []byte
		label, rest, more = bytes.Cut(rest, []byte{'.'})
		var err error
		if out, err = appendLabel(out, label); err != nil {
			return dst, err
		}
		if more {
			out = append(out, '.')
		}
	}
	if len(out)-len(dst) > DomainMax {
		return dst, ErrLength
	}
	return out, nil
}

func appendLabel(dst, label []byte) ([]byte, error) {
	if len(label) == 0 || label[0] == '-' || label[len(label)-1] == '-' {
		return dst, ErrDomain
	}
	out := dst
	for _, c := range label {
		switch {
		case 'A' <= c && c <= 'Z':
			out = append(out, c+'a'-'A')
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-':
			out = append(out, c)
		case c >= utf8.RuneSelf:
			return appendULabel(dst, label)
		default:
			return dst, ErrDomain
		}
	}
	if len(out)-len(dst) > labelMax {
		return dst, ErrLength
	}
	return out, nil
}

// appendULabel appends the A-label of a label that is not all ASCII.
func appendULabel(dst, label []byte) ([]byte, error) {
	var buf [labelMax]rune
	runes := buf[:0]
	for len(label) > 0 {
		r, size := utf8.DecodeRune(label)
		if !isLabelRune(r) || r == utf8.RuneError {
			return dst, ErrDomain
		}
		if len(runes) == labelMax {
			return dst, ErrLength
		}
		runes = append(runes, foldRune(r))
		label = label[size:]
	}
	if isASCII(runes) { // nothing but ASCII has such a lower case, save the Kelvin sign
		for _, r := range runes {
			dst = append(dst, byte(r))
		}
		return dst, nil
	}
	out, ok := appendPunycode(append(dst, aceprefix...), runes)
	if !ok || len(out)-len(dst) > labelMax {
		return dst, ErrLength
	}
	return out, nil
}

func isASCII(runes []rune) bool {
	for _, r := range runes {
		if r >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// isLabelRune is a coarse RFC 5892 2: letters, marks, numbers, and the six
// characters that its appendix A allows in context.
func isLabelRune(r rune) bool {
	if r < utf8.RuneSelf {
		return r == '-' || '0' <= r && r <= '9' || 'a' <= r|0x20 && r|0x20 <= 'z'
	}
	switch r {
	case 0x00b7, 0x0375, 0x05f3, 0x05f4, 0x200c, 0x200d, 0x30fb:
		return true
	}
	return unicode.In(r, unicode.L, unicode.M, unicode.N)
}

// aceprefix marks an A-label (RFC 5890 2.3.2.1).
const aceprefix = "xn--"

// AppendUnicode appends a canonical domain with its A-labels turned into
// U-labels, for people to read. An A-label that is not the spelling that
// AppendDomain gives stays as it is, so the result always means the same
// domain.
func AppendUnicode(dst, domain []byte) []byte {
	for rest, more := domain, true; more; {
		var label []byte
		label, rest, more = bytes.Cut(rest, []byte{'.'})
		dst = appendReadable(dst, label)
		if more {
			dst = append(dst, '.')
		}
	}
	return dst
}

func appendReadable(dst, label []byte) []byte {
	encoded, ok := bytes.CutPrefix(label, []byte(aceprefix))
	if !ok || len(label) > labelMax {
		return append(dst, label...)
	}
	var buf [labelMax]rune
	runes, ok := appendPunycodeDecoded(buf[:0], encoded)
	if !ok {
		return append(dst, label...)
	}
	start := len(dst)
	for _, r := range runes {
		dst = utf8.AppendRune(dst, r)
	}
	var again [2 * labelMax]byte
	back, err := appendLabel(again[:0], dst[start:])
	if err != nil || !bytes.Equal(back, label) {
		dst = append(dst[:start], label...)
	}
	return dst
}

// IsLiteral reports whether a domain is an address literal.
func IsLiteral(domain []byte) bool { return len(domain) > 0 && domain[0] == '[' }

// address-literal  = "[" ( IPv4-address-literal / IPv6-address-literal /
// General-address-literal ) "]"   ; RFC 5321 4.1.3
//
// General-address-literal: no tag but IPv6 is registered, so none is known.
func appendLiteral(dst, domain []byte) ([]byte, error) {
	ip, ok := ParseLiteral(domain)
	if !ok {
		return dst, ErrDomain
	}
	dst = append(dst, '[')
	if ip.Is6() {
		dst = append(dst, "IPv6:"...)
	}
	return append(ip.AppendTo(dst), ']'), nil
}

// ParseLiteral gives the address in an IPv4 or IPv6 address literal.
func ParseLiteral(domain []byte) (netip.Addr, bool) {
	n := len(domain)
	if n < 2 || n > 64 || domain[0] != '[' || domain[n-1] != ']' {
		return netip.Addr{}, false
	}
	const tag = "IPv6:"
	text := string(domain[1 : n-1])
	v6 := len(text) > len(tag) && bytes.EqualFold(domain[1:1+len(tag)], []byte(tag))
	if v6 {
		text = text[len(tag):]
	}
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.Is6() != v6 || ip.Zone() != "" {
		return netip.Addr{}, false
	}
	return ip, true
}
