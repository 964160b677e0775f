package main

import (
	"fmt"
	"slices"
	"strings"

	"barid/internal/addr"
)

// parseAddresses reads the addresses of a list as people write it in To, and
// as programs give it to sendmail: names without a domain are welcome, other
// than in RFC 5322, because cron and its kind write to "root".
//
//	address-list = [address] *("," [address])     ; RFC 5322 3.4, 4.4
//	address      = mailbox / phrase ":" [mailbox-list] ";"
//	mailbox      = [phrase] "<" addr-spec ">" / addr-spec / atom
//
// Comments may stand everywhere. A source route before an addr-spec is dropped.
func parseAddresses(list string) ([]string, error) {
	p := addressParser{rest: list}
	for p.rest != "" {
		if err := p.next(); err != nil {
			return nil, fmt.Errorf("%q: %w", list, err)
		}
	}
	if err := p.end(); err != nil {
		return nil, fmt.Errorf("%q: %w", list, err)
	}
	return p.found, nil
}

// addressParser holds the address that is being read: the words outside of
// angle brackets, and what was in them.
type addressParser struct {
	rest  string
	words []string // atoms and quoted strings, with "@" and "." joined to them
	angle *string
	found []string
}

// next takes one element.
func (p *addressParser) next() error {
	switch c := p.rest[0]; c {
	case ' ', '\t':
		p.rest = p.rest[1:]
	case ',', ';':
		p.rest = p.rest[1:]
		return p.end()
	case ':': // what stood before was the name of a group
		p.rest, p.words = p.rest[1:], nil
	case '(':
		return p.comment()
	case '<':
		inner, err := p.enclosed('>')
		if err != nil {
			return err
		}
		if p.angle != nil {
			return fmt.Errorf("two addresses without a comma between them")
		}
		inner = strings.TrimSpace(inner[1 : len(inner)-1])
		p.angle = &inner
	case '"':
		word, err := p.enclosed('"')
		p.word(word)
		return err
	case '[':
		word, err := p.enclosed(']')
		p.word(word)
		return err
	default:
		n := strings.IndexAny(p.rest, " \t,;:(<\"[")
		if n < 0 {
			n = len(p.rest)
		}
		p.word(p.rest[:n])
		p.rest = p.rest[n:]
	}
	return nil
}

// word adds to the address. White space around "@" and "." does not count.
func (p *addressParser) word(w string) {
	last := len(p.words) - 1
	if last >= 0 && (strings.HasSuffix(p.words[last], "@") || strings.HasSuffix(p.words[last], ".") ||
		strings.HasPrefix(w, "@") || strings.HasPrefix(w, ".")) {
		p.words[last] += w
		return
	}
	p.words = append(p.words, w)
}

// enclosed takes everything up to the closing character, of which quoted
// strings and characters behind a backslash are no part.
func (p *addressParser) enclosed(closing byte) (string, error) {
	quoted := false
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '\\':
			i++
		case c == closing && !quoted:
			taken := p.rest[:i+1]
			p.rest = p.rest[i+1:]
			return taken, nil
		case c == '"':
			quoted = !quoted
		}
	}
	p.rest = ""
	return "", fmt.Errorf("a %c is missing", closing)
}

// comment skips a comment and those within it.
func (p *addressParser) comment() error {
	depth := 0
	for i := 0; i < len(p.rest); i++ {
		switch p.rest[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				p.rest = p.rest[i+1:]
				return nil
			}
		}
	}
	return fmt.Errorf("a ) is missing")
}

// end takes what was read for an address.
func (p *addressParser) end() error {
	words, angle := p.words, p.angle
	p.words, p.angle = nil, nil
	address := ""
	switch {
	case angle != nil:
		address = withoutRoute(*angle)
	case len(words) == 0:
		return nil
	case len(words) > 1:
		return fmt.Errorf("%q is no address", strings.Join(words, " "))
	default:
		address = words[0]
	}
	if strings.ContainsFunc(address, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("%q is no address", address)
	}
	p.found = append(p.found, address)
	return nil
}

// withoutRoute drops a source route: "@a,@b:alice@c" is alice@c.
func withoutRoute(address string) string {
	if route, rest, ok := strings.Cut(address, ":"); ok && strings.HasPrefix(route, "@") {
		return rest
	}
	return address
}

// qualified gives a name without a domain the primary one.
func qualified(address, domain string) string {
	if _, _, has := addr.Split([]byte(address)); has || address == "" {
		return address
	}
	return address + "@" + domain
}

// qualifiedAll does so for each, and leaves out what is there already.
func qualifiedAll(addresses []string, domain string) (all []string) {
	for _, a := range addresses {
		if a = qualified(a, domain); a != "" && !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}
