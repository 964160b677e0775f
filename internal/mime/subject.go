package mime

import "bytes"

// AppendBaseSubject appends what SORT and THREAD compare of a subject, which is
// given as AppendHeader makes it: what is left without "Re:", "Fwd:", "(fwd)"
// and blobs such as "[list]" (RFC 5256 section 2.1; the numbers of its steps
// stand beside the code). reply tells whether something was cut off that says
// that the message is a reply or was forwarded (RFC 5256 section 3, the
// REFERENCES algorithm). The result is not folded.
func AppendBaseSubject(dst, subject []byte) (base []byte, reply bool) {
	start := len(dst)
	dst = appendSingleSpaced(dst, subject) // (1)
	t := subjectText(dst[start:])
	for {
		reply = t.trailers() || reply
		for t.leader(&reply) || t.blobs() { // (3), (4), (5)
		}
		if !t.forward() { // (6)
			break
		}
		reply = true
	}
	n := copy(dst[start:], t)
	return dst[:start+n], reply
}

// appendSingleSpaced appends text with one space for each run of them.
func appendSingleSpaced(dst, text []byte) []byte {
	start := len(dst)
	for _, c := range text {
		if c == '\t' || c == '\r' || c == '\n' {
			c = ' '
		}
		if c != ' ' || len(dst) == start || dst[len(dst)-1] != ' ' {
			dst = append(dst, c)
		}
	}
	return dst
}

// subjectText is what is left of a subject.
type subjectText []byte

// trailers cuts off everything at the end that says nothing (2). forwarded: it
// was more than white space.
//
//	subj-trailer = "(fwd)" / WSP                    ; RFC 5256 section 5
func (t *subjectText) trailers() (forwarded bool) {
	const trailer = "(fwd)"
	for {
		*t = bytes.TrimRight(*t, " ")
		n := len(*t) - len(trailer)
		if n < 0 || !equalFold((*t)[n:], trailer) {
			return forwarded
		}
		*t, forwarded = (*t)[:n], true
	}
}

// leader cuts off one leader.
//
//	subj-leader = (*subj-blob subj-refwd) / WSP     ; RFC 5256 section 5
//	subj-refwd  = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"
func (t *subjectText) leader(reply *bool) bool {
	if len(*t) > 0 && (*t)[0] == ' ' {
		*t = (*t)[1:]
		return true
	}
	rest := *t
	for n := rest.blobLen(); n > 0; n = rest.blobLen() {
		rest = rest[n:]
	}
	n := 0
	for _, word := range [...]string{"fwd", "fw", "re"} {
		if len(rest) >= len(word) && equalFold(rest[:len(word)], word) {
			n = len(word)
			break
		}
	}
	if n == 0 {
		return false
	}
	rest = bytes.TrimLeft(rest[n:], " ")
	if rest = rest[rest.blobLen():]; len(rest) == 0 || rest[0] != ':' {
		return false
	}
	*t, *reply = rest[1:], true
	return true
}

// blobs cuts off all blobs but one that nothing would be left of. As no leader
// follows the last of them, none could be cut off in between.
func (t *subjectText) blobs() (cut bool) {
	for {
		n := t.blobLen()
		if n == 0 || n == len(*t) {
			return cut
		}
		*t, cut = (*t)[n:], true
	}
}

// blobLen is the length of the blob that the text begins with, 0 without one.
//
//	subj-blob = "[" *BLOBCHAR "]" *WSP              ; RFC 5256 section 5
func (t subjectText) blobLen() int {
	if len(t) == 0 || t[0] != '[' {
		return 0
	}
	n := bytes.IndexAny(t[1:], "[]") + 1
	if n == 0 || t[n] == '[' {
		return 0
	}
	for n++; n < len(t) && t[n] == ' '; n++ {
	}
	return n
}

// forward takes a forwarded subject out of its brackets.
//
//	subj-fwd-hdr = "[fwd:"                          ; RFC 5256 section 5
//	subj-fwd-trl = "]"
func (t *subjectText) forward() bool {
	const head = "[fwd:"
	n := len(*t) - 1
	if n < len(head) || !equalFold((*t)[:len(head)], head) || (*t)[n] != ']' {
		return false
	}
	*t = (*t)[len(head):n]
	return true
}
