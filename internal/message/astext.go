package message

import (
	"bytes"
	"slices"
)

// AppendText appends a message that may hold any octets (RFC 3030 BINARYMIME)
// in a form that can be stored as text: LF line ends, and base64 for
//   - parts with Content-Transfer-Encoding binary, as RFC 3030 section 3 asks
//     of whoever passes such a message on to where binary cannot go;
//   - parts that claim to be text but hold NUL or a CR or LF alone, which
//     text with LF line ends could not tell from a line end.
//
// Multiparts and messages within become 8bit where they were binary. All else
// stays as it is, and what is nested deeper than 100 levels or lies behind
// 10,000 parts is taken for text. At most 2*len(msg) plus a few octets per part
// are appended.
func AppendText(dst, msg []byte) []byte {
	dst = slices.Grow(dst, len(msg)+len(msg)/2)
	w := rewriter{dst: dst, form: (*rewriter).asText}
	w.entity(msg, messageRole, 0)
	return w.dst
}

// asText is the form that AppendText writes.
func (w *rewriter) asText(e *entity) {
	composite := e.media.Is("multipart", "*") || e.media.Is("message", "*")
	switch {
	case e.encoding.encoded() || !composite && e.encoding == plainEncoding && isLines(e.body):
		w.text(e.header)
		w.text(e.body)
	case !composite:
		w.header(e, "base64")
		w.base64(e.body)
	default:
		if e.encoding == binaryEncoding {
			w.header(e, "8bit")
		} else {
			w.text(e.header)
		}
		w.compositeAsText(e)
	}
}

// compositeAsText writes the body of a multipart or of a message within a
// message.
func (w *rewriter) compositeAsText(e *entity) {
	var room [boundMax]byte
	boundary := e.boundary(room[:])
	switch {
	case e.depth >= depthMax:
		w.text(e.body)
	case e.media.Is("message", "rfc822") || e.media.Is("message", "global"):
		w.entity(e.body, messageRole, e.depth+1)
	case len(boundary) > 0:
		w.multipart(e, boundary, w.text)
	default:
		w.text(e.body)
	}
}

// isLines reports whether every line of body ends with CRLF and nothing else
// does, so that CRLF can be told as LF; the last line need not end.
func isLines(body []byte) bool {
	if bytes.IndexByte(body, 0) >= 0 {
		return false
	}
	pairs := bytes.Count(body, []byte("\r\n"))
	return pairs == bytes.Count(body, []byte{'\n'}) && pairs == bytes.Count(body, []byte{'\r'})
}
