package spool

import "sync/atomic"

// counters only grow, from 0 at Open.
type counters struct {
	accepted, delivered, deferred, failed atomic.Uint64
	batches, syncs, bytes, failures       atomic.Uint64
	checkpoints, damaged, reports         atomic.Uint64
	expired                               atomic.Uint64
}

// Stats is what happened since Open, and what there is now.
type Stats struct {
	Accepted    uint64 // messages committed
	Delivered   uint64 // recipients delivered
	Deferred    uint64 // attempts that ended in a deferral
	Failed      uint64 // recipients failed for good, or expired
	Expired     uint64 // of these, those that were tried for too long
	Batches     uint64 // writes to the log
	Syncs       uint64 // of the log and of spilled bodies
	Bytes       uint64 // written to the log
	Failures    uint64 // of a write or sync of the log
	Checkpoints uint64 // calls of Agent.Sync
	Damaged     uint64 // places found damaged
	Reports     uint64 // messages written by the Reporter

	Messages int // in the queue
	Segments int // files of the log
	Ready    int // recipients that wait for a worker, or for their destination
	Running  int // deliveries under way
	Workers  int // goroutines that deliver
	Waiting  int // messages with a recipient that is tried again later
	Unsynced int // deliveries that wait for a checkpoint
}

// Stats returns the counts of now. It costs next to nothing.
func (s *Spool) Stats() Stats {
	c := &s.stats
	st := Stats{
		Accepted: c.accepted.Load(), Delivered: c.delivered.Load(), Deferred: c.deferred.Load(), Failed: c.failed.Load(),
		Batches: c.batches.Load(), Syncs: c.syncs.Load(), Bytes: c.bytes.Load(), Failures: c.failures.Load(),
		Checkpoints: c.checkpoints.Load(), Damaged: c.damaged.Load(), Reports: c.reports.Load(), Expired: c.expired.Load(),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Messages, st.Segments, st.Waiting = len(s.messages), len(s.segments), len(s.due)
	for _, q := range s.agents {
		st.Ready += int(q.states[StateReady])
		st.Workers += q.workers
		st.Running += q.running
		st.Unsynced += len(q.delivered) + len(q.syncing)
	}
	return st
}
