package message

import "bytes"

// AddressKind says what an Address is.
type AddressKind uint8

// The kinds of addresses.
const (
	Mailbox    AddressKind = iota
	GroupBegin             // Name is that of the group
	GroupEnd
)

// Address is an element of an address list. Quotes, comments and white space
// are gone, encoded words are as they were.
type Address struct {
	Kind   AddressKind
	Name   []byte // the display name, or the comment that old programs have in its place
	Route  []byte // "@a,@b" of obsolete syntax
	Local  []byte
	Domain []byte
}

// Addresses walks over an address list. The zero value can be used with Reset;
// its memory is used again.
type Addresses struct {
	rest    text
	room    []byte
	comment []byte // the last one, with its parentheses
	group   bool   // within a group
}

// Reset begins with the value of a field.
func (l *Addresses) Reset(value []byte) { *l = Addresses{rest: value, room: l.room[:0]} }

// Next returns the next element, which is valid until the next call. What does
// not follow the grammar is read as far as it makes sense: an address without a
// domain has an empty one, a group without an end has it where the list ends.
//
//	address      = mailbox / group                   ; RFC 5322 section 3.4
//	mailbox      = name-addr / addr-spec
//	name-addr    = [display-name] angle-addr
//	group        = display-name ":" [group-list] ";" [CFWS]
//	address-list = (address *("," address)) / obs-addr-list
//	obs-addr-list = *([CFWS] ",") address *("," [address / CFWS])   ; section 4.4
func (l *Addresses) Next() (a Address, ok bool) {
	for {
		l.room, l.comment = l.room[:0], nil
		start := l.rest
		name := l.words(true)
		switch c := l.peek(); {
		case c == '<':
			return l.angle(Address{Name: name}), true
		case c == '@':
			l.rest = start
			return l.addrSpec(), true
		case c == ':':
			l.rest = l.rest[1:]
			if !l.group {
				l.group = true
				return Address{Kind: GroupBegin, Name: name}, true
			}
		case len(name) > 0:
			return l.nameOnly(name), true
		case len(l.rest) == 0 || c == ';':
			l.rest = l.rest[min(1, len(l.rest)):]
			if l.group {
				l.group = false
				return Address{Kind: GroupEnd}, true
			}
			if c == 0 {
				return Address{}, false
			}
		default:
			l.rest = l.rest[1:] // a comma, or what has no place here
		}
	}
}

// peek returns the octet that comes next, 0 at the end; a NUL is passed over.
func (l *Addresses) peek() byte {
	for len(l.rest) > 0 && l.rest[0] == 0 {
		l.rest = l.rest[1:]
	}
	if len(l.rest) == 0 {
		return 0
	}
	return l.rest[0]
}

// nameOnly makes an address of words that have none.
func (l *Addresses) nameOnly(name []byte) Address {
	if bytes.IndexByte(name, ' ') < 0 {
		return Address{Local: name, Name: l.commentText()}
	}
	return Address{Name: name}
}

// words reads words up to an octet that separates, and joins them; with spaces
// where there is white space between them. The result lies in room.
//
//	phrase     = 1*word / obs-phrase                 ; RFC 5322 section 3.2.5
//	obs-phrase = word *(word / "." / CFWS)           ; section 4.1
//	word       = atom / quoted-string
func (l *Addresses) words(spaces bool) []byte {
	start := len(l.room)
	for {
		before := len(l.rest)
		l.white()
		space := spaces && len(l.rest) < before && len(l.room) > start
		n := wordLen(l.rest)
		quoted := len(l.rest) > 0 && l.rest[0] == '"'
		if n == 0 && !quoted {
			return l.room[start:len(l.room):len(l.room)]
		}
		if space {
			l.room = append(l.room, ' ')
		}
		if quoted {
			l.room = l.rest.appendQuoted(l.room)
			continue
		}
		l.room = append(l.room, l.rest[:n]...)
		l.rest = l.rest[n:]
	}
}

// wordLen is how many octets there are up to one that ends a word: more may
// stand in an atom than the grammar allows.
func wordLen(t text) int {
	for i, c := range t {
		switch c {
		case 0, ' ', '\t', '\r', '\n', '(', '<', '>', ':', ';', '@', ',', '"':
			return i
		}
	}
	return len(t)
}

// white passes over white space and comments, and keeps the last comment.
func (l *Addresses) white() {
	for len(l.rest) > 0 {
		switch {
		case isWhite(l.rest[0]), l.rest[0] == 0:
			l.rest = l.rest[1:]
		case l.rest[0] == '(':
			comment := l.rest
			l.rest.comment()
			l.comment = comment[:len(comment)-len(l.rest)]
		default:
			return
		}
	}
}

// commentText returns the text of the last comment.
func (l *Addresses) commentText() []byte {
	if len(l.comment) == 0 {
		return nil
	}
	start := len(l.room)
	comment := bytes.TrimSuffix(l.comment[1:], []byte{')'})
	for i := 0; i < len(comment); i++ {
		if comment[i] == '\\' && i+1 < len(comment) {
			i++
		}
		if c := comment[i]; c != '\r' && c != '\n' {
			l.room = append(l.room, c)
		}
	}
	return bytes.TrimSpace(l.room[start:])
}

// angle reads an address in angle brackets.
//
//	angle-addr     = [CFWS] "<" addr-spec ">" [CFWS] / obs-angle-addr   ; RFC 5322 section 3.4
//	obs-angle-addr = [CFWS] "<" obs-route addr-spec ">" [CFWS]          ; section 4.4
//	obs-route      = obs-domain-list ":"
func (l *Addresses) angle(a Address) Address {
	l.rest = l.rest[1:]
	l.white()
	if l.peek() == '@' {
		a.Route = l.route()
	}
	a.Local = l.words(false)
	if l.rest.octet('@') {
		a.Domain = l.domain()
	}
	for c := l.peek(); c != 0 && c != ','; c = l.peek() {
		if l.rest = l.rest[1:]; c == '>' {
			break
		}
	}
	l.white()
	if len(a.Name) == 0 {
		a.Name = l.commentText()
	}
	return a
}

// routeMax is how long a route may be, so that what only looks like one is not
// searched for its end again and again.
const routeMax = 998

// route reads a route, if that is what comes.
func (l *Addresses) route() []byte {
	end := bytes.IndexAny(l.rest[:min(len(l.rest), routeMax)], ":>")
	if end < 0 || l.rest[end] == '>' {
		return nil
	}
	route := l.rest[:end]
	l.rest = l.rest[end+1:]
	start := len(l.room)
	for _, c := range route {
		if !isWhite(c) {
			l.room = append(l.room, c)
		}
	}
	return l.room[start:len(l.room):len(l.room)]
}

// addrSpec reads an address without brackets.
//
//	addr-spec = local-part "@" domain                ; RFC 5322 section 3.4.1
//	obs-local-part = word *("." word)                ; section 4.4
func (l *Addresses) addrSpec() (a Address) {
	l.room = l.room[:0]
	a.Local = l.words(false)
	if l.rest.octet('@') {
		a.Domain = l.domain()
	}
	l.white()
	if c := l.peek(); c != 0 && c != ',' && c != ';' && c != '<' {
		l.words(false) // "a@b Name", which is none
	}
	a.Name = l.commentText()
	return a
}

// domain reads a domain.
//
//	domain         = dot-atom / domain-literal / obs-domain   ; RFC 5322 section 3.4.1
//	domain-literal = [CFWS] "[" *([FWS] dtext) [FWS] "]" [CFWS]
//	obs-domain     = atom *("." atom)                ; section 4.4
func (l *Addresses) domain() []byte {
	start := len(l.room)
	for {
		l.white()
		n := 0
		switch c := l.peek(); {
		case c == '[':
			if n = bytes.IndexByte(l.rest, ']') + 1; n == 0 {
				n = len(l.rest)
			}
		case c == '@':
			n = 1
		case c == '.' || start == len(l.room) || l.room[len(l.room)-1] == '.' || l.room[len(l.room)-1] == '@':
			n = wordLen(l.rest)
		}
		if n == 0 {
			return l.room[start:len(l.room):len(l.room)]
		}
		for _, c := range l.rest[:n] {
			if !isWhite(c) && c != 0 {
				l.room = append(l.room, c)
			}
		}
		l.rest = l.rest[n:]
	}
}
