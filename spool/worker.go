package spool

import (
	"errors"
	"slices"
	"time"
)

// worker is a goroutine that delivers. It is made when there is work that no
// idle one can do, and ends when there was none for a while.
type worker struct {
	job   Job
	awake chan struct{} // gets a value when it shall look for work again
	timer *time.Timer
}

// workerPatience is how long a worker waits for work.
const workerPatience = 10 * time.Second

// wakeWorker has somebody look into the ring of an agent. Under s.mu.
func (s *Spool) wakeWorker(q *agentQueue) {
	if q.ring.first == nil || q.closed {
		return
	}
	if n := len(q.idle); n > 0 {
		w := q.idle[n-1]
		q.idle = q.idle[:n-1]
		w.awake <- struct{}{}
		return
	}
	if q.workers >= q.limits.Workers {
		return
	}
	q.workers++
	s.workers.Add(1)
	w := &worker{awake: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
	w.job.spool, w.job.wholes = s, true
	go s.runWorker(q, w)
}

// runWorker delivers one message after the other.
func (s *Spool) runWorker(q *agentQueue, w *worker) {
	defer s.workers.Done()
	defer w.timer.Stop()
	job := &w.job
	for s.takeJob(q, w) {
		err := job.load()
		if err == nil {
			err = s.address(job)
		}
		if err == nil {
			q.agent.Deliver(s.deliveries, job)
		} else {
			s.refuseJob(job, err)
		}
		s.readHistories(job)
		s.conclude(q, job)
		job.close()
	}
}

// takeJob waits for a job; it says false when the worker shall end.
func (s *Spool) takeJob(q *agentQueue, w *worker) bool {
	for {
		s.mu.Lock()
		found := s.nextJob(q, &w.job)
		if !found && !q.closed {
			q.idle = append(q.idle, w)
		}
		ends := !found && q.closed
		s.mu.Unlock()
		if found || ends {
			return found
		}
		if !s.waitForWork(q, w) {
			return false
		}
	}
}

// waitForWork is where an idle worker is; false when it shall end.
func (s *Spool) waitForWork(q *agentQueue, w *worker) bool {
	w.timer.Reset(s.workerPatience)
	select {
	case <-w.awake:
		return true
	case <-w.timer.C:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.Index(q.idle, w)
	if at < 0 { // somebody has just woken it
		<-w.awake
		return true
	}
	q.idle = slices.Delete(q.idle, at, at+1)
	q.workers--
	return false
}

// staleMax is how many tasks that have come to nothing are passed over in one
// hold of the lock.
const staleMax = 1000

// nextJob takes the next job of an agent; false if there is none. Under s.mu.
func (s *Spool) nextJob(q *agentQueue, job *Job) bool {
	for stale := 1; q.ring.first != nil && !q.closed; stale++ {
		d := q.ring.first
		q.ring.remove(d)
		m := s.messages[s.pop(d)]
		begun := m != nil && s.startRecipients(d, job, m)
		if begun {
			s.begin(d, job, m)
		}
		s.offer(d) // at the end of the ring
		if begun {
			s.wakeWorker(q)
			return true
		}
		if stale%staleMax == 0 {
			s.mu.Unlock()
			s.mu.Lock()
		}
	}
	return false
}

// begin counts a job that begins. Under s.mu.
func (s *Spool) begin(d *destination, job *Job, m *message) {
	job.locate(m)
	job.destination, job.epoch = d, d.epoch
	job.Health, job.HealthText = HealthUnknown, ""
	job.Expires = job.Arrived.Add(s.retry.Lifetime)
	m.busy++
	d.running++
	d.agent.running++
	if d.limits.Interval > 0 {
		s.waitUntil(d, s.now().Add(d.limits.Interval).UnixNano())
	}
}

// startRecipients puts the ready recipients that m has for d into job and into
// state 2, as many as fit; the rest is queued again. False if there are none
// any more. Under s.mu.
func (s *Spool) startRecipients(d *destination, job *Job, m *message) bool {
	most := d.agent.limits.Recipients
	job.Recipients = job.Recipients[:0]
	job.Attempt = 0
	rs := m.recipients()
	for i := range rs {
		r := &rs[i]
		if !r.has(markQueued) || r.destination != d.index {
			continue
		}
		if most > 0 && len(job.Recipients) == most {
			s.push(d, m)
			break
		}
		r.marks &^= markQueued
		if r.state == StateReady && !m.claimed {
			s.setState(m, r, StateRunning)
			r.marks |= markRunning
			job.Recipients = append(job.Recipients, JobRecipient{index: uint16(i), Attempt: int(r.attempts) + 1})
			job.Attempt = max(job.Attempt, int(r.attempts)+1)
		}
	}
	return len(job.Recipients) > 0
}

// address fills in the recipients from the envelope that was read.
func (s *Spool) address(job *Job) error {
	for i := range job.Recipients {
		r := &job.Recipients[i]
		if int(r.index) >= len(job.Envelope.Recipients) {
			return ErrDamaged
		}
		r.Recipient = job.Envelope.Recipients[r.index]
	}
	return nil
}

// refuseJob is the outcome when the message cannot be read.
func (s *Spool) refuseJob(job *Job, err error) {
	outcome := Outcome{Kind: Deferred, Status: "4.3.0", Text: "cannot read the spool: " + err.Error()}
	if errors.Is(err, ErrDamaged) {
		s.reportBody(job)
		outcome = Outcome{Kind: Failed, Status: "5.3.0", Text: "the message was damaged on disk"}
	}
	for i := range job.Recipients {
		job.Recipients[i].Outcome = outcome
	}
}

// readHistories fetches what was noted of earlier attempts, for recipients
// about which a new entry will be written.
func (s *Spool) readHistories(job *Job) {
	for i := range job.Recipients {
		r := &job.Recipients[i]
		r.history, r.outcomes = r.history[:0], 0
		if r.Outcome.Kind != Delivered && r.Attempt > 1 {
			r.history, r.outcomes = s.history(job.ID, r.index, r.history)
		}
	}
}

// conclude applies the outcomes of a job.
func (s *Spool) conclude(q *agentQueue, job *Job) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	m, d := job.message, job.destination
	first := len(q.delivered)
	all := len(job.Recipients) == len(m.recipients())
	released := false // by an operator, meanwhile
	for i := range job.Recipients {
		r := &job.Recipients[i]
		state := &m.recipients()[r.index]
		state.marks &^= markRunning
		if r.Outcome.Kind == Delivered {
			s.setState(m, state, StateDelivered)
			done := delivery{message: m, index: r.index}
			if s.wantsReport(r) {
				all = false
				done.report, _ = appendAttempt(nil, 0, &Attempt{Time: now, Outcome: r.Outcome})
			}
			q.delivered = append(q.delivered, done)
			s.stats.delivered.Add(1)
			if s.observe.Delivered != nil {
				s.observe.Delivered(now.Sub(m.id.Time()))
			}
		} else {
			all = false
			s.concludeOther(m, r, now)
			released = released || state.state == StateReady
		}
	}
	if all && len(job.Recipients) > 1 {
		q.delivered = append(q.delivered[:first], delivery{message: m, index: allRecipients})
	}
	q.running--
	d.running--
	m.busy--
	job.unpin()
	s.learn(d, job)
	s.offer(d) // who concludes looks for work next
	if released {
		s.schedule(m)
	}
	s.checkpointSoon(q, first)
	s.finishIfDone(m)
}

// wantsReport says that the sender asked to be told that this recipient has the
// message, and that nobody else will tell it.
func (s *Spool) wantsReport(r *JobRecipient) bool {
	return s.reporter != nil && r.Notify&NotifySuccess != 0 && r.Outcome.Action != ActionPassed
}

// checkpointSoon tells the checkpointer of q when the first recipient was
// delivered since it last looked, when there are many, and when q is idle.
// Under s.mu.
func (s *Spool) checkpointSoon(q *agentQueue, before int) {
	if n := len(q.delivered); n > 0 && before == 0 || n >= checkpointMax {
		wake(q.checkpoint)
	}
}

// concludeOther applies an outcome that is not Delivered. What an operator did
// meanwhile has precedence. Under s.mu.
func (s *Spool) concludeOther(m *message, r *JobRecipient, now time.Time) {
	state := &m.recipients()[r.index]
	o := &r.Outcome
	if o.Kind == Unset {
		*o = Outcome{Kind: Deferred, Status: "4.3.0", Text: "the agent reported no outcome"}
	}
	if state.state != StateRunning {
		return
	}
	state.attempts = uint16(min(int(state.attempts)+1, 0xffff))
	if o.Kind == Deferred && now.Sub(m.id.Time()) > s.retry.Lifetime {
		o.Kind = Failed
		o.Text = s.expiredText(o.Text)
		s.stats.expired.Add(1)
	}
	attempt := Attempt{Time: now, Outcome: *o}
	if o.Kind != Deferred {
		s.fail(m, r.index, &entry{history: r.history, outcomes: r.outcomes}, &attempt)
		return
	}
	pause := o.RetryAfter
	if pause <= 0 {
		pause = s.retry.pause(int(state.attempts))
	}
	s.setState(m, state, StateDeferred)
	state.due = uint32(now.Add(pause + time.Second - 1).Unix())
	s.dueBy(m, state.due)
	s.stats.deferred.Add(1)
	r.history, r.outcomes = appendAttempt(r.history, r.outcomes, &attempt)
	e := state.entryOf(m.id, r.index, r.history, r.outcomes)
	s.note(&e)
}
