package route

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"barid/internal/addr"
)

// Check reads the maps and follows every entry, and says what is wrong: what
// keeps a map from being read, targets that cannot be reached, loops, and
// entries that can never be used. It needs Account to tell which accounts
// there are. The problems come in the order of the files.
func Check(options Options) []Problem {
	r, err := newRouter(options)
	if err != nil {
		return []Problem{{Text: err.Error()}}
	}
	c := checker{r: r, seen: map[Problem]bool{}}
	for _, m := range r.maps() {
		c.read(m)
	}
	for _, one := range []struct {
		of    *watched[table]
		check func(entry)
	}{{r.aliases, c.alias}, {r.virtual, c.virtual}, {r.transport, c.transport}, {r.senders, c.sender}, {r.recipients, c.recipient}} {
		if one.of != nil {
			one.of.current.Load().all(one.check)
		}
	}
	c.postmaster()
	c.smarthost()
	slices.SortStableFunc(c.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return c.problems
}

// checker gathers problems, each once.
type checker struct {
	r        *Router
	problems []Problem
	seen     map[Problem]bool
}

func (c *checker) add(p Problem) {
	if !c.seen[p] {
		c.seen[p] = true
		c.problems = append(c.problems, p)
	}
}

// read reads a map. What is good of it stays in memory for the rest of Check.
func (c *checker) read(w *watched[table]) {
	p, t, err := readMap(w.name, w.parse)
	if err != nil {
		text := err.Error()
		if pathError := (*fs.PathError)(nil); errors.As(err, &pathError) {
			text = pathError.Err.Error()
		}
		c.add(Problem{File: w.name, Text: text})
		t, p = new(table), &parser{}
	}
	for _, problem := range p.problems {
		c.add(problem)
	}
	w.pace.Due(c.r.options.Now()) // this was the look
	w.current.Store(t)
}

func (c *checker) alias(e entry) {
	content, err := addr.AppendLocal(nil, e.key)
	if err == nil {
		c.follow(c.r.options.AliasFile, e, address{local: content, domain: c.r.primary})
	}
}

func (c *checker) virtual(e entry) {
	local, domain, qualified := addr.Split(e.key)
	from := address{domain: c.r.primary}
	if d, _, ok := c.r.ours(domain); qualified && ok {
		from.domain = d
	}
	switch own, ours := c.r.domains[string(domain)]; {
	case qualified && len(local) > 0 && c.r.relays(domain):
		from.domain, from.foreign = domain, true
	case qualified && !ours:
		c.unused(c.r.virtual, e, fmt.Sprintf("%s is not in domains, so the entry is never used", domain))
	case qualified && !own:
		c.unused(c.r.virtual, e, fmt.Sprintf("an address at %s is looked up without its domain, so the entry is never used", domain))
	case !qualified && c.r.domains[string(e.key)]:
		c.unused(c.r.virtual, e, "a domain needs no entry of its own; domains lists it already")
		return
	}
	if len(local) > 0 {
		from.local, _ = addr.AppendLocal(nil, local)
	}
	c.follow(c.r.options.VirtualFile, e, from)
}

// unused reports an entry of a map that does nothing, or not what it was meant to.
func (c *checker) unused(in *watched[table], e entry, text string) {
	c.add(Problem{File: in.name, Line: e.line, Text: string(e.key) + ": " + text, Warning: true})
}

// follow expands one entry.
func (c *checker) follow(file string, e entry, from address) {
	x := c.r.expansion(new(Targets))
	x.report = func(f fault) { c.add(f.problem()) }
	if x.anyLocal = len(from.local) == 0; x.anyLocal {
		from.local = []byte("any")
	}
	from = x.split(from)
	x.setKeys(from)
	if x.enter(visit{entryID{file, e.line}, string(x.key.fullAt)}, string(e.key)) {
		x.elements(e.value, from, false)
	}
}

// postmaster makes sure that somebody gets the mail of postmaster.
func (c *checker) postmaster() {
	if v := c.r.Resolve([]byte("postmaster"), Sender{}, new(Targets)); v.Kind != Accept {
		c.add(Problem{Text: v.Reason, Warning: true})
	} else if v.Reason != "" {
		c.add(Problem{Text: "mail for postmaster goes to its mailbox only because the maps send it nowhere: " + v.Reason, Warning: true})
	}
}
