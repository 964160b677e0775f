package spool

import (
	"errors"
	"strings"
	"time"
)

// ID names a message for as long as the spool knows it: the microsecond in
// which the message arrived, moved forward where needed so that IDs are unique
// and increasing, across restarts too. In its text form it appears in the 250
// reply, in Received, in logs and in Maildir file names.
type ID uint64

// idLength is the length of the text form: 13 digits of 5 bits.
const idLength = 13

// idDigits sort as the numbers that they stand for. The letters that are
// taken for others (i, l, o, u) are left out.
const idDigits = "0123456789abcdefghjkmnpqrstvwxyz"

var errBadID = errors.New("spool: not a queue id")

// String is the text form: 13 characters, digits and lower-case letters, which
// sort like the IDs.
func (id ID) String() string {
	var text [idLength]byte
	return string(id.Append(text[:0]))
}

// Append appends the text form to dst.
func (id ID) Append(dst []byte) []byte {
	for shift := 5 * (idLength - 1); shift >= 0; shift -= 5 {
		dst = append(dst, idDigits[id>>shift&31])
	}
	return dst
}

// ParseID reads the text form.
func ParseID(text string) (ID, error) {
	if len(text) != idLength || text[0] > 'f' { // 64 bits: the first digit has 4
		return 0, errBadID
	}
	var id ID
	for _, c := range []byte(text) {
		digit := strings.IndexByte(idDigits, c)
		if digit < 0 {
			return 0, errBadID
		}
		id = id<<5 | ID(digit)
	}
	return id, nil
}

// Time is when the message arrived, to the microsecond.
func (id ID) Time() time.Time { return time.UnixMicro(int64(id)) }
