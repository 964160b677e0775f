package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"strings"
)

// scheme is a way to store a password.
type scheme uint8

const (
	noPassword  scheme = iota // the field is empty, locked ("!", "*") or in an unknown scheme
	plainText                 // {PLAIN}
	argon2id                  // $argon2id$
	argon2i                   // $argon2i$
	bcryptHash                // $2a$ $2b$ $2y$
	sha512Crypt               // $6$
	sha256Crypt               // $5$
	scramSHA256               // {SCRAM-SHA-256}
)

// String is the scheme as it stands in braces; "" for noPassword.
func (s scheme) String() string {
	return [...]string{"", "PLAIN", "ARGON2ID", "ARGON2I", "BLF-CRYPT", "SHA512-CRYPT", "SHA256-CRYPT", "SCRAM-SHA-256"}[s]
}

// work is what checking a password against a hash costs: two hashes with the
// same work take the same time. It is comparable, so that the commonest work
// of a file can be counted.
type work struct {
	scheme    scheme
	memoryKiB uint32 // ARGON2
	rounds    uint32 // ARGON2 passes, bcrypt cost, SHA-crypt rounds, SCRAM iterations
	lanes     uint8  // ARGON2
	saltSize  uint8
	keySize   uint8
}

// hash is a password field, parsed. The strings share the field's memory.
type hash struct {
	work
	text string // the field without {SCHEME}
	salt string // as the scheme encodes it
	key  string
}

var (
	errMalformed   = errors.New("malformed password hash")
	errUnsupported = errors.New("unsupported password scheme")
	errCostly      = errors.New("password hash asks for too much work")
	errLocked      = errors.New("no password")
)

// Bounds on what a hash in the file may ask of a check, each about four
// seconds of one core of a small server. The memory of ARGON2 is bounded by
// Options.HashMemoryMax as well.
const (
	argonWorkMax    = 4 << 20 // KiB times passes
	argonLanesMax   = 16
	bcryptCostMax   = 16
	shaRoundsMax    = 5_000_000
	scramRoundsMax  = 5_000_000
	passwordSizeMax = 1024 // bytes; SHA-crypt's work grows with the password
)

// parseHash reads a password field: {SCHEME}text, or text whose $id$ tells.
// errLocked, errUnsupported and errCostly leave the account without a way to
// log in; errMalformed means that the file is damaged.
func parseHash(field string) (hash, error) {
	name, text, err := cutScheme(field)
	if err != nil {
		return hash{}, err
	}
	switch name {
	case "PLAIN", "CLEARTEXT", "CLEAR":
		return parsePlain(text)
	case "SCRAM-SHA-256":
		return parseScram(text)
	case "ARGON2ID", "ARGON2I", "BCRYPT", "BLF-CRYPT", "SHA512-CRYPT", "SHA256-CRYPT", "CRYPT":
		return parseCrypt(name, text)
	}
	return hash{}, fmt.Errorf("%w {%s}", errUnsupported, name)
}

// cutScheme cuts {SCHEME} off; what has none is CRYPT, as in Dovecot.
func cutScheme(field string) (name, text string, err error) {
	if field == "" || field[0] == '!' || field[0] == '*' || field == "x" {
		return "", "", errLocked
	}
	if field[0] != '{' {
		return "CRYPT", field, nil
	}
	name, text, ok := strings.Cut(field[1:], "}")
	if !ok {
		return "", "", errMalformed
	}
	if text == "" || text[0] == '!' || text[0] == '*' {
		return "", "", errLocked
	}
	return strings.ToUpper(name), text, nil
}

// parseCrypt dispatches on the $id$ and sees that a scheme that was named is
// the one that is there.
func parseCrypt(name, text string) (h hash, err error) {
	id, _, ok := strings.Cut(strings.TrimPrefix(text, "$"), "$")
	if !ok || text[0] != '$' {
		if name == "CRYPT" {
			return h, fmt.Errorf("%w: crypt without $id$", errUnsupported)
		}
		return h, errMalformed
	}
	var want string
	switch id {
	case "argon2id":
		want = "ARGON2ID"
		h, err = parseArgon2(text)
	case "argon2i":
		want = "ARGON2I"
		h, err = parseArgon2(text)
	case "2a", "2b", "2y":
		want = "BLF-CRYPT"
		h, err = parseBcrypt(text)
	case "6":
		want = "SHA512-CRYPT"
		h, err = parseSHACrypt(text)
	case "5":
		want = "SHA256-CRYPT"
		h, err = parseSHACrypt(text)
	default:
		return h, fmt.Errorf("%w $%s$", errUnsupported, id)
	}
	if name != "CRYPT" && name != want && (name != "BCRYPT" || want != "BLF-CRYPT") {
		return h, fmt.Errorf("%w: {%s} with $%s$", errMalformed, name, id)
	}
	return h, err
}

func parsePlain(text string) (hash, error) {
	return hash{work: work{scheme: plainText}, text: text}, nil
}

// memoryBytes is what verify allocates for as long as it runs.
func (h *hash) memoryBytes() int64 { return int64(h.memoryKiB) << 10 }

// verify reports whether this is the password, in time that does not depend
// on where they differ.
func (h *hash) verify(password []byte) bool {
	switch h.scheme {
	case plainText:
		// Digests are compared so that the length does not show either.
		want, got := sha256.Sum256([]byte(h.text)), sha256.Sum256(password)
		return subtle.ConstantTimeCompare(want[:], got[:]) == 1
	case argon2id, argon2i:
		return verifyArgon2(h, password)
	case bcryptHash:
		return verifyBcrypt(h, password)
	case sha512Crypt, sha256Crypt:
		return verifySHACrypt(h, password)
	case scramSHA256:
		return verifyScram(h, password)
	}
	return false
}

// dummyHash makes a hash that costs the same work to check and that no
// password fits. What checks against it protects is that an unknown user
// looks like a known one.
func dummyHash(w work, random io.Reader) (hash, error) {
	noise := make([]byte, int(w.saltSize)+int(w.keySize)+32)
	if _, err := io.ReadFull(random, noise); err != nil {
		return hash{}, err
	}
	salt, key := noise[:w.saltSize], noise[w.saltSize:][:w.keySize]
	switch w.scheme {
	case argon2id, argon2i:
		return parseArgon2(formatArgon2(w, salt, key))
	case bcryptHash:
		return parseBcrypt(formatBcrypt(w, noise))
	case sha512Crypt, sha256Crypt:
		return parseSHACrypt(formatSHACrypt(w, salt, noise))
	case scramSHA256:
		return parseScram(formatScram(w, salt, noise))
	}
	return hash{work: work{scheme: plainText}, text: string(noise)}, nil
}
