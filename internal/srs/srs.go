// Package srs rewrites the senders of mail that is forwarded, by the Sender
// Rewriting Scheme, and finds the senders again.
//
// A forwarder that hands on a message with its sender as it was looks like a
// forger to a host that knows which hosts may send for that domain (RFC 7208).
// So the sender becomes an address at the forwarder's own domain, with the old
// one inside, and the forwarder passes on reports that come to it:
//
//	alice@a.example, forwarded by b.example, then by c.example
//	SRS0=HHHH=TT=a.example=alice@b.example
//	SRS1=HHHH=b.example==HHHH=TT=a.example=alice@c.example
//
// HHHH is a signature, so that nobody but the forwarder makes such addresses,
// and TT the day, so that they end. The second forwarder keeps only the first
// one's address, so it never grows beyond one more host.
//
// The reference is Meng Weng Wong's "Sender Rewriting Scheme" (2003) as
// libsrs2 implements it. Signatures are those of libsrs2 and postsrsd: with the
// same secret each knows what the other has signed.
//
// The package is pure: the time comes in as a value.
package srs

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" // of libsrs2; as a MAC it is unbroken
	"encoding/base64"
	"errors"
	"time"

	"barid/internal/addr"
)

// daysMax is how many days an address is good for: longer than any host
// tries to deliver.
const daysMax = 21

// hashLength is how many characters of a signature are written; at least so many
// must be read. Four are about 20 bits, as case does not count: enough where
// every attempt to guess is a refused recipient.
const hashLength = 4

// What is wrong with an address.
var (
	ErrSyntax  = errors.New("not an address of the sender rewriting scheme")
	ErrForged  = errors.New("the signature of the rewritten sender is not ours")
	ErrExpired = errors.New("the rewritten sender has expired")
	// ErrLength: the local part would have more than the 64 octets of RFC
	// 5321 4.5.3.1.1. Hosts that hold to that would refuse the message; with
	// the sender as it was, only those do that check senders.
	ErrLength = errors.New("the rewritten sender would be too long")
)

// Scheme is a forwarder. It does not change; any number of goroutines may use
// it.
type Scheme struct {
	// Domain is the domain of the addresses that are made, in canonical form
	// (package addr).
	Domain string
	// Secrets are keys for signatures. The first one signs, all are believed.
	Secrets [][]byte
}

// Is reports whether a local part looks like one of the scheme.
//
//	SRS0 = "SRS0" sep ...        ; sep is "=", "-" or "+"
//	SRS1 = "SRS1" sep ...
func Is(local []byte) bool {
	return len(local) > 5 && bytes.EqualFold(local[:3], []byte("SRS")) && (local[3] == '0' || local[3] == '1') && isSeparator(local[4])
}

func isSeparator(c byte) bool { return c == '=' || c == '-' || c == '+' }

// Forward appends the address that takes a sender's place, and ErrLength when
// it would be too long. A sender at the scheme's own domain stays as it is.
//
//	SRS0=hash=day=domain=local
//	SRS1=hash=host=rest        ; host and rest of the first forwarder
func (s *Scheme) Forward(dst, sender []byte, now time.Time) ([]byte, error) {
	local, domain, ok := addr.Split(sender)
	content, err := addr.AppendLocal(nil, local)
	switch {
	case errors.Is(err, addr.ErrLength):
		return dst, ErrLength
	case !ok || err != nil:
		return dst, ErrSyntax
	}
	host, err := addr.AppendDomain(nil, domain)
	if err != nil {
		return dst, ErrSyntax
	}
	if string(host) == s.Domain {
		return append(dst, sender...), nil
	}
	rewritten := s.forward(content, host, now)
	if len(rewritten) > addr.LocalMax {
		return dst, ErrLength
	}
	return append(append(addr.AppendQuoted(dst, rewritten), '@'), s.Domain...), nil
}

// forward makes the content of the local part.
func (s *Scheme) forward(local, host []byte, now time.Time) []byte {
	if Is(local) && local[3] == '1' {
		if _, first, rest, ok := cutSRS1(local); ok {
			return s.srs1(first, rest)
		}
	}
	if Is(local) && local[3] == '0' {
		return s.srs1(host, local[4:])
	}
	stamp := appendDay(nil, day(now))
	return join("SRS0=", s.sign(s.Secrets[0], stamp, host, local)[:hashLength], "=", stamp, "=", host, "=", local)
}

// srs1 makes the content of an address that leads to the first forwarder. rest
// is what follows SRS0 there, with the separator.
func (s *Scheme) srs1(host, rest []byte) []byte {
	return join("SRS1=", s.sign(s.Secrets[0], host, rest)[:hashLength], "=", host, "=", rest)
}

// Reverse appends the address to which mail for a local part goes, when
// Forward made it in the last 21 days.
func (s *Scheme) Reverse(dst, local []byte, now time.Time) ([]byte, error) {
	if !Is(local) {
		return dst, ErrSyntax
	}
	if local[3] == '1' {
		hash, host, rest, ok := cutSRS1(local)
		switch {
		case !ok:
			return dst, ErrSyntax
		case !s.signed(hash, host, rest):
			return dst, ErrForged
		}
		return appendAddress(dst, join("SRS0", rest), host), nil
	}
	hash, stamp, host, user, ok := cutSRS0(local)
	switch {
	case !ok:
		return dst, ErrSyntax
	case !s.signed(hash, stamp, host, user):
		return dst, ErrForged
	}
	made, ok := parseDay(stamp)
	// A host with the same secret may be in tomorrow already.
	if age := (day(now) - made + daysCycle + 1) % daysCycle; !ok || age > daysMax+1 {
		return dst, ErrExpired
	}
	return appendAddress(dst, user, host), nil
}

func appendAddress(dst, local, domain []byte) []byte {
	return append(append(addr.AppendQuoted(dst, local), '@'), domain...)
}

// cutSRS0 divides SRS0=hash=day=domain=local.
func cutSRS0(content []byte) (hash, stamp, host, local []byte, ok bool) {
	parts := bytes.SplitN(content[5:], []byte{'='}, 4)
	if len(parts) != 4 || len(parts[1]) != 2 || len(parts[3]) == 0 {
		return nil, nil, nil, nil, false
	}
	return parts[0], parts[1], parts[2], parts[3], isHost(parts[2])
}

// cutSRS1 divides SRS1=hash=host=rest. The rest begins with the separator of
// the first forwarder.
func cutSRS1(content []byte) (hash, host, rest []byte, ok bool) {
	parts := bytes.SplitN(content[5:], []byte{'='}, 3)
	if len(parts) != 3 || len(parts[2]) < 2 || !isSeparator(parts[2][0]) {
		return nil, nil, nil, false
	}
	return parts[0], parts[1], parts[2], isHost(parts[1])
}

func isHost(name []byte) bool {
	_, err := addr.AppendDomain(nil, name)
	return err == nil
}

// sign makes a signature: the base64 form of HMAC-SHA1 over the parts in lower
// case, one after the other.
func (s *Scheme) sign(secret []byte, parts ...[]byte) string {
	h := hmac.New(sha1.New, secret)
	for _, p := range parts {
		h.Write(asciiLower(p))
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// signed reports whether a signature was made with one of the secrets. Case
// does not count, for hosts on the way may have changed it.
func (s *Scheme) signed(hash []byte, parts ...[]byte) bool {
	if len(hash) < hashLength {
		return false
	}
	good := false
	for _, secret := range s.Secrets {
		want := s.sign(secret, parts...)
		if len(hash) <= len(want) && hmac.Equal(asciiLower(hash), asciiLower([]byte(want[:len(hash)]))) {
			good = true
		}
	}
	return good
}

// asciiLower is a copy in lower case. Other characters than ASCII's stay as
// they are, for that is what libsrs2 does.
func asciiLower(p []byte) []byte {
	lower := bytes.Clone(p)
	for i, c := range lower {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c + 'a' - 'A'
		}
	}
	return lower
}

// daysCycle is after how many days stamps repeat: two digits of base 32.
const daysCycle = 1 << 10

// digits of RFC 4648 6, as a stamp has them.
const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

func day(t time.Time) int {
	const seconds = 24 * 60 * 60
	return int(t.Unix() / seconds % daysCycle)
}

func appendDay(dst []byte, day int) []byte { return append(dst, digits[day>>5&31], digits[day&31]) }

func parseDay(stamp []byte) (day int, ok bool) {
	for _, c := range bytes.ToUpper(stamp) {
		i := bytes.IndexByte([]byte(digits), c)
		if i < 0 {
			return 0, false
		}
		day = day<<5 | i
	}
	return day, true
}

// join puts texts together.
func join(parts ...any) (all []byte) {
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			all = append(all, p...)
		case []byte:
			all = append(all, p...)
		}
	}
	return all
}
