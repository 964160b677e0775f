package route

import (
	"bytes"
	"strings"

	"barid/internal/addr"
)

// transport looks at an entry of the transport map.
func (c *checker) transport(e entry) {
	w := decodeWay(e.value)
	_, domain, qualified := addr.Split(e.key)
	if !qualified {
		domain = e.key
	}
	own, named := c.r.domains[string(domain)]
	switch {
	case named && !own:
		c.unused(c.r.transport, e, "an address at a name of this host is looked up without its domain, so the entry is never used")
	case own && w.kind == wayNexthop:
		c.unused(c.r.transport, e, "mail for it goes into mailboxes here, for which a next hop says nothing: write smtp: before it to hand it on")
	case !own && w.kind == wayLocal && !c.r.ownWithin(domain):
		c.unused(c.r.transport, e, "it is none of domains, so local: does nothing")
	case own && w.kind == wayDomain:
		c.unused(c.r.transport, e, "the MX of a domain of ours is most likely this host, and mail goes in a circle: name the host that gets it, in brackets")
	}
	if (w.kind == wayKey || w.kind == wayNexthop) && c.r.isSelf(w.text) {
		c.unused(c.r.transport, e, circle(w.text))
	}
}

// ownWithin reports whether a pattern that begins with a dot covers a domain of
// ours.
func (r *Router) ownWithin(pattern []byte) bool {
	for domain, own := range r.domains {
		if own && pattern[0] == '.' && strings.HasSuffix(domain, string(pattern)) {
			return true
		}
	}
	return false
}

// sender looks at an entry of the map of senders.
func (c *checker) sender(e entry) {
	if c.r.isSelf(e.value) {
		c.unused(c.r.senders, e, circle(e.value))
	}
}

// recipient looks at an entry of the map of recipients.
func (c *checker) recipient(e entry) {
	_, domain, _ := addr.Split(e.key)
	if c.r.relays(domain) {
		return
	}
	if own := c.r.domains[string(domain)]; own && c.r.transport != nil {
		x := c.r.expansion(new(Targets))
		x.key.fullAt = e.key
		if w, _ := x.way(address{domain: domain}); w.leaves() {
			return
		}
	}
	c.unused(c.r.recipients, e, "mail for "+string(domain)+" is not handed on from anybody, so the entry is never used")
}

// smarthost looks at the one for everybody.
func (c *checker) smarthost() {
	if c.r.isSelf(c.r.smarthost) {
		c.add(Problem{Text: "relay.host: " + circle(c.r.smarthost), Warning: true})
	}
}

func circle(key []byte) string {
	return string(key) + " is this host, and mail would go in a circle"
}

// isSelf reports whether a destination key leads to the SMTP port of this host.
//
//	key = "smtp:" ( domain / "[" ( host / address ) "]" ) [ ":" port ]
func (r *Router) isSelf(key []byte) bool {
	hop, smtp := bytes.CutPrefix(key, []byte(smtpDest))
	hop = bytes.TrimSuffix(hop, []byte(":25"))
	if !smtp || len(hop) == 0 {
		return false
	}
	name, bracketed := bytes.CutPrefix(hop, []byte("["))
	if bracketed {
		if name, bracketed = bytes.CutSuffix(name, []byte("]")); !bracketed {
			return false // another port
		}
	}
	if bytes.IndexByte(name, ':') >= 0 {
		name = append([]byte("IPv6:"), name...)
	}
	if literal := append(append([]byte{'['}, name...), ']'); r.oursLiteral(literal) {
		return true
	}
	own, named := r.domains[string(name)]
	return named && !own
}
