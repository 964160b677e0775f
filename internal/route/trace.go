package route

import "strconv"

// Step is one thing that happened to an address on its way, for people.
type Step struct {
	What  string // what was asked: "alias map", "account", "relay domain"
	Where string // file:line, or the key of the configuration; may be empty
	From  string // what was looked up
	To    string // what it led to; empty when it led nowhere
	Depth int    // how many entries of maps led to it
}

// Trace resolves an address as Resolve does, and tells how. It is for people
// and takes its time.
func (r *Router) Trace(address []byte, from Sender, into *Targets) (Verdict, []Step) {
	steps := []Step{}
	x := r.expansion(into)
	x.from, x.steps = from, &steps
	v := x.recipient(address)
	return v, steps
}

// note adds a step. Whoever calls it asks first whether steps are wanted.
func (x *expansion) note(what, where, from, to string) {
	*x.steps = append(*x.steps, Step{what, where, from, to, len(x.to.chain)})
}

// place is where an entry stands.
func (t *table) place(e entry) string { return t.file + ":" + strconv.Itoa(e.line) }

// noteEntry tells of an entry with addresses.
func (x *expansion) noteEntry(t *table, e entry) {
	what := "alias map"
	switch {
	case t == x.virtual && e.key[0] == '@':
		what = "catch-all"
	case t == x.virtual:
		what = "virtual map"
	}
	to := ""
	for list := e.value; len(list) > 0; {
		var item element
		item, list = nextElement(list)
		if to != "" {
			to += ", "
		}
		to += item.String()
	}
	x.note(what, t.place(e), string(e.key), to)
}

// noteDomain tells whose domain the recipient's is.
func (x *expansion) noteDomain(written []byte, a address) {
	where, to := "", "not ours, and the sender may not relay"
	switch {
	case !a.foreign && x.r.domains[string(written)]:
		where, to = "domains", "ours"
	case !a.foreign:
		where, to = "hostname", string(a.domain)
	case x.r.relays(a.domain):
		where, to = "relay.domains", "handed on for anybody"
	case x.from.MayRelay:
		to = "not ours, but the sender may relay"
	}
	x.note("domain", where, string(written), to)
}

func (x *expansion) noteListed(t *table, e entry, found bool) {
	if found {
		x.note("recipient map", t.place(e), string(x.key.fullAt), string(e.key))
		return
	}
	x.note("recipient map", x.r.options.RelayRecipientFile, string(x.key.fullAt), "")
}
