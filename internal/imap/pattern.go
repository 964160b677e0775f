package imap

// MatchPattern reports whether a mailbox name fits a pattern of LIST, in which
// "*" stands for anything and "%" for anything without a separator (RFC 9051
// 6.3.9). The time is at most the product of both lengths, whatever the
// pattern: it follows all ways of matching at once instead of trying them one
// after the other. No pattern of more than PatternMax octets fits.
func MatchPattern(pattern, name []byte, separator byte) bool {
	if len(pattern) > PatternMax {
		return false
	}
	// at[i]: the name so far fits pattern[:i].
	var at [PatternMax + 1]bool
	at[0] = true
	last := spread(&at, pattern, 0)
	for _, c := range name {
		if last < 0 {
			return false
		}
		last = advance(&at, pattern, c, c == separator, last)
	}
	return last == len(pattern)
}

// PatternMax is how many octets a pattern of LIST may have.
const PatternMax = 1024

// spread adds the places that are reached without an octet of the name, from a
// place on: a wildcard may stand for nothing. It returns the last place.
func spread(at *[PatternMax + 1]bool, pattern []byte, from int) (last int) {
	last = from
	for last < len(pattern) && (pattern[last] == '*' || pattern[last] == '%') {
		last++
		at[last] = true
	}
	return last
}

// advance takes one octet of the name. It goes from the last place to the
// first, so that the new places can be written where the old ones stand, and
// returns the last of the new ones, -1 when there is none.
func advance(at *[PatternMax + 1]bool, pattern []byte, c byte, separator bool, last int) int {
	reached := -1
	for i := last; i >= 0; i-- {
		if !at[i] {
			continue
		}
		at[i] = false
		if i == len(pattern) {
			continue
		}
		switch p := pattern[i]; {
		case p == '*', p == '%' && !separator:
			at[i] = true
			reached = max(reached, spread(at, pattern, i))
		case p == c:
			at[i+1] = true
			reached = max(reached, spread(at, pattern, i+1))
		}
	}
	return reached
}
