package spool

import "slices"

// ages holds the messages in the order of their arrival. Under Spool.mu.
type ages struct {
	oldest, newest *message
	cursors        []*cursor
}

// cursor is where somebody goes on who walks through the list and lets go of
// the lock on the way.
type cursor struct{ at *message }

// newCursor begins at the oldest message. It must be dropped.
func (a *ages) newCursor() *cursor {
	c := &cursor{at: a.oldest}
	a.cursors = append(a.cursors, c)
	return c
}

func (a *ages) drop(c *cursor) {
	at := slices.Index(a.cursors, c)
	a.cursors = slices.Delete(a.cursors, at, at+1)
}

// add puts a message into the list. It is newer than all but a few.
func (a *ages) add(m *message) {
	after := a.newest
	for after != nil && after.id > m.id {
		after = after.prev
	}
	m.prev = after
	if after != nil {
		m.next, after.next = after.next, m
	} else {
		m.next, a.oldest = a.oldest, m
	}
	if m.next != nil {
		m.next.prev = m
	} else {
		a.newest = m
	}
}

// remove takes a message out of the list, if it is there.
func (a *ages) remove(m *message) {
	for _, c := range a.cursors {
		if c.at == m {
			c.at = m.next
		}
	}
	switch {
	case m.prev != nil:
		m.prev.next = m.next
	case a.oldest == m:
		a.oldest = m.next
	default:
		return
	}
	if m.next != nil {
		m.next.prev = m.prev
	} else {
		a.newest = m.prev
	}
	m.next, m.prev = nil, nil
}
