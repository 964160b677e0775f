package spool

import (
	"errors"
	"fmt"
	"time"
)

// runWorker delivers one message after the other.
func (s *Spool) runWorker(q *agentQueue) {
	defer s.workers.Done()
	job := &Job{spool: s, wholes: true}
	for s.takeJob(q, job) {
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

// takeJob waits for a message; it says false when the spool is closing.
func (s *Spool) takeJob(q *agentQueue, job *Job) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		for q.ready.count == 0 && !q.closed {
			q.work.Wait()
		}
		if q.closed {
			return false
		}
		m := q.ready.pop()
		if s.startRecipients(q, job, m) {
			q.running++
			return true
		}
		m.busy &^= q.bit
		s.schedule(m)
		s.finishIfDone(m)
	}
}

// startRecipients puts the recipients of m that are due for q into job and
// into state 2; false if there are none any more. Under s.mu.
func (s *Spool) startRecipients(q *agentQueue, job *Job, m *message) bool {
	now := s.seconds()
	job.Recipients = job.Recipients[:0]
	job.Attempt = 0
	rs := m.recipients()
	for i := range rs {
		r := &rs[i]
		if r.agent != q.index || !r.isDue(now) {
			continue
		}
		r.state = StateRunning
		job.Recipients = append(job.Recipients, JobRecipient{index: uint16(i), Attempt: int(r.attempts) + 1})
		job.Attempt = max(job.Attempt, int(r.attempts)+1)
	}
	if len(job.Recipients) == 0 {
		return false
	}
	job.locate(m)
	return true
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
	m := job.message
	first := len(q.delivered)
	all := len(job.Recipients) == len(m.recipients())
	for i := range job.Recipients {
		r := &job.Recipients[i]
		if r.Outcome.Kind == Delivered {
			m.recipients()[r.index].state = StateDelivered
			q.delivered = append(q.delivered, delivery{m, r.index})
			s.stats.delivered.Add(1)
		} else {
			all = false
			s.concludeOther(m, r, now)
		}
	}
	if all && len(job.Recipients) > 1 {
		q.delivered = append(q.delivered[:first], delivery{m, allRecipients})
	}
	q.running--
	m.busy &^= q.bit
	job.unpin()
	s.schedule(m)
	s.finishIfDone(m)
	s.checkpointSoon(q, first)
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
		o.Text = fmt.Sprintf("expired after %v: %s", s.retry.Lifetime, o.Text)
	}
	if o.Kind == Deferred {
		pause := o.RetryAfter
		if pause <= 0 {
			pause = s.retry.pause(int(state.attempts))
		}
		state.state, state.due = StateDeferred, uint32(now.Add(pause+time.Second-1).Unix())
		s.stats.deferred.Add(1)
	} else {
		state.state, state.due = StateFailed, 0
		s.stats.failed.Add(1)
	}
	history, outcomes := appendAttempt(r.history, r.outcomes, &Attempt{Time: now, Outcome: *o})
	r.history = history
	s.note(&entry{
		id: m.id, index: r.index, state: state.state, due: state.due,
		attempts: state.attempts, outcomes: outcomes, history: history,
	})
}
