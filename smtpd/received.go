package smtpd

import (
	"crypto/tls"
	"net/netip"
	"strconv"
	"time"

	"barid/spool"
)

// trace is what the Received field tells about the hop that a message took to
// reach us (RFC 5321 4.4).
type trace struct {
	helo      []byte     // what the client called itself
	client    netip.Addr // its address; the zero Addr for a unix socket
	uid       uint32     // of the program at the other end of a unix socket
	secure    *tls.ConnectionState
	hostname  string // ours
	protocol  string // the "with" keyword: RFC 3848, RFC 6531 4.3
	id        spool.ID
	recipient []byte // only when there is just one; nil otherwise
	now       time.Time
}

// appendReceived appends the field, with LF line ends. It allocates nothing
// but the name of an unusual cipher suite.
//
//	Time-stamp-line = "Received:" FWS Stamp <CRLF>
//	Stamp           = From-domain By-domain Opt-info [CFWS] ";" FWS date-time
func appendReceived(b []byte, t *trace) []byte {
	b = append(b, "Received: from "...)
	b = appendClient(b, t)
	if t.secure != nil {
		b = append(b, "\n\t(using "...)
		b = append(b, tls.VersionName(t.secure.Version)...)
		b = append(b, " with cipher "...)
		b = append(b, tls.CipherSuiteName(t.secure.CipherSuite)...)
		b = append(b, ')')
	}
	b = append(b, "\n\tby "...)
	b = append(b, t.hostname...)
	b = append(b, " (barid) with "...)
	b = append(b, t.protocol...)
	b = append(b, " id "...)
	b = t.id.Append(b)
	if t.recipient != nil {
		b = append(b, "\n\tfor <"...)
		b = append(b, t.recipient...)
		b = append(b, '>')
	}
	b = append(b, ";\n\t"...)
	b = t.now.AppendFormat(b, "Mon, 2 Jan 2006 15:04:05 -0700")
	return append(b, '\n')
}

// appendClient writes what the client says it is and, in the comment, what
// we know it to be.
func appendClient(b []byte, t *trace) []byte {
	if len(t.helo) == 0 {
		b = append(b, "unknown"...)
	}
	for _, c := range t.helo {
		if !isNameOctet(c) {
			c = '?' // nothing that a client says may end the field or a comment in it
		}
		b = append(b, c)
	}
	if !t.client.IsValid() {
		b = append(b, " (uid "...)
		b = strconv.AppendUint(b, uint64(t.uid), 10)
		return append(b, ')')
	}
	b = append(b, " (["...)
	if t.client.Is6() && !t.client.Is4In6() {
		b = append(b, "IPv6:"...)
	}
	b = t.client.Unmap().AppendTo(b)
	return append(b, "])"...)
}

// isNameOctet reports whether an octet may stand in a domain or an address
// literal, UTF-8 included.
func isNameOctet(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c >= 0x80:
		return true
	}
	return c == '.' || c == '-' || c == '_' || c == ':' || c == '[' || c == ']'
}
