package route

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
	if x.steps != nil {
		x.noteEntry(t, e)
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
	if len(x.to.chain) == depthMax {
		x.fail(fault{kind: faultDepth})
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
		if x.seen == elementsMax {
			x.fail(fault{kind: faultMany})
			return
		}
		x.seen++
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
		to := x.next(e, from, passTag)
		if !x.walk(to) && !(x.anyLocal && e.kind == elementDomain) {
			x.fail(fault{kind: faultUnknown, what: e.String()})
		}
	}
}

// next is the address that an element means in an entry that from led to. A
// name without a domain is one of from's domain, if that is ours.
func (x *expansion) next(e element, from address, passTag bool) address {
	to := address{local: e.local, domain: from.domain, loose: true, final: e.kind == elementFinal}
	switch {
	case len(e.domain) > 0:
		ours := false
		to.domain, to.loose, ours = x.r.ours(e.domain)
		to.foreign = !ours
	case from.foreign:
		to.domain = x.r.primary
	}
	if e.kind == elementDomain {
		to.local = from.local
	} else if passTag {
		start := len(x.to.bytes)
		x.to.bytes = append(append(x.to.bytes, e.local...), from.local[len(from.user):]...)
		to.local = x.to.bytes[start:len(x.to.bytes):len(x.to.bytes)]
	}
	return x.split(to)
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
