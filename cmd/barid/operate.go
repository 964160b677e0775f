package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"barid/internal/route"
	"barid/spool"
)

// operator does what requests ask of a queue.
type operator struct {
	spool *spool.Spool
	// router says where requeued recipients go.
	router func() (*route.Router, error)
}

// verb is something that can be asked of the queue.
type verb struct {
	name    string
	changes bool // and is worth a line in the log
	// one does it to one message.
	one func(o *operator, c chosen, put func(*answer) error) error
	// all, if there is one, does it to a selection that names no ids.
	all func(o *operator, s *selection, put func(*answer) error) (count int, err error)
}

func verbs() []verb {
	change := func(do func(*spool.Spool, spool.ID, ...int) error) func(*operator, chosen, func(*answer) error) error {
		return func(o *operator, c chosen, _ func(*answer) error) error { return do(o.spool, c.id, c.recipients...) }
	}
	return []verb{
		{name: "list", one: showMessage, all: listQueue},
		{name: "show", one: showMessage},
		{name: "cat", one: catMessage},
		{name: "summary", all: summarize},
		{name: "destinations", all: listDestinations},
		{name: "hold", changes: true, one: change((*spool.Spool).Hold)},
		{name: "release", changes: true, one: change((*spool.Spool).Release)},
		{name: "delete", changes: true, one: change((*spool.Spool).Delete)},
		{name: "requeue", changes: true, one: requeueMessage},
		{name: "flush", changes: true, one: change((*spool.Spool).FlushMessage), all: flushQueue},
	}
}

// findVerb finds a verb by its name; nil when there is none.
func findVerb(name string) *verb {
	for _, v := range verbs() {
		if v.name == name {
			return &v
		}
	}
	return nil
}

// operate does what a request asks of the queue, gives what it finds to put,
// and returns the end of the answer.
func (o *operator) operate(r *request, put func(*answer) error) *answer {
	count, err := o.request(r, put)
	last := &answer{Done: true, Count: count}
	if err != nil {
		last.Error = err.Error()
	}
	return last
}

func (o *operator) request(r *request, put func(*answer) error) (count int, err error) {
	v := findVerb(r.Verb)
	if v == nil {
		return 0, fmt.Errorf("there is no queue command %q", r.Verb)
	}
	s, err := r.selection()
	if err != nil {
		return 0, err
	}
	switch {
	case s.ids == nil && v.all != nil:
		return v.all(o, s, put)
	case v.one == nil:
		return 0, fmt.Errorf("%s is not about single messages", r.Verb)
	case v.changes:
		return o.changeEach(v, s, put)
	}
	for _, id := range s.ids {
		if err := v.one(o, chosen{id: id}, put); err != nil {
			if err := put(&answer{Failed: fmt.Sprintf("%s: %v", id, err)}); err != nil {
				return count, err
			}
			continue
		}
		count++
	}
	return count, nil
}

// changersMax is how many messages are changed at the same time: each change
// waits until it is durable, and those that wait together share a sync.
const changersMax = 64

// changeEach does a verb to each message of a selection. What fails does not
// stop the others.
func (o *operator) changeEach(v *verb, s *selection, put func(*answer) error) (count int, err error) {
	next := make(chan chosen)
	t := &tally{pulse: newPulse(put)}
	var changers sync.WaitGroup
	for range changersMax {
		changers.Go(func() {
			for c := range next {
				t.add(c, v.one(o, c, nil))
			}
		})
	}
	s.each(o.spool, func(c chosen) { next <- c })
	close(next)
	changers.Wait()
	return t.count, t.err
}

// each gives what is selected to do, one message after the other.
func (s *selection) each(q *spool.Spool, do func(chosen)) {
	for _, id := range s.ids {
		do(chosen{id: id})
	}
	if s.ids != nil {
		return
	}
	for sum, err := range s.all(q) {
		c := chosen{id: sum.ID}
		if err == nil {
			c.recipients = s.recipients(sum)
		}
		do(c)
	}
}

// tally gathers what became of messages that are changed side by side.
type tally struct {
	mu    sync.Mutex
	count int
	err   error // of put: nobody listens any more
	pulse pulse
}

func (t *tally) add(c chosen, failure error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if failure == nil {
		t.count++
	}
	switch {
	case t.err != nil:
	case failure != nil:
		t.err = t.pulse.put(&answer{Failed: fmt.Sprintf("%s: %v", c.id, failure)})
	default:
		t.err = t.pulse.beat(t.count)
	}
}

// pulse tells whoever waits that there is progress.
type pulse struct {
	put  func(*answer) error
	told time.Time
}

func newPulse(put func(*answer) error) pulse { return pulse{put, time.Now()} }

// pulseEvery is how long somebody waits without a word.
const pulseEvery = time.Second

// beat tells how many messages are done, once in a while.
func (p *pulse) beat(done int) error {
	now := time.Now()
	if now.Sub(p.told) < pulseEvery {
		return nil
	}
	p.told = now
	return p.put(&answer{Progress: done})
}

func listQueue(o *operator, s *selection, put func(*answer) error) (count int, err error) {
	for sum, err := range s.all(o.spool) {
		count++
		q := describe(sum, err)
		if err == nil {
			q.keep(s.recipients(sum))
		}
		if err := put(&answer{Message: q}); err != nil {
			return count, err
		}
	}
	return count, nil
}

func showMessage(o *operator, c chosen, put func(*answer) error) error {
	sum, err := o.spool.Show(c.id)
	if err != nil {
		return err
	}
	return put(&answer{Message: describe(sum, nil)})
}

func catMessage(o *operator, c chosen, put func(*answer) error) error {
	body, err := o.spool.OpenBody(c.id)
	if err != nil {
		return err
	}
	defer body.Close()
	piece := make([]byte, 48<<10)
	for {
		n, err := body.Read(piece)
		if n > 0 {
			if err := put(&answer{Body: piece[:n]}); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// flushQueue has everything that is selected tried now, what waits for its
// time and what waits for its destination.
func flushQueue(o *operator, s *selection, put func(*answer) error) (count int, err error) {
	switch {
	case s.everything():
		return o.spool.Flush(spool.Filter{})
	case s.onlyDest():
		for d := range s.destinations(o.spool) {
			count += o.spool.FlushDestination([]byte(d.Key))
		}
		return count, nil
	case s.state == 0:
		s.state = spool.StateDeferred
	}
	return o.changeEach(findVerb("flush"), s, put)
}
