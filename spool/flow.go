package spool

// What is ready for a destination waits in flows, one for each sender, which
// take turns: a mailing of a hundred thousand messages does not hold up the one
// message of somebody else for longer than one delivery. Within a flow first
// come, first served. A decision costs the same however long the queue is.

// flow is what one sender has for one destination.
type flow struct {
	next        *flow // in the ring of the destination
	key         flowKey
	first, last *task
}

// flowKey is destination.index and message.sender in one number, which makes a
// faster key than both in a struct.
type flowKey uint64

// task says that a message has ready recipients for a destination. It names
// the message and does not hold it: the message may be gone when its turn
// comes.
type task struct {
	id   ID
	next *task
}

// senderOf tells senders apart: the account, or without login the return path.
// That two share a number now and then is no harm.
func senderOf(e *Envelope) uint32 {
	if len(e.Account) > 0 {
		return checksum(e.Account)
	}
	return checksum(e.ReturnPath)
}

// push queues a task behind those of the same sender. Under s.mu.
func (s *Spool) push(d *destination, m *message) {
	key := flowKey(d.index)<<32 | flowKey(m.sender)
	f := s.flows[key]
	if f == nil {
		f = s.freeFlows.get()
		f.key = key
		s.flows[key] = f
		d.addFlow(f)
	}
	t := s.freeTasks.get()
	t.id = m.id
	if f.last != nil {
		f.last.next = t
	} else {
		f.first = t
	}
	f.last = t
	d.tasks++
}

// addFlow puts a flow at the end of the ring.
func (d *destination) addFlow(f *flow) {
	if d.lastFlow == nil {
		f.next = f
	} else {
		f.next, d.lastFlow.next = d.lastFlow.next, f
	}
	d.lastFlow = f
}

// pop takes the first task of the flow whose turn it is; there must be one.
// Under s.mu.
func (s *Spool) pop(d *destination) ID {
	f := d.lastFlow.next
	t := f.first
	id := t.id
	f.first = t.next
	if f.first != nil {
		d.lastFlow = f
	} else {
		s.removeFirstFlow(d)
	}
	t.next = nil
	s.freeTasks.put(t)
	d.tasks--
	return id
}

func (s *Spool) removeFirstFlow(d *destination) {
	f := d.lastFlow.next
	if f == d.lastFlow {
		d.lastFlow = nil
	} else {
		d.lastFlow.next = f.next
	}
	delete(s.flows, f.key)
	*f = flow{}
	s.freeFlows.put(f)
}

// dropTasks forgets all tasks of a destination. Under s.mu.
func (s *Spool) dropTasks(d *destination) {
	for d.tasks > 0 {
		s.pop(d)
	}
}
