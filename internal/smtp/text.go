package smtp

// Text is what is left of a line, without its CRLF. The methods that consume
// advance only when they succeed.
type Text []byte

// Empty reports whether nothing is left.
func (t Text) Empty() bool { return len(t) == 0 }

// Spaces consumes the spaces that come next and reports whether there were
// any. Where the RFC has one SP, this server takes several.
func (t *Text) Spaces() bool {
	n := 0
	for n < len(*t) && (*t)[n] == ' ' {
		n++
	}
	*t = (*t)[n:]
	return n > 0
}

// Byte consumes the octet b.
func (t *Text) Byte(b byte) bool {
	if len(*t) == 0 || (*t)[0] != b {
		return false
	}
	*t = (*t)[1:]
	return true
}

// Literal consumes the word, in any case.
func (t *Text) Literal(word string) bool {
	if len(*t) < len(word) || !EqualFold((*t)[:len(word)], word) {
		return false
	}
	*t = (*t)[len(word):]
	return true
}

// Word consumes everything up to the next space or the end; empty when
// nothing is left.
func (t *Text) Word() []byte {
	n := 0
	for n < len(*t) && (*t)[n] != ' ' {
		n++
	}
	return t.take(n)
}

// Number consumes 1*maxDigits DIGIT. A number beyond the largest int64 comes
// back as the largest int64: it is over every limit anyway.
func (t *Text) Number(maxDigits int) (int64, bool) {
	const most = 1<<63 - 1
	n, v := 0, int64(0)
	for ; n < len(*t) && digit.has((*t)[n]); n++ {
		d := int64((*t)[n] - '0')
		if v > (most-d)/10 {
			v = most
			continue
		}
		v = v*10 + d
	}
	if n == 0 || n > maxDigits {
		return 0, false
	}
	t.take(n)
	return v, true
}

// take consumes n octets.
func (t *Text) take(n int) []byte {
	taken := (*t)[:n:n]
	*t = (*t)[n:]
	return taken
}

// run consumes the octets of the class that come next, perhaps none.
func (t *Text) run(c class) []byte {
	n := 0
	for n < len(*t) && c.has((*t)[n]) {
		n++
	}
	return t.take(n)
}
