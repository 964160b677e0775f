package spool

// recipientState is what memory holds about a recipient. Its address is on
// disk.
type recipientState struct {
	state    State
	marks    marks
	attempts uint16
	due      uint32 // seconds since 1970, of the next attempt to deliver or to report
	// destination is its place in destinationTable.known.
	destination uint32
	// Where the newest entry lies: segment number less Spool.base, offset.
	// The offset is 0 when there is none.
	entrySegment uint32
	entryOffset  uint32
}

// marks are what is to be known of a recipient beside its state.
type marks uint8

const (
	markQueued  marks = 1 << iota // a task says that it is ready
	markRunning                   // a job has it, whatever its state is meanwhile
	markSynced                    // delivered and durable there: only the report is missing
	markWarned                    // its sender was told that it is late
)

func (r *recipientState) has(m marks) bool { return r.marks&m != 0 }

// over says that nothing is left to do for the recipient, and that the disk
// knows it.
func (r *recipientState) over() bool { return r.state.final() && r.entryOffset != 0 }

// message is what memory holds about a message: about 180 bytes with its
// places in the map and the heap, so that a queue of a million fits. All of it is under
// Spool.mu.
type message struct {
	id      ID
	segment *segment
	next    *message // by age
	prev    *message
	offset  uint32
	length  uint32 // of the record, with header and padding
	due     uint32 // of the first recipient that waits for it, while in Spool.due
	place   int32  // in Spool.due, -1: not there
	sender  uint32 // senderOf
	left    uint32 // recipients that are not over
	busy    uint16 // jobs that are running
	spilled bool
	claimed bool // being written again, or warned about; nothing else may happen to it
	// reporting says that the Reporter is at work: the recipients that it
	// reports on are not to be changed, and the message stays where it is.
	reporting bool
	inReports bool // in reports.queue, or just taken from it
	late      bool // its sender shall be warned
	single    [1]recipientState
	many      []recipientState // instead of single when there are more
}

func (m *message) recipients() []recipientState {
	if m.many != nil {
		return m.many
	}
	return m.single[:]
}

// newMessage makes a message with count recipients, all ready, of which the
// destinations must be assigned. Under s.mu.
func (s *Spool) newMessage(count int) *message {
	m := s.free.get()
	*m = message{place: -1, left: uint32(count)}
	if count > 1 {
		m.many = make([]recipientState, count)
	}
	rs := m.recipients()
	for i := range rs {
		rs[i].state = StateReady
	}
	return m
}

// insert makes a message known whose record is durable. Under s.mu.
func (s *Spool) insert(m *message) {
	s.messages[m.id] = m
	m.segment.live++
	m.segment.liveBytes += int64(m.length)
}

// relocate notes that the record of m is elsewhere now. Under s.mu.
func (s *Spool) relocate(m *message, seg *segment, offset int64, length uint32) {
	m.segment.live--
	m.segment.liveBytes -= int64(m.length)
	m.segment, m.offset, m.length = seg, uint32(offset), length
	seg.live++
	seg.liveBytes += int64(length)
}

// finishIfDone forgets a message all of whose recipients are over. Under s.mu.
func (s *Spool) finishIfDone(m *message) {
	if m.left != 0 || m.busy != 0 || m.claimed || m.reporting {
		return
	}
	s.removeDue(m)
	s.ages.remove(m)
	delete(s.messages, m.id)
	rs := m.recipients()
	for i := range rs {
		s.dismiss(&rs[i])
	}
	m.segment.live--
	m.segment.liveBytes -= int64(m.length)
	if m.segment.live == 0 {
		s.nudge()
	}
	if m.spilled {
		s.garbage = append(s.garbage, m.id)
		s.nudge()
	}
	s.free.put(m)
}

// forEach calls do for the recipients that an entry is about. Under s.mu.
func (m *message) forEach(e *entry, do func(*recipientState)) {
	rs := m.recipients()
	if e.index == allRecipients {
		for i := range rs {
			do(&rs[i])
		}
	} else if int(e.index) < len(rs) {
		do(&rs[e.index])
	}
}

// entryOf is what there is to know about a recipient, with its history.
func (r *recipientState) entryOf(id ID, index uint16, history []byte, outcomes uint8) entry {
	e := entry{
		id: id, index: index, state: r.state, warned: r.has(markWarned), attempts: r.attempts,
		outcomes: outcomes, history: history,
	}
	if r.state == StateDeferred {
		e.due = r.due
	}
	return e
}

// entryDurable notes where an entry lies, which memory knew before the disk
// did. Under s.mu.
func (s *Spool) entryDurable(e *entry, seg *segment, offset int64) {
	if m := s.messages[e.id]; m != nil {
		s.noteDurable(m, e, seg, offset)
	}
}

func (s *Spool) noteDurable(m *message, e *entry, seg *segment, offset int64) {
	m.forEach(e, func(r *recipientState) {
		before := r.over()
		r.entrySegment, r.entryOffset = uint32(seg.seq-s.base), uint32(offset)
		if e.state == StateDone {
			s.setState(m, r, StateDone)
		}
		if e.warned {
			r.marks |= markWarned
		}
		if !before && r.over() {
			m.left--
		}
	})
	if m.left > 0 && e.state == StateDone && m.onlyReports() {
		s.reportSoon(m)
	}
	s.finishIfDone(m)
}
