package route

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"barid/internal/addr"
)

// setRelay reads the options about mail for others.
func (r *Router) setRelay() error {
	r.relayed = map[string]bool{}
	for _, name := range r.options.RelayDomains {
		within, dot := strings.CutPrefix(name, ".")
		d, err := addr.AppendDomain(nil, []byte(within))
		if err != nil || addr.IsLiteral(d) {
			return fmt.Errorf("relay.domains: %q is not a domain", name)
		}
		if dot {
			d = append([]byte{'.'}, d...)
		}
		r.relayed[string(d)] = true
	}
	if r.options.Smarthost != "" {
		var err error
		if r.smarthost, err = appendNexthop([]byte(smtpDest), r.options.Smarthost); err != nil {
			return fmt.Errorf("relay.host: %s: %w", r.options.Smarthost, err)
		}
	}
	return nil
}

// relays reports whether mail for a domain is taken from anybody and handed on.
func (r *Router) relays(domain []byte) bool {
	if len(r.relayed) == 0 {
		return false
	}
	if r.relayed[string(domain)] {
		return true
	}
	for i := range domain {
		if domain[i] == '.' && r.relayed[string(domain[i:])] {
			return true
		}
	}
	return false
}

// senderKey divides an entry of the map of senders.
//
//	pattern = user@domain / "@" domain / "<>"
func senderKey(line, dst []byte) (key, nexthop []byte, err error) {
	pattern, right := cutSpace(line)
	switch _, _, qualified := addr.Split(pattern); {
	case len(right) == 0:
		return nil, nil, errNoHop
	case string(pattern) == nullSender:
		return append(dst, nullSender...), right, nil
	case !qualified:
		return nil, nil, &itemError{string(pattern), errNoAt}
	}
	if key, err = appendPattern(dst, pattern); err != nil {
		return nil, nil, &itemError{string(pattern), err}
	}
	return key, right, nil
}

// nullSender is what the null reverse-path is called in the map of senders.
const nullSender = "<>"

var (
	errNoHop = errors.New("no next hop after the sender: divide the two by white space")
	errNoAt  = errors.New("no address: write user@domain, or @domain for all of a domain")
)

// hopValue is a next hop, as a destination key.
func hopValue(*parser) valuer {
	return func(dst, right []byte) ([]byte, error) {
		text := string(bytes.TrimSpace(right))
		out, err := appendNexthop(append(dst, smtpDest...), text)
		if err != nil {
			return dst, &itemError{text, err}
		}
		return out, nil
	}
}

// wayValue is the right side of an entry of the transport map.
func wayValue(*parser) valuer {
	return func(dst, right []byte) ([]byte, error) {
		out, err := appendWay(dst, right)
		if err != nil {
			return dst, &itemError{string(bytes.TrimSpace(right)), err}
		}
		return out, nil
	}
}

// recipientKey takes an entry of the map of recipients. What stands after the
// address says nothing: Postfix's maps have an "OK" there.
//
//	pattern = user@domain / "@" domain
func recipientKey(line, dst []byte) (key, rest []byte, err error) {
	pattern, _ := cutSpace(line)
	if _, _, qualified := addr.Split(pattern); !qualified {
		return nil, nil, &itemError{string(pattern), errNoAt}
	}
	if key, err = appendPattern(dst, pattern); err != nil {
		return nil, nil, &itemError{string(pattern), err}
	}
	return key, nil, nil
}

// noValue is that of a map in which only the keys count.
func noValue(*parser) valuer { return func(dst, _ []byte) ([]byte, error) { return dst, nil } }

// cutSpace divides a line at the first white space outside of quotes.
func cutSpace(line []byte) (left, right []byte) {
	i := indexUnquoted(line, " \t")
	if i < 0 {
		return line, nil
	}
	return line[:i], bytes.TrimSpace(line[i+1:])
}

// foreign adds the target of an address that is not ours. It reports false when
// we relay for its domain and know that there is no such address.
func (x *expansion) foreign(a address) bool {
	relayed := x.r.relays(a.domain)
	if relayed && !a.final && x.foreignEntry(a) {
		return true
	}
	w, named := x.way(a)
	if relayed && !named && !x.listed(a) {
		return false
	}
	x.send(a, w)
	return true
}

// foreignEntry follows the virtual entry of an address that we relay for.
func (x *expansion) foreignEntry(a address) bool {
	if x.virtual == nil {
		return false
	}
	return x.entry(x.virtual, x.key.fullAt, a, false) || a.tagged && x.entry(x.virtual, x.key.userAt, a, true)
}

// leaves sends mail for an address of ours to another host when the transport
// map says so, as a gateway does. An address that is known not to exist there is
// looked for here.
func (x *expansion) leaves(a address) bool {
	w, named := x.way(a)
	if !w.leaves() || w.kind != wayRefuse && !named && !x.listed(a) {
		return false
	}
	x.send(a, w)
	return true
}

// listed reports whether an address exists as far as the map of recipients
// knows. Postmaster exists everywhere. (RFC 5321 4.5.1)
func (x *expansion) listed(a address) bool {
	if x.r.recipients == nil || string(x.key.full) == "postmaster" {
		return true
	}
	t := x.r.recipients.get(x.now)
	e, found := t.lookup(x.key.fullAt)
	if !found && a.tagged {
		e, found = t.lookup(x.key.userAt)
	}
	if !found {
		e, found = t.lookup(x.key.at)
	}
	if x.steps != nil {
		x.noteListed(t, e, found)
	}
	return found
}

// routed reports whether the next host might take a local part for an address
// at yet another host, as many once did: user%host, host!user, "user@host".
func routed(local []byte) bool { return bytes.ContainsAny(local, "@%!") }

// send adds the target of an address that a way leads to, or refuses it.
func (x *expansion) send(a address, w way) {
	switch {
	case w.kind == wayRefuse:
		x.fail(fault{kind: faultRefused, what: string(w.text), address: string(x.key.fullAt)})
		return
	case x.blind && routed(a.local):
		x.fail(fault{kind: faultRouted, address: string(x.key.fullAt)})
		return
	case isNumeric(a.domain):
		x.fail(fault{kind: faultNumeric, address: string(x.key.fullAt)})
		return
	}
	t := x.to
	start := len(t.bytes)
	t.bytes = x.appendDest(t.bytes, a, w)
	end := len(t.bytes)
	t.bytes = append(append(addr.AppendQuoted(t.bytes, a.local), '@'), a.domain...)
	all := t.bytes[start:len(t.bytes):len(t.bytes)]
	n := end - start
	if x.steps != nil {
		x.note("next hop", "", string(all[n:]), string(all[:n]))
	}
	x.append(Target{Dest: all[:n:n], Address: all[n:], key: all}, start)
}

// isNumeric reports whether a domain is an IPv4 address without its brackets: no
// top-level domain has digits only.
func isNumeric(domain []byte) bool {
	i := bytes.LastIndexByte(domain, '.')
	return len(bytes.TrimRight(domain[i+1:], "0123456789")) == 0
}

// appendDest appends the destination key of an address.
func (x *expansion) appendDest(dst []byte, a address, w way) []byte {
	switch w.kind {
	case wayKey, wayNexthop:
		return append(dst, w.text...)
	case wayDomain:
		return appendDomainDest(dst, a.domain)
	}
	if x.via == nil {
		x.via = x.smarthost()
	}
	if len(x.via) > 0 {
		return append(dst, x.via...)
	}
	return appendDomainDest(dst, a.domain)
}

// appendDomainDest appends the key of the MX of a domain, or of the address in
// a literal.
func appendDomainDest(dst, domain []byte) []byte {
	dst = append(dst, smtpDest...)
	if ip, ok := addr.ParseLiteral(domain); ok {
		return append(ip.Unmap().AppendTo(append(dst, '[')), ']')
	}
	return append(dst, domain...)
}

// smarthost finds the key for mail to others of this sender; empty and not nil
// when there is none. What a stranger calls himself says nothing: his mail for
// an alias must not leave by the account that one of ours has elsewhere.
func (x *expansion) smarthost() []byte {
	if x.r.senders != nil && x.from.MayRelay {
		if key, found := x.senderHop(x.r.senders.get(x.now)); found {
			return key
		}
	}
	if x.r.smarthost == nil {
		return []byte{}
	}
	if x.steps != nil {
		x.note("smarthost", "relay.host", "", string(x.r.smarthost))
	}
	return x.r.smarthost
}

// senderHop looks the sender up.
func (x *expansion) senderHop(t *table) ([]byte, bool) {
	var buf [2 * addr.AddressMax]byte
	key := append(buf[:0], nullSender...)
	if len(x.from.Address) > 0 {
		var err error
		if key, err = appendPattern(buf[:0], x.from.Address); err != nil {
			return nil, false
		}
	}
	e, found := t.lookup(key)
	if at := bytes.LastIndexByte(key, '@'); !found && at >= 0 {
		e, found = t.lookup(key[at:])
	}
	if found && x.steps != nil {
		x.note("sender map", t.place(e), string(e.key), string(e.value))
	}
	return e.value, found
}
