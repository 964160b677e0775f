package auth

import (
	"fmt"
	"strconv"

	"golang.org/x/crypto/bcrypt"
)

// cryptAlphabet is the base 64 of crypt(3). (bcrypt orders it otherwise.)
const cryptAlphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// bcryptSize is $2b$NN$ with 22 characters of salt and 31 of key.
const bcryptSize = 60

// parseBcrypt reads $2b$COST$ followed by 53 characters of base 64.
func parseBcrypt(text string) (hash, error) {
	h := hash{text: text, work: work{scheme: bcryptHash}}
	if len(text) != bcryptSize || text[6] != '$' || !allCrypt(text[7:]) {
		return h, errMalformed
	}
	cost, err := strconv.ParseUint(text[4:6], 10, 8)
	if err != nil || cost < 4 || cost > 31 {
		return h, errMalformed
	}
	if cost > bcryptCostMax {
		return h, fmt.Errorf("%w: cost %d", errCostly, cost)
	}
	h.rounds = uint32(cost)
	return h, nil
}

// allCrypt reports whether s is made of crypt's 64 characters only.
func allCrypt(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c < '.' || c > 'z' || c > '9' && c < 'A' || c > 'Z' && c < 'a' {
			return false
		}
	}
	return true
}

func formatBcrypt(w work, noise []byte) string {
	return fmt.Sprintf("$2b$%02d$%s", w.rounds, cryptNoise(noise, 53))
}

// cryptNoise makes size characters of crypt's alphabet from random octets.
func cryptNoise(noise []byte, size int) string {
	out := make([]byte, size)
	for i := range out {
		out[i] = cryptAlphabet[noise[i%len(noise)]&63]
	}
	return string(out)
}

// verifyBcrypt: bcrypt sees the first 72 octets of a password only.
func verifyBcrypt(h *hash, password []byte) bool {
	return bcrypt.CompareHashAndPassword([]byte(h.text), password) == nil
}
