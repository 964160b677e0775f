package spool

import (
	"errors"
	"time"
)

// checkpointMax is how many delivered recipients wait for a checkpoint at
// most, before it is made at once.
const checkpointMax = 8192

// idleCheckpoint is when a checkpoint is made if nothing is left to deliver;
// a burst of single messages shall not cost a sync each.
const idleCheckpoint = 100 * time.Millisecond

// Checkpoint makes durable all that was delivered so far, and that it was; it
// returns when this is so. The spool does it by itself; Checkpoint is for who
// cannot wait.
func (s *Spool) Checkpoint() error {
	var errs []error
	for _, q := range s.agents {
		errs = append(errs, s.checkpoint(q))
	}
	return errors.Join(append(errs, s.flush())...)
}

// checkpoint has what was delivered by one agent synced, and notes it as done.
// On error it stays in state 4.
func (s *Spool) checkpoint(q *agentQueue) error {
	q.checkpointing.Lock()
	defer q.checkpointing.Unlock()
	s.mu.Lock()
	q.syncing, q.delivered = q.delivered, q.syncing[:0]
	n := len(q.syncing)
	s.mu.Unlock()
	if n == 0 {
		return nil
	}
	s.stats.checkpoints.Add(1)
	err := q.agent.Sync()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		q.syncing, q.delivered = q.delivered[:0], append(q.syncing, q.delivered...)
		return err
	}
	for _, d := range q.syncing {
		if d.report != nil {
			s.noteDelivered(&d)
		} else {
			s.note(&entry{id: d.message.id, index: d.index, state: StateDone})
		}
	}
	clear(q.syncing)
	q.syncing = q.syncing[:0]
	return nil
}

// noteDelivered notes a recipient that is over but for a report. Under s.mu.
func (s *Spool) noteDelivered(d *delivery) {
	r := &d.message.recipients()[d.index]
	r.marks |= markSynced
	e := r.entryOf(d.message.id, d.index, d.report, 1)
	s.note(&e)
	s.ended(d.message, r)
}

// runCheckpoints makes checkpoints for one agent: soon when it is idle, every
// interval under load, and at once when very many messages wait for it.
func (s *Spool) runCheckpoints(q *agentQueue) {
	defer s.background.Done()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var since time.Time // of the first delivery that waits
	for {
		select {
		case <-s.closing:
			return
		case <-q.checkpoint:
		case <-timer.C:
		}
		pause, count := s.untilCheckpoint(q, &since)
		if pause <= 0 && count > 0 {
			since = time.Time{}
			pause = s.checkpointInterval
			if err := s.checkpoint(q); err != nil {
				s.log.Error("spool: checkpoint failed, will be repeated", "agent", q.name, "err", err)
			} else {
				wake(q.checkpoint)
			}
		}
		timer.Reset(pause)
	}
}

// runNotes takes the place of runCheckpoints for an agent whose deliveries
// cannot be repeated under the same name: that they were made is noted at once,
// and written without waiting for a ride. One write takes all that were made
// while the one before it ran.
func (s *Spool) runNotes(q *agentQueue) {
	defer s.background.Done()
	retry := time.NewTimer(time.Hour)
	defer retry.Stop()
	for {
		select {
		case <-s.closing:
			return
		case <-q.checkpoint:
		case <-retry.C:
		}
		retry.Reset(time.Hour)
		err := s.checkpoint(q)
		if err == nil {
			err = s.flush()
		}
		if err != nil {
			s.log.Error("spool: deliveries not noted, will be repeated", "agent", q.name, "err", err)
			retry.Reset(s.checkpointInterval)
		}
	}
}

// untilCheckpoint says how long to wait for a checkpoint of count recipients.
func (s *Spool) untilCheckpoint(q *agentQueue, since *time.Time) (pause time.Duration, count int) {
	s.mu.Lock()
	count = len(q.delivered)
	idle := q.ring.first == nil && q.running == 0
	s.mu.Unlock()
	switch {
	case count == 0:
		*since = time.Time{}
		return time.Hour, 0
	case count >= checkpointMax:
		return 0, count
	case since.IsZero():
		*since = time.Now()
	}
	waited := time.Since(*since)
	if idle {
		return idleCheckpoint - waited, count
	}
	// While busy, look again soon: the agent may fall idle.
	return min(s.checkpointInterval-waited, idleCheckpoint), count
}

// flushPause is how long entries wait for a batch to ride with.
const flushPause = 100 * time.Millisecond

// runFlushes writes the entries that found no ride.
func (s *Spool) runFlushes() {
	defer s.background.Done()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-s.closing:
			return
		case <-s.flushSoon:
			timer.Reset(flushPause)
			continue
		case <-timer.C:
		}
		if err := s.flush(); err != nil {
			timer.Reset(10 * flushPause)
		} else {
			timer.Reset(time.Hour)
		}
	}
}
