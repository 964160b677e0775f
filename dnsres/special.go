package dnsres

import (
	"bytes"
	"net/netip"

	"barid/dnsres/wire"
)

// special answers for names that no server is asked about: localhost is this
// host (RFC 6761 6.3), and what ends in invalid (RFC 6761 6.4) or onion
// (RFC 7686 2) does not exist.
func special(q question) *entry {
	switch {
	case under(q.name, "\x09localhost\x00"):
		e := &entry{canonical: q.text()}
		switch q.Type {
		case wire.A:
			e.records = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
		case wire.AAAA:
			e.records = []netip.Addr{netip.IPv6Loopback()}
		default:
			e.err = &Error{Name: e.canonical, Type: q.Type, Class: ErrNoData, Detail: "it is this host"}
		}
		return e
	case under(q.name, "\x07invalid\x00"), under(q.name, "\x05onion\x00"):
		name := q.text()
		return &entry{canonical: name, err: &Error{Name: name, Type: q.Type, Class: ErrNotFound, Detail: "reserved, never in the DNS"}}
	}
	return nil
}

// under reports whether a name ends in the given labels. It does not matter
// that a longer label could hold the same octets: no host has control
// characters in its name.
func under(name []byte, labels string) bool {
	return bytes.HasSuffix(name, []byte(labels))
}

// appendReverse appends the text of the name under which the names of an
// address are.
//
//	1.2.0.192.in-addr.arpa               ; RFC 1035 3.5
//	1.0.…(32 digits)….ip6.arpa           ; RFC 3596 2.5
func appendReverse(dst []byte, addr netip.Addr) []byte {
	const hex = "0123456789abcdef"
	octets := addr.AsSlice()
	for i := len(octets) - 1; i >= 0; i-- {
		c := octets[i]
		if addr.Is6() {
			dst = append(dst, hex[c&15], '.', hex[c>>4], '.')
			continue
		}
		if c >= 100 {
			dst = append(dst, '0'+c/100)
		}
		if c >= 10 {
			dst = append(dst, '0'+c/10%10)
		}
		dst = append(dst, '0'+c%10, '.')
	}
	if addr.Is6() {
		return append(dst, "ip6.arpa"...)
	}
	return append(dst, "in-addr.arpa"...)
}
