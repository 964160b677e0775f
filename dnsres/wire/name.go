package wire

// Name is a domain name in a message: where it begins. The zero value is not
// a name.
type Name struct {
	msg []byte
	off int
}

// pointersMax bounds the compression pointers of one name. A name has at most
// 127 labels, and a pointer that leads to a pointer serves nobody.
const pointersMax = 127

// skipName checks the name at off and returns the offset behind it.
//
//	name    = *label ( %x00 / pointer )          ; RFC 1035 3.1, 4.1.4
//	label   = %x01-3F 1*63OCTET
//	pointer = %xC0-FF OCTET                      ; 14 bits: an offset in the message
func skipName(msg []byte, off int) (int, error) {
	end, length, pointers := 0, 0, 0
	for start := off; ; {
		if off >= len(msg) {
			return 0, ErrShort
		}
		c := int(msg[off])
		switch c & 0xc0 {
		case 0x00:
			off += 1 + c
			length += 1 + c
			if off > len(msg) {
				return 0, ErrShort
			}
			if length > NameMax {
				return 0, ErrLength
			}
			if c == 0 {
				if end == 0 { // no pointer: the name ends where its labels do
					end = off
				}
				return end, nil
			}
		case 0xc0:
			if off+1 >= len(msg) {
				return 0, ErrShort
			}
			if end == 0 {
				end = off + 2
			}
			target := c&0x3f<<8 | int(msg[off+1])
			if pointers++; target >= start || target < HeaderSize || pointers > pointersMax {
				return 0, ErrPointer
			}
			off, start = target, target
		default:
			return 0, ErrLabel
		}
	}
}

// label gives the label at off, and the offset behind it; an empty one is the
// root. The name was checked by skipName.
func label(msg []byte, off int) (content []byte, next int) {
	for msg[off] >= 0xc0 {
		off = int(msg[off]&0x3f)<<8 | int(msg[off+1])
	}
	next = off + 1 + int(msg[off])
	return msg[off+1 : next], next
}

// AppendTo appends the canonical text of the name.
func (n Name) AppendTo(dst []byte) []byte {
	content, next := label(n.msg, n.off)
	if len(content) == 0 {
		return append(dst, '.')
	}
	for {
		dst = appendLabelText(dst, content)
		if content, next = label(n.msg, next); len(content) == 0 {
			return dst
		}
		dst = append(dst, '.')
	}
}

func appendLabelText(dst, content []byte) []byte {
	for _, c := range content {
		switch {
		case c == '.' || c == '\\':
			dst = append(dst, '\\', c)
		case c <= ' ' || c >= 0x7f:
			dst = append(dst, '\\', '0'+c/100, '0'+c/10%10, '0'+c%10)
		default:
			dst = append(dst, lower(c))
		}
	}
	return dst
}

// String is the canonical text, for messages to people.
func (n Name) String() string { return string(n.AppendTo(nil)) }

// AppendWire appends the canonical octets of the name: at most NameMax.
func (n Name) AppendWire(dst []byte) []byte {
	for off := n.off; ; {
		content, next := label(n.msg, off)
		dst = append(dst, byte(len(content)))
		for _, c := range content {
			dst = append(dst, lower(c))
		}
		if len(content) == 0 {
			return dst
		}
		off = next
	}
}

// Is reports whether the name is the one whose canonical octets are given.
func (n Name) Is(canonical []byte) bool {
	for off := n.off; ; {
		content, next := label(n.msg, off)
		if len(canonical) < 1+len(content) || int(canonical[0]) != len(content) {
			return false
		}
		for i, c := range content {
			if lower(c) != canonical[1+i] {
				return false
			}
		}
		if canonical = canonical[1+len(content):]; len(content) == 0 {
			return len(canonical) == 0
		}
		off = next
	}
}

// IsRoot reports whether the name is the root, as the exchange of a null MX
// is (RFC 7505 3).
func (n Name) IsRoot() bool {
	content, _ := label(n.msg, n.off)
	return len(content) == 0
}

// NameAt makes a Name of canonical octets, such as AppendName gives, so that
// its text can be had. An error is one of Parse's.
func NameAt(octets []byte) (Name, error) {
	end, err := skipName(octets, 0)
	if err == nil && end != len(octets) {
		err = ErrTrailing
	}
	return Name{msg: octets}, err
}

// lower is the case folding of the DNS: ASCII letters and nothing else
// (RFC 4343 3).
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// AppendName appends the canonical octets of a name written as text, with or
// without the final dot; escapes are understood. Any octet may stand in a
// label, as RFC 2181 11 has it: whether a name is a host's is not asked here.
// On an error it returns dst as it was.
//
//	name  = "." / label *("." label) ["."]
//	label = 1*( char / "\" 3DIGIT / "\" non-digit )   ; RFC 1035 5.1
func AppendName(dst []byte, text string) ([]byte, error) {
	if text == "." {
		return append(dst, 0), nil
	}
	out := append(dst, 0)
	mark := len(dst) // of the length octet of the label at hand
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch c {
		case '.':
			if err := closeLabel(out, mark); err != nil {
				return dst, err
			}
			mark = len(out)
			out = append(out, 0)
			continue
		case '\\':
			var size int
			if c, size = unescape(text[i:]); size == 0 {
				return dst, ErrName
			}
			i += size - 1
		}
		if out = append(out, lower(c)); len(out)-len(dst) > NameMax {
			return dst, ErrLength
		}
	}
	if mark+1 < len(out) {
		if err := closeLabel(out, mark); err != nil {
			return dst, err
		}
		out = append(out, 0)
	} else if mark == len(dst) {
		return dst, ErrName // nothing at all
	}
	if len(out)-len(dst) > NameMax {
		return dst, ErrLength
	}
	return out, nil
}

// closeLabel writes the length of the label that began at mark.
func closeLabel(out []byte, mark int) error {
	n := len(out) - mark - 1
	switch {
	case n == 0:
		return ErrName
	case n > LabelMax:
		return ErrLength
	}
	out[mark] = byte(n)
	return nil
}

// unescape reads an escape and says how long it is; 0 is not an escape.
func unescape(text string) (c byte, size int) {
	if len(text) < 2 {
		return 0, 0
	}
	if !isDigit(text[1]) {
		return text[1], 2
	}
	if len(text) < 4 || !isDigit(text[2]) || !isDigit(text[3]) {
		return 0, 0
	}
	n := int(text[1]-'0')*100 + int(text[2]-'0')*10 + int(text[3]-'0')
	if n > 255 {
		return 0, 0
	}
	return byte(n), 4
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
