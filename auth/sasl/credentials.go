package sasl

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// KeySize is the size of SCRAM-SHA-256's keys in octets.
const KeySize = sha256.Size

// IterationsMin is the least number of iterations that RFC 7677 4 allows.
const IterationsMin = 4096

// Credentials are what a server keeps of a password for SCRAM (RFC 5802 3):
// enough to check a proof, not enough to make one.
type Credentials struct {
	Salt       []byte
	Iterations int
	StoredKey  [KeySize]byte
	ServerKey  [KeySize]byte
}

// Derive computes the credentials of a password, in time proportional to
// iterations. The password is prepared with SASLprep; one that cannot be is
// taken as it is, as clients do.
func Derive(password, salt []byte, iterations int) (Credentials, error) {
	salted, err := pbkdf2.Key(sha256.New, Prepared(string(password)), salt, iterations, KeySize)
	if err != nil {
		return Credentials{}, err
	}
	c := Credentials{Salt: salt, Iterations: iterations}
	clientKey := mac(salted, "Client Key")
	c.StoredKey = sha256.Sum256(clientKey[:])
	c.ServerKey = mac(salted, "Server Key")
	return c, nil
}

// mac is HMAC-SHA-256.
func mac(key []byte, message string) (sum [KeySize]byte) {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	h.Sum(sum[:0])
	return sum
}

// ErrCredentials is what ParseCredentials refuses with.
var ErrCredentials = errors.New("want iterations,salt,stored key,server key")

// ParseCredentials reads "iterations,salt,storedkey,serverkey", the last
// three in base 64: the form in which Dovecot stores SCRAM-SHA-256.
func ParseCredentials(text string) (c Credentials, err error) {
	part := strings.SplitN(text, ",", 5)
	if len(part) != 4 {
		return c, ErrCredentials
	}
	iterations, err := strconv.ParseUint(part[0], 10, 31)
	if err != nil || iterations == 0 {
		return c, ErrCredentials
	}
	c.Iterations = int(iterations)
	c.Salt, err = base64.StdEncoding.DecodeString(part[1])
	if err != nil || len(c.Salt) == 0 || len(c.Salt) > 128 || !decodeKey(&c.StoredKey, part[2]) || !decodeKey(&c.ServerKey, part[3]) {
		return c, ErrCredentials
	}
	return c, nil
}

// decodeKey decodes exactly one key. The decoder wants room for the padding.
func decodeKey(key *[KeySize]byte, text string) bool {
	var into [KeySize + 4]byte
	if base64.StdEncoding.DecodedLen(len(text)) > len(into) {
		return false
	}
	n, err := base64.StdEncoding.Decode(into[:], []byte(text))
	copy(key[:], into[:])
	return err == nil && n == KeySize
}

// String is the form that ParseCredentials reads.
func (c *Credentials) String() string {
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("%d,%s,%s,%s", c.Iterations, b64(c.Salt), b64(c.StoredKey[:]), b64(c.ServerKey[:]))
}
