package spool

import (
	"container/heap"
	"sync"
	"time"
)

// agentQueue is an agent with the destinations that it serves. All of it is
// under Spool.mu.
type agentQueue struct {
	name   string
	agent  Agent
	limits Limits
	states stateCounts // of its recipients

	// ring are the destinations that may run now, the next one first; the
	// other way round, one that may run is in the ring.
	ring    destinationList
	running int // deliveries
	workers int // goroutines
	idle    []*worker
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
	report  []byte // the history for the entry, when the sender wants to know
}

// offer puts a destination into the ring of its agent if something of it may
// run now, and else takes it out. Under s.mu.
func (s *Spool) offer(d *destination) {
	q := d.agent
	may := d.tasks > 0 && d.running < d.window && d.place < 0 && q.limits.Workers > 0
	switch {
	case may && d.list == nil:
		q.ring.push(d)
	case !may && d.list == &q.ring:
		q.ring.remove(d)
	}
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

// schedule queues what m has for its destinations now, and puts it into the
// heap for the first recipient that is due later. It is called whenever
// recipients may have become ready. Under s.mu.
func (s *Spool) schedule(m *message) {
	if m.claimed || s.idle {
		s.removeDue(m) // unclaim looks again
		return
	}
	now := s.seconds()
	next := uint32(0)
	rs := m.recipients()
	s.markTasks(rs)
	for i := range rs {
		if due := s.scheduleRecipient(m, &rs[i], now); due != 0 && (next == 0 || due < next) {
			next = due
		}
	}
	s.setDue(m, next)
}

// scheduleRecipient queues what is to be done about a recipient now, or says
// when it is to be looked at again. Under s.mu.
func (s *Spool) scheduleRecipient(m *message, r *recipientState, now uint32) (due uint32) {
	if r.toReport() {
		if r.due > now && s.reporter != nil {
			return r.due
		}
		s.reportSoon(m)
		return 0
	}
	d := s.destinationOf(r)
	if d.agent == &s.nobody {
		return 0
	}
	if r.state == StateDeferred {
		if r.due > now {
			return r.due
		}
		s.setState(m, r, StateReady)
		r.due = 0
	}
	if r.state == StateReady && !r.has(markQueued|markRunning) {
		s.queueRecipient(m, r, d)
	}
	return 0
}

// markTasks marks the destinations that have a task for the message already:
// one is enough for all recipients there. Under s.mu.
func (s *Spool) markTasks(rs []recipientState) {
	s.generation++
	for i := range rs {
		if rs[i].has(markQueued) {
			s.destinationOf(&rs[i]).mark = s.generation
		}
	}
}

func (s *Spool) queueRecipient(m *message, r *recipientState, d *destination) {
	r.marks |= markQueued
	if d.mark == s.generation {
		return
	}
	d.mark = s.generation
	s.push(d, m)
	s.offer(d)
	s.wakeWorker(d.agent)
}

func (s *Spool) setDue(m *message, due uint32) {
	switch {
	case due == 0:
		s.removeDue(m)
		return
	case m.place < 0:
		m.due = due
		heap.Push(&s.due, m)
	case m.due != due:
		m.due = due
		heap.Fix(&s.due, int(m.place))
	}
	if m.place == 0 {
		wake(s.dueChanged)
	}
}

// dueBy makes sure that the message is looked at when a recipient is due.
// Under s.mu.
func (s *Spool) dueBy(m *message, due uint32) {
	if m.place < 0 || due < m.due {
		s.setDue(m, due)
	}
}

// seconds is the time in the unit of due.
func (s *Spool) seconds() uint32 { return uint32(s.now().Unix()) }

// Wake looks at the clock at once: what has become due is delivered. The spool
// does so by itself; Wake is for clocks that jump.
func (s *Spool) Wake() { wake(s.dueChanged) }

// runClock gives messages to their agents when they become due, and lets
// destinations run when they have waited.
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

// releaseMax is how many messages become due in one hold of the lock.
const releaseMax = 1000

// releaseDue schedules what is due and says how long it is until the next.
func (s *Spool) releaseDue() time.Duration {
	for s.releaseSome() {
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.releaseWaiting(now.UnixNano())
	// Never longer than an hour: the clock may be set meanwhile.
	pause := time.Hour
	if len(s.due) > 0 {
		pause = min(pause, time.Unix(int64(s.due[0].due), 0).Sub(now))
	}
	if w := s.destinations.waiting; len(w) > 0 {
		pause = min(pause, time.Duration(w[0].until-now.UnixNano()))
	}
	return max(pause, 0)
}

// releaseSome schedules messages that are due, and says whether there may be
// more.
func (s *Spool) releaseSome() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.seconds()
	for range releaseMax {
		if len(s.due) == 0 || s.due[0].due > now {
			return false
		}
		s.schedule(s.due[0])
	}
	return true
}
