package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"barid/spool"
)

// verb is something that can be asked of the queue.
type verb struct {
	name    string
	changes bool // and is worth a line in the log
	// one does it to one message.
	one func(q *spool.Spool, id spool.ID, put func(*answer) error) error
	// all, if there is one, does it to all messages of a filter at once.
	all func(q *spool.Spool, f spool.Filter, put func(*answer) error) (count int, err error)
}

func verbs() []verb {
	change := func(do func(*spool.Spool, spool.ID) error) func(*spool.Spool, spool.ID, func(*answer) error) error {
		return func(q *spool.Spool, id spool.ID, _ func(*answer) error) error { return do(q, id) }
	}
	return []verb{
		{name: "list", one: showMessage, all: listQueue},
		{name: "show", one: showMessage},
		{name: "cat", one: catMessage},
		{name: "hold", changes: true, one: change(func(q *spool.Spool, id spool.ID) error { return q.Hold(id) })},
		{name: "release", changes: true, one: change(func(q *spool.Spool, id spool.ID) error { return q.Release(id) })},
		{name: "delete", changes: true, one: change(func(q *spool.Spool, id spool.ID) error { return q.Delete(id) })},
		{name: "flush", changes: true, one: change(flushMessage), all: flushQueue},
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
func operate(q *spool.Spool, r *request, put func(*answer) error) *answer {
	count, err := r.operate(q, put)
	last := &answer{Done: true, Count: count}
	if err != nil {
		last.Error = err.Error()
	}
	return last
}

func (r *request) operate(q *spool.Spool, put func(*answer) error) (count int, err error) {
	v := findVerb(r.Verb)
	if v == nil {
		return 0, fmt.Errorf("there is no queue command %q", r.Verb)
	}
	f, err := r.filter()
	if err != nil {
		return 0, err
	}
	if len(r.IDs) == 0 && v.all != nil {
		return v.all(q, f, put)
	}
	ids, err := r.ids(q, f)
	if err != nil {
		return 0, err
	}
	if v.changes {
		return changeEach(q, v, ids, put)
	}
	for _, id := range ids {
		if err := v.one(q, id, put); err != nil {
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

// changeEach does a verb to each message. What fails does not stop the others.
func changeEach(q *spool.Spool, v *verb, ids []spool.ID, put func(*answer) error) (count int, err error) {
	next := make(chan spool.ID)
	var mu sync.Mutex // count, err, put
	var changers sync.WaitGroup
	for range min(changersMax, len(ids)) {
		changers.Go(func() {
			for id := range next {
				failure := v.one(q, id, nil)
				mu.Lock()
				if failure == nil {
					count++
				} else if err == nil {
					err = put(&answer{Failed: fmt.Sprintf("%s: %v", id, failure)})
				}
				mu.Unlock()
			}
		})
	}
	for _, id := range ids {
		next <- id
	}
	close(next)
	changers.Wait()
	return count, err
}

// ids are the messages that a request is about.
func (r *request) ids(q *spool.Spool, f spool.Filter) (ids []spool.ID, err error) {
	for _, text := range r.IDs {
		id, err := spool.ParseID(text)
		if err != nil {
			return nil, fmt.Errorf("%q is no queue id: 'barid queue list' shows them", text)
		}
		ids = append(ids, id)
	}
	if len(r.IDs) > 0 {
		return ids, nil
	}
	for sum := range q.List(f) {
		ids = append(ids, sum.ID)
	}
	return ids, nil
}

func (r *request) filter() (f spool.Filter, err error) {
	if r.State != "" {
		if f.State, err = parseState(r.State); err != nil {
			return f, err
		}
	}
	f.Address, f.Dest = []byte(r.Address), []byte(r.Dest)
	if r.OlderSeconds > 0 {
		f.Before = time.Now().Add(-time.Duration(r.OlderSeconds) * time.Second)
	}
	return f, nil
}

func listQueue(q *spool.Spool, f spool.Filter, put func(*answer) error) (count int, err error) {
	for sum, err := range q.List(f) {
		count++
		if err := put(&answer{Message: describe(sum, err)}); err != nil {
			return count, err
		}
	}
	return count, nil
}

func showMessage(q *spool.Spool, id spool.ID, put func(*answer) error) error {
	sum, err := q.Show(id)
	if err != nil {
		return err
	}
	return put(&answer{Message: describe(sum, nil)})
}

func catMessage(q *spool.Spool, id spool.ID, put func(*answer) error) error {
	body, err := q.OpenBody(id)
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

// flushMessage has the deferred recipients of one message tried now.
func flushMessage(q *spool.Spool, id spool.ID) error {
	sum, err := q.Show(id)
	if err != nil {
		return err
	}
	var deferred []int
	for i := range sum.Recipients {
		if sum.Recipients[i].State == spool.StateDeferred {
			deferred = append(deferred, i)
		}
	}
	if len(deferred) == 0 {
		return nil
	}
	return q.Release(id, deferred...)
}

func flushQueue(q *spool.Spool, f spool.Filter, _ func(*answer) error) (count int, err error) {
	return q.Flush(f)
}
