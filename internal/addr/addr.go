// Package addr knows the parts of an address and when two addresses are the
// same one.
//
// An address has many spellings: "alice"@Example.TEST. is alice@example.test,
// and münchen.example is xn--mnchen-3ya.example. The canonical form is the
// one spelling that is compared and looked up:
//
//	local part   the content: quotes and backslashes removed; quoted again, only
//	             where it must be, when an address is written
//	domain       lower case, A-labels, no trailing dot
//
// A-labels rather than U-labels, because the usual domain, which is ASCII, is
// canonical once it is in lower case, and because an A-label can be printed
// anywhere.
//
// The case of a local part is kept (RFC 5321 2.4: only the domain's owner may
// fold it); package route, which speaks for our own domains, folds it with
// AppendFolded.
//
// The package is pure: it holds no state and works on the bytes given to it.
package addr

import "errors"

// Limits of RFC 5321 4.5.3.1, in octets. AddressMax is the limit of a path
// less its angle brackets.
const (
	LocalMax   = 64
	DomainMax  = 255
	AddressMax = 254
	labelMax   = 63 // RFC 1035 2.3.4
)

// What is wrong with an address.
var (
	ErrNoDomain = errors.New("no domain after the local part")
	ErrLocal    = errors.New("malformed local part")
	ErrDomain   = errors.New("malformed domain")
	ErrLength   = errors.New("longer than RFC 5321 allows")
)

// Split divides an address at the last @ that is outside of quotes. Without
// one, everything is the local part. The parts are slices of address.
func Split(address []byte) (local, domain []byte, hasDomain bool) {
	at, quoted := -1, false
	for i := 0; i < len(address); i++ {
		switch address[i] {
		case '"':
			quoted = !quoted
		case '\\':
			if quoted {
				i++
			}
		case '@':
			if !quoted {
				at = i
			}
		}
	}
	if at < 0 {
		return address, nil, false
	}
	return address[:at], address[at+1:], true
}

// Append appends the canonical form of an address to dst. On an error it
// returns dst as it was.
//
//	Mailbox = Local-part "@" ( Domain / address-literal )   ; RFC 5321 4.1.2
func Append(dst, address []byte) ([]byte, error) {
	local, domain, ok := Split(address)
	if !ok {
		return dst, ErrNoDomain
	}
	var buf [LocalMax]byte
	content, err := AppendLocal(buf[:0], local)
	if err != nil {
		return dst, err
	}
	start := len(dst)
	out := append(AppendQuoted(dst, content), '@')
	out, err = AppendDomain(out, domain)
	if err != nil {
		return dst, err
	}
	if len(out)-start > AddressMax {
		return dst, ErrLength
	}
	return out, nil
}
