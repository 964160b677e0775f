// Package proxy reads the header of the PROXY protocol, versions 1 and 2: the
// line or block that a load balancer sends ahead of a connection to say where
// it really comes from.
//
// The reference is "The PROXY protocol, versions 1 & 2" of HAProxy
// (proxy-protocol.txt, 2020/03/05); section numbers refer to it.
//
// The parser is pure: bytes in, a header or an error out, any cut of the
// input gives the same result. It believes what it reads: that the sender may
// be believed is decided by whoever calls it.
package proxy

import (
	"bytes"
	"errors"
	"net/netip"
)

// SizeMax is the length of the longest header that is accepted, in octets. A
// version 1 line has at most 107 (2.1); a version 2 block may carry facts
// beside the addresses, such as a TLS certificate's name.
const SizeMax = 4096

// Header is what the proxy says about a connection.
type Header struct {
	// Source is the client's address and Dest the one it connected to.
	// IPv4-mapped IPv6 addresses are given as IPv4. Both are invalid when the
	// proxy does not know them, or speaks for itself (LOCAL, as in health
	// checks): then those of the connection itself hold.
	Source, Dest netip.AddrPort
}

// Known says whether the header has addresses.
func (h Header) Known() bool { return h.Source.IsValid() }

// Errors of Parse. The connection should be closed without a word (2.1, 2.2).
var (
	ErrMissing   = errors.New("no PROXY protocol header")
	ErrMalformed = errors.New("malformed PROXY protocol header")
	ErrTooLong   = errors.New("PROXY protocol header too long")
	ErrChecksum  = errors.New("PROXY protocol header with a wrong checksum")
)

const (
	prefix1   = "PROXY "
	signature = "\r\n\r\n\x00\r\nQUIT\n" // 2.2
)

// Parse reads the header at the start of in. n is its length; 0 without an
// error means that in is only the beginning of one.
func Parse(in []byte) (h Header, n int, err error) {
	switch {
	case begins(in, prefix1):
		return parseLine(in)
	case begins(in, signature):
		return parseBlock(in)
	}
	return Header{}, 0, ErrMissing
}

// begins says whether in starts with s, as far as in goes.
func begins(in []byte, s string) bool {
	n := min(len(in), len(s))
	return string(in[:n]) == s[:n]
}

// pair makes a Header of two addresses.
func pair(src, dst netip.Addr, srcPort, dstPort uint16) Header {
	return Header{
		Source: netip.AddrPortFrom(src.Unmap(), srcPort),
		Dest:   netip.AddrPortFrom(dst.Unmap(), dstPort),
	}
}

const lineMax = 107

// parseLine reads version 1 (2.1).
//
//	"PROXY" SP ( "TCP4" / "TCP6" ) SP source SP dest SP port SP port CRLF
//	"PROXY" SP "UNKNOWN" *( any octet but CR ) CRLF
func parseLine(in []byte) (h Header, n int, err error) {
	in = in[:min(len(in), lineMax)]
	end := bytes.Index(in, []byte("\r\n"))
	switch {
	case end >= 0:
	case len(in) == lineMax:
		return Header{}, 0, ErrTooLong
	default:
		return Header{}, 0, nil
	}
	fields := bytes.Split(in[len(prefix1):end], []byte(" "))
	family := string(fields[0])
	if family == "UNKNOWN" {
		return Header{}, end + 2, nil
	}
	if len(fields) != 5 {
		return Header{}, 0, ErrMalformed
	}
	src, ok1 := textAddr(family, fields[1])
	dst, ok2 := textAddr(family, fields[2])
	srcPort, ok3 := textPort(fields[3])
	dstPort, ok4 := textPort(fields[4])
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return Header{}, 0, ErrMalformed
	}
	return pair(src, dst, srcPort, dstPort), end + 2, nil
}

// textAddr reads an address of the family named.
func textAddr(family string, p []byte) (netip.Addr, bool) {
	a, err := netip.ParseAddr(string(p))
	ok := err == nil && a.Zone() == "" &&
		(family == "TCP4" && a.Is4() || family == "TCP6" && a.Is6())
	return a, ok
}

// textPort reads a port: 0 to 65535 without leading zeros.
func textPort(p []byte) (uint16, bool) {
	if len(p) == 0 || len(p) > 5 || p[0] == '0' && len(p) > 1 {
		return 0, false
	}
	n := 0
	for _, c := range p {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return uint16(n), n <= 65535
}
