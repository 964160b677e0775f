package mime

import "barid/internal/message"

// AppendMailbox appends what SORT by CC, FROM and TO compares: the addr-mailbox
// of the first address of a field, which is the name of a group if that comes
// first (RFC 5256 section 3). Nothing is appended when there is none. The
// result is not folded.
func (t *Text) AppendMailbox(dst, value []byte) []byte {
	t.addresses.Reset(value)
	a, _ := t.addresses.Next()
	if a.Kind == message.GroupBegin {
		return append(dst, a.Name...)
	}
	return append(dst, a.Local...)
}

// AppendDisplay appends what SORT by DISPLAYFROM and DISPLAYTO compares: the
// display name of the first address of a field, decoded, or the address when it
// has no name; of a group its name (RFC 5957 section 3). The result is not
// folded.
func (t *Text) AppendDisplay(dst, value []byte) []byte {
	t.addresses.Reset(value)
	a, _ := t.addresses.Next()
	start := len(dst)
	if dst = t.AppendHeader(dst, a.Name); len(dst) > start {
		return dst
	}
	dst = append(dst, a.Local...)
	if len(a.Domain) > 0 {
		dst = append(append(dst, '@'), a.Domain...)
	}
	return dst
}
