package wire

import "encoding/binary"

// EDNS is what the OPT record of a message says (RFC 6891 6.1).
type EDNS struct {
	// HasEDNS tells that there is an OPT record.
	HasEDNS bool
	// UDPSize is the largest message that the sender takes over UDP.
	UDPSize uint16
	// Version of EDNS; only 0 exists.
	Version uint8
	options []byte
}

// parseOPT reads the OPT record: one at most, in the additional section, with
// the root for its name. Its fixed fields mean other things than in other
// records.
//
//	class  the sender's UDP payload size
//	TTL    +0 upper 8 bits of the response code, +1 version, +2 DO and zeros
//	data   *( code 2, length 2, octets )
func (m *Message) parseOPT(r Record, section int) error {
	if section != additional || m.HasEDNS || !r.Name.IsRoot() {
		return ErrOPT
	}
	m.EDNS = EDNS{HasEDNS: true, UDPSize: uint16(r.Class), Version: uint8(r.TTL >> 16), options: r.Data()}
	m.RCode |= RCode(r.TTL >> 24 << 4)
	return nil
}

// optionsFit checks the options of an OPT record.
func optionsFit(d []byte) bool {
	for len(d) >= 4 {
		n := 4 + int(binary.BigEndian.Uint16(d[2:]))
		if n > len(d) {
			return false
		}
		d = d[n:]
	}
	return len(d) == 0
}

// optionEDE is the code of Extended DNS Errors (RFC 8914 2).
const optionEDE = 15

// Extended gives the first extended error of the message (RFC 8914): why the
// server could not answer, or what is doubtful about the answer. The text is
// for people, may be empty, and may hold anything.
func (e *EDNS) Extended() (code ExtendedError, text []byte, ok bool) {
	for d := e.options; len(d) >= 4; {
		end := 4 + int(binary.BigEndian.Uint16(d[2:]))
		if binary.BigEndian.Uint16(d) == optionEDE && end >= 6 {
			return ExtendedError(binary.BigEndian.Uint16(d[4:])), d[6:end], true
		}
		d = d[end:]
	}
	return 0, nil, false
}

// ExtendedError is an INFO-CODE of RFC 8914 4.
type ExtendedError uint16

// String gives the meaning of those codes that a resolver sends.
func (e ExtendedError) String() string {
	names := [...]string{
		"other error", "unsupported DNSKEY algorithm", "unsupported DS digest type", "stale answer", "forged answer",
		"DNSSEC indeterminate", "DNSSEC bogus", "signature expired", "signature not yet valid", "DNSKEY missing", "RRSIGs missing",
		"no zone key bit set", "NSEC missing", "cached error", "not ready", "blocked", "censored", "filtered", "prohibited",
		"stale NXDOMAIN answer", "not authoritative", "not supported", "no reachable authority", "network error", "invalid data",
	}
	if int(e) < len(names) {
		return names[e]
	}
	return "unknown extended error"
}
