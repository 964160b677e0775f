package message

import "bytes"

// Limits on the structure that is followed; no honest message comes near them.
const (
	depthMax = 100
	partsMax = 10_000
	boundMax = 512 // octets of a boundary; RFC 2046 section 5.1.1 allows 70
)

// rewriter holds a message that is being written in another form, entity by
// entity: what stays the same in any form is here, what a form does is its
// method form.
type rewriter struct {
	dst   []byte
	parts int
	form  func(w *rewriter, e *entity)
	err   error // of the first entity that cannot be written so
}

// role is where an entity stands.
type role uint8

const (
	messageRole    role = iota // a message, which has a MIME-Version of its own
	partRole                   // a part of a multipart
	digestPartRole             // the same of a multipart/digest
)

// entity is a header section and its body (RFC 2045 section 2.4).
type entity struct {
	header   []byte // with the empty line
	body     []byte
	media    MediaType
	encoding Encoding
	role     role
	depth    int // 0 is the message as a whole
}

// entity writes what src holds.
func (w *rewriter) entity(src []byte, role role, depth int) {
	n := HeaderLen(src)
	e := entity{header: src[:n], body: src[n:], role: role, depth: depth}
	e.encoding = transferEncoding(e.header)
	e.media = mediaTypeOf(e.header, role)
	w.form(w, &e)
}

// mediaTypeOf is the type of an entity; the zero value is text/plain. What
// does not say its type is a message in a digest (RFC 2046 section 5.1.5).
func mediaTypeOf(header []byte, role role) MediaType {
	value, found := Lookup(header, "Content-Type")
	if !found && role == digestPartRole {
		return MediaType{Type: []byte("message"), Subtype: []byte("rfc822")}
	}
	media, _ := ParseMediaType(value)
	return media
}

// isLegible reports whether the body is for people to read, even undecoded:
// text, what says nothing that can be read, which is taken for text/plain
// (RFC 2045 section 5.2), and what holds messages.
func (e *entity) isLegible() bool {
	return len(e.media.Type) == 0 || e.media.Is("text", "*") || e.media.Is("message", "*") || e.media.Is("multipart", "*")
}

// boundary returns the boundary of a multipart, in room if it fits; nil when
// there is none that can be used.
func (e *entity) boundary(room []byte) []byte {
	if !e.media.Is("multipart", "*") {
		return nil
	}
	boundary, _ := e.media.AppendParameter(room[:0], "boundary")
	if len(boundary) > boundMax {
		return nil
	}
	return boundary
}

// partRole is what the parts of a multipart are.
func (e *entity) partRole() role {
	if e.media.Is("multipart", "digest") {
		return digestPartRole
	}
	return partRole
}

// multipart writes the body of e part by part, and with ignored what belongs
// to none.
//
//	multipart-body = [preamble CRLF] delimiter-line *( part CRLF delimiter-line ) [epilogue]
//	delimiter-line = "--" boundary ["--"] *WSP CRLF      ; RFC 2046 section 5.1.1
func (w *rewriter) multipart(e *entity, boundary []byte, ignored func(src []byte)) {
	body, role, inside := e.body, e.partRole(), false
	for w.parts++; w.parts < partsMax; w.parts++ {
		start, end, last := delimiter(body, boundary)
		if start < 0 {
			break
		}
		content := body[:start]
		if inside {
			content = trimLineEnd(content)
			w.entity(content, role, e.depth+1)
			w.text(body[len(content):end])
		} else {
			ignored(content)
			w.text(body[start:end])
		}
		body = body[end:]
		if inside = !last; last {
			break
		}
	}
	if inside && w.parts < partsMax {
		w.entity(body, role, e.depth+1) // the part that has no end
		return
	}
	ignored(body)
}

// delimiter finds the next delimiter line; start is -1 when there is none.
func delimiter(body, boundary []byte) (start, end int, last bool) {
	for at := dashLine(body, 0); at >= 0; {
		line := body[at : at+lineLen(body[at:])]
		if matches, last := isDelimiter(line, boundary); matches {
			return at, at + len(line), last
		}
		at = dashLine(body, at+len(line))
	}
	return -1, -1, false
}

// dashLine finds the first line at or behind an offset, which is the beginning
// of a line, that begins with "--"; -1 when there is none.
func dashLine(text []byte, at int) int {
	if bytes.HasPrefix(text[at:], dashes) {
		return at
	}
	if next := bytes.Index(text[at:], newlineDashes); next >= 0 {
		return at + next + 1
	}
	return -1
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

// text writes octets with LF for each CRLF.
func (w *rewriter) text(src []byte) {
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

// header writes the header section with this Content-Transfer-Encoding in
// place of the one it had, or as its last field; then a message without
// MIME-Version gets that too, because the other means nothing without it
// (RFC 2045 section 4).
func (w *rewriter) header(e *entity, enc string) {
	encoded, versioned, length := false, e.role != messageRole, 0
	for f := range Fields(e.header) {
		length += len(f.Raw)
		versioned = versioned || f.Is("MIME-Version")
		if !f.Is(encodingField) {
			w.text(f.Raw)
		} else if !encoded {
			w.field(encodingField, enc)
			encoded = true
		}
	}
	w.endLine()
	if !encoded && !versioned {
		w.field("MIME-Version", "1.0")
	}
	if !encoded {
		w.field(encodingField, enc)
	}
	w.text(e.header[length:])
}

func (w *rewriter) field(name, value string) {
	w.dst = append(append(append(append(w.dst, name...), ": "...), value...), '\n')
}

// endLine makes what follows begin on a line of its own.
func (w *rewriter) endLine() {
	if n := len(w.dst); n > 0 && w.dst[n-1] != '\n' {
		w.dst = append(w.dst, '\n')
	}
}
