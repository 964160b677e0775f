package auth

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// defaultWork is how passwords are stored by us: ARGON2ID with the
// parameters that OWASP names for it, 19 MiB and 2 passes. They fit a small
// box; raising the memory costs an attacker most.
var defaultWork = work{scheme: argon2id, memoryKiB: 19456, rounds: 2, lanes: 1, saltSize: 16, keySize: 32}

// parseArgon2 reads the PHC string
// $argon2id$v=19$m=KIB,t=PASSES,p=LANES$salt$key (base 64 without padding).
func parseArgon2(text string) (hash, error) {
	h := hash{text: text}
	name, rest, _ := strings.Cut(text[1:], "$")
	version, rest, _ := strings.Cut(rest, "$")
	parameters, rest, _ := strings.Cut(rest, "$")
	h.salt, h.key, _ = strings.Cut(rest, "$")
	h.scheme = argon2id
	if name == "argon2i" {
		h.scheme = argon2i
	}
	m, t, p, ok := cutArgon2Parameters(parameters)
	saltSize, okSalt := rawSize(h.salt, 8, 64)
	keySize, okKey := rawSize(h.key, 16, 64)
	if !ok || !okSalt || !okKey || version != "v=19" || m < 8*p || t < 1 || p < 1 {
		return h, errMalformed
	}
	if p > argonLanesMax || m*t > argonWorkMax {
		return h, fmt.Errorf("%w: %s", errCostly, parameters)
	}
	h.memoryKiB, h.rounds, h.lanes, h.saltSize, h.keySize = uint32(m), uint32(t), uint8(p), saltSize, keySize
	return h, nil
}

// cutArgon2Parameters reads m=KIB,t=PASSES,p=LANES in this order, as every
// known writer has it. The numbers are below 2^31, so that products fit.
func cutArgon2Parameters(s string) (m, t, p uint64, ok bool) {
	ok = true
	for _, v := range []struct {
		key string
		to  *uint64
	}{{"m=", &m}, {"t=", &t}, {"p=", &p}} {
		var field string
		field, s, _ = strings.Cut(s, ",")
		digits, found := strings.CutPrefix(field, v.key)
		n, err := strconv.ParseUint(digits, 10, 31)
		*v.to = n
		ok = ok && found && err == nil
	}
	return m, t, p, ok && s == ""
}

// rawSize is the number of octets in unpadded base 64; false when it is not
// that, or not between min and max.
func rawSize(s string, minSize, maxSize int) (uint8, bool) {
	size := base64.RawStdEncoding.DecodedLen(len(s))
	if size < minSize || size > maxSize {
		return 0, false
	}
	var from [86]byte // on the stack: a file may hold a million
	var into [64]byte
	n, err := base64.RawStdEncoding.Decode(into[:], from[:copy(from[:], s)])
	return uint8(n), err == nil
}

func formatArgon2(w work, salt, key []byte) string {
	name := "argon2id"
	if w.scheme == argon2i {
		name = "argon2i"
	}
	return fmt.Sprintf("$%s$v=19$m=%d,t=%d,p=%d$%s$%s", name, w.memoryKiB, w.rounds, w.lanes,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key))
}

func argon2Key(w work, password, salt []byte) []byte {
	if w.scheme == argon2i {
		return argon2.Key(password, salt, w.rounds, w.memoryKiB, w.lanes, uint32(w.keySize))
	}
	return argon2.IDKey(password, salt, w.rounds, w.memoryKiB, w.lanes, uint32(w.keySize))
}

func verifyArgon2(h *hash, password []byte) bool {
	salt, err := base64.RawStdEncoding.DecodeString(h.salt)
	key, err2 := base64.RawStdEncoding.DecodeString(h.key)
	if err != nil || err2 != nil {
		return false
	}
	return subtle.ConstantTimeCompare(argon2Key(h.work, password, salt), key) == 1
}
