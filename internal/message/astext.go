package message

import (
	"bytes"
	"encoding/base64"
	"slices"
)

// Limits on the structure that is followed; what lies beyond is taken for
// text. No honest message comes near them.
const (
	depthMax = 100
	partsMax = 10_000
	boundMax = 512 // octets of a boundary; RFC 2046 section 5.1.1 allows 70
)

// AppendText appends a message that may hold any octets (RFC 3030 BINARYMIME)
// in a form that can be stored as text: LF line ends, and base64 for
//   - parts with Content-Transfer-Encoding binary, as RFC 3030 section 3 asks
//     of whoever passes such a message on to where binary cannot go;
//   - parts that claim to be text but hold NUL or a CR or LF alone, which
//     text with LF line ends could not tell from a line end.
//
// Multiparts and messages within become 8bit where they were binary. All else
// stays as it is. At most 2*len(msg) plus a few octets per part are appended.
func AppendText(dst, msg []byte) []byte {
	dst = slices.Grow(dst, len(msg)+len(msg)/2)
	w := textWriter{dst: dst}
	w.entity(msg, 0)
	return w.dst
}

// textWriter holds the result so far.
type textWriter struct {
	dst   []byte
	parts int
}

// encoding is what a Content-Transfer-Encoding field says, as far as it
// matters here.
type encoding int

const (
	plain   encoding = iota // 7bit, 8bit, or none given
	binary                  // binary
	encoded                 // base64, quoted-printable or unknown: text as it stands
)

// entity writes a header section and its body.
func (w *textWriter) entity(src []byte, depth int) {
	n := HeaderLen(src)
	header, body := src[:n], src[n:]
	enc := transferEncoding(header)
	contentType, _ := Lookup(header, "Content-Type")
	media, _ := ParseMediaType(contentType)
	composite := media.Is("multipart", "*") || media.Is("message", "*")

	switch {
	case enc == encoded || !composite && enc == plain && isText(body):
		w.text(src)
	case !composite:
		w.header(header, "base64")
		w.base64(body)
	default:
		if enc == binary {
			w.header(header, "8bit")
		} else {
			w.text(header)
		}
		w.composite(media, body, depth+1)
	}
}

// composite writes the body of a multipart or of a message within a message.
func (w *textWriter) composite(media MediaType, body []byte, depth int) {
	var room [boundMax]byte
	boundary, ok := media.AppendParameter(room[:0], "boundary")
	switch {
	case depth > depthMax:
		w.text(body)
	case media.Is("message", "rfc822") || media.Is("message", "global"):
		w.entity(body, depth)
	case media.Is("multipart", "*") && ok && len(boundary) > 0 && len(boundary) <= boundMax:
		w.multipart(body, boundary, depth)
	default:
		w.text(body)
	}
}

// multipart writes what stands between delimiters part by part.
//
//	multipart-body = [preamble CRLF] delimiter-line *( part CRLF delimiter-line ) [epilogue]
//	delimiter-line = "--" boundary ["--"] *WSP CRLF      ; RFC 2046 section 5.1.1
func (w *textWriter) multipart(body, boundary []byte, depth int) {
	inside := false
	for w.parts++; w.parts < partsMax; w.parts++ {
		start, end, last := delimiter(body, boundary)
		if start < 0 {
			break
		}
		content := body[:start]
		if inside {
			content = trimLineEnd(content)
			w.entity(content, depth)
			w.text(body[len(content):end])
		} else {
			w.text(body[:end])
		}
		body = body[end:]
		if inside = !last; last {
			break
		}
	}
	if inside && w.parts < partsMax {
		w.entity(body, depth) // the part that has no end
		return
	}
	w.text(body)
}

// delimiter finds the next delimiter line; start is -1 when there is none.
func delimiter(body, boundary []byte) (start, end int, last bool) {
	for at := 0; ; {
		if bytes.HasPrefix(body[at:], dashes) {
			line := body[at : at+lineLen(body[at:])]
			if matches, last := isDelimiter(line, boundary); matches {
				return at, at + len(line), last
			}
		}
		next := bytes.Index(body[at:], newlineDashes)
		if next < 0 {
			return -1, -1, false
		}
		at += next + 1
	}
}

var (
	dashes        = []byte("--")
	newlineDashes = []byte("\n--")
)

func isDelimiter(line, boundary []byte) (matches, last bool) {
	rest := line[len(dashes):]
	if !bytes.HasPrefix(rest, boundary) {
		return false, false
	}
	rest = rest[len(boundary):]
	if bytes.HasPrefix(rest, dashes) {
		rest, last = rest[len(dashes):], true
	}
	return len(bytes.Trim(rest, " \t\r\n")) == 0, last
}

func trimLineEnd(content []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(content, []byte{'\n'}), []byte{'\r'})
}

// transferEncoding reads Content-Transfer-Encoding (RFC 2045 section 6.1).
func transferEncoding(header []byte) encoding {
	value, found := Lookup(header, "Content-Transfer-Encoding")
	if !found {
		return plain
	}
	t := text(value)
	t.white()
	token := t.token()
	switch {
	case equalFold(token, "binary"):
		return binary
	case equalFold(token, "7bit"), equalFold(token, "8bit"), len(token) == 0:
		return plain
	}
	return encoded
}

// isText reports whether every line of body ends with CRLF and nothing else
// does, so that CRLF can be told as LF; the last line need not end.
func isText(body []byte) bool {
	if bytes.IndexByte(body, 0) >= 0 {
		return false
	}
	pairs := bytes.Count(body, []byte("\r\n"))
	return pairs == bytes.Count(body, []byte{'\n'}) && pairs == bytes.Count(body, []byte{'\r'})
}

// text writes octets with LF for each CRLF.
func (w *textWriter) text(src []byte) {
	for len(src) > 0 {
		i := bytes.IndexByte(src, '\r')
		if i < 0 {
			break
		}
		w.dst = append(w.dst, src[:i]...)
		if i+1 == len(src) || src[i+1] != '\n' {
			w.dst = append(w.dst, '\r')
		}
		src = src[i+1:]
	}
	w.dst = append(w.dst, src...)
}

// header writes a header section with this Content-Transfer-Encoding in place
// of the one it had, or as its last field.
func (w *textWriter) header(header []byte, enc string) {
	const name = "Content-Transfer-Encoding"
	written, length := false, 0
	for f := range Fields(header) {
		length += len(f.Raw)
		if !f.Is(name) {
			w.text(f.Raw)
		} else if !written {
			w.field(name, enc)
			written = true
		}
	}
	if !written {
		w.endLine()
		w.field(name, enc)
	}
	if rest := header[length:]; len(rest) > 0 {
		w.endLine()
		w.text(rest)
	}
}

func (w *textWriter) field(name, value string) {
	w.dst = append(append(append(append(w.dst, name...), ": "...), value...), '\n')
}

// endLine makes what follows begin on a line of its own.
func (w *textWriter) endLine() {
	if n := len(w.dst); n > 0 && w.dst[n-1] != '\n' {
		w.dst = append(w.dst, '\n')
	}
}

// base64 writes a body in lines of 76 characters (RFC 2045 section 6.8).
func (w *textWriter) base64(body []byte) {
	const perLine = 57
	for len(body) > 0 {
		n := min(perLine, len(body))
		w.dst = base64.StdEncoding.AppendEncode(w.dst, body[:n])
		w.dst = append(w.dst, '\n')
		body = body[n:]
	}
}
