package imap

// URL is where CATENATE takes a text from: an IMAP URL of this server (RFC
// 5092), which may leave out the mailbox when one is selected.
type URL struct {
	Mailbox       []byte // in UTF-8; nil: the selected one
	UIDValidity   uint32 // 0: none was named
	UID           uint32
	Section       []byte // a section-spec as it came; nil: the whole message
	Offset        int64
	Length        int64 // 0: to the end
	PartialOffset bool  // ;PARTIAL was named
}

// ParseURL takes a URL apart, where it stands: what is encoded in it is
// decoded there, and the slices point into it. URLs of other servers and of
// other kinds are a fault.
//
//	iabsolute-path = "/" [ icommand ]               ; RFC 5092 section 11
//	imessagepart   = enc-mailbox [uidvalidity] iuid [isection] [ipartial]
//	uidvalidity    = ";UIDVALIDITY=" nz-number
//	iuid           = "/" ";UID=" nz-number
//	isection       = "/" ";SECTION=" enc-section
//	ipartial       = "/" ";PARTIAL=" partial-range
func ParseURL(raw []byte) (u URL, fault Fault) {
	const bad = "this is not the URL of a text here"
	t := Text(raw)
	if !t.Byte('/') {
		return u, bad
	}
	if t.Peek() != ';' {
		var ok bool
		if u.Mailbox, ok = t.encoded(true); !ok || len(u.Mailbox) == 0 {
			return u, bad
		}
		if t.parameter(";UIDVALIDITY=") {
			if u.UIDValidity, fault = t.NZNumber(); fault != "" {
				return u, bad
			}
		}
		if !t.Byte('/') {
			return u, bad
		}
	}
	if !t.parameter(";UID=") {
		return u, bad
	}
	if u.UID, fault = t.NZNumber(); fault != "" {
		return u, bad
	}
	if !t.urlSection(&u) || !t.urlPartial(&u) || !t.Empty() {
		return u, bad
	}
	return u, ""
}

// parameter consumes the name of a parameter, which is in capitals, in any
// case.
func (t *Text) parameter(name string) bool {
	if len(*t) < len(name) || !EqualFold((*t)[:len(name)], name) {
		return false
	}
	t.take(len(name))
	return true
}

func (t *Text) urlSection(u *URL) (ok bool) {
	if !t.parameter("/;SECTION=") {
		return true
	}
	u.Section, ok = t.encoded(false)
	return ok
}

// urlPartial consumes a range.
//
//	partial-range = number64 ["." nz-number64]      ; RFC 9051 section 9
func (t *Text) urlPartial(u *URL) bool {
	if !t.parameter("/;PARTIAL=") {
		return true
	}
	var fault Fault
	u.PartialOffset = true
	if u.Offset, fault = t.Number64(); fault == "" && t.Byte('.') {
		u.Length, fault = t.NZNumber64()
	}
	return fault == ""
}

// encoded consumes text up to the next ";", or "/" before a ";", and decodes
// it where it stands. mailbox: slashes belong to it.
func (t *Text) encoded(mailbox bool) (decoded []byte, ok bool) {
	b := *t
	end := 0
	for end < len(b) && b[end] != ';' && (mailbox || b[end] != '/') {
		end++
	}
	if mailbox && end < len(b) && end > 0 && b[end-1] == '/' {
		end--
	}
	to := 0
	for i := 0; i < end; i++ {
		c := b[i]
		if c == '%' {
			high, low := hexValue(b, i+1, end), hexValue(b, i+2, end)
			if high < 0 || low < 0 {
				return nil, false
			}
			c = byte(high<<4 | low)
			i += 2
		}
		if c < ' ' || c == 0x7F {
			return nil, false
		}
		b[to] = c
		to++
	}
	t.take(end)
	return b[:to:to], true
}

// hexValue is the value of a hexadecimal digit, negative when there is none.
func hexValue(b []byte, i, end int) int {
	if i >= end {
		return -1
	}
	switch c := upper(b[i]); {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// AppendURLArg appends a URL as an argument of BADURL: what cannot stand in a
// response code is encoded (RFC 4469 section 5, url-resp-text).
func AppendURLArg(out, url []byte) []byte {
	const digits = "0123456789ABCDEF"
	for _, c := range url {
		if c <= ' ' || c >= 0x7F || c == ']' {
			out = append(out, '%', digits[c>>4], digits[c&15])
			continue
		}
		out = append(out, c)
	}
	return out
}
