package loop

import (
	"runtime"
	"slices"
	"sync"
)

// state is where a connection stands in the schedule.
type state uint8

const (
	parked  state = iota // nobody looks at it
	queued               // in the ready queue
	running              // a worker has it
	shaking              // a handshake goroutine has it, or it waits for one
	gone                 // closed; nothing may touch the descriptor
)

// events is what happened to a connection since it was last looked at.
type events uint8

const (
	evRead   events = 1 << iota // bytes, or the end of them
	evWrite                     // room for output
	evHangup                    // the peer shut down its side, or an error
	evTimer                     // the time in Conn.timer has come
	evStop                      // the loop shuts down
	evWake                      // see Waker
)

// verdict is what a run of a connection ended with.
type verdict uint8

const (
	done      verdict = iota // nothing to do until something happens
	again                    // wants another turn
	givenAway                // a handshake has it; not ours to touch
)

// worker is one goroutine that runs sessions.
type worker struct {
	wake  chan struct{}
	asked bool // the session called Conn.Blocking; owned by the worker

	// Guarded by Loop.mu.
	blocked bool   // not counted among the running, though it runs a session
	surplus bool   // should end
	since   uint64 // tick at which it took up its session; 0: it has none
}

// schedule decides who runs what. Workers are in one of four places: running
// a session, blocked inside one, polling (at most one), or idle on a stack.
type schedule struct {
	mu          sync.Mutex
	head, tail  *Conn // ready connections, first come first served
	idle        []*worker
	all         []*worker
	running     int // workers that run a session and are not blocked
	runningMax  int
	workersMax  int
	polling     bool
	stale       int    // how often a connection was taken since the last harvest
	ticks       uint64 // of the clock, from 1
	closed      bool
	exited      sync.WaitGroup
	startWorker func(*worker) // starts its goroutine; called with mu held
}

func (s *schedule) init(o Options) {
	s.runningMax = o.Workers
	if s.runningMax <= 0 {
		s.runningMax = runtime.GOMAXPROCS(0)
	}
	s.workersMax = o.WorkersMax
	if s.workersMax <= 0 {
		s.workersMax = 1024
	}
	s.workersMax = max(s.workersMax, s.runningMax+1)
	s.ticks = 1
}

// mark notes ev and reports whether c has become ready. mu is held.
func (s *schedule) mark(c *Conn, ev events) bool {
	c.pending |= ev
	switch c.state {
	case parked:
		s.push(c)
		return true
	case shaking:
		select {
		case c.secure.wake <- struct{}{}:
		default:
		}
	}
	return false
}

// push appends c to the ready queue. mu is held.
func (s *schedule) push(c *Conn) {
	c.state = queued
	c.next = nil
	if s.tail == nil {
		s.head = c
	} else {
		s.tail.next = c
	}
	s.tail = c
}

// pop takes the first ready connection. mu is held.
func (s *schedule) pop() *Conn {
	c := s.head
	s.head = c.next
	if s.head == nil {
		s.tail = nil
	}
	c.next = nil
	c.state = running
	s.stale++
	return c
}

// callWorker sees to it that somebody takes up the ready queue, if another
// running session is allowed. mu is held.
func (s *schedule) callWorker() {
	if s.running >= s.runningMax {
		return // one of them looks at the queue when it is done
	}
	if n := len(s.idle); n > 0 {
		w := s.idle[n-1]
		s.idle = s.idle[:n-1]
		s.running++
		w.wake <- struct{}{}
		return
	}
	if len(s.all) < s.workersMax && !s.closed {
		w := &worker{wake: make(chan struct{}, 1)}
		s.all = append(s.all, w)
		s.running++
		s.startWorker(w)
	}
}

// block takes a worker that is about to wait out of those that run.
func (s *schedule) block(w *worker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.blocked {
		return
	}
	w.blocked = true
	s.running--
	if s.head != nil || !s.polling {
		s.callWorker()
	}
}

// work is the life of a worker. It begins counted as running.
func (l *Loop) work(w *worker) {
	defer l.exited.Done()
	l.mu.Lock()
	for c := l.nextReady(w); c != nil; c = l.nextReady(w) {
		ev := c.pending
		c.pending, w.since = 0, l.ticks
		l.mu.Unlock()
		v := c.attend(w, ev)
		l.mu.Lock()
		w.since, w.asked = 0, false
		if w.blocked { // there may now be more running than allowed, for one session
			w.blocked = false
			l.running++
		}
		l.settle(c, v)
	}
	l.all = slices.DeleteFunc(l.all, func(x *worker) bool { return x == w })
	l.mu.Unlock()
}

// settle puts c where it belongs after a run. mu is held.
func (s *schedule) settle(c *Conn, v verdict) {
	if v == givenAway || c.state == gone {
		return
	}
	if v == again || c.pending != 0 {
		s.push(c)
		return
	}
	c.state = parked
}

// nextReady gives w its next connection; nil when it should end. mu is held,
// given up while waiting, and held again at return.
func (l *Loop) nextReady(w *worker) *Conn {
	for {
		if l.stale >= staleMax && !l.polling {
			l.harvest(l.look)
		}
		l.running--
		switch {
		case l.closed:
			return nil
		case w.surplus:
			// It was counted as running until now: work that came
			// meanwhile was left to it, and it does not take any.
			if l.head != nil {
				l.callWorker()
			}
			return nil
		case l.head != nil && l.running < l.runningMax:
			l.running++
			c := l.pop()
			if l.head != nil {
				l.callWorker()
			}
			return c
		case !l.polling:
			l.harvest(l.poll)
			l.running++
		default:
			l.idle = append(l.idle, w)
			l.mu.Unlock()
			<-w.wake // whoever wakes it has counted it as running
			l.mu.Lock()
		}
	}
}

// staleMax is how many connections are taken from the queue before somebody
// looks for more, though the queue is not empty: those in it may be there
// again and again.
const staleMax = 64

// harvest queues what has become ready. mu is held, and given up meanwhile.
func (l *Loop) harvest(poll func() int) {
	l.polling = true
	l.mu.Unlock()
	n := poll()
	l.mu.Lock()
	l.polling = false
	l.stale = 0
	l.deliver(n)
}

// relieve is called at every tick. Sessions that have been running since
// before the last one should have called Conn.Blocking; it is done for them,
// so that they hold up nobody else for longer. It reports whether there were
// any. mu is held.
func (s *schedule) relieve() (late bool) {
	s.ticks++
	for _, w := range s.all {
		if w.since == 0 || w.since+1 >= s.ticks || w.blocked {
			continue
		}
		late, w.blocked = true, true
		s.running--
		if s.head != nil || !s.polling {
			s.callWorker()
		}
	}
	return late
}

// shrink ends some of the workers that have nothing to do: those that were
// started because others were blocked. mu is held.
func (s *schedule) shrink() {
	surplus := (len(s.idle) - s.runningMax + 1) / 2
	for range surplus {
		w := s.idle[0] // the one that has been idle longest
		s.idle = slices.Delete(s.idle, 0, 1)
		w.surplus = true
		s.running++
		w.wake <- struct{}{}
	}
}

// stop ends all workers once they are done with what they run. mu is held.
func (s *schedule) stop() {
	s.closed = true
	for _, w := range s.idle {
		s.running++
		w.wake <- struct{}{}
	}
	s.idle = nil
}
