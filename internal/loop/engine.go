package loop

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Loop serves the connections of any number of listeners.
type Loop struct {
	schedule
	poller
	clock
	memory memory
	log    *slog.Logger

	memoryMax int64
	ids       uint64  // of the last connection; guarded by mu
	table     []*Conn // by descriptor; guarded by mu
	listeners []*Listener
	conns     int // in table, without listeners; guarded by mu
	connMax   int
	empty     chan struct{} // closed when the last connection has gone; guarded by mu

	stopping atomic.Bool // no new connections, those without work expire
	killed   atomic.Bool // all connections close
	end      chan struct{}

	processors chan struct{} // tokens for computing a handshake
	shaking    int           // handshake goroutines; guarded by mu
	shakingMax int
	waiting    []*Conn     // for a handshake goroutine; guarded by mu
	crowded    atomic.Bool // there were some at the last tick
	askedBack  bool        // since the last tick; guarded by mu

	reserveMu sync.Mutex
	reserve   int // a descriptor for the moment when there are no more
}

// New makes a Loop that serves what Listen gives it.
func New(o Options) (*Loop, error) {
	l := &Loop{log: o.Log, memoryMax: o.MemoryMax, shakingMax: o.HandshakesMax, connMax: o.ConnMax}
	if l.log == nil {
		l.log = slog.Default()
	}
	if l.memoryMax <= 0 {
		l.memoryMax = 256 << 20
	}
	if l.connMax <= 0 {
		l.connMax = connsThatFit()
	}
	if l.shakingMax <= 0 {
		l.shakingMax = 256
	}
	if err := l.poller.open(); err != nil {
		return nil, err
	}
	l.openReserve()
	l.processors = make(chan struct{}, runtime.GOMAXPROCS(0))
	l.end = make(chan struct{})
	l.clock.init(o.Clock != nil)
	l.schedule.init(o)
	l.startWorker = func(w *worker) {
		l.exited.Add(1)
		go l.work(w)
	}
	l.mu.Lock()
	l.callWorker()
	l.mu.Unlock()
	go l.keepTime(o.Clock)
	return l, nil
}

// connsThatFit is how many connections leave descriptors for files: mail that
// was taken has to be delivered, and mailboxes opened, whoever else connects.
func connsThatFit() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return math.MaxInt32
	}
	return int(min(limit.Cur-min(limit.Cur/4, 512), math.MaxInt32))
}

// halfFull says whether half of all connections that there may be are open.
func (l *Loop) halfFull() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conns > l.connMax/2
}

// enter gives c its number and its place in the table. mu is held.
func (l *Loop) enter(c *Conn) {
	l.ids++
	c.id = l.ids
	for int(c.fd) >= len(l.table) {
		l.table = append(l.table, make([]*Conn, max(64, len(l.table)))...)
	}
	l.table[c.fd] = c
	if c != &c.ln.conn {
		l.conns++
	}
}

// leave undoes enter. mu is held.
func (l *Loop) leave(c *Conn) {
	c.state = gone
	l.table[c.fd] = nil
	if l.conns--; l.conns == 0 && l.empty != nil {
		close(l.empty)
	}
}

// deliver marks the connections that the first n polled events are for. mu is
// held.
func (l *Loop) deliver(n int) {
	for i := range l.events[:n] {
		e := &l.events[i]
		if int(e.Fd) >= len(l.table) {
			continue
		}
		if c := l.table[e.Fd]; c != nil && uint32(c.id) == uint32(e.Pad) {
			l.mark(c, eventsOf(e.Events))
		}
	}
}

// keepTime advances the clock until the loop ends.
func (l *Loop) keepTime(injected <-chan time.Time) {
	if injected != nil {
		for {
			select {
			case t := <-injected:
				l.onTick(l.instantOf(t))
			case <-l.end:
				return
			}
		}
	}
	coarse := time.NewTicker(longStep * time.Millisecond)
	defer coarse.Stop()
	for {
		select {
		case <-coarse.C:
			l.onTick(l.fresh())
		case <-l.kick:
			l.keepPauses()
		case <-l.end:
			return
		}
	}
}

// keepPauses keeps time in fine steps while somebody pauses.
func (l *Loop) keepPauses() {
	fine := time.NewTicker(shortStep * time.Millisecond)
	defer fine.Stop()
	for l.pausing() {
		select {
		case <-fine.C:
			l.onTick(l.fresh())
		case <-l.end:
			return
		}
	}
}

// onTick wakes those whose time has come.
func (l *Loop) onTick(now instant) {
	due := l.advance(now)
	l.mu.Lock()
	for _, c := range due {
		if l.mark(c, evTimer) {
			l.callWorker()
		}
	}
	for _, li := range l.listeners {
		if li.resting {
			li.resting = false
			l.mark(&li.conn, evRead)
			l.callWorker()
		}
	}
	l.hurryHandshakes()
	l.askedBack = false
	l.shrink()
	if l.relieve() {
		l.log.Warn("a session runs for more than a second without Conn.Blocking")
	}
	l.mu.Unlock()
	clear(due)
}

// hurryHandshakes has the handshakes that wait for their clients look whether
// they are keeping others waiting. mu is held.
func (l *Loop) hurryHandshakes() {
	crowded := len(l.waiting) > 0
	l.crowded.Store(crowded)
	if !crowded {
		return
	}
	for _, c := range l.table {
		if c != nil && c.state == shaking {
			l.mark(c, evStop)
		}
	}
}

// overBudget says whether too much memory is lent.
func (l *Loop) overBudget() bool { return l.memory.lent.Load() > l.memoryMax }

// Shutdown ends the loop in good order: no more connections are accepted,
// sessions that are not busy (Conn.SetBusy) expire when they wait for input,
// the others when they are no longer busy. It returns nil when all have gone.
// When ctx ends first, the rest is closed, and ctx's error returned. The
// loop is closed then.
func (l *Loop) Shutdown(ctx context.Context) error {
	l.stopping.Store(true)
	empty := l.rouse()
	var err error
	select {
	case <-empty:
	case <-ctx.Done():
		err = ctx.Err()
	}
	return errors.Join(err, l.Close())
}

// rouse has every connection look at stopping and killed, and gives the
// channel that is closed when there are none.
func (l *Loop) rouse() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.empty == nil {
		l.empty = make(chan struct{})
		if l.conns == 0 {
			close(l.empty)
		}
	}
	for _, c := range l.table {
		if c != nil && c != &c.ln.conn && l.mark(c, evStop) {
			l.callWorker()
		}
	}
	return l.empty
}

// Close closes all connections and listeners. A Session that runs is closed
// when its method returns; Close waits for that.
func (l *Loop) Close() error {
	l.stopping.Store(true)
	l.killed.Store(true)
	<-l.rouse()
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.stop()
	listeners := l.listeners
	l.listeners = nil
	l.mu.Unlock()
	close(l.end)
	err := l.poller.file.Close()
	l.exited.Wait()
	for _, li := range listeners {
		unix.Close(int(li.conn.fd))
		if li.from != nil {
			err = errors.Join(err, li.from.Close())
		}
	}
	if l.reserve >= 0 {
		unix.Close(l.reserve)
	}
	return err
}
