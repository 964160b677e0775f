package spool

import (
	"bytes"
	"time"
)

// destination is where recipients go that share a Dest key: one host, one
// mailbox. It is known as long as a message has a recipient for it, or it rests
// (window.go), and a while longer. All of it is under Spool.mu.
type destination struct {
	key        string
	index      uint32 // in destinationTable.known
	agent      *agentQueue
	recipients int // of messages in the queue, in whatever state
	states     stateCounts

	// What waits for its turn (flow.go).
	lastFlow *flow // the ring's end; its next is whose turn it is
	tasks    int
	mark     uint64 // the call of schedule that queued a task last

	// What may run (window.go).
	limits    DestinationLimits
	running   int
	window    int // deliveries at a time
	successes int // since the window changed
	deaths    int // in a row
	epoch     uint32
	health    Health
	reason    string
	resting   bool
	restPause time.Duration // of the last rest; 0: the last attempt was well
	until     int64         // nanoseconds since 1970, while in destinationTable.waiting
	place     int           // there; -1: not there

	list       *destinationList // which has it: the agent's ring, or those without recipients
	next, prev *destination
}

// stateCounts are how many recipients are in each state.
type stateCounts [StateDeleted + 1]int32

// waiting are those that will be delivered to, now or later.
func (c *stateCounts) waiting() int { return int(c[StateReady] + c[StateDeferred]) }

// destinationList is a list in the order of arrival.
type destinationList struct {
	first, last *destination
	count       int
}

func (l *destinationList) push(d *destination) {
	d.list, d.prev, d.next = l, l.last, nil
	if l.last != nil {
		l.last.next = d
	} else {
		l.first = d
	}
	l.last = d
	l.count++
}

func (l *destinationList) remove(d *destination) {
	if d.prev != nil {
		d.prev.next = d.next
	} else {
		l.first = d.next
	}
	if d.next != nil {
		d.next.prev = d.prev
	} else {
		l.last = d.prev
	}
	d.list, d.prev, d.next = nil, nil, nil
	l.count--
}

// destinationTable holds the destinations that are known.
type destinationTable struct {
	byKey   map[string]*destination
	known   []*destination // by index; nil: free
	unused  []uint32       // free indices
	empty   destinationList
	waiting waitHeap // those that may run again later
	limits  func(dest []byte) DestinationLimits
}

// emptyMax is how many destinations without recipients are remembered, so that
// mail that comes one message at a time allocates nothing, and what was learned
// of a host is not forgotten with each message.
const emptyMax = 1024

// destination finds the destination of a key, or makes it known. Under s.mu.
func (s *Spool) destination(key []byte) *destination {
	t := &s.destinations
	if d := t.byKey[string(key)]; d != nil {
		return d
	}
	d := &destination{key: string(key), agent: s.agentOf(key), place: -1}
	if d.agent == nil {
		d.agent = &s.nobody
	}
	if t.limits != nil {
		d.limits = t.limits(key)
	}
	d.limits.Concurrency = orDefault(d.limits.Concurrency, d.agent.limits.Concurrency)
	d.window = d.firstWindow()
	if n := len(t.unused); n > 0 {
		d.index, t.unused = t.unused[n-1], t.unused[:n-1]
	} else {
		d.index = uint32(len(t.known))
		t.known = append(t.known, nil)
	}
	t.known[d.index], t.byKey[d.key] = d, d
	t.empty.push(d)
	t.forgetSome()
	return d
}

// agentOf finds the agent of a destination key; nil when there is none.
func (s *Spool) agentOf(dest []byte) *agentQueue {
	name, _, _ := bytes.Cut(dest, []byte{':'})
	for _, q := range s.agents {
		if q.name == string(name) {
			return q
		}
	}
	return nil
}

// destinationOf is where a recipient goes. Under s.mu.
func (s *Spool) destinationOf(r *recipientState) *destination {
	return s.destinations.known[r.destination]
}

// assign says where a recipient of a new message goes. Under s.mu.
func (s *Spool) assign(r *recipientState, d *destination) {
	if d.list == &s.destinations.empty {
		d.list.remove(d)
	}
	r.destination = d.index
	d.recipients++
	d.count(r.state, 1)
}

// dismiss is the opposite of assign, for a message that is over. Under s.mu.
func (s *Spool) dismiss(r *recipientState) {
	d := s.destinationOf(r)
	d.count(r.state, -1)
	if d.recipients--; d.recipients > 0 {
		return
	}
	s.dropTasks(d)
	s.offer(d)
	if !d.resting {
		s.destinations.empty.push(d)
		s.destinations.forgetSome()
	}
}

// waitsFor says why nothing is delivered there.
func (d *destination) waitsFor() string {
	if d.reason != "" {
		return d.reason
	}
	return "not yet tried"
}

func (d *destination) count(state State, n int32) {
	d.states[state] += n
	d.agent.states[state] += n
}

// setState changes the state of a recipient in memory. Under s.mu.
func (s *Spool) setState(m *message, r *recipientState, to State) {
	d := s.destinationOf(r)
	d.count(r.state, -1)
	d.count(to, 1)
	if r.over() && !to.final() {
		m.left++
	}
	r.state = to
}

// forgetSome forgets the destination that has had no recipients for longest,
// when there are too many of these.
func (t *destinationTable) forgetSome() {
	if t.empty.count <= emptyMax {
		return
	}
	d := t.empty.first
	t.empty.remove(d)
	if d.place >= 0 {
		t.waiting.remove(d)
	}
	delete(t.byKey, d.key)
	t.known[d.index] = nil
	t.unused = append(t.unused, d.index)
}
