package spool

import (
	"container/heap"
	"sync"
	"time"
)

// agentQueue is an agent with the messages that are ready for it. All of it is
// under Spool.mu.
type agentQueue struct {
	name  string
	agent Agent
	bit   uint16
	index uint8

	ready   fifo
	work    *sync.Cond
	running int
	closed  bool

	// delivered are the recipients in state 4 in the order of delivery.
	delivered []delivery
	syncing   []delivery // the part that a checkpoint has taken
	// checkpoint is woken when delivered is no longer empty, or is long.
	checkpoint chan struct{}
	// checkpointing is held during a checkpoint.
	checkpointing sync.Mutex
}

// delivery is a recipient that was delivered, or all those of a message.
type delivery struct {
	message *message
	index   uint16
}

// fifo is a ring of messages.
type fifo struct {
	ring  []*message // length is a power of two
	head  int
	count int
}

func (q *fifo) push(m *message) {
	if q.count == len(q.ring) {
		bigger := make([]*message, max(2*len(q.ring), 64))
		for i := range q.count {
			bigger[i] = q.ring[(q.head+i)&(len(q.ring)-1)]
		}
		q.ring, q.head = bigger, 0
	}
	q.ring[(q.head+q.count)&(len(q.ring)-1)] = m
	q.count++
}

func (q *fifo) pop() *message {
	m := q.ring[q.head]
	q.ring[q.head] = nil
	q.head = (q.head + 1) & (len(q.ring) - 1)
	if q.count--; q.count == 0 && len(q.ring) > 1<<16 {
		*q = fifo{}
	}
	return m
}

// dueHeap holds the messages with a deferred recipient, the first due on top.
type dueHeap []*message

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].due < h[j].due }
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = int32(i), int32(j)
}

// Push implements heap.Interface.
func (h *dueHeap) Push(x any) {
	m := x.(*message)
	m.place = int32(len(*h))
	*h = append(*h, m)
}

// Pop implements heap.Interface.
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	m := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	m.place = -1
	return m
}

func (s *Spool) removeDue(m *message) {
	if m.place >= 0 {
		heap.Remove(&s.due, int(m.place))
	}
}

// schedule gives m to the agents that have something to do for it now, and
// puts it into the heap for the first recipient that is due later. It is called
// whenever the state of a recipient has changed. Under s.mu.
func (s *Spool) schedule(m *message) {
	if m.moving {
		return
	}
	now := s.seconds()
	next := uint32(0)
	rs := m.recipients()
	for i := range rs {
		r := &rs[i]
		if r.agent == noAgent || r.state != StateReady && r.state != StateDeferred {
			continue
		}
		if q := s.agents[r.agent]; m.busy&q.bit == 0 {
			if r.isDue(now) {
				m.busy |= q.bit
				q.ready.push(m)
				q.work.Signal()
			} else if next == 0 || r.due < next {
				next = r.due
			}
		}
	}
	s.setDue(m, next)
}

func (r *recipientState) isDue(now uint32) bool {
	return r.state == StateReady || r.state == StateDeferred && r.due <= now
}

func (s *Spool) setDue(m *message, due uint32) {
	s.removeDue(m)
	if due == 0 {
		return
	}
	m.due = due
	heap.Push(&s.due, m)
	if m.place == 0 {
		wake(s.dueChanged)
	}
}

// seconds is the time in the unit of due.
func (s *Spool) seconds() uint32 { return uint32(s.now().Unix()) }

// Wake looks at the clock at once: what has become due is delivered. The spool
// does so by itself; Wake is for clocks that jump.
func (s *Spool) Wake() { wake(s.dueChanged) }

// runClock gives messages to their agents when they become due.
func (s *Spool) runClock() {
	defer s.background.Done()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(s.releaseDue())
		select {
		case <-s.closing:
			return
		case <-s.dueChanged:
		case <-timer.C:
		}
	}
}

// releaseDue schedules all messages that are due and says how long it is until
// the next.
func (s *Spool) releaseDue() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.seconds()
	for len(s.due) > 0 && s.due[0].due <= now {
		s.schedule(s.due[0])
	}
	if len(s.due) == 0 {
		return time.Hour
	}
	// Never longer than an hour: the clock may be set meanwhile.
	return min(time.Duration(s.due[0].due-now)*time.Second, time.Hour)
}
