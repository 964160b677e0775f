package imap

import (
	"unicode/utf16"
	"unicode/utf8"
)

// The base64 of modified UTF-7 has "," for "/" and no padding (RFC 3501 5.1.3).
const base64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,"

// base64Values are the values of the digits, and 0xFF for what is none.
var base64Values = buildBase64Values()

func buildBase64Values() (t [256]byte) {
	for i := range t {
		t[i] = 0xFF
	}
	for i := range len(base64Digits) {
		t[base64Digits[i]] = byte(i)
	}
	return t
}

// AppendFromUTF7 appends a name in modified UTF-7 as UTF-8. ok is false when
// it is not what an encoder makes: a name has one spelling only, so that nobody
// gets two mailboxes that look the same. Octets above 127, which do not belong
// there, are taken as they are when they are UTF-8.
func AppendFromUTF7(out, name []byte) (o []byte, ok bool) {
	for i := 0; i < len(name); i++ {
		if name[i] != '&' {
			out = append(out, name[i])
			continue
		}
		n := 0
		for i+1+n < len(name) && name[i+1+n] != '-' {
			n++
		}
		if i+1+n == len(name) {
			return out, false
		}
		if n == 0 {
			out = append(out, '&')
		} else if out, ok = appendShifted(out, name[i+1:i+1+n]); !ok {
			return out, false
		}
		i += 1 + n
		if n > 0 && i+2 < len(name) && name[i+1] == '&' && name[i+2] != '-' {
			return out, false // two shifts where an encoder makes one
		}
	}
	return out, true
}

// appendShifted appends what stands between "&" and "-".
func appendShifted(out, digits []byte) (o []byte, ok bool) {
	var bits, high uint32
	have := 0
	for _, d := range digits {
		v := base64Values[d]
		if v == 0xFF {
			return out, false
		}
		bits, have = bits<<6|uint32(v), have+6
		if have < 16 {
			continue
		}
		have -= 16
		unit := bits >> have & 0xFFFF
		bits &= 1<<have - 1
		if out, high, ok = appendUnit(out, high, unit); !ok {
			return out, false
		}
	}
	return out, high == 0 && have < 6 && bits == 0
}

// appendUnit appends one unit of UTF-16. high is the first half of a pair that
// waits for the second.
func appendUnit(out []byte, high, unit uint32) (o []byte, next uint32, ok bool) {
	r := rune(unit)
	switch {
	case high != 0:
		if r = utf16.DecodeRune(rune(high), r); r == utf8.RuneError {
			return out, 0, false
		}
	case 0xD800 <= unit && unit < 0xDC00:
		return out, unit, true
	case 0xDC00 <= unit && unit < 0xE000, ' ' <= unit && unit < 0x7F:
		return out, 0, false
	}
	return utf8.AppendRune(out, r), 0, true
}

// AppendUTF7 appends a name in UTF-8 in modified UTF-7 (RFC 3501 5.1.3).
func AppendUTF7(out, name []byte) []byte {
	for i := 0; i < len(name); {
		switch c := name[i]; {
		case c == '&':
			out = append(out, '&', '-')
			i++
		case ' ' <= c && c < 0x7F:
			out = append(out, c)
			i++
		default:
			var n int
			out, n = appendShift(out, name[i:])
			i += n
		}
	}
	return out
}

// appendShift appends the characters at the start of name that need a shift,
// and returns how many octets they were.
func appendShift(out, name []byte) (o []byte, n int) {
	out = append(out, '&')
	var bits uint32
	have := 0
	unit := func(u uint32) {
		bits, have = bits<<16|u, have+16
		for ; have >= 6; have -= 6 {
			out = append(out, base64Digits[bits>>(have-6)&63])
		}
		bits &= 1<<have - 1
	}
	for n < len(name) && (name[n] < ' ' || name[n] >= 0x7F) {
		r, size := utf8.DecodeRune(name[n:])
		n += size
		if r < 0x10000 {
			unit(uint32(r))
			continue
		}
		high, low := utf16.EncodeRune(r)
		unit(uint32(high))
		unit(uint32(low))
	}
	if have > 0 {
		out = append(out, base64Digits[bits<<(6-have)&63])
	}
	return append(out, '-'), n
}
