package auth

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"

	"barid/auth/sasl"
)

// scramField is the extra field that holds SCRAM credentials beside a hash
// of another scheme. Dovecot ignores it.
const scramField = "scram_sha_256"

// parseScram reads what follows {SCRAM-SHA-256}.
func parseScram(text string) (hash, error) {
	h := hash{text: text, work: work{scheme: scramSHA256}}
	c, err := sasl.ParseCredentials(text)
	if err != nil {
		return h, fmt.Errorf("%w: %w", errMalformed, err)
	}
	if c.Iterations > scramRoundsMax {
		return h, fmt.Errorf("%w: %d iterations", errCostly, c.Iterations)
	}
	h.rounds, h.saltSize, h.keySize = uint32(c.Iterations), uint8(len(c.Salt)), sasl.KeySize
	return h, nil
}

func formatScram(w work, salt, noise []byte) string {
	key := base64.StdEncoding.EncodeToString(noise[:sasl.KeySize])
	return fmt.Sprintf("%d,%s,%s,%s", w.rounds, base64.StdEncoding.EncodeToString(salt), key, key)
}

// verifyScram checks a password that came in the clear.
func verifyScram(h *hash, password []byte) bool {
	want, err := sasl.ParseCredentials(h.text)
	if err != nil {
		return false
	}
	got, err := sasl.Derive(password, want.Salt, want.Iterations)
	return err == nil && subtle.ConstantTimeCompare(got.StoredKey[:], want.StoredKey[:]) == 1
}

// scramText returns an entry's SCRAM credentials as text, from either place;
// "" when it has none that can be used.
func (e *entry) scramText() string {
	if text, ok := e.find(scramField); ok {
		if _, err := parseScram(text); err == nil {
			return text
		}
		return ""
	}
	if h, err := parseHash(e.password); err == nil && h.scheme == scramSHA256 {
		return h.text
	}
	return ""
}
