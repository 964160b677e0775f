package smtp

// A class is a set of octets. An octet may be in many.
type class uint16

const (
	alpha    class             = 1 << iota // ALPHA, RFC 5234 B.1
	digit                                  // DIGIT, RFC 5234 B.1
	atext                                  // RFC 5322 3.2.3
	qtext                                  // qtextSMTP, RFC 5321 4.1.2
	graphic                                // %d32-126: what quoted-pairSMTP may quote
	dcontent                               // RFC 5321 4.1.3
	value                                  // esmtp-value, RFC 5321 4.1.2
	xchar                                  // RFC 3461 4
	hyphen                                 // "-", for Ldh-str
	low                                    // "_", see label
	control                                // %d0-31 and %d127
	high                                   // %d128-255: part of UTF8-non-ascii, RFC 6532 3.1
	letDig   = alpha | digit               // Let-dig, RFC 5321 4.1.2
	ldh      = letDig | hyphen             // the octets of Ldh-str
	label    = ldh | low                   // Ldh-str as met in practice: hosts named my_pc send mail
)

// classes says for every octet to which classes it belongs. The ranges are
// written as the RFCs write them; class_test.go counts each class.
var classes = buildClasses()

func buildClasses() (t [256]class) {
	add := func(c class, from, to byte) {
		for b := int(from); b <= int(to); b++ {
			t[b] |= c
		}
	}
	each := func(c class, set string) {
		for i := range len(set) {
			t[set[i]] |= c
		}
	}
	add(alpha|atext, 'a', 'z')
	add(alpha|atext, 'A', 'Z')
	add(digit|atext, '0', '9')
	each(atext, "!#$%&'*+-/=?^_`{|}~")
	add(qtext, 32, 33)
	add(qtext, 35, 91)
	add(qtext, 93, 126)
	add(graphic, 32, 126)
	add(dcontent, 33, 90)
	add(dcontent, 94, 126)
	add(value, 33, 60)
	add(value, 62, 126)
	add(xchar, 33, 42)
	add(xchar, 44, 60)
	add(xchar, 62, 126)
	each(hyphen, "-")
	each(low, "_")
	add(control, 0, 31)
	add(control, 127, 127)
	add(high, 128, 255)
	return t
}

func (c class) has(b byte) bool { return classes[b]&c != 0 }

// FindControl returns the index of the first control character of the line
// (%d0-31 and %d127), or -1.
func FindControl(line []byte) int {
	for i, b := range line {
		if control.has(b) {
			return i
		}
	}
	return -1
}

// IsGraphic reports whether the line consists of printable US-ASCII
// characters other than space.
func IsGraphic(line []byte) bool {
	for _, b := range line {
		if !graphic.has(b) || b == ' ' {
			return false
		}
	}
	return true
}

// upper is the octet in upper case, if it is an ASCII letter.
func upper(b byte) byte {
	if 'a' <= b && b <= 'z' {
		return b - 'a' + 'A'
	}
	return b
}

// EqualFold reports whether a and b are the same but for the case of ASCII
// letters, the only letters whose case SMTP ignores.
func EqualFold[A, B ~string | ~[]byte](a A, b B) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if upper(a[i]) != upper(b[i]) {
			return false
		}
	}
	return true
}
