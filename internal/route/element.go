package route

import (
	"bytes"
	"encoding/binary"
	"errors"
	"path/filepath"
	"strings"

	"barid/internal/addr"
)

// element is one of the things that an entry of a map leads to.
type element struct {
	kind elementKind
	// local is the content of the local part, or what follows the mark of a
	// kind that is no address. domain is canonical, empty when none is given.
	local, domain []byte
}

type elementKind byte

const (
	elementAddress elementKind = iota + 1 // local@domain, or local alone
	elementFinal                          // \local: not expanded again
	elementDomain                         // @domain: the same local part there
	elementInclude                        // :include:file
	elementCommand                        // |command
	elementFile                           // /file
)

// append encodes an element: kind, length, local, length, domain.
func (e element) append(dst []byte) []byte {
	dst = append(dst, byte(e.kind))
	dst = binary.AppendUvarint(dst, uint64(len(e.local)))
	dst = append(dst, e.local...)
	dst = binary.AppendUvarint(dst, uint64(len(e.domain)))
	return append(dst, e.domain...)
}

// nextElement decodes the first of encoded elements, of which there is one.
func nextElement(list []byte) (e element, rest []byte) {
	e.kind = elementKind(list[0])
	e.local, rest = nextPart(list[1:])
	e.domain, rest = nextPart(rest)
	return e, rest
}

// nextPart decodes a length and so many octets.
func nextPart(s []byte) (part, rest []byte) {
	n, size := binary.Uvarint(s)
	end := size + int(n)
	return s[size:end:end], s[end:]
}

// String is the element as one would write it.
func (e element) String() string {
	switch e.kind {
	case elementInclude:
		return ":include:" + string(e.local)
	case elementCommand, elementFile:
		return string(e.local)
	case elementDomain:
		return "@" + string(e.domain)
	}
	s := ""
	if e.kind == elementFinal {
		s = `\`
	}
	s += string(addr.AppendQuoted(nil, e.local))
	if len(e.domain) > 0 {
		s += "@" + string(e.domain)
	}
	return s
}

// lister parses the right-hand sides of entries.
type lister struct {
	dir     string // where relative names of include files start
	scratch []byte // what the element being parsed points into
}

// append appends what a list names, encoded.
//
//	list = *( [item] "," ) [item]   ; aliases(5)
func (l *lister) append(dst, list []byte) ([]byte, error) {
	start := len(dst)
	for len(list) > 0 {
		var item []byte
		item, list = cutList(list)
		if item = bytes.TrimSpace(item); len(item) == 0 {
			continue
		}
		e, err := l.element(item)
		if err != nil {
			return dst, &itemError{string(item), err}
		}
		dst = e.append(dst)
	}
	if len(dst) == start {
		return dst, errEmpty
	}
	return dst, nil
}

// itemError is what is wrong with one item of a list.
type itemError struct {
	item string
	err  error
}

func (e *itemError) Error() string { return e.item + ": " + e.err.Error() }
func (e *itemError) Unwrap() error { return e.err }

var (
	errEmpty   = errors.New("leads nowhere: nothing is listed")
	errSpace   = errors.New("white space within an address: put a comma between two of them")
	errComment = errors.New("a # begins a comment only at the start of a line")
	errDomain  = errors.New("an address at a domain, where only a name is possible; addresses belong in virtual.map")
)

// cutList cuts a list at the first comma outside of quotes.
func cutList(s []byte) (item, rest []byte) {
	if i := indexUnquoted(s, ","); i >= 0 {
		return s[:i], s[i+1:]
	}
	return s, nil
}

// indexUnquoted finds the first of some characters outside of quotes.
func indexUnquoted(s []byte, characters string) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '\\' && quoted:
			i++
		case !quoted && strings.IndexByte(characters, s[i]) >= 0:
			return i
		}
	}
	return -1
}

// element parses one item, into memory that the next one overwrites. Quotes
// around a command, a file or an include count for nothing, as in sendmail.
func (l *lister) element(item []byte) (element, error) {
	bare := item
	if n := len(item); n >= 2 && item[0] == '"' && item[n-1] == '"' {
		bare = item[1 : n-1]
	}
	const include = ":include:"
	switch {
	case bytes.HasPrefix(bare, []byte{'|'}):
		return element{kind: elementCommand, local: bare}, nil
	case bytes.HasPrefix(bare, []byte{'/'}) && !bytes.ContainsRune(bare, '@'):
		return element{kind: elementFile, local: bare}, nil
	case len(bare) > len(include) && bytes.EqualFold(bare[:len(include)], []byte(include)):
		name := strings.Trim(string(bare[len(include):]), " \t\"")
		if !filepath.IsAbs(name) {
			name = filepath.Join(l.dir, name)
		}
		return element{kind: elementInclude, local: []byte(name)}, nil
	case item[0] == '\\':
		return l.address(elementFinal, item[1:])
	case item[0] == '@':
		domain, err := addr.AppendDomain(l.scratch[:0], item[1:])
		l.scratch = domain
		return element{kind: elementDomain, domain: domain}, err
	}
	if n := len(item); item[n-1] == '>' { // a phrase before it counts for nothing
		if i := bytes.LastIndexByte(item, '<'); i >= 0 {
			item = item[i+1 : n-1]
		}
	}
	return l.address(elementAddress, item)
}

func (l *lister) address(kind elementKind, item []byte) (element, error) {
	local, domain, qualified := addr.Split(item)
	content, err := addr.AppendLocal(l.scratch[:0], local)
	l.scratch = content
	if err != nil {
		return element{}, explain(item, err)
	}
	e := element{kind: kind, local: content}
	if qualified {
		both, err := addr.AppendDomain(content, domain)
		if err != nil {
			return element{}, explain(item, err)
		}
		l.scratch, e.domain = both, both[len(content):]
	}
	return e, nil
}

// parseName parses an address or a name that is configured outside of a map.
func parseName(kind elementKind, text string) (element, error) {
	return new(lister).address(kind, []byte(text))
}

// explain finds the likely cause of an error.
func explain(item []byte, err error) error {
	switch {
	case bytes.Contains(item, []byte(" #")) || bytes.Contains(item, []byte("\t#")):
		return errComment
	case bytes.ContainsAny(item, " \t"):
		return errSpace
	}
	return err
}
