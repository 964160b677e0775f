package loop

import (
	"cmp"
	"slices"
)

// heldFree is what a Session may hold without being asked for it back: a
// transaction as most of them are.
const heldFree = 16 << 10

// SetHeld says how many octets the Session holds for this client, beside the
// loop's buffers. Unless they are few they count against Options.MemoryMax.
// When that is exceeded, Sessions that hold many and wait for input expire
// (Overload), those first that have been silent for longest.
func (c *Conn) SetHeld(octets int) {
	if octets <= heldFree {
		octets = 0
	}
	if c.rare == nil {
		if octets == 0 {
			return
		}
		c.rare = new(rare)
	}
	c.ln.loop.memory.lent.Add(int64(octets - c.rare.held))
	c.rare.held = octets
	c.rare.asked = c.rare.asked && octets > 0
}

// held is what SetHeld has said, when it is much.
func (c *Conn) held() int {
	if c.rare == nil {
		return 0
	}
	return c.rare.held
}

// holdsTooMuch says whether a Session that waits must end for what it holds.
// Rather than itself it has those end that have done nothing for longer,
// unless memory is far over the limit already.
func (c *Conn) holdsTooMuch() bool {
	l := c.ln.loop
	if c.held() == 0 || c.rare.asked {
		return c.held() > 0
	}
	lent := l.memory.lent.Load()
	if lent > l.memoryMax+l.memoryMax/4 {
		return true
	}
	if lent > l.memoryMax {
		l.askBack()
	}
	return false
}

// askBack makes room: a quarter of the memory. It does so once between two
// ticks, so that those who were asked can leave before others are.
func (l *Loop) askBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.askedBack {
		return
	}
	l.askedBack = true
	var holders []*Conn
	for _, c := range l.table {
		if c != nil && c.state == parked && c.held() > 0 {
			holders = append(holders, c)
		}
	}
	slices.SortFunc(holders, func(a, b *Conn) int { return cmp.Compare(a.patience, b.patience) })
	excess := l.memory.lent.Load() - l.memoryMax*3/4
	for _, c := range holders {
		if excess <= 0 {
			return
		}
		excess -= int64(c.held())
		c.rare.asked = true
		if l.mark(c, evStop) {
			l.callWorker()
		}
	}
}
