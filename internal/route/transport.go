package route

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"barid/internal/addr"
	"barid/internal/smtp"
)

// way is what an entry of the transport map says about mail for an address.
type way struct {
	kind wayKind
	// text is the destination key of wayKey, the next hop of wayNexthop, and
	// the status and the words of wayRefuse.
	text []byte
}

type wayKind byte

const (
	wayUsual   wayKind = iota + 1 // ":", or no entry: as if there were no map
	wayLocal                      // "local:": into the mailboxes of this host
	wayDomain                     // "smtp:": to the MX of the address's domain
	wayNexthop                    // ":nexthop": mail for others goes there
	wayKey                        // anywhere else
	wayRefuse                     // "error:": nowhere
)

// leaves reports whether the way takes mail for a domain of ours away from
// the mailboxes and the maps.
func (w way) leaves() bool { return w.kind == wayDomain || w.kind == wayKey || w.kind == wayRefuse }

var (
	errTransport = errors.New("which way? smtp:, relay:, lmtp:, local:, error:, retry: and discard: are known")
	errNoWay     = errors.New("no way after the pattern: divide the two by white space")
	errAt        = errors.New("write a domain without the @")
)

// appendWay parses the right side of an entry and appends it, encoded: a kind
// and its text.
//
//	result = [ transport ] ":" [ nexthop ]   ; transport(5)
func appendWay(dst, result []byte) ([]byte, error) {
	transport, rest, ok := strings.Cut(string(bytes.TrimSpace(result)), ":")
	if !ok {
		return dst, errTransport
	}
	rest = strings.TrimSpace(rest)
	switch transport {
	case "":
		if rest == "" {
			return append(dst, byte(wayUsual)), nil
		}
		return appendNexthop(append(append(dst, byte(wayNexthop)), smtpDest...), rest)
	case "smtp", "relay":
		if rest == "" {
			return append(dst, byte(wayDomain)), nil
		}
		return appendNexthop(append(append(dst, byte(wayKey)), smtpDest...), rest)
	case "lmtp":
		return appendLMTP(append(append(dst, byte(wayKey)), lmtpDest...), rest)
	case "local":
		return append(dst, byte(wayLocal)), nil
	case "discard":
		return append(append(append(dst, byte(wayKey)), discardDest...), rest...), nil
	case "error", "retry":
		return appendRefusal(append(dst, byte(wayRefuse)), transport, rest)
	}
	return dst, fmt.Errorf("%s: %w", transport, errTransport)
}

// appendRefusal appends the enhanced status code and the text of a refusal;
// what is missing is filled in.
//
//	nexthop = [ status-code ] [ text ]   ; error(8)
func appendRefusal(dst []byte, transport, text string) ([]byte, error) {
	status, words := "5.1.2", text
	if transport == "retry" {
		status = "4.4.0"
	}
	if first, rest, _ := strings.Cut(text, " "); isStatus(first) {
		if transport == "retry" && first[0] != '4' {
			return dst, fmt.Errorf("%s is not a temporary status", first)
		}
		status, words = first, strings.TrimSpace(rest)
	}
	if words == "" {
		words = "mail for it is not taken"
	}
	if smtp.FindControl([]byte(words)) >= 0 {
		return dst, errors.New("control characters in a text for clients")
	}
	return append(append(append(dst, status...), ' '), words...), nil
}

// isStatus reports whether a word is the enhanced status code of a failure.
//
//	status-code = class "." subject "." detail   ; RFC 3463 2
func isStatus(word string) bool {
	parts := strings.Split(word, ".")
	if len(parts) != 3 || parts[0] != "4" && parts[0] != "5" {
		return false
	}
	for _, p := range parts {
		if p == "" || len(p) > 3 || strings.Trim(p, "0123456789") != "" {
			return false
		}
	}
	return true
}

// transportKey divides an entry of the transport map.
//
//	pattern = user+extension@domain / user@domain / domain / .domain / "*"   ; transport(5)
func transportKey(line, dst []byte) (key, result []byte, err error) {
	i := indexUnquoted(line, " \t")
	if i < 0 {
		return nil, nil, errNoWay
	}
	pattern := line[:i]
	if key, err = appendTransportPattern(dst, pattern); err != nil {
		return nil, nil, &itemError{string(pattern), err}
	}
	return key, line[i+1:], nil
}

func appendTransportPattern(dst, pattern []byte) ([]byte, error) {
	local, _, qualified := addr.Split(pattern)
	switch {
	case qualified && len(local) == 0:
		return dst, errAt
	case qualified:
		return appendPattern(dst, pattern)
	case string(pattern) == "*":
		return append(dst, '*'), nil
	case pattern[0] == '.':
		return addr.AppendDomain(append(dst, '.'), pattern[1:])
	}
	return addr.AppendDomain(dst, pattern)
}

// way finds the way of the address whose keys are set, and whether its entry
// names the address rather than its domain. "*" is about other domains only:
// mail for our own mailboxes leaves by an entry that says so, and by no other.
func (x *expansion) way(a address) (w way, named bool) {
	if x.transport == nil {
		return way{kind: wayUsual}, false
	}
	e, named := x.transport.lookup(x.key.fullAt)
	if !named && a.tagged {
		e, named = x.transport.lookup(x.key.userAt)
	}
	found := named
	if !found {
		e, found = lookupDomain(x.transport, a.domain)
	}
	if !found && a.foreign {
		e, found = x.transport.lookup([]byte{'*'})
	}
	if !found {
		return way{kind: wayUsual}, false
	}
	w = decodeWay(e.value)
	if x.steps != nil {
		x.note("transport map", x.transport.place(e), string(e.key), w.String())
	}
	return w, named
}

// lookupDomain looks up a domain, then the domains that it lies in, which are
// written with a dot before them.
func lookupDomain(t *table, domain []byte) (entry, bool) {
	e, found := t.lookup(domain)
	for i := 0; i < len(domain) && !found; i++ {
		if domain[i] == '.' {
			e, found = t.lookup(domain[i:])
		}
	}
	return e, found
}

func decodeWay(value []byte) way { return way{kind: wayKind(value[0]), text: value[1:]} }

// String is the way as one would write it.
func (w way) String() string {
	switch w.kind {
	case wayLocal:
		return "local:"
	case wayDomain:
		return "smtp:"
	case wayNexthop:
		return strings.TrimPrefix(string(w.text), "smtp")
	case wayKey:
		return string(w.text)
	case wayRefuse:
		return "error:" + string(w.text)
	}
	return ":"
}
