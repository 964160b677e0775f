package route

import (
	"bytes"
	"strings"

	"barid/internal/addr"
)

// account adds the account of an address.
func (x *expansion) account(a address) bool {
	name, byUser, ok := x.accountOf(a)
	if ok {
		if x.steps != nil {
			x.note("account", "", string(x.key.fullAt), name)
		}
		x.add(name, a, byUser)
	}
	return ok
}

// accountOf finds the account that an address names, and whether it took the
// name without its tag.
func (x *expansion) accountOf(a address) (name string, byUser, ok bool) {
	if name, ok = x.r.options.Account(x.key.fullAt); ok {
		return name, false, true
	}
	if a.tagged {
		if name, ok = x.r.options.Account(x.key.userAt); ok {
			return name, true, true
		}
	}
	if name, ok = x.bareAccount(x.key.full); ok || !a.tagged {
		return name, false, ok
	}
	name, ok = x.bareAccount(x.key.user)
	return name, true, ok
}

// bareAccount finds an account without a domain. One with a domain, which a
// look-up that completes names may find, is not meant: it would get the mail
// of that name in all of our domains.
func (x *expansion) bareAccount(key []byte) (string, bool) {
	name, ok := x.r.options.Account(key)
	return name, ok && strings.IndexByte(name, '@') < 0
}

// add adds an account to the targets.
func (x *expansion) add(account string, a address, byUser bool) {
	t := x.to
	start := len(t.bytes)
	t.bytes = append(append(t.bytes, localDest...), account...)
	end := len(t.bytes)
	target := Target{}
	if byUser {
		t.bytes = appendTagged(t.bytes, a)
		target.Detail = a.detail
	} else {
		t.bytes = append(t.bytes, x.key.full...)
	}
	t.bytes = append(append(t.bytes, '@'), a.domain...)
	target.Dest, target.Address = t.bytes[start:end:end], t.bytes[end:len(t.bytes):len(t.bytes)]
	target.Account, target.key = target.Dest[len(localDest):], target.Dest
	x.append(target, start)
}

// append adds a target whose bytes begin at start, unless it is there already.
func (x *expansion) append(target Target, start int) {
	t := x.to
	switch {
	case t.has(target.key):
		t.bytes = t.bytes[:start]
	case len(t.List) == targetsMax:
		x.fail(fault{kind: faultMany})
	default:
		t.List = append(t.List, target)
	}
}

// appendTagged appends a local part with the user folded and the tag as it
// was written.
func appendTagged(dst []byte, a address) []byte {
	var buf [addr.LocalMax]byte
	content := addr.AppendFolded(buf[:0], a.user)
	return addr.AppendQuoted(dst, append(content, a.local[len(a.user):]...))
}

// longList is the number of targets beyond which has keeps a map: below, to
// compare is quicker and allocates nothing.
const longList = 16

func (t *Targets) has(key []byte) bool {
	if len(t.List) < longList {
		for i := range t.List {
			if bytes.Equal(t.List[i].key, key) {
				return true
			}
		}
		return false
	}
	if t.known == nil {
		t.known = map[string]struct{}{}
	}
	if len(t.known) == 0 {
		for i := range t.List {
			t.known[string(t.List[i].key)] = struct{}{}
		}
	}
	if _, there := t.known[string(key)]; there {
		return true
	}
	t.known[string(key)] = struct{}{}
	return false
}

// builtIn knows the names that every domain has to have (RFC 5321 4.5.1,
// RFC 2142 2): postmaster is there always, and the others are the postmaster.
func (x *expansion) builtIn(a address) bool {
	if !x.isBuiltIn(a) {
		return false
	}
	if x.steps != nil {
		x.note("built-in name", "", string(x.key.fullAt), "postmaster")
	}
	if string(x.key.full) == "postmaster" || string(x.key.user) == "postmaster" {
		return x.postmaster(a)
	}
	x.walk(x.split(address{local: []byte("postmaster"), domain: a.domain, loose: true}))
	return true
}

func (x *expansion) isBuiltIn(a address) bool {
	if a.foreign {
		return false
	}
	name := a.local
	if a.tagged {
		name = a.user
	}
	for _, b := range []string{"postmaster", "abuse", "mailer-daemon"} {
		if len(name) == len(b) && strings.EqualFold(string(name), b) {
			return true
		}
	}
	return false
}

// rescue sends the mail of a built-in name to the postmaster's mailbox when
// the maps send it nowhere: a mistake in them is best told to the one who made it.
func (x *expansion) rescue(a address) Verdict {
	reason := x.fault.String()
	if x.fault.kind == faultNone {
		reason = x.missing.String()
	}
	if x.fault.kind != faultNoPostmaster {
		x.fault, x.missing = fault{}, fault{}
		x.to.restart()
		x.postmaster(a)
	}
	if x.fault.kind != faultNone {
		return x.fault.verdict()
	}
	v := accept()
	v.Reason = reason
	return v
}

// postmaster goes to the one that is configured, else to the first account.
func (x *expansion) postmaster(a address) bool {
	id := entryID{file: "postmaster"}
	if x.within(id) {
		return false // configured as itself
	}
	if !x.enter(visit{id, string(a.domain)}, "postmaster") {
		return true
	}
	defer x.leave()
	e := x.r.postmaster
	if e == nil && x.r.options.FirstAccount != nil {
		if first, err := parseName(elementFinal, x.r.options.FirstAccount()); err == nil {
			e = &first
		}
	}
	if e != nil {
		if x.walk(x.next(*e, a, false)) {
			return true
		}
	}
	x.fail(fault{kind: faultNoPostmaster})
	return true
}
