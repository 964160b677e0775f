package imap

import "strconv"

// A FetchWriter appends FETCH responses, item by item (RFC 9051 7.5.2). Between
// two items, and inside one that ends in a literal, out may be sent and begun
// anew. The zero value is for a client of RFC 3501.
type FetchWriter struct {
	// UTF8 as in Enabled.UTF8.
	UTF8 bool
	// UIDOnly makes UIDFETCH of it, which names the UID instead of the message
	// number (RFC 9586 section 3.3).
	UIDOnly bool
	items   bool // some item was begun
}

// Begin begins a response about a message: its number, or its UID with
// UIDOnly.
func (w *FetchWriter) Begin(out []byte, number uint32) []byte {
	w.items = false
	out = append(out, "* "...)
	out = strconv.AppendUint(out, uint64(number), 10)
	if w.UIDOnly {
		return append(out, " UIDFETCH ("...)
	}
	return append(out, " FETCH ("...)
}

// End ends the response.
func (w *FetchWriter) End(out []byte) []byte { return append(out, ")\r\n"...) }

// Empty reports whether no item was begun since Begin.
func (w *FetchWriter) Empty() bool { return !w.items }

// item begins an item.
func (w *FetchWriter) item(out []byte, name string) []byte {
	if w.items {
		out = append(out, ' ')
	}
	w.items = true
	return append(out, name...)
}

// Flags appends FLAGS; the arguments are those of AppendFlags.
func (w *FetchWriter) Flags(out []byte, system Flag, names []string, set uint64) []byte {
	return AppendFlags(w.item(out, "FLAGS "), system, names, set)
}

// UID appends UID.
func (w *FetchWriter) UID(out []byte, uid uint32) []byte {
	return strconv.AppendUint(w.item(out, "UID "), uint64(uid), 10)
}

// ModSeq appends MODSEQ (RFC 7162 section 7).
func (w *FetchWriter) ModSeq(out []byte, modSeq uint64) []byte {
	out = strconv.AppendUint(w.item(out, "MODSEQ ("), modSeq, 10)
	return append(out, ')')
}

// Size appends RFC822.SIZE.
func (w *FetchWriter) Size(out []byte, octets int64) []byte {
	return strconv.AppendInt(w.item(out, "RFC822.SIZE "), octets, 10)
}

// InternalDate appends INTERNALDATE; the arguments are those of
// AppendDateTime.
func (w *FetchWriter) InternalDate(out []byte, unixSeconds int64, zoneMinutes int16) []byte {
	return AppendDateTime(w.item(out, "INTERNALDATE "), unixSeconds, zoneMinutes)
}

// SaveDate appends SAVEDATE, NIL when the moment is 0 (RFC 8514).
func (w *FetchWriter) SaveDate(out []byte, unixSeconds int64, zoneMinutes int16) []byte {
	out = w.item(out, "SAVEDATE ")
	if unixSeconds == 0 {
		return append(out, "NIL"...)
	}
	return AppendDateTime(out, unixSeconds, zoneMinutes)
}

// EmailID appends EMAILID (RFC 8474).
func (w *FetchWriter) EmailID(out, id []byte) []byte {
	return append(append(w.item(out, "EMAILID ("), id...), ')')
}

// ThreadID appends THREADID, NIL when id is empty (RFC 8474).
func (w *FetchWriter) ThreadID(out, id []byte) []byte {
	if len(id) == 0 {
		return w.item(out, "THREADID NIL")
	}
	return append(append(w.item(out, "THREADID ("), id...), ')')
}

// Envelope appends ENVELOPE with its value, which is encoded already.
func (w *FetchWriter) Envelope(out, encoded []byte) []byte {
	return append(w.item(out, "ENVELOPE "), encoded...)
}

// Structure appends BODYSTRUCTURE or BODY, whichever the kind says, with its
// value, which is encoded already.
func (w *FetchWriter) Structure(out []byte, kind FetchKind, encoded []byte) []byte {
	if kind == FetchBody {
		return append(w.item(out, "BODY "), encoded...)
	}
	return append(w.item(out, "BODYSTRUCTURE "), encoded...)
}

// Preview appends PREVIEW; nil is NIL: there is none yet (RFC 8970).
func (w *FetchWriter) Preview(out, text []byte) []byte {
	return AppendNString(w.item(out, "PREVIEW "), text, w.UTF8)
}

// Section appends the name of an item that sends a text, with the section and
// the offset as the response has them, and the announcement of a literal of so
// many octets, which the caller sends next. A negative number is NIL: there is
// no such part. literal8 is for BINARY alone (RFC 9051 section 9).
func (w *FetchWriter) Section(out []byte, i *FetchItem, octets int64) []byte {
	out = w.sectionName(out, i)
	switch {
	case octets < 0:
		return append(out, "NIL"...)
	case i.Kind == FetchBinary:
		return AppendLiteral8(out, octets)
	}
	return AppendLiteral(out, octets)
}

// BinarySize appends BINARY.SIZE.
func (w *FetchWriter) BinarySize(out []byte, i *FetchItem, octets int64) []byte {
	return strconv.AppendInt(w.sectionName(out, i), octets, 10)
}

// sectionName appends the name of an item with its section and offset, and a
// space.
func (w *FetchWriter) sectionName(out []byte, i *FetchItem) []byte {
	switch i.Kind {
	case FetchRFC822:
		return w.item(out, "RFC822 ")
	case FetchRFC822Header:
		return w.item(out, "RFC822.HEADER ")
	case FetchRFC822Text:
		return w.item(out, "RFC822.TEXT ")
	case FetchBinary:
		out = w.item(out, "BINARY[")
	case FetchBinarySize:
		out = w.item(out, "BINARY.SIZE[")
	default:
		out = w.item(out, "BODY[")
	}
	out = append(i.Section.Append(out, w.UTF8), ']')
	if i.Length > 0 {
		out = append(out, '<')
		out = strconv.AppendInt(out, i.Offset, 10)
		out = append(out, '>')
	}
	return append(out, ' ')
}

var sectionNames = [...]string{
	SectionHeader: "HEADER", SectionHeaderFields: "HEADER.FIELDS", SectionHeaderFieldsNot: "HEADER.FIELDS.NOT",
	SectionBody: "TEXT", SectionMIME: "MIME",
}

// Append appends a section-spec (RFC 9051 section 9).
func (s *Section) Append(out []byte, utf8 bool) []byte {
	for i, n := range s.Part {
		if i > 0 {
			out = append(out, '.')
		}
		out = strconv.AppendUint(out, uint64(n), 10)
	}
	if s.Text == SectionAll {
		return out
	}
	if len(s.Part) > 0 {
		out = append(out, '.')
	}
	out = append(out, sectionNames[s.Text]...)
	if s.Text != SectionHeaderFields && s.Text != SectionHeaderFieldsNot {
		return out
	}
	out = append(out, " ("...)
	for i, field := range s.Fields {
		if i > 0 {
			out = append(out, ' ')
		}
		out = AppendAString(out, field, utf8)
	}
	return append(out, ')')
}
