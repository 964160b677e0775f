package sasl

import (
	"sort"
	"unicode/utf8"
)

// SASLprep (RFC 4013) makes one sequence of octets of the many ways to type
// the same name or password: a stringprep profile (RFC 3454) over Unicode
// 3.2. PRECIS (RFC 8265) is its successor, but SCRAM is defined with
// SASLprep, and clients have it.

// Prepare applies SASLprep to s as a "stored string": false when s is not
// UTF-8, is empty afterwards, or holds what RFC 4013 prohibits, code points
// that Unicode 3.2 does not know among it. ASCII text without controls is
// returned as it is, without allocation.
func Prepare(s string) (string, bool) {
	if plainASCII(s) {
		return s, s != ""
	}
	if !utf8.ValidString(s) {
		return "", false
	}
	out := normalize(mapped(s))
	for _, r := range out {
		if prohibited.contain(r) || unassigned.contain(r) {
			return "", false
		}
	}
	return string(out), len(out) > 0 && directed(out)
}

// Prepared is Prepare, or s itself where it cannot be prepared: a password
// is better taken as typed than refused.
func Prepared(s string) string {
	if p, ok := Prepare(s); ok {
		return p
	}
	return s
}

func plainASCII(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// mapped is RFC 4013 2.1: strange spaces become spaces, and what is commonly
// mapped to nothing goes.
func mapped(s string) []rune {
	out := make([]rune, 0, len(s))
	for _, r := range s {
		switch {
		case mappedToNothing.contain(r): // U+200B is in both tables
		case otherSpaces.contain(r):
			out = append(out, ' ')
		default:
			out = append(out, r)
		}
	}
	return out
}

// directed is RFC 3454 6: a text with right-to-left letters has no
// left-to-right ones and begins and ends with a right-to-left one.
func directed(s []rune) bool {
	right, left := false, false
	for _, r := range s {
		right = right || rightToLeft.contain(r)
		left = left || leftToRight.contain(r)
	}
	if !right {
		return true
	}
	return !left && rightToLeft.contain(s[0]) && rightToLeft.contain(s[len(s)-1])
}

// runeRanges are ranges of code points, ascending and apart.
type runeRanges [][2]rune

func (t runeRanges) contain(r rune) bool {
	i := sort.Search(len(t), func(i int) bool { return t[i][1] >= r })
	return i < len(t) && t[i][0] <= r
}
