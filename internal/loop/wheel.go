package loop

import (
	"sync"
	"sync/atomic"
	"time"
)

// instant is milliseconds since the loop was made, plus one day so that 0 can
// mean "never set".
type instant int64

const dayOne = instant(24 * time.Hour / time.Millisecond)

func (t instant) add(d time.Duration) instant {
	return t + instant((d+time.Millisecond-1)/time.Millisecond)
}

// timer is the part of a Conn that the wheels use.
//
// Re-arming is lazy. A connection says when it wants to be woken in due; that
// is all, as long as it sits in a slot that comes up before. When the slot
// comes up, the wheel reads due and either wakes the connection or moves it
// on. So a command costs one store, and no lock.
type timer struct {
	due        atomic.Int64 // instant; when to wake the connection
	slotted    atomic.Int64 // instant at which its slot comes up; 0: in no slot
	wheel      *wheel       // the one it is in; guarded by clock.wheelMu, as below
	next, prev *Conn
}

// wheel is a circle of slots, each a list of connections. What is due later
// than one turn waits in the slot farthest away and is moved on from there.
type wheel struct {
	step  instant // between two slots
	slots []*Conn
	at    instant // start of the step that has been served
	count int
}

// clock owns the two wheels: a coarse one for deadlines and a fine one for
// pauses, which needs serving only while somebody pauses.
type clock struct {
	start    time.Time
	injected bool         // time comes from Options.Clock only
	tick     atomic.Int64 // instant; the time, as fresh as the last tick
	wheelMu  sync.Mutex
	long     wheel
	short    wheel
	kick     chan struct{} // the short wheel is no longer empty
	due      []*Conn       // found by turn; reused
}

const (
	longStep  = 1000 // milliseconds
	shortStep = 50
)

func (k *clock) init(injected bool) {
	k.start = time.Now()
	k.injected = injected
	k.tick.Store(int64(dayOne))
	k.kick = make(chan struct{}, 1)
	k.long = wheel{step: longStep, slots: make([]*Conn, 512), at: dayOne}
	k.short = wheel{step: shortStep, slots: make([]*Conn, 256), at: dayOne}
}

// now is the time of the last tick, at most a second ago.
func (k *clock) now() instant { return instant(k.tick.Load()) }

// deadline is when d will certainly have passed.
func (k *clock) deadline(d time.Duration) instant {
	if k.injected {
		return k.now().add(d)
	}
	return (k.now() + longStep).add(d)
}

// fresh is the time now, more exact and more costly.
func (k *clock) fresh() instant {
	if k.injected {
		return k.now()
	}
	return k.instantOf(time.Now())
}

// instantOf converts a time.
func (k *clock) instantOf(t time.Time) instant { return dayOne.add(t.Sub(k.start)) }

// wakeAt asks for evTimer at due. It is called by whoever runs c. false: the
// time has come already.
func (k *clock) wakeAt(c *Conn, due instant, fine bool) bool {
	t := &c.timer
	t.due.Store(int64(due))
	if s := t.slotted.Load(); s != 0 && instant(s) <= due && !fine {
		return true
	}
	k.wheelMu.Lock()
	defer k.wheelMu.Unlock()
	if due <= k.now() {
		return false
	}
	k.remove(c)
	w := &k.long
	if fine {
		w = &k.short
		if w.count == 0 {
			w.at = k.fresh() / w.step * w.step
			select {
			case k.kick <- struct{}{}:
			default:
			}
		}
	}
	w.insert(c, due)
	return true
}

// forget takes c out of its wheel for good.
func (k *clock) forget(c *Conn) {
	k.wheelMu.Lock()
	k.remove(c)
	k.wheelMu.Unlock()
}

// slot is the list of what comes up at the given time.
func (w *wheel) slot(at instant) **Conn { return &w.slots[at/w.step%instant(len(w.slots))] }

// insert puts c into the slot for due. A deadline is never early: the slot
// comes up at the first step boundary not before it.
func (w *wheel) insert(c *Conn, due instant) {
	steps := (due - w.at + w.step - 1) / w.step
	steps = min(max(steps, 1), instant(len(w.slots)-1))
	when := w.at + steps*w.step
	t, slot := &c.timer, w.slot(when)
	t.wheel, t.prev, t.next = w, nil, *slot
	if t.next != nil {
		t.next.timer.prev = c
	}
	*slot = c
	w.count++
	t.slotted.Store(int64(when))
}

// remove takes c out of its slot, if it is in one. wheelMu is held.
func (k *clock) remove(c *Conn) {
	t := &c.timer
	if t.wheel == nil {
		return
	}
	if t.prev != nil {
		t.prev.timer.next = t.next
	} else {
		*t.wheel.slot(instant(t.slotted.Load())) = t.next
	}
	if t.next != nil {
		t.next.timer.prev = t.prev
	}
	t.wheel.count--
	t.wheel, t.next, t.prev = nil, nil, nil
	t.slotted.Store(0)
}

// advance serves both wheels up to now and gives the connections whose time
// has come. The slice is valid until the next call.
func (k *clock) advance(now instant) []*Conn {
	k.wheelMu.Lock()
	defer k.wheelMu.Unlock()
	k.tick.Store(int64(max(now, k.now())))
	k.due = k.due[:0]
	k.turn(&k.long, now)
	if k.short.count > 0 {
		k.turn(&k.short, now)
	}
	return k.due
}

// turn serves one wheel. wheelMu is held.
func (k *clock) turn(w *wheel, now instant) {
	for w.at+w.step <= now {
		w.at += w.step
		c := *w.slot(w.at)
		for c != nil {
			next := c.timer.next
			k.remove(c) // before due is read: see wakeAt
			if due := instant(c.timer.due.Load()); due > w.at {
				w.insert(c, due)
			} else {
				k.due = append(k.due, c)
			}
			c = next
		}
	}
}

// pausing says whether the fine wheel needs serving.
func (k *clock) pausing() bool {
	k.wheelMu.Lock()
	defer k.wheelMu.Unlock()
	return k.short.count > 0
}
