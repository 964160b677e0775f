package addr

import "unicode/utf8"

// Parameters of RFC 3492 5.
const (
	base        = 36
	tMin        = 1
	tMax        = 26
	skew        = 38
	damp        = 700
	initialBias = 72
	initialN    = 128
)

// appendPunycode appends the RFC 3492 form of a label, without the prefix. It
// fails for a label so odd that its numbers overflow, which none of 63
// characters does.
//
// The basic characters come first, then a number for each of the others: how
// many steps the decoder has to take from where it stands to the place and
// value of the next one (RFC 3492 6.3).
func appendPunycode(dst []byte, label []rune) ([]byte, bool) {
	start := len(dst)
	for _, r := range label {
		if r < initialN {
			dst = append(dst, byte(r))
		}
	}
	basic := len(dst) - start
	if basic > 0 {
		dst = append(dst, '-')
	}
	n, delta, bias, done := rune(initialN), int64(0), int64(initialBias), basic
	for done < len(label) {
		next := nextRune(label, n)
		delta += int64(next-n) * int64(done+1)
		n = next
		for _, r := range label {
			if r < n {
				delta++
			}
			if r != n {
				continue
			}
			if delta > maxDelta {
				return dst, false
			}
			dst = appendNumber(dst, delta, bias)
			bias = adapt(delta, int64(done+1), done == basic)
			delta = 0
			done++
		}
		delta++
		n++
	}
	return dst, true
}

// maxDelta bounds the numbers as RFC 3492 6.4 asks: 2^31-1 is far more than
// 63 characters of 21 bits need.
const maxDelta = 1<<31 - 1

// nextRune is the smallest character of label that is at least n.
func nextRune(label []rune, n rune) rune {
	next := rune(utf8.MaxRune)
	for _, r := range label {
		if r >= n && r < next {
			next = r
		}
	}
	return next
}

// appendNumber writes a variable-length integer (RFC 3492 3.3).
func appendNumber(dst []byte, number, bias int64) []byte {
	for k := int64(base); ; k += base {
		t := threshold(k, bias)
		if number < t {
			return append(dst, digit(number))
		}
		dst = append(dst, digit(t+(number-t)%(base-t)))
		number = (number - t) / (base - t)
	}
}

func threshold(k, bias int64) int64 { return min(max(k-bias, tMin), tMax) }

func digit(d int64) byte {
	if d < 26 {
		return byte('a' + d)
	}
	return byte('0' + d - 26)
}

// adapt is RFC 3492 6.1.
func adapt(delta, points int64, first bool) int64 {
	if first {
		delta /= damp
	} else {
		delta /= 2
	}
	delta += delta / points
	k := int64(0)
	for delta > (base-tMin)*tMax/2 {
		delta /= base - tMin
		k += base
	}
	return k + (base-tMin+1)*delta/(delta+skew)
}

// appendPunycodeDecoded appends the characters of a label in RFC 3492 form, without
// its prefix (RFC 3492 6.2).
func appendPunycodeDecoded(dst []rune, encoded []byte) ([]rune, bool) {
	label := dst[len(dst):]
	for i := len(encoded) - 1; i >= 0; i-- {
		if encoded[i] == '-' {
			for _, c := range encoded[:i] {
				label = append(label, rune(c))
			}
			encoded = encoded[i+1:]
			break
		}
	}
	n, i, bias := int64(initialN), int64(0), int64(initialBias)
	for first := true; len(encoded) > 0; first = false {
		delta, rest, ok := number(encoded, bias)
		if !ok {
			return dst, false
		}
		encoded = rest
		points := int64(len(label) + 1)
		i += delta
		n += i / points
		i %= points
		bias = adapt(delta, points, first)
		if n > utf8.MaxRune || !utf8.ValidRune(rune(n)) {
			return dst, false
		}
		label = append(label, 0)
		copy(label[i+1:], label[i:])
		label[i] = rune(n)
		i++
	}
	return append(dst, label...), true
}

// number reads a variable-length integer.
func number(s []byte, bias int64) (value int64, rest []byte, ok bool) {
	weight := int64(1)
	for k := int64(base); len(s) > 0; k += base {
		d := digitValue(s[0])
		s = s[1:]
		if d < 0 {
			return 0, nil, false
		}
		value += d * weight
		t := threshold(k, bias)
		if value > maxDelta {
			return 0, nil, false
		}
		if d < t {
			return value, s, true
		}
		if weight *= base - t; weight > maxDelta {
			return 0, nil, false
		}
	}
	return 0, nil, false
}

func digitValue(c byte) int64 {
	switch {
	case 'a' <= c && c <= 'z':
		return int64(c - 'a')
	case '0' <= c && c <= '9':
		return int64(c-'0') + 26
	}
	return -1
}
