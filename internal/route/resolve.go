package route

import (
	"bytes"
	"errors"
	"time"

	"barid/internal/addr"
	"barid/internal/smtp"
)

// Limits of an expansion. A list of more than targetsMax members belongs to
// a list server.
const (
	depthMax    = 50
	targetsMax  = 10_000
	elementsMax = 10 * targetsMax // that are looked at
)

// Targets is the result of Resolve. It is meant to be kept and used again:
// its memory is reused, and everything it holds is valid until the next
// Resolve into it. The zero value is ready.
type Targets struct {
	// List has each account, and each address elsewhere, once, in the order of
	// the maps.
	List []Target

	bytes   []byte              // what List points into
	keys    []byte              // the keys of the address being looked up
	chain   []link              // the entries that led to it
	visited map[visit]struct{}  // entries that were followed
	known   map[string]struct{} // the keys of List, once it is long
}

func (t *Targets) reset() {
	t.bytes = t.bytes[:0]
	t.restart()
}

// restart forgets all but the address itself, which is in bytes.
func (t *Targets) restart() {
	t.List, t.chain = t.List[:0], t.chain[:0]
	clear(t.visited)
	clear(t.known)
}

// entryID names an entry of a map, or with line 0 an included file.
type entryID struct {
	file string
	line int
}

// visit is an entry and the address that led to it: the same entry means
// other targets for another address, where it names no domain or is a catch-all.
type visit struct {
	entryID
	address string
}

// link is a visit on the way to the address being looked up.
type link struct {
	visit
	key string // a name for people
}

// Resolve says where a recipient goes. The address is the mailbox of RCPT TO,
// without angle brackets, as the client wrote it (RFC 5321 4.1.2).
func (r *Router) Resolve(address []byte, from Sender, into *Targets) Verdict {
	x := r.expansion(into)
	x.from = from
	v := x.recipient(address)
	if v.Kind == Accept && v.Reason != "" {
		r.options.Log.Warn("a recipient's aliases are at fault", "recipient", address, "error", v.Reason)
	}
	return v
}

// recipient asks who may send there before it asks where that is.
func (x *expansion) recipient(address []byte) Verdict {
	a, ok := x.parse(address)
	if !ok {
		return malformed()
	}
	if a.foreign && !x.from.MayRelay && !x.r.relays(a.domain) {
		return relayDenied()
	}
	signed := false
	// Mail that goes round has a sender of ours within one of ours. Each step
	// makes the address shorter.
	for !a.foreign && x.r.options.SRS != nil {
		back, v, is := x.wayBack(a)
		if !is {
			break
		}
		if v.Kind != Accept {
			return v
		}
		a, signed = back, true
	}
	x.blind = !signed && !x.from.MayRelay && routed(a.local)
	return x.resolve(a)
}

// expansion is one address being resolved.
type expansion struct {
	r              *Router
	now            time.Time
	virtual, alias *table
	transport      *table
	from           Sender
	to             *Targets
	key            keys

	fault   fault // ends the expansion
	missing fault // the first target that is unknown

	// blind is set when the client, who may not relay, gave a local part that
	// the next host might take for an address at yet another one.
	blind bool
	via   []byte  // the key for mail to others, of the sender or the smarthost; nil: not looked up
	steps *[]Step // for Trace; nil: nobody wants to know
	seen  int     // elements of entries

	// For Check: report gets all faults, and none ends the expansion; anyLocal
	// is set when the local part stands for any other.
	report   func(fault)
	anyLocal bool
}

func (r *Router) expansion(into *Targets) expansion {
	into.reset()
	x := expansion{r: r, now: r.options.Now(), to: into}
	if r.virtual != nil {
		x.virtual = r.virtual.get(x.now)
	}
	if r.aliases != nil {
		x.alias = r.aliases.get(x.now)
	}
	if r.transport != nil {
		x.transport = r.transport.get(x.now)
	}
	return x
}

// address is an address on its way.
type address struct {
	local        []byte // content, as it was written
	user, detail []byte // its parts, when tagged
	tagged       bool
	domain       []byte // canonical
	foreign      bool   // the domain is not ours
	loose        bool   // given without a domain: the primary domain may know it too
	final        bool   // maps are not asked any more
}

// parse reads a recipient. It fails on a malformed address.
func (x *expansion) parse(text []byte) (address, bool) {
	local, domain, qualified := addr.Split(text)
	start := len(x.to.bytes)
	content, ok := appendContent(x.to.bytes, local, text)
	if !ok {
		return address{}, false
	}
	x.to.bytes = content
	a := address{local: content[start:len(content):len(content)]}
	if !qualified {
		a.domain, a.loose = x.r.primary, true
		return x.split(a), true
	}
	both, err := addr.AppendDomain(content, domain)
	if err != nil {
		return address{}, false
	}
	x.to.bytes = both
	canonical := both[len(content):len(both):len(both)]
	a.domain, a.loose, ok = x.r.ours(canonical)
	a.foreign = !ok
	if x.steps != nil {
		x.noteDomain(canonical, a)
	}
	return x.split(a), true
}

// appendContent appends the content of a local part. Return paths that have
// another address in them are often longer than RFC 5321 4.5.3.1.1 wants, and
// reports have to reach them; such a one is never quoted.
func appendContent(dst, local, address []byte) ([]byte, bool) {
	content, err := addr.AppendLocal(dst, local)
	if errors.Is(err, addr.ErrLength) && local[0] != '"' {
		rest := smtp.Text(address)
		if _, ok := rest.Mailbox(); ok && rest.Empty() {
			return append(dst, local...), true
		}
	}
	return content, err == nil
}

// ours gives the domain under which mail to a canonical domain is looked up;
// false, with the domain as it is, when it is not ours. An address at another
// name of this host is a name without a domain.
func (r *Router) ours(domain []byte) (d []byte, loose, ok bool) {
	own, ok := r.domains[string(domain)]
	switch {
	case own:
		return domain, false, true
	case ok, addr.IsLiteral(domain) && r.oursLiteral(domain):
		return r.primary, true, true
	}
	return domain, false, false
}

func (r *Router) oursLiteral(domain []byte) bool {
	ip, ok := addr.ParseLiteral(domain)
	return ok && r.options.Literal != nil && r.options.Literal(ip.Unmap())
}

func (x *expansion) split(a address) address {
	a.user, a.detail, a.tagged = addr.Subaddress(a.local, x.r.options.Separators)
	return a
}

// resolve finds the targets of an address that is ours.
func (x *expansion) resolve(a address) Verdict {
	known := x.walk(a)
	if x.fault.kind == faultNone && len(x.to.List) > 0 {
		v := accept()
		if x.missing.kind != faultNone {
			v.Reason = x.missing.String()
		}
		return v
	}
	if x.isBuiltIn(a) {
		return x.rescue(a)
	}
	x.to.List = x.to.List[:0]
	switch {
	case x.fault.kind != faultNone:
		return x.fault.verdict()
	case x.missing.kind != faultNone:
		return x.missing.verdict()
	}
	v := unknown()
	if known {
		v.Reason = "its aliases lead to nobody"
	}
	return v
}

// walk looks an address up and adds its targets. It reports whether anything
// knew the address.
func (x *expansion) walk(a address) bool {
	x.setKeys(a)
	if a.foreign {
		return x.foreign(a)
	}
	if x.exact(a) {
		return true
	}
	if a.loose && !bytes.Equal(a.domain, x.r.primary) {
		b := a
		b.domain = x.r.primary
		x.setKeys(b)
		if x.exact(b) {
			return true
		}
		x.setKeys(a)
	}
	return !a.final && x.catchAll(a)
}

// exact looks an address up everywhere but in the catch-alls.
func (x *expansion) exact(a address) bool {
	if !a.final && x.virtualEntry(a) || x.leaves(a) || !a.final && x.aliasEntry(a) {
		return true
	}
	if x.account(a) {
		return true
	}
	return !a.final && x.builtIn(a)
}

// keys are what an address is looked up by: folded, quoted where it must be.
type keys struct {
	full, user         []byte // the local part, and it without its tag
	fullAt, userAt, at []byte // the same with domain, and @domain alone
}

// setKeys makes the keys of an address. They are valid until the next address
// is looked up.
func (x *expansion) setKeys(a address) {
	k := appendKey(x.to.keys[:0], a.local)
	full := len(k)
	k = append(append(k, '@'), a.domain...)
	fullAt := len(k)
	x.key = keys{full: k[:full:full], fullAt: k[:fullAt:fullAt], at: k[full:fullAt:fullAt]}
	if a.tagged {
		k = appendKey(k, a.user)
		user := len(k)
		k = append(append(k, '@'), a.domain...)
		x.key.user, x.key.userAt = k[fullAt:user:user], k[fullAt:]
	}
	x.to.keys = k
}

// virtualEntry follows the virtual entry of an address, in the order of
// virtual(5). A tag that the entry does not name goes on to its targets.
func (x *expansion) virtualEntry(a address) bool {
	if x.virtual == nil {
		return false
	}
	return x.entry(x.virtual, x.key.fullAt, a, false) || a.tagged && x.entry(x.virtual, x.key.userAt, a, true) ||
		x.entry(x.virtual, x.key.full, a, false) || a.tagged && x.entry(x.virtual, x.key.user, a, true)
}

func (x *expansion) aliasEntry(a address) bool {
	if x.alias == nil {
		return false
	}
	return x.entry(x.alias, x.key.full, a, false) || a.tagged && x.entry(x.alias, x.key.user, a, false)
}

func (x *expansion) catchAll(a address) bool {
	return x.virtual != nil && x.entry(x.virtual, x.key.at, a, false)
}
