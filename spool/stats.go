package spool

import (
	"sync/atomic"
	"time"
)

// counters only grow, from 0 at Open.
type counters struct {
	accepted, delivered, deferred, failed atomic.Uint64
	expired, reports, reportFailures      atomic.Uint64
	batches, records, syncs, bytes        atomic.Uint64
	failures, checkpoints, damaged        atomic.Uint64
}

// Stats is what happened since Open, and what there is now.
type Stats struct {
	Accepted       uint64 // messages committed
	Delivered      uint64 // recipients delivered
	Deferred       uint64 // attempts that ended in a deferral
	Failed         uint64 // recipients failed for good, or expired
	Expired        uint64 // of these, those that were tried for too long
	Reports        uint64 // messages that the Reporter wrote
	ReportFailures uint64 // times that a report could not be written
	Batches        uint64 // writes to the log
	Records        uint64 // that came in these
	Syncs          uint64 // of the log and of spilled bodies
	Bytes          uint64 // written to the log
	Failures       uint64 // of a write or sync of the log
	Checkpoints    uint64 // calls of Agent.Sync
	Damaged        uint64 // places found damaged

	Messages     int                   // in the queue
	Oldest       time.Time             // when the oldest of them arrived; zero: there is none
	Recipients   [StateDeleted + 1]int // of these messages, by State
	Destinations int                   // that have recipients
	Resting      int                   // destinations where nobody answers
	Segments     int                   // files of the log
	Ready        int                   // recipients that wait for a worker, or for their destination
	Running      int                   // deliveries under way
	Workers      int                   // goroutines that deliver
	Waiting      int                   // messages that are looked at again later
	Unsynced     int                   // deliveries that wait for a checkpoint
	Unreported   int                   // messages that wait for the Reporter
}

// Observer is told of single events, for distributions that totals do not
// give. Its functions are called while the spool is locked, by several
// goroutines: they must return at once. Each may be nil.
type Observer struct {
	// Synced: the log was synced, which took so long and made so many records
	// durable.
	Synced func(took time.Duration, records int)
	// Delivered: a recipient was delivered so long after the message arrived.
	Delivered func(after time.Duration)
}

// Stats returns the counts of now. It costs next to nothing.
func (s *Spool) Stats() Stats {
	st := s.stats.totals()
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Messages, st.Segments, st.Waiting = len(s.messages), len(s.segments), len(s.due)
	if m := s.ages.oldest; m != nil {
		st.Oldest = m.id.Time()
	}
	t := &s.destinations
	st.Destinations = len(t.byKey) - t.empty.count
	for _, d := range t.waiting {
		if d.resting {
			st.Resting++
		}
	}
	st.Unreported = s.reports.queue.count
	st.add(&s.nobody)
	for _, q := range s.agents {
		st.add(q)
		st.Ready += int(q.states[StateReady])
		st.Running += q.running
		st.Workers += q.workers
		st.Unsynced += len(q.delivered) + len(q.syncing)
	}
	return st
}

// add counts the recipients of an agent.
func (st *Stats) add(q *agentQueue) {
	for state, n := range q.states {
		st.Recipients[state] += int(n)
	}
}

func (c *counters) totals() Stats {
	return Stats{
		Accepted: c.accepted.Load(), Delivered: c.delivered.Load(), Deferred: c.deferred.Load(),
		Failed: c.failed.Load(), Expired: c.expired.Load(),
		Reports: c.reports.Load(), ReportFailures: c.reportFailures.Load(),
		Batches: c.batches.Load(), Records: c.records.Load(), Syncs: c.syncs.Load(), Bytes: c.bytes.Load(),
		Failures: c.failures.Load(), Checkpoints: c.checkpoints.Load(), Damaged: c.damaged.Load(),
	}
}
