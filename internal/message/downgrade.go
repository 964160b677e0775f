package message

import (
	"encoding/binary"
	"errors"
	"slices"
)

// Errors of AppendDowngraded: such a message goes to servers with 8BITMIME
// only, or not at all (554 5.6.3).
var (
	// ErrHeader8Bit is an octet above 127 in a header section: field values
	// have no transfer encoding.
	ErrHeader8Bit = errors.New("message: 8-bit octets in a header field")
	// ErrStructure8Bit is such an octet where an encoding is not allowed or
	// not known: in a message/partial, message/delivery-status and their
	// like, in a part with an x-encoding, deeper than 100 levels, behind
	// 10,000 parts.
	ErrStructure8Bit = errors.New("message: 8-bit octets in a part that cannot be encoded")
)

// AppendDowngraded appends a message whose lines hold any octets in a form
// for servers that take US-ASCII only (RFC 6152 section 3): a part with octets
// above 127 becomes quoted-printable, or base64 where that is shorter and the
// part is no text, with the Content-Transfer-Encoding that says so (RFC 2045
// section 6). Parts without such octets stay as they are; so does a whole
// message without any. Multiparts and messages within keep their structure, and
// are labelled 7bit. What a part says once it is decoded is the same as before,
// but for octets above 127 outside of all parts of a multipart, which readers
// pass over: they become "?".
//
// Line ends are LF; a CRLF in msg is one too. A message that came as
// BODY=BINARYMIME has to go through AppendText first.
//
// A signature over the body (DKIM, S/MIME, PGP/MIME) does not survive, which
// is why nothing is converted without need. The result of the result is the
// result. At most about 3.2*len(msg) octets are appended; on error none.
func AppendDowngraded(dst, msg []byte) ([]byte, error) {
	w := rewriter{dst: slices.Grow(dst, len(msg)+len(msg)/2), form: (*rewriter).downgraded}
	w.entity(msg, messageRole, 0)
	if w.err != nil {
		return w.dst[:len(dst)], w.err
	}
	return w.dst, nil
}

// downgraded is the form that AppendDowngraded writes.
func (w *rewriter) downgraded(e *entity) {
	switch {
	case !is7Bit(e.header):
		w.fail(ErrHeader8Bit)
	case is7Bit(e.body):
		w.text(e.header)
		w.text(e.body)
	case e.encoding == quotedEncoding:
		w.text(e.header)
		w.quoted(e.body, true)
	case e.encoding == base64Encoding:
		w.text(e.header)
		w.without8Bit(e.body)
	case e.encoding == privateEncoding:
		w.fail(ErrStructure8Bit)
	default:
		w.downgradedContent(e)
	}
}

// downgradedContent writes an entity that is not encoded and has to be, in
// itself or in its parts.
func (w *rewriter) downgradedContent(e *entity) {
	var room [boundMax]byte
	boundary := e.boundary(room[:])
	if len(boundary) > 0 {
		if at, _, _ := delimiter(e.body, boundary); at < 0 {
			boundary = nil // readers see one part, if any
		}
	}
	message := e.media.Is("message", "rfc822")
	switch {
	case (message || len(boundary) > 0) && e.depth >= depthMax:
		w.fail(ErrStructure8Bit)
	case message:
		w.label7Bit(e)
		w.entity(e.body, messageRole, e.depth+1)
	case len(boundary) > 0:
		w.label7Bit(e)
		w.multipart(e, boundary, w.ignored7Bit)
	case e.media.Is("message", "*") && !mayEncode(e.media):
		w.fail(ErrStructure8Bit)
	default:
		w.downgradedLeaf(e)
	}
}

// mayEncode reports whether a message/... type may be encoded as a whole: those
// that can hold UTF-8 in their header fields may (RFC 6532 section 3.7,
// RFC 6533 section 4.4).
func mayEncode(m MediaType) bool {
	return m.Is("message", "global") || m.Is("message", "global-headers") || m.Is("message", "global-delivery-status")
}

// downgradedLeaf writes an entity that has no parts.
func (w *rewriter) downgradedLeaf(e *entity) {
	toBase64 := !e.isLegible() && quotedLen(e.body) > len(e.body)/3*4
	enc := "quoted-printable"
	if toBase64 {
		enc = "base64"
	}
	w.header(e, enc)
	if toBase64 {
		w.base64Lines(e.body)
	} else {
		w.quoted(e.body, false)
	}
}

// label7Bit writes the header section of a multipart or message, which says
// 7bit if it said anything.
func (w *rewriter) label7Bit(e *entity) {
	if _, found := Lookup(e.header, encodingField); found {
		w.header(e, "7bit")
		return
	}
	w.text(e.header)
}

// without8Bit writes base64 without the octets that are none, which readers
// pass over (RFC 2045 section 6.8).
func (w *rewriter) without8Bit(body []byte) {
	start := len(w.dst)
	w.text(body)
	w.dst = append(w.dst[:start], slices.DeleteFunc(w.dst[start:], func(c byte) bool { return c >= 0x80 })...)
}

// ignored7Bit writes what stands before the first part of a multipart or
// behind the last one.
func (w *rewriter) ignored7Bit(src []byte) {
	if w.parts >= partsMax && !is7Bit(src) {
		w.fail(ErrStructure8Bit) // these may be parts
		return
	}
	start := len(w.dst)
	w.text(src)
	for i, c := range w.dst[start:] {
		if c >= 0x80 {
			w.dst[start+i] = '?'
		}
	}
}

func (w *rewriter) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// is7Bit reports whether no octet of text is above 127.
func is7Bit(text []byte) bool {
	const high = 0x8080808080808080
	for len(text) >= 8 {
		if binary.LittleEndian.Uint64(text)&high != 0 {
			return false
		}
		text = text[8:]
	}
	for _, c := range text {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
