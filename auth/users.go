package auth

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"hash/maphash"
	"strings"
)

// users is one reading of the passwd-file, never modified: its text as it
// was, and a hash table of the offsets where lines begin. A million accounts
// cost 8 MiB beside the text.
type users struct {
	text  string
	table []uint32 // offset+1 of a line, 0: free; open addressing, linear probing
	seed  maphash.Seed
	count int

	problems   []Problem
	scramReady bool     // every account that can log in has SCRAM credentials
	dummy      hash     // what unknown users are checked against
	fake       fakeSalt // what unknown users see of SCRAM
	verified   *verified
}

// newUsers has room in its table for all lines of the text.
func newUsers(text string) *users {
	size := tableSize(strings.Count(text, "\n") + 1)
	return &users{text: text, seed: maphash.MakeSeed(), table: make([]uint32, size)}
}

// tableSize is the size of a table for n lines: a power of two, at most 3/4
// full.
func tableSize(n int) int {
	size := 16
	for size*3/4 < n {
		size *= 2
	}
	return size
}

// appendFolded appends name with its domain, what follows the last '@', in
// lower case.
func appendFolded[S []byte | string](dst []byte, name S) []byte {
	at := len(dst)
	dst = append(dst, name...)
	toLower(dst[at+bytes.LastIndexByte(dst[at:], '@')+1:], bytes.LastIndexByte(dst[at:], '@') >= 0)
	return dst
}

// toLower lowers the ASCII letters of b if wanted. Domains beyond ASCII are
// compared as they are.
func toLower(b []byte, wanted bool) {
	for i, c := range b {
		if wanted && c >= 'A' && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
}

// find returns the line of a folded name. A name that runs on over a colon
// would be compared with more than a name.
func (u *users) find(folded []byte) (line string, at uint32, ok bool) {
	if bytes.IndexByte(folded, ':') >= 0 {
		return "", 0, false
	}
	for i := u.slot(folded); ; i = (i + 1) & (len(u.table) - 1) {
		if u.table[i] == 0 {
			return "", 0, false
		}
		at = u.table[i] - 1
		if nameIs(u.text[at:], folded) {
			return u.line(at), at, true
		}
	}
}

func (u *users) slot(folded []byte) int {
	return int(maphash.Bytes(u.seed, folded) & uint64(len(u.table)-1))
}

// line is the line that begins at an offset, without its end.
func (u *users) line(at uint32) string {
	line := u.text[at:]
	if i := strings.IndexByte(line, '\n'); i >= 0 {
		line = line[:i]
	}
	return strings.TrimSuffix(line, "\r")
}

// nameIs reports whether the name of the line that text begins with, folded,
// is this one. The name holds no colon, and the text has one in each line.
func nameIs(text string, folded []byte) bool {
	if len(text) <= len(folded) || text[len(folded)] != ':' {
		return false
	}
	if text[:len(folded)] == string(folded) {
		return true
	}
	var room [nameMax]byte
	return bytes.Equal(appendFolded(room[:0], text[:len(folded)]), folded)
}

// insert adds a line; false when its name is there already.
func (u *users) insert(folded []byte, at uint32) bool {
	i := u.slot(folded)
	for u.table[i] != 0 {
		if nameIs(u.text[u.table[i]-1:], folded) {
			return false
		}
		i = (i + 1) & (len(u.table) - 1)
	}
	u.table[i] = at + 1
	u.count++
	return true
}

// resolve finds the line that a client means by name: as it stands, then
// with the default domain, then both with the local part in lower case,
// because people type "Alice" and many files come from servers that fold.
func (u *users) resolve(name []byte, defaultDomain string) (line string, at uint32, ok bool) {
	if len(name) == 0 || len(name) > nameMax {
		return "", 0, false
	}
	var room [2*nameMax + 1]byte
	folded := appendFolded(room[:0], name)
	for range 2 {
		if line, at, ok = u.find(folded); ok {
			return line, at, true
		}
		if defaultDomain != "" && bytes.IndexByte(folded, '@') < 0 {
			full := appendFolded(append(folded, '@'), defaultDomain)
			if line, at, ok = u.find(full); ok {
				return line, at, true
			}
		}
		toLower(folded, true)
	}
	return "", 0, false
}

// foldedName is the name of an entry as an Account has it. It shares the
// memory of the file where folding changes nothing.
func (e *entry) foldedName() string {
	_, domain, ok := cutDomain(e.name)
	if !ok || strings.ToLower(domain) == domain {
		return e.name
	}
	return string(appendFolded(nil, e.name))
}

// fakeSalt makes SCRAM credentials for users who do not exist: always the
// same for the same name, and not to be told from real ones.
type fakeSalt struct {
	key        [sha256.Size]byte
	iterations int
	saltSize   int
}

func (f *fakeSalt) salt(name string) []byte {
	h := hmac.New(sha256.New, f.key[:])
	h.Write([]byte(name))
	salt := h.Sum(nil)
	for len(salt) < f.saltSize {
		h.Write(salt)
		salt = h.Sum(salt)
	}
	return salt[:f.saltSize]
}
