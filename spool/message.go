package spool

// recipientState is what memory holds about a recipient. Its address is on
// disk.
type recipientState struct {
	state    State
	agent    uint8 // index into Spool.agents, or noAgent
	attempts uint16
	due      uint32 // seconds since 1970; when StateDeferred
	// Where the newest entry lies: segment number less Spool.base, offset.
	// The offset is 0 when there is none.
	entrySegment uint32
	entryOffset  uint32
}

// noAgent is the agent of a recipient whose destination nobody serves, as
// happens when the configuration has changed. It waits.
const noAgent = 0xff

// message is what memory holds about a message: about 130 bytes with its
// place in the map, so that a queue of a million fits. All of it is under
// Spool.mu.
type message struct {
	id      ID
	segment *segment
	offset  uint32
	length  uint32 // of the record, with header and padding
	size    int64  // of the body
	due     uint32 // of the first deferred recipient, while in Spool.due
	place   int32  // in Spool.due, -1: not there
	busy    uint16 // agents that have it queued or running, by bit
	spilled bool
	moving  bool // being written again; nothing else may happen to it
	single  [1]recipientState
	many    []recipientState // instead of single when there are more
}

func (m *message) recipients() []recipientState {
	if m.many != nil {
		return m.many
	}
	return m.single[:]
}

// freeMax is how many messages are kept for reuse; the rest is left to the
// collector.
const freeMax = 4096

// newMessage makes a message with count recipients, all ready. Under s.mu.
func (s *Spool) newMessage(count int) *message {
	var m *message
	if n := len(s.free); n > 0 {
		m, s.free = s.free[n-1], s.free[:n-1]
	} else {
		m = new(message)
	}
	*m = message{place: -1}
	if count > 1 {
		m.many = make([]recipientState, count)
	}
	rs := m.recipients()
	for i := range rs {
		rs[i] = recipientState{state: StateReady, agent: noAgent}
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

// finishIfDone forgets a message all of whose recipients are final, and
// durably so. Under s.mu.
func (s *Spool) finishIfDone(m *message) {
	if m.busy != 0 || m.moving {
		return
	}
	for i := range m.recipients() {
		if r := &m.recipients()[i]; !r.state.final() || r.entryOffset == 0 {
			return
		}
	}
	s.removeDue(m)
	delete(s.messages, m.id)
	m.segment.live--
	m.segment.liveBytes -= int64(m.length)
	if m.segment.live == 0 {
		s.nudge()
	}
	if m.spilled {
		s.garbage = append(s.garbage, m.id)
		s.nudge()
	}
	if len(s.free) < freeMax {
		s.free = append(s.free, m)
	}
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

// entryDurable notes where an entry lies, which memory knew before the disk
// did. Under s.mu.
func (s *Spool) entryDurable(e *entry, seg *segment, offset int64) {
	m := s.messages[e.id]
	if m == nil {
		return
	}
	m.forEach(e, func(r *recipientState) {
		r.entrySegment, r.entryOffset = uint32(seg.seq-s.base), uint32(offset)
		if e.state == StateDone {
			r.state = StateDone
		}
	})
	s.finishIfDone(m)
}
