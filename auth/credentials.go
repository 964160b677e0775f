package auth

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"barid/auth/sasl"
)

// What we write: salts of 16 octets, and SCRAM with four times the
// iterations that RFC 7677 asks for at least. They are paid by the client at
// each login, so there is no room for as many as would stop an attacker who
// has stolen the file; ARGON2ID is for that.
const (
	saltSizeWritten        = 16
	scramIterationsWritten = 4 * sasl.IterationsMin
)

// HashOptions say how a password is stored.
type HashOptions struct {
	// SCRAM stores SCRAM-SHA-256 credentials beside the ARGON2ID hash.
	SCRAM bool
	// Random is where salts come from; nil: crypto/rand.Reader.
	Random io.Reader
}

// ErrPassword is wrapped by errors about passwords that cannot be stored.
var ErrPassword = errors.New("unusable password")

// secret is a password in the forms in which it is stored.
type secret struct {
	field string // {ARGON2ID}$argon2id$...
	scram string // "" when not asked for
}

// newSecret hashes a password. It is prepared with SASLprep first, as RFC
// 4616 2 and RFC 5802 2.2 want it, so that it does not matter on which
// keyboard it was typed.
func newSecret(password []byte, o HashOptions) (secret, error) {
	if o.Random == nil {
		o.Random = rand.Reader
	}
	prepared := []byte(sasl.Prepared(string(password)))
	if err := checkPassword(prepared); err != nil {
		return secret{}, err
	}
	var salt [2 * saltSizeWritten]byte
	if _, err := io.ReadFull(o.Random, salt[:]); err != nil {
		return secret{}, err
	}
	forHash, forSCRAM := salt[:saltSizeWritten], salt[saltSizeWritten:]
	s := secret{field: "{ARGON2ID}" + formatArgon2(defaultWork, forHash, argon2Key(defaultWork, prepared, forHash))}
	if o.SCRAM {
		c, err := sasl.Derive(prepared, forSCRAM, scramIterationsWritten)
		if err != nil {
			return secret{}, err
		}
		s.scram = c.String()
	}
	return s, nil
}

// checkPassword refuses what no client could send in every protocol.
func checkPassword(password []byte) error {
	switch {
	case len(password) == 0:
		return fmt.Errorf("%w: empty", ErrPassword)
	case len(password) > passwordSizeMax:
		return fmt.Errorf("%w: longer than %d bytes", ErrPassword, passwordSizeMax)
	case bytes.ContainsAny(password, "\x00\r\n"):
		return fmt.Errorf("%w: contains NUL or a line end", ErrPassword)
	}
	return nil
}
