package message

import "bytes"

// NextMessageID appends the next message identifier of a list, without angle
// brackets, quotes and white space, so that identifiers that mean the same are
// the same octets (RFC 5256 section 3). What stands between identifiers is
// passed over. found is false at the end.
//
//	msg-id     = [CFWS] "<" id-left "@" id-right ">" [CFWS]   ; RFC 5322 section 3.6.4
//	obs-id-left = local-part                                  ; section 4.5.4
func NextMessageID(dst, list []byte) (id, rest []byte, found bool) {
	start := len(dst)
	for {
		i := bytes.IndexByte(list, '<')
		if i < 0 {
			return dst, nil, false
		}
		t := text(list[i+1:])
		dst, found = t.appendMessageID(dst[:start])
		if found && len(dst) > start {
			return dst, t, true
		}
		list = t
	}
}

// appendMessageID appends an identifier up to its closing bracket. false when
// that is missing: then what was read was none.
func (t *text) appendMessageID(dst []byte) ([]byte, bool) {
	for {
		t.white()
		if len(*t) == 0 {
			return dst, false
		}
		switch c := (*t)[0]; c {
		case '>':
			*t = (*t)[1:]
			return dst, true
		case '<':
			return dst, false // the beginning of another
		case '"':
			dst = t.appendQuoted(dst)
		default:
			dst = append(dst, c)
			*t = (*t)[1:]
		}
	}
}
