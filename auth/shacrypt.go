package auth

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"fmt"
	stdhash "hash"
	"strconv"
	"strings"
)

// SHA-crypt as Ulrich Drepper specified it in "Unix crypt using SHA-256 and
// SHA-512" (2007): $5$ and $6$, perhaps rounds=N$, a salt of at most 16
// characters, $, the digest in crypt's base 64. The numbers of the steps in
// the comments are those of the specification.

const (
	shaRoundsDefault = 5000
	shaRoundsMin     = 1000
	shaSaltMax       = 16
)

// parseSHACrypt reads $5$ or $6$.
func parseSHACrypt(text string) (hash, error) {
	h := hash{text: text, work: work{scheme: sha512Crypt, rounds: shaRoundsDefault, keySize: 86}}
	if text[1] == '5' {
		h.scheme, h.keySize = sha256Crypt, 43
	}
	rest := text[3:]
	if tail, ok := strings.CutPrefix(rest, "rounds="); ok {
		digits, tail, _ := strings.Cut(tail, "$")
		n, err := strconv.ParseUint(digits, 10, 32)
		if err != nil {
			return h, errMalformed
		}
		if n > shaRoundsMax {
			return h, fmt.Errorf("%w: rounds=%d", errCostly, n)
		}
		h.rounds, rest = uint32(max(n, shaRoundsMin)), tail
	}
	var ok bool
	h.salt, h.key, ok = strings.Cut(rest, "$")
	h.salt = h.salt[:min(len(h.salt), shaSaltMax)]
	h.saltSize = uint8(len(h.salt))
	if !ok || len(h.key) != int(h.keySize) || !allCrypt(h.key) {
		return h, errMalformed
	}
	return h, nil
}

func formatSHACrypt(w work, salt, noise []byte) string {
	id := "$6$"
	if w.scheme == sha256Crypt {
		id = "$5$"
	}
	if w.rounds != shaRoundsDefault {
		id = fmt.Sprintf("%srounds=%d$", id, w.rounds)
	}
	return id + cryptNoise(salt, int(w.saltSize)) + "$" + cryptNoise(noise, int(w.keySize))
}

func verifySHACrypt(h *hash, password []byte) bool {
	got := shaCrypt(h.scheme, password, []byte(h.salt), int(h.rounds))
	return subtle.ConstantTimeCompare(got, []byte(h.key)) == 1
}

// shaCrypt computes the digest, encoded.
func shaCrypt(s scheme, password, salt []byte, rounds int) []byte {
	h := sha512.New()
	if s == sha256Crypt {
		h = sha256.New()
	}
	a := shaCryptStart(h, password, salt)
	// Steps 13 to 16: a sequence P as long as the password.
	h.Reset()
	for range password {
		h.Write(password)
	}
	p := repeatTo(h.Sum(nil), len(password))
	// Steps 17 to 20: a sequence S as long as the salt.
	h.Reset()
	for range 16 + int(a[0]) {
		h.Write(salt)
	}
	c := shaCryptRounds(h, a, p, repeatTo(h.Sum(nil), len(salt)), rounds)
	if s == sha256Crypt {
		return encodeSHA256Crypt(c)
	}
	return encodeSHA512Crypt(c)
}

// shaCryptStart is steps 1 to 12: digest A.
func shaCryptStart(h stdhash.Hash, password, salt []byte) []byte {
	h.Write(password)
	h.Write(salt)
	h.Write(password)
	b := h.Sum(nil)
	h.Reset()
	h.Write(password)
	h.Write(salt)
	h.Write(repeatTo(b, len(password)))
	for n := len(password); n > 0; n >>= 1 {
		if n&1 == 1 {
			h.Write(b)
		} else {
			h.Write(password)
		}
	}
	return h.Sum(nil)
}

// shaCryptRounds is step 21.
func shaCryptRounds(h stdhash.Hash, c, p, s []byte, rounds int) []byte {
	for i := range rounds {
		h.Reset()
		if i&1 == 1 {
			h.Write(p)
		} else {
			h.Write(c)
		}
		if i%3 != 0 {
			h.Write(s)
		}
		if i%7 != 0 {
			h.Write(p)
		}
		if i&1 == 1 {
			h.Write(c)
		} else {
			h.Write(p)
		}
		c = h.Sum(c[:0])
	}
	return c
}

// repeatTo repeats digest up to size octets.
func repeatTo(digest []byte, size int) []byte {
	out := make([]byte, 0, size+len(digest))
	for len(out) < size {
		out = append(out, digest...)
	}
	return out[:size]
}

// encodeSHA512Crypt is step 22: the octets are taken in threes from places
// that are 21 apart and move round at each step.
func encodeSHA512Crypt(c []byte) []byte {
	out := make([]byte, 0, 86)
	x, y, z := 0, 21, 42
	for range 21 {
		out = appendCrypt24(out, c[x], c[y], c[z], 4)
		x, y, z = y+1, z+1, x+1
	}
	return appendCrypt24(out, 0, 0, c[63], 2)
}

// encodeSHA256Crypt is step 22 for the shorter digest.
func encodeSHA256Crypt(c []byte) []byte {
	out := make([]byte, 0, 43)
	x, y, z := 0, 10, 20
	for range 10 {
		out = appendCrypt24(out, c[x], c[y], c[z], 4)
		x, y, z = z+1, x+1, y+1
	}
	return appendCrypt24(out, 0, c[31], c[30], 3)
}

// appendCrypt24 appends size characters for 24 bits, lowest bits first.
func appendCrypt24(out []byte, high, middle, low byte, size int) []byte {
	v := uint32(high)<<16 | uint32(middle)<<8 | uint32(low)
	for range size {
		out = append(out, cryptAlphabet[v&63])
		v >>= 6
	}
	return out
}
