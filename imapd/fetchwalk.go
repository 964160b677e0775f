package imapd

import (
	"barid/internal/imap"
	"barid/maildir"
)

// walk goes through the messages of a set in the order of the mailbox, those
// included that are gone and that the client does not know of. It takes pages
// from the view and holds no list, however many messages there are.
type walk struct {
	ranges []imap.Range // resolved, what is left of them
	uids   bool         // they are of UIDs

	room []maildir.StoredMessage // for a page
	page []maildir.StoredMessage // what is left of it
	next int                     // number of the first message behind the page
}

// walkThrough goes to the first message of a resolved set. room is where
// messages are put.
func walkThrough(set imap.SeqSet, uids bool, room []maildir.StoredMessage) walk {
	return walk{ranges: set.Ranges, uids: uids, room: room[:0], next: 1}
}

// everything is a set of all messages, by numbers or UIDs.
var everything = imap.SeqSet{Ranges: []imap.Range{{From: 1, To: 1<<32 - 1}}}

// step returns the next message, which is valid until the step after it; nil
// when there are no more.
func (w *walk) step(v *maildir.View) *maildir.StoredMessage {
	for len(w.ranges) > 0 {
		if len(w.page) == 0 && !w.turn(v) {
			return nil
		}
		m, r := &w.page[0], w.ranges[0]
		n := m.Seq
		if w.uids {
			n = m.UID
		}
		if n > r.To {
			w.ranges = w.ranges[1:]
			continue
		}
		w.page = w.page[1:]
		if n >= r.From {
			return m
		}
	}
	return nil
}

// turn turns to the next page that has something of the set.
func (w *walk) turn(v *maildir.View) bool {
	r := w.ranges[0]
	first := int(min(r.From, 1<<31-1))
	if w.uids {
		first, _ = v.Seq(r.From)
	}
	w.next = max(w.next, first)
	room := w.room
	if n := w.left(r); n < cap(room) {
		room = room[:0:n]
	}
	w.page = v.Messages(room, w.next)
	w.next += len(w.page)
	return len(w.page) > 0
}

// left is how many messages there may be from here on, as far as that is seen
// at once: who asks for one message does not wait for a page.
func (w *walk) left(r imap.Range) int {
	from := r.From
	if !w.uids {
		from = max(from, uint32(w.next))
	}
	if len(w.ranges) > 1 || r.To-from >= 1<<20 {
		return 1 << 20
	}
	return int(r.To-from) + 1
}
