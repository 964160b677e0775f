package mime

import (
	"strconv"

	"barid/internal/imap"
	"barid/internal/message"
)

// AppendBodyStructure appends the structure of a message: of BODY, or with
// extension data of BODYSTRUCTURE.
func (e *Encoder) AppendBodyStructure(out []byte, s *message.Structure, extended bool) []byte {
	w := structureWriter{Encoder: e, s: s, extended: extended}
	return w.body(out, 0)
}

type structureWriter struct {
	*Encoder
	s        *message.Structure
	extended bool
}

// body appends a part. It calls itself at most as deep as parts nest, which
// Structure limits.
//
//	body = "(" (body-type-1part / body-type-mpart) ")"   ; RFC 9051 section 9
func (w *structureWriter) body(out []byte, part int) []byte {
	out = append(out, '(')
	if w.s.Parts()[part].Kind == message.Multipart {
		out = w.multipart(out, part)
	} else {
		out = w.single(out, part)
	}
	return append(out, ')')
}

// emptyPart stands for the parts of a multipart that has none, which the
// grammar does not foresee.
const emptyPart = `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0`

// multipart appends the parts of a multipart.
//
//	body-type-mpart = 1*body SP media-subtype [SP body-ext-mpart]
//	body-ext-mpart  = body-fld-param [SP body-fld-dsp [SP body-fld-lang
//	                  [SP body-fld-loc *(SP body-extension)]]]
func (w *structureWriter) multipart(out []byte, part int) []byte {
	parts := w.s.Parts()
	end := parts[part].Next
	for i := int32(part) + 1; i < end; i = parts[i].Next {
		out = w.body(out, int(i))
	}
	if int(end) == part+1 {
		out = append(out, emptyPart...)
		if w.extended {
			out = append(out, " NIL NIL NIL NIL"...)
		}
		out = append(out, ')')
	}
	media, _ := w.s.Media(part)
	out = imap.AppendString(append(out, ' '), media.Subtype, w.UTF8)
	if !w.extended {
		return out
	}
	out = w.parameters(append(out, ' '), media.Parameters(), false)
	return w.extension(out, part)
}

// single appends a part that is no multipart.
//
//	body-type-1part = (body-type-basic / body-type-msg / body-type-text)
//	                  [SP body-ext-1part]
//	body-type-basic = media-basic SP body-fields
//	body-type-msg   = media-message SP body-fields SP envelope SP body SP body-fld-lines
//	body-type-text  = media-text SP body-fields SP body-fld-lines
//	body-fields     = body-fld-param SP body-fld-id SP body-fld-desc SP
//	                  body-fld-enc SP body-fld-octets
func (w *structureWriter) single(out []byte, part int) []byte {
	media, _ := w.s.Media(part)
	p := &w.s.Parts()[part]
	text := media.Is("text", "*")
	out = imap.AppendString(out, media.Type, w.UTF8)
	out = imap.AppendString(append(out, ' '), media.Subtype, w.UTF8)
	out = w.parameters(append(out, ' '), media.Parameters(), text)
	out = w.nstring(append(out, ' '), w.s.Field(part, message.ContentID))
	out = w.nstring(append(out, ' '), w.s.Field(part, message.ContentDescription))
	out = w.encoding(append(out, ' '), part)
	out = strconv.AppendInt(append(out, ' '), p.BodyOctets, 10)
	if p.Kind == message.Nested {
		out = w.AppendEnvelope(append(out, ' '), w.s.Header(part+1))
		out = w.body(append(out, ' '), part+1)
	}
	if p.Kind == message.Nested || text {
		out = strconv.AppendInt(append(out, ' '), p.Lines, 10)
	}
	if !w.extended {
		return out
	}
	out = w.nstring(append(out, ' '), w.s.Field(part, message.ContentMD5))
	return w.extension(out, part)
}

// encoding appends the name of an encoding.
//
//	body-fld-enc = (DQUOTE ("7BIT" / "8BIT" / "BINARY" / "BASE64"/
//	               "QUOTED-PRINTABLE") DQUOTE) / string
func (w *structureWriter) encoding(out []byte, part int) []byte {
	token, _ := message.NextToken(w.s.Field(part, message.ContentTransferEncoding))
	if token == nil {
		token = []byte("7bit")
	}
	return imap.AppendString(out, token, w.UTF8)
}

// parameters appends parameters. A text without a charset has that of RFC 2045
// section 5.2.
//
//	body-fld-param = "(" string SP string *(SP string SP string) ")" / nil
func (w *structureWriter) parameters(out []byte, p message.Parameters, text bool) []byte {
	start := len(out)
	add := func(name, value []byte) {
		c := byte(' ')
		if len(out) == start {
			c = '('
		}
		out = imap.AppendString(append(out, c), name, w.UTF8)
		out = imap.AppendString(append(out, ' '), value, w.UTF8)
	}
	for {
		name, value := p.Next(w.text[:0])
		if w.text = value; name == nil {
			break
		}
		text = text && !equalFold(name, "charset")
		add(name, value)
	}
	if text {
		add([]byte("charset"), []byte("us-ascii"))
	}
	if len(out) == start {
		return append(out, "NIL"...)
	}
	return append(out, ')')
}

// extension appends what multiparts and others have in common.
//
//	body-fld-dsp  = "(" string SP body-fld-param ")" / nil
//	body-fld-lang = nstring / "(" string *(SP string) ")"
//	body-fld-loc  = nstring
func (w *structureWriter) extension(out []byte, part int) []byte {
	disposition, parameters := message.ParseDisposition(w.s.Field(part, message.ContentDisposition))
	if len(disposition) == 0 {
		out = append(out, " NIL"...)
	} else {
		out = imap.AppendString(append(out, " ("...), disposition, w.UTF8)
		out = w.parameters(append(out, ' '), parameters, false)
		out = append(out, ')')
	}
	out = w.languages(append(out, ' '), w.s.Field(part, message.ContentLanguage))
	return w.nstring(append(out, ' '), w.s.Field(part, message.ContentLocation))
}

func (w *structureWriter) languages(out, value []byte) []byte {
	token, rest := message.NextToken(value)
	if token == nil {
		return append(out, "NIL"...)
	}
	for c := byte('('); token != nil; token, rest = message.NextToken(rest) {
		out = imap.AppendString(append(out, c), token, w.UTF8)
		c = ' '
	}
	return append(out, ')')
}
