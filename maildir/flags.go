package maildir

import (
	"bytes"
	"math/bits"
	"slices"
)

// Flags are the flags of a message: keywords in the bits 0 to 25, which stand
// in file names as "a" to "z" and mean what Folder.Keywords says, and the
// system flags above them.
type Flags uint32

// The system flags, in the order of their letters D F P R S T.
const (
	Draft Flags = 1 << (KeywordsMax + iota)
	Flagged
	Passed // forwarded or bounced; IMAP knows no such flag
	Answered
	Seen
	Deleted
)

// KeywordsMax is the number of keywords that a folder can have.
const KeywordsMax = 26

// KeywordBits are all keywords, SystemFlags all others.
const (
	KeywordBits Flags = 1<<KeywordsMax - 1
	SystemFlags       = ^KeywordBits
)

// letters are those of the bits 0 to 31.
const letters = "abcdefghijklmnopqrstuvwxyzDFPRST"

// infoMark begins the part of a name that has flags.
var infoMark = []byte(":2,")

// appendInfo appends the part of a name behind the base. other are letters
// that mean nothing to us and whatever follows the flags, as splitInfo
// returned them.
func appendInfo(dst []byte, f Flags, other string) []byte {
	dst = append(dst, infoMark...)
	start := len(dst)
	for rest := uint32(f &^ KeywordBits); rest != 0; rest &= rest - 1 {
		dst = append(dst, letters[bits.TrailingZeros32(rest)])
	}
	n := 0
	for n < len(other) && isLetter(other[n]) {
		n++
	}
	dst = append(dst, other[:n]...)
	if n > 0 {
		slices.Sort(dst[start:])
	}
	for rest := uint32(f & KeywordBits); rest != 0; rest &= rest - 1 {
		dst = append(dst, letters[bits.TrailingZeros32(rest)])
	}
	return append(dst, other[n:]...)
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// splitInfo reads the part of a name behind the base: flags, and in other
// what has to be kept though it means nothing to us. Anything but ":2," holds
// no flags.
func splitInfo(info []byte) (f Flags, other string) {
	text, ok := bytes.CutPrefix(info, infoMark)
	if !ok {
		return 0, ""
	}
	var unknown []byte
	for i, c := range text {
		bit := bytes.IndexByte([]byte(letters), c)
		switch {
		case bit >= 0:
			f |= 1 << bit
		case isLetter(c):
			unknown = append(unknown, c)
		default:
			return f, string(append(unknown, text[i:]...))
		}
	}
	return f, string(unknown)
}

// usualInfo reports whether info is just what appendInfo makes of its flags,
// or in new/ nothing.
func usualInfo(info []byte, f Flags, inCur bool) bool {
	if !inCur {
		return len(info) == 0
	}
	var room [64]byte
	return bytes.Equal(info, appendInfo(room[:0], f, ""))
}
