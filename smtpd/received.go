package smtpd

import (
	"crypto/tls"
	"net/netip"
	"strconv"
	"time"

	"barid/internal/smtp"
	"barid/spool"
)

// trace is what the Received field tells about the hop that a message took to
// reach us (RFC 5321 4.4).
type trace struct {
	helo      []byte // what the client called itself
	from      origin
	tls       tlsFacts
	hostname  string // ours
	protocol  string // the "with" keyword: RFC 3848, RFC 6531 4.3
	id        spool.ID
	recipient []byte // only when there is just one; nil otherwise
	now       time.Time
}

// origin is what we know of a client, whatever it calls itself.
type origin struct {
	addr  netip.Addr // the zero Addr on a unix socket
	name  []byte     // the host name of addr, by the word of a trusted proxy; else empty
	local bool       // a program of this host, on a unix socket
	uid   uint32     // whose program it is, when local
}

// tlsFacts is how a connection is encrypted; zero when it is not.
type tlsFacts struct{ version, suite uint16 }

func (f tlsFacts) active() bool        { return f.version != 0 }
func (f tlsFacts) versionName() string { return tls.VersionName(f.version) }
func (f tlsFacts) suiteName() string   { return tls.CipherSuiteName(f.suite) }

// receivedMax is room for the longest usual Received field: names and an
// address of the length that the engine allows, and constants.
const receivedMax = 1536

// append appends the field, with LF line ends. The clause "for" is there only
// when there is no other recipient: a list of them would tell each of the
// others, blind copies included (RFC 5321 4.4, 7.2).
//
//	Time-stamp-line = "Received:" FWS Stamp <CRLF>
//	Stamp           = From-domain By-domain Opt-info [CFWS] ";" FWS date-time
//	Opt-info        = [Via] [With] [ID] [For] [Additional-Registered-Clauses]
func (t *trace) append(b []byte) []byte {
	b = append(b, "Received: from "...)
	b = appendHelo(b, t.helo)
	b = t.from.append(b)
	if t.tls.active() {
		b = append(b, "\n\t(using "...)
		b = append(b, t.tls.versionName()...)
		b = append(b, " with cipher "...)
		b = append(b, t.tls.suiteName()...)
		b = append(b, ')')
	}
	b = append(b, "\n\tby "...)
	b = append(b, t.hostname...)
	b = append(b, " (barid) with "...)
	b = append(b, t.protocol...)
	b = append(b, " id "...)
	b = t.id.Append(b)
	b = appendFor(b, t.recipient)
	b = append(b, ";\n\t"...)
	b = t.now.AppendFormat(b, "Mon, 2 Jan 2006 15:04:05 -0700")
	return append(b, '\n')
}

// append appends what we know, as a comment.
//
//	TCP-info = address-literal / ( Domain FWS address-literal )
func (o *origin) append(b []byte) []byte {
	switch {
	case o.local:
		b = append(b, " (uid "...)
		b = strconv.AppendUint(b, uint64(o.uid), 10)
		return append(b, ')')
	case !o.addr.IsValid():
		return b
	}
	b = append(b, " ("...)
	if len(o.name) > 0 {
		b = append(appendName(b, o.name), ' ')
	}
	b = append(b, '[')
	if o.addr.Is6() {
		b = append(b, "IPv6:"...)
	}
	b = o.addr.AppendTo(b)
	return append(b, "])"...)
}

// appendFor appends the path of a recipient. Postmaster without a domain is
// none.
//
//	For = CFWS "FOR" FWS ( Path / Mailbox )
func appendFor(b, recipient []byte) []byte {
	if _, domain := smtp.SplitMailbox(recipient); len(domain) == 0 {
		return b
	}
	b = append(b, "\n\tfor <"...)
	b = append(b, recipient...)
	return append(b, '>')
}

// appendHelo appends what a client calls itself, which may be anything
// without white space. Nothing in it ends the field, or a comment or an
// address literal in it, or begins one.
//
//	Extended-Domain = Domain / ( Domain FWS "(" TCP-info ")" ) /
//	                  ( address-literal FWS "(" TCP-info ")" )
func appendHelo(b, helo []byte) []byte {
	n := len(helo)
	switch {
	case n == 0:
		return append(b, "unknown"...)
	case n > 2 && helo[0] == '[' && helo[n-1] == ']':
		b = append(b, '[')
		b = appendOnly(b, helo[1:n-1], isLiteralOctet)
		return append(b, ']')
	}
	return appendName(b, helo)
}

func appendName(b, name []byte) []byte { return appendOnly(b, name, isNameOctet) }

// appendOnly appends p with a "?" for each octet that may not be there.
func appendOnly(b, p []byte, may func(byte) bool) []byte {
	for _, c := range p {
		if !may(c) {
			c = '?'
		}
		b = append(b, c)
	}
	return b
}

// isNameOctet reports whether an octet may stand in a domain.
func isNameOctet(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_'
}

// isLiteralOctet reports whether an octet may stand in an address literal.
func isLiteralOctet(c byte) bool { return isNameOctet(c) || c == ':' }
