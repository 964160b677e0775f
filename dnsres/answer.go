package dnsres

import (
	"net/netip"
	"time"
)

// Answer is what the DNS says to a question. Its slices are shared with other
// askers and must not be changed.
type Answer[T any] struct {
	// Records in the order of the server, but for MX and SRV, which are
	// sorted. Never empty without an error.
	Records []T
	// Canonical is the name that the records belong to, after aliases.
	Canonical string
	// Expires is when the answer should be asked for again; zero for one that
	// did not come from the DNS. It has passed when the answer is Stale.
	Expires time.Time
	// Server is who answered; the zero value for what was known here.
	Server netip.AddrPort
	// Authenticated tells that a trusted server has verified the whole answer
	// with DNSSEC, aliases included. It also holds for ErrNotFound and
	// ErrNoData: that there is nothing has been verified then.
	Authenticated bool
	// Stale tells that all servers failed and this is an answer whose time has
	// passed (RFC 8767).
	Stale bool
}

// MX is a mail exchanger (RFC 1035 3.3.9).
type MX struct {
	Preference uint16 // the lowest is tried first
	Host       string // "." is none: see NullMX
}

// NullMX reports whether a domain says that it takes no mail (RFC 7505): its
// one MX leads to the root.
func NullMX(records []MX) bool { return len(records) == 1 && records[0].Host == "." }

// SRV is a server for a service (RFC 2782).
type SRV struct {
	Priority uint16 // the lowest is tried first
	Weight   uint16 // share among those of the same priority
	Port     uint16
	Host     string // "." is: this service is not available here
}

// TLSA is a certificate association (RFC 6698 2.1). Data is shared.
type TLSA struct {
	Usage, Selector, Matching uint8
	Data                      []byte
}

// Family says which addresses are wanted.
type Family uint8

const (
	// Both asks for IPv6 and IPv4 addresses, and lists them in that order.
	Both Family = iota
	// V4 asks for A records.
	V4
	// V6 asks for AAAA records.
	V6
)
