package imap

// Rights is a set of rights to a mailbox (RFC 4314 section 2.1).
type Rights uint16

// The rights.
const (
	RightLookup  Rights = 1 << iota // l: LIST shows it
	RightRead                       // r: SELECT, FETCH, SEARCH, COPY from it
	RightSeen                       // s: keep \Seen
	RightWrite                      // w: set flags other than \Seen and \Deleted
	RightInsert                     // i: APPEND, COPY into it
	RightPost                       // p: send mail to it; not used by IMAP
	RightCreate                     // k: CREATE below it
	RightRemove                     // x: DELETE and RENAME it
	RightDelete                     // t: set \Deleted
	RightExpunge                    // e: EXPUNGE
	RightAdmin                      // a: SETACL and the other commands about rights

	// AllRights are all of them.
	AllRights = 1<<11 - 1
)

// rightLetters are the letters of the rights, by their bits.
const rightLetters = "lrswipkxtea"

// The older rights that RFC 4314 section 2.1.1 has taken apart. To set one is
// to set all of its members; it is shown when one of them is set.
const (
	virtualCreate = RightCreate | RightRemove  // c
	virtualDelete = RightDelete | RightExpunge // d
)

// ParseRights reads a set of rights. ok is false when one of the letters is
// none that this server knows, which is an error (RFC 4314 3.1).
func ParseRights(text []byte) (r Rights, ok bool) {
	for _, c := range text {
		one := rightOf(c)
		if one == 0 {
			return 0, false
		}
		r |= one
	}
	return r, true
}

// rightOf returns what a letter stands for, 0 for nothing.
func rightOf(letter byte) Rights {
	switch letter {
	case 'c':
		return virtualCreate
	case 'd':
		return virtualDelete
	}
	for i := range len(rightLetters) {
		if rightLetters[i] == letter {
			return 1 << i
		}
	}
	return 0
}

// Append appends the letters of the rights, as an ACL or MYRIGHTS response
// shows them; quotes stand for none.
func (r Rights) Append(out []byte) []byte {
	if r == 0 {
		return append(out, `""`...)
	}
	for i := range len(rightLetters) {
		if r&(1<<i) != 0 {
			out = append(out, rightLetters[i])
		}
	}
	if r&virtualCreate != 0 {
		out = append(out, 'c')
	}
	if r&virtualDelete != 0 {
		out = append(out, 'd')
	}
	return out
}
