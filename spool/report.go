package spool

import (
	"errors"
	"math"
	"time"
)

// Reports: what became of recipients is told by messages that the Reporter
// writes. A recipient in state 7, and one in state 4 whose sender asked for it,
// stays until its report is durable; so its reason is on disk, in its entry,
// and a report is never lost.
//
// The entries that end the recipients, or note that they were warned, stand in
// the record of the report itself. It is durable as a whole or not at all, so a
// report is not written twice either, but when the power fails while it is
// written.
//
// While a recipient is reported on nothing else may happen to it: neither an
// operator nor the mover touches its message, and if it could still be
// delivered, which only happens when it is late, no agent either. An entry about
// it that waits for the disk must be there before the report is; else the
// older one would be the last in the log.

const (
	// gatherPause is how long the first recipient to be reported on waits for
	// others of its message, while any of them can still be delivered.
	gatherPause    = 10 // seconds
	reportPauseMin = time.Second
	reportPauseMax = 15 * time.Minute
)

// reports are the messages on which the Reporter shall write. Under Spool.mu.
type reports struct {
	queue fifo[ID]
	work  chan struct{}
	pause time.Duration // after the last failure
}

// toReport says that the recipient is over but for a report.
func (r *recipientState) toReport() bool {
	return r.state == StateFailed || r.state == StateDelivered && r.has(markSynced)
}

// isLate says that the recipient can be reported as late.
func (r *recipientState) isLate() bool {
	return (r.state == StateReady || r.state == StateDeferred) && !r.has(markWarned)
}

// reportSoon queues a message for the Reporter. Under s.mu.
func (s *Spool) reportSoon(m *message) {
	if m.inReports || s.reporter == nil {
		return
	}
	m.inReports = true
	s.reports.queue.push(m.id)
	wake(s.reports.work)
}

// ended notes that a recipient is over but for a report. Under s.mu.
func (s *Spool) ended(m *message, r *recipientState) {
	if r.due = 0; s.reporter == nil {
		return
	}
	if m.onlyReports() {
		s.reportSoon(m)
		return
	}
	r.due = s.seconds() + gatherPause
	s.dueBy(m, r.due)
}

// onlyReports says that nothing is left to do for the message but to report.
// Recipients are tried in their order, so where something is left the search
// from the end is short. Under s.mu.
func (m *message) onlyReports() bool {
	rs := m.recipients()
	for i := len(rs) - 1; i >= 0; i-- {
		if r := &rs[i]; r.state != StateDone && !r.toReport() {
			return false
		}
	}
	return true
}

// runReports has one report written after the other.
func (s *Spool) runReports() {
	defer s.background.Done()
	job := &Job{spool: s, wholes: true}
	for {
		select {
		case <-s.closing:
			return
		case <-s.reports.work:
		}
		for s.reportNext(job) {
		}
	}
}

// reportNext has a report written on the first message in the queue; false if
// there is none, or the spool is closing.
func (s *Spool) reportNext(job *Job) bool {
	s.mu.Lock()
	if s.reports.queue.count == 0 {
		s.mu.Unlock()
		return false
	}
	id := s.reports.queue.pop()
	s.mu.Unlock()
	var err error
	for _, late := range [...]bool{false, true} {
		r := reportJob{Job: job, late: late}
		if err == nil && s.beginReport(&r, id) {
			err = s.report(&r)
			s.endReport(&r, err)
		}
	}
	s.mu.Lock()
	if m := s.messages[id]; m != nil {
		m.inReports = false
		s.schedule(m) // what has become to be reported meanwhile
	}
	s.mu.Unlock()
	return !errors.Is(err, ErrClosed)
}

// reportJob is a job for the Reporter: of recipients that are over, or late.
type reportJob struct {
	*Job
	late bool
}

// beginReport collects the recipients to report on, and keeps everything else
// from happening to them; false if there are none.
func (s *Spool) beginReport(r *reportJob, id ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.messages[id]
	if m == nil || m.claimed || m.reporting || r.late && !m.late {
		return false
	}
	r.Recipients, r.Attempt = r.Recipients[:0], 0
	rs := m.recipients()
	most := s.reportMax(r.late)
	for i := range rs {
		if r.late && !rs[i].isLate() || !r.late && !rs[i].toReport() || len(r.Recipients) == most {
			continue
		}
		r.Recipients = append(r.Recipients, JobRecipient{index: uint16(i), Attempt: int(rs[i].attempts)})
		r.Attempt = max(r.Attempt, int(rs[i].attempts))
	}
	if r.late {
		m.late = false
	}
	if len(r.Recipients) == 0 {
		return false
	}
	r.locate(m)
	r.Expires = r.Arrived.Add(s.retry.Lifetime)
	m.reporting = true
	if r.late {
		s.claim(m)
	}
	return true
}

// reportMax is how many entries are sure to find room in the record of a report.
func (s *Spool) reportMax(late bool) int {
	each := int64(entryFixed)
	if late {
		each = entryMax
	}
	return int(s.segmentSize / 8 / each)
}

// report has a report written and committed.
func (s *Spool) report(r *reportJob) error {
	if err := s.flush(); err != nil {
		return err
	}
	if err := r.load(); err != nil {
		return err
	}
	if err := s.address(r.Job); err != nil {
		return err
	}
	s.recall(r)
	w := s.Writer()
	defer w.Release()
	if _, err := w.Begin(); err != nil {
		return err
	}
	e, err := s.reporter.Report(r.Job, w)
	if err != nil {
		return err
	}
	if e == nil {
		s.endUnreported(r)
		return nil
	}
	w.state = s.reportEntries(r, w.state[:0])
	if err := w.Commit(e); err != nil {
		return err
	}
	s.stats.reports.Add(1)
	return nil
}

// recall reads the outcomes that are to be reported.
func (s *Spool) recall(r *reportJob) {
	for i := range r.Recipients {
		to := &r.Recipients[i]
		to.history, to.outcomes = s.history(r.ID, to.index, to.history[:0])
		to.Outcome = s.lastOutcome(r, to)
	}
}

// lastOutcome is the newest outcome of a recipient, or what is to be said when
// there is none, or none that fits.
func (s *Spool) lastOutcome(r *reportJob, to *JobRecipient) Outcome {
	var last Outcome
	if attempts := parseHistory(to.history); len(attempts) > 0 {
		last = attempts[len(attempts)-1].Outcome
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	state := &r.message.recipients()[to.index]
	want := map[State]Kind{StateFailed: Failed, StateDelivered: Delivered}[state.state]
	switch {
	case want == 0 && last.Kind == Deferred, last.Kind == want && want != 0:
		return last
	case want == Failed:
		return Outcome{Kind: Failed, Status: "5.0.0", Text: "the reason was lost"}
	case want == Delivered:
		return Outcome{Kind: Delivered, Status: "2.0.0"}
	}
	return Outcome{Kind: Deferred, Status: "4.4.1", Text: s.destinationOf(state).waitsFor()}
}

// reportEntries appends the entries that end the recipients, or say that they
// were warned.
func (s *Spool) reportEntries(r *reportJob, dst []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range r.Recipients {
		e := s.reportEntry(r, &r.Recipients[i])
		dst = e.append(dst)
	}
	return dst
}

// reportEntry is about one recipient. Under s.mu.
func (s *Spool) reportEntry(r *reportJob, to *JobRecipient) entry {
	if !r.late {
		return entry{id: r.ID, index: to.index, state: StateDone}
	}
	e := r.message.recipients()[to.index].entryOf(r.ID, to.index, to.history, to.outcomes)
	e.warned = true
	return e
}

// endUnreported ends the recipients of whom nobody is told anything; the
// Reporter's log has why.
func (s *Spool) endUnreported(r *reportJob) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range r.Recipients {
		to := &r.Recipients[i]
		e := s.reportEntry(r, to)
		state := &r.message.recipients()[to.index]
		if r.late {
			state.marks |= markWarned
		} else {
			s.setState(r.message, state, StateDone)
			state.entryOffset = 0 // not over before the entry is durable
		}
		s.note(&e)
	}
}

// endReport lets things happen to the message again. What failed is tried
// again later.
func (s *Spool) endReport(r *reportJob, err error) {
	s.mu.Lock()
	m := r.message
	r.unpin()
	s.reportTried(r, err)
	m.reporting = false
	if r.late {
		s.unclaim(m)
	} else {
		s.schedule(m)
		s.finishIfDone(m)
		s.unclaimed.Broadcast()
	}
	s.mu.Unlock()
	r.close()
}

// reportTried sets when the next attempt to report is, if one is needed. Under
// s.mu.
func (s *Spool) reportTried(r *reportJob, err error) {
	if err == nil {
		s.reports.pause = 0
		return
	}
	s.stats.reportFailures.Add(1)
	s.reports.pause = min(max(2*s.reports.pause, reportPauseMin), reportPauseMax)
	if !errors.Is(err, ErrClosed) {
		s.log.Error("spool: cannot report on a message, will be repeated", "id", r.ID.String(), "after", s.reports.pause, "err", err)
	}
	due := uint32(s.now().Add(s.reports.pause).Unix())
	if errors.Is(err, ErrDamaged) {
		due = math.MaxUint32 // the next start tries again
	}
	for i := range r.Recipients {
		if state := &r.message.recipients()[r.Recipients[i].index]; state.toReport() {
			state.due = due
		}
	}
}
