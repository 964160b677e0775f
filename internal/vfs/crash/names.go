package crash

import (
	"maps"
	"slices"
)

// place is a name in a directory.
type place struct {
	dir  *inode
	name string
}

// nameChange is an atomic change of one or two names that no sync has covered
// yet.
type nameChange struct {
	places [2]place  // the second one may be empty
	now    [2]*inode // what each name means afterwards, nil: nothing
	fresh  bool      // the first name was free: create, link, mkdir
}

func (c *nameChange) touchesDir(dir *inode) bool {
	return c.places[0].dir == dir || c.places[1].dir == dir
}

// change makes a change visible to programs and notes it as pending.
func (fsys *FS) change(c nameChange) {
	for i, p := range c.places {
		if p.dir != nil {
			fsys.point(p, c.now[i])
		}
	}
	fsys.pending = append(fsys.pending, c)
}

func (fsys *FS) point(p place, to *inode) {
	p.dir.mtime = fsys.now()
	old := p.dir.entries[p.name]
	if to != nil {
		to.links++
		p.dir.entries[p.name] = to
	} else {
		delete(p.dir.entries, p.name)
	}
	if old != nil {
		old.links--
		fsys.release(old)
	}
}

// release gives the space of an inode back that nothing refers to any more.
func (fsys *FS) release(n *inode) {
	if n.links == 0 && n.opens == 0 {
		fsys.used.Bytes -= int64(len(n.data))
		fsys.used.Files--
	}
}

// syncNames makes the changes durable that touch dir, and those before them
// about the same names; with nil all.
func (fsys *FS) syncNames(dir *inode) {
	wanted := make([]bool, len(fsys.pending))
	names := map[place]bool{}
	for i := len(fsys.pending) - 1; i >= 0; i-- {
		c := &fsys.pending[i]
		wanted[i] = dir == nil || c.touchesDir(dir) || names[c.places[0]] || (c.places[1].dir != nil && names[c.places[1]])
		if wanted[i] {
			names[c.places[0]], names[c.places[1]] = true, true
		}
	}
	var rest []nameChange
	for i, c := range fsys.pending {
		if !wanted[i] {
			rest = append(rest, c)
			continue
		}
		for k, p := range c.places {
			if p.dir != nil {
				set(p.dir.durableEntries, p.name, c.now[k])
			}
		}
	}
	fsys.pending = rest
}

func set(entries map[string]*inode, name string, to *inode) {
	if to == nil {
		delete(entries, name)
		return
	}
	entries[name] = to
}

// survivingNames says which names each directory has after a power cut: the
// durable ones, changed by all, by none, by the first few, or by some of the
// pending changes.
func (fsys *FS) survivingNames() map[*inode]map[string]*inode {
	names := map[*inode]map[string]*inode{}
	collect(fsys.root, names)
	for _, c := range fsys.pending {
		for k, p := range c.places {
			if p.dir != nil {
				collect(p.dir, names)
			}
			if c.now[k] != nil {
				collect(c.now[k], names)
			}
		}
	}
	keep := fsys.keeper()
	for i, c := range fsys.pending {
		if !keep(i) || c.fresh && names[c.places[0].dir][c.places[0].name] != nil {
			continue
		}
		for k, p := range c.places {
			if p.dir != nil {
				set(names[p.dir], p.name, c.now[k])
			}
		}
	}
	return names
}

// unsettled reports whether changes in a directory wait for a sync.
func (fsys *FS) unsettled(dir *inode) bool {
	return slices.ContainsFunc(fsys.pending, func(c nameChange) bool { return c.touchesDir(dir) })
}

func (fsys *FS) keeper() func(i int) bool {
	switch fsys.rng.IntN(4) {
	case 0:
		return func(int) bool { return false }
	case 1:
		return func(int) bool { return true }
	case 2:
		first := fsys.rng.IntN(len(fsys.pending) + 1)
		return func(i int) bool { return i < first }
	default:
		return func(int) bool { return fsys.rng.IntN(2) == 0 }
	}
}

// collect copies the durable names of a directory and of those below it.
func collect(n *inode, names map[*inode]map[string]*inode) {
	if n.entries == nil || names[n] != nil {
		return
	}
	names[n] = maps.Clone(n.durableEntries)
	for _, child := range n.durableEntries {
		collect(child, names)
	}
}

func sortedNames(entries map[string]*inode) []string {
	return slices.Sorted(maps.Keys(entries))
}
