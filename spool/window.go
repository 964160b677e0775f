package spool

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

// How many deliveries to a destination run at a time follows from what the
// agent learns there, when its limits are adaptive: the window begins low,
// grows by one with each windowful of successes, is halved when the destination
// is busy, and where nobody answers the destination rests. Its messages then
// stay where they are, which costs nothing: no attempt, no entry on disk, no
// worker. After the rest the window is one, so one message is tried; that the
// others would have failed too is then known for the price of one attempt.
//
// What was begun before the window shrank says nothing new: deliveries that
// fail together shall not halve it once for each. The epoch tells these apart.

const (
	windowFirst  = 5
	deathsMax    = 3 // in a row, until the destination rests
	restPauseMin = time.Minute
	restPauseMax = 30 * time.Minute
)

// firstWindow is the window of a destination of which nothing is known.
func (d *destination) firstWindow() int {
	if d.agent.limits.Adaptive {
		return min(windowFirst, d.limits.Concurrency)
	}
	return d.limits.Concurrency
}

// learn applies what a job that has just ended told about its destination.
// Under s.mu.
func (s *Spool) learn(d *destination, job *Job) {
	if !d.agent.limits.Adaptive || job.Health == HealthUnknown || job.epoch != d.epoch {
		return
	}
	d.health, d.reason = job.Health, clip(job.HealthText, textMax)
	switch job.Health {
	case Healthy:
		d.grow()
	case Busy:
		d.shrink(d.window / 2)
		d.deaths, d.restPause = 0, 0
	case Dead:
		d.window, d.successes = 1, 0
		if d.deaths++; d.deaths >= deathsMax || d.running == 0 {
			s.rest(d)
		}
	}
}

func (d *destination) grow() {
	d.deaths = 0
	if d.restPause > 0 { // the probe was answered
		d.restPause = 0
		d.shrink(d.firstWindow())
		return
	}
	if d.successes++; d.successes >= d.window && d.window < d.limits.Concurrency {
		d.window++
		d.successes = 0
	}
}

func (d *destination) shrink(window int) {
	d.window = max(window, 1)
	d.successes = 0
	d.epoch++
}

// rest lets a destination rest where nobody answers. Under s.mu.
func (s *Spool) rest(d *destination) {
	d.restPause = min(max(2*d.restPause, restPauseMin), restPauseMax)
	d.shrink(1)
	d.deaths = 0
	d.resting = true
	pause := d.restPause + rand.N(d.restPause/4) - d.restPause/8
	s.waitUntil(d, s.now().Add(pause).UnixNano())
	s.log.Info("spool: a destination rests", "destination", d.key, "for", pause.Round(time.Second), "reason", d.reason)
}

// endRest ends what a destination waits for. Under s.mu.
func (s *Spool) endRest(d *destination) {
	rested := d.resting
	d.resting = false
	if d.place >= 0 {
		s.destinations.waiting.remove(d)
	}
	if rested && d.recipients == 0 {
		s.destinations.empty.push(d)
		s.destinations.forgetSome()
	}
	s.offer(d)
	s.wakeWorker(d.agent)
}

// waitUntil keeps a destination from running until a time in nanoseconds
// since 1970. Under s.mu.
func (s *Spool) waitUntil(d *destination, at int64) {
	w := &s.destinations.waiting
	if d.place < 0 {
		d.until = at
		heap.Push(w, d)
	} else if at > d.until {
		d.until = at
		heap.Fix(w, d.place)
	}
	if d.place == 0 {
		wake(s.dueChanged)
	}
}

// waitHeap holds the destinations that may run again later, the first on top.
type waitHeap []*destination

func (h waitHeap) Len() int           { return len(h) }
func (h waitHeap) Less(i, j int) bool { return h[i].until < h[j].until }
func (h waitHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push implements heap.Interface.
func (h *waitHeap) Push(x any) {
	d := x.(*destination)
	d.place = len(*h)
	*h = append(*h, d)
}

// Pop implements heap.Interface.
func (h *waitHeap) Pop() any {
	last := len(*h) - 1
	d := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	d.place = -1
	return d
}

func (h *waitHeap) remove(d *destination) { heap.Remove(h, d.place) }

// releaseWaiting lets those destinations run whose time has come. Under s.mu.
func (s *Spool) releaseWaiting(now int64) {
	for w := &s.destinations.waiting; len(*w) > 0 && (*w)[0].until <= now; {
		s.endRest((*w)[0])
	}
}
