package route

import (
	"bytes"
	"time"

	"barid/internal/addr"
)

// Limits of an expansion. A list of more than targetsMax members belongs to
// a list server.
const (
	depthMax   = 50
	targetsMax = 10_000
	visitsMax  = 10 * targetsMax
)

// Targets is the result of Resolve. It is meant to be kept and used again:
// its memory is reused, and everything it holds is valid until the next
// Resolve into it. The zero value is ready.
type Targets struct {
	// List has each account once, in the order of the maps.
	List []Target

	bytes    []byte              // what List points into
	keys     []byte              // the keys of the address being looked up
	chain    []link              // the entries that led to it
	visited  map[visit]struct{}  // entries that were followed
	accounts map[string]struct{} // those in List, once it is long
}

func (t *Targets) reset() {
	t.bytes = t.bytes[:0]
	t.restart()
}

// restart forgets all but the address itself, which is in bytes.
func (t *Targets) restart() {
	t.List, t.chain = t.List[:0], t.chain[:0]
	clear(t.visited)
	clear(t.accounts)
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
	a, ok := x.parse(address)
	if !ok {
		return malformed()
	}
	if len(a.domain) == 0 {
		return relayDenied()
	}
	v := x.resolve(a)
	if v.Kind == Accept && v.Reason != "" {
		r.options.Log.Warn("a recipient's aliases are at fault", "recipient", address, "error", v.Reason)
	}
	return v
}

// expansion is one address being resolved.
type expansion struct {
	r              *Router
	now            time.Time
	virtual, alias *table
	from           Sender
	to             *Targets
	key            keys

	fault   fault // ends the expansion
	missing fault // the first target that is unknown

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
	return x
}

// address is an address on its way.
type address struct {
	local        []byte // content, as it was written
	user, detail []byte // its parts, when tagged
	tagged       bool
	domain       []byte // canonical and ours; empty when it is not ours
	loose        bool   // given without a domain: the primary domain may know it too
	final        bool   // maps are not asked any more
}

// parse reads a recipient. It fails on a malformed address; one whose domain
// is malformed or not ours gets no domain.
func (x *expansion) parse(text []byte) (address, bool) {
	local, domain, qualified := addr.Split(text)
	content, err := addr.AppendLocal(x.to.bytes, local)
	if err != nil {
		return address{}, false
	}
	x.to.bytes = content
	a := address{local: content[:len(content):len(content)]}
	if !qualified {
		a.domain, a.loose = x.r.primary, true
	} else if both, err := addr.AppendDomain(content, domain); err == nil {
		x.to.bytes = both
		a.domain, a.loose, _ = x.r.ours(both[len(content):len(both):len(both)])
	}
	return x.split(a), true
}

// ours gives the domain under which mail to a canonical domain is looked up;
// false when it is not ours. An address at another name of this host is a name
// without a domain.
func (r *Router) ours(domain []byte) (d []byte, loose, ok bool) {
	own, ok := r.domains[string(domain)]
	switch {
	case !ok:
		return nil, false, false
	case own:
		return domain, false, true
	}
	return r.primary, true, true
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
	if !a.final && (x.virtualEntry(a) || x.aliasEntry(a)) {
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

// entry follows the entry of a key, if there is one. An entry that names
// itself says that the maps have done: what comes after them is next.
func (x *expansion) entry(t *table, key []byte, a address, passTag bool) bool {
	e, ok := t.lookup(key)
	if !ok {
		return false
	}
	id := entryID{t.file, e.line}
	if x.within(id) {
		return false
	}
	if x.enter(visit{id, string(x.key.fullAt)}, string(e.key)) {
		x.elements(e.value, a, passTag)
		x.leave()
	}
	return true
}

// within reports whether an entry is the one being followed.
func (x *expansion) within(id entryID) bool {
	n := len(x.to.chain)
	return n > 0 && x.to.chain[n-1].entryID == id
}

// enter puts a visit on the chain, unless it has been made already.
func (x *expansion) enter(v visit, key string) bool {
	for i := range x.to.chain {
		if x.to.chain[i].visit == v {
			x.fail(fault{kind: faultLoop, what: x.chainFrom(i)})
			return false
		}
	}
	if _, done := x.to.visited[v]; done {
		return false
	}
	switch {
	case len(x.to.chain) == depthMax:
		x.fail(fault{kind: faultDepth})
		return false
	case len(x.to.visited) == visitsMax:
		x.fail(fault{kind: faultMany})
		return false
	}
	if x.to.visited == nil {
		x.to.visited = map[visit]struct{}{}
	}
	x.to.visited[v] = struct{}{}
	x.to.chain = append(x.to.chain, link{v, key})
	return true
}

func (x *expansion) leave() { x.to.chain = x.to.chain[:len(x.to.chain)-1] }

// chainFrom is the chain from link i on, closed to a loop, as text.
func (x *expansion) chainFrom(i int) string {
	var b []byte
	for _, l := range x.to.chain[i:] {
		b = append(append(b, l.key...), " -> "...)
	}
	return string(append(b, x.to.chain[i].key...))
}

// fail records a fault of the entry being followed.
func (x *expansion) fail(f fault) {
	if n := len(x.to.chain); n > 0 {
		f.at = x.to.chain[n-1]
	}
	switch {
	case x.report != nil:
		x.report(f)
	case f.dropped():
		if x.missing.kind == faultNone {
			x.missing = f
		}
	case x.fault.kind == faultNone:
		x.fault = f
	}
}

func (x *expansion) elements(list []byte, from address, passTag bool) {
	for len(list) > 0 && x.fault.kind == faultNone {
		var e element
		e, list = nextElement(list)
		x.element(e, from, passTag)
	}
}

func (x *expansion) element(e element, from address, passTag bool) {
	switch e.kind {
	case elementInclude:
		x.included(e, from)
	case elementCommand, elementFile:
		x.fail(fault{kind: faultUnsupported, what: e.String()})
	default:
		to, ok := x.next(e, from, passTag)
		if !ok {
			x.fail(fault{kind: faultForeign, what: e.String()})
		} else if !x.walk(to) && !(x.anyLocal && e.kind == elementDomain) {
			x.fail(fault{kind: faultUnknown, what: e.String()})
		}
	}
}

// next is the address that an element means in an entry that from led to;
// false when it is not ours. A name without a domain is one of from's domain.
func (x *expansion) next(e element, from address, passTag bool) (to address, ok bool) {
	to = address{local: e.local, domain: from.domain, loose: true, final: e.kind == elementFinal}
	if len(e.domain) > 0 {
		if to.domain, to.loose, ok = x.r.ours(e.domain); !ok {
			return to, false
		}
	}
	if e.kind == elementDomain {
		to.local = from.local
	} else if passTag {
		start := len(x.to.bytes)
		x.to.bytes = append(append(x.to.bytes, e.local...), from.local[len(from.user):]...)
		to.local = x.to.bytes[start:len(x.to.bytes):len(x.to.bytes)]
	}
	return x.split(to), true
}

func (x *expansion) included(e element, from address) {
	i := x.r.include(e.local, x.now)
	if i == nil {
		x.fail(fault{kind: faultInclude, what: x.includeError(e.local)})
		return
	}
	led := x.to.chain[len(x.to.chain)-1].address
	if x.enter(visit{entryID{i.file, 0}, led}, e.String()) {
		x.elements(i.elements, from, false)
		x.leave()
	}
}

func (x *expansion) includeError(name []byte) string {
	w, _ := x.r.includes.Load(string(name))
	return w.(*watched[include]).lastError()
}
