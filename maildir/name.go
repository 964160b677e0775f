package maildir

import (
	"bytes"
	"strconv"
)

// A message's file name:
//
//	name   = base [ ":2," flags ]        ; the part after ":" only in cur/
//	base   = key *( "," field )
//	key    = seconds [ ".M" usec ... ]   ; unique, the rest is free
//	field  = "S=" octets / "W=" octets / anything else
//
// The base stays the same for as long as the message exists, but for the
// fields S and W, which some programs add later. The key is therefore what we
// know a message by.

// hostMax bounds the host's part of a name: a name has at most 255 octets,
// and flags may still have to follow.
const hostMax = 120

// appendHost appends a host name as the Maildir convention wants it, with
// "/" and ":" in octal.
func appendHost(dst []byte, host string) []byte {
	start := len(dst)
	for i := 0; i < len(host); i++ {
		switch c := host[i]; {
		case c == '/':
			dst = append(dst, `\057`...)
		case c == ':':
			dst = append(dst, `\072`...)
		case c <= ' ' || c >= 0x7f:
			dst = append(dst, '_')
		default:
			dst = append(dst, c)
		}
	}
	return dst[:min(len(dst), start+hostMax)]
}

// appendKey appends the key of a message that arrived at a time in
// microseconds since 1970. again > 0 makes a further name for a message whose
// first one is taken by a different message.
func appendKey(dst []byte, micros int64, id []byte, again int, host []byte) []byte {
	dst = strconv.AppendInt(dst, micros/1e6, 10)
	dst = append(dst, ".M"...)
	usec := micros % 1e6
	for unit := int64(1e5); unit > 0; unit /= 10 {
		dst = append(dst, byte('0'+usec/unit%10))
	}
	dst = append(append(dst, 'Q'), id...)
	if again > 0 {
		dst = strconv.AppendInt(append(dst, '_'), int64(again), 10)
	}
	return append(append(dst, '.'), host...)
}

// appendSizes appends the fields S and, when lines is not negative, W.
func appendSizes(dst []byte, size, lines int64) []byte {
	dst = strconv.AppendInt(append(dst, ",S="...), size, 10)
	if lines >= 0 {
		dst = strconv.AppendInt(append(dst, ",W="...), size+lines, 10)
	}
	return dst
}

// baseLen returns the length of a name without its flags.
func baseLen(name []byte) int {
	if i := bytes.IndexByte(name, ':'); i >= 0 {
		return i
	}
	return len(name)
}

// keyLen returns the length of the key in a base.
func keyLen(base []byte) int {
	for i := 0; i+2 < len(base); i++ {
		if base[i] == ',' && (base[i+1] == 'S' || base[i+1] == 'W') && base[i+2] == '=' {
			return i
		}
	}
	return len(base)
}

// sizeMax bounds what is believed of a size in a name.
const sizeMax = 1 << 50

// field returns the number of the field S or W of a base, -1 if there is none
// that can be believed.
func field(base []byte, letter byte) int64 {
	for rest := base; ; {
		i := bytes.IndexByte(rest, ',')
		if i < 0 {
			return -1
		}
		rest = rest[i+1:]
		if len(rest) > 2 && rest[0] == letter && rest[1] == '=' {
			n, length := number(rest[2:])
			if length == 0 || length+2 < len(rest) && rest[length+2] != ',' {
				return -1
			}
			return n
		}
	}
}

// number reads the decimal digits that text begins with; length is 0 when
// there are none or the number is above sizeMax.
func number(text []byte) (n int64, length int) {
	for length < len(text) && text[length] >= '0' && text[length] <= '9' {
		n = n*10 + int64(text[length]-'0')
		if length++; n > sizeMax {
			return 0, 0
		}
	}
	return n, length
}

// arrival returns the time of delivery that a name tells, in microseconds
// since 1970; 0 when it tells none.
func arrival(name []byte) int64 {
	seconds, length := number(name)
	if length == 0 || seconds >= 1<<40 || length < len(name) && name[length] != '.' {
		return 0
	}
	micros := seconds * 1e6
	if rest := name[min(length+1, len(name)):]; len(rest) > 1 && rest[0] == 'M' {
		if usec, digits := number(rest[1:]); digits > 0 && usec < 1e6 {
			micros += usec
		}
	}
	return micros
}

// plain reports whether a name can be one of a message: neither hidden nor
// with octets that no mail program writes into a name. (The system keeps "/"
// out of names.)
func plain(name string) bool {
	for i := 0; i < len(name); i++ {
		if name[i] < ' ' || name[i] == 0x7f {
			return false
		}
	}
	return name != "" && name[0] != '.'
}

// withSeen appends name to dst with the flag S added, as a name for cur/.
// Flags stand in the order of ASCII.
func withSeen(dst, name []byte) []byte {
	base := baseLen(name)
	flags := bytes.TrimPrefix(name[base:], []byte(":2,"))
	if len(flags) > 0 && flags[0] == ':' {
		flags = nil // not the form with flags ("1," is experimental)
	}
	dst = append(append(dst, name[:base]...), ":2,"...)
	i := 0
	for i < len(flags) && flags[i] < 'S' {
		i++
	}
	dst = append(append(dst, flags[:i]...), 'S')
	return append(dst, bytes.TrimPrefix(flags[i:], []byte("S"))...)
}

// isSeen reports whether a name in cur/ carries the flag S.
func isSeen(name []byte) bool {
	return bytes.HasPrefix(name[baseLen(name):], []byte(":2,")) && bytes.IndexByte(name[baseLen(name)+3:], 'S') >= 0
}
