package dnsres

import (
	"bytes"
	"net/netip"
	"strconv"

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

// appendReverse appends the canonical octets of the name under which the names
// of an address are.
//
//	1.2.0.192.in-addr.arpa               ; RFC 1035 3.5
//	1.0.…(32 digits)….ip6.arpa           ; RFC 3596 2.5
func appendReverse(dst []byte, addr netip.Addr) []byte {
	if addr.Is4() {
		octets := addr.As4()
		for i := len(octets) - 1; i >= 0; i-- {
			mark := len(dst)
			dst = strconv.AppendUint(append(dst, 0), uint64(octets[i]), 10)
			dst[mark] = byte(len(dst) - mark - 1)
		}
		return append(dst, "\x07in-addr\x04arpa\x00"...)
	}
	const hex = "0123456789abcdef"
	octets := addr.As16()
	for i := len(octets) - 1; i >= 0; i-- {
		dst = append(dst, 1, hex[octets[i]&15], 1, hex[octets[i]>>4])
	}
	return append(dst, "\x03ip6\x04arpa\x00"...)
}
