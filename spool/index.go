package spool

import (
	"encoding/binary"
)

// An index says in one record what the records of an older, full segment would
// tell at recovery: without it, that is one small read per message, all over
// the disk. It is only made while the queue is long; otherwise segments are
// freed before it could be of use. The open records say where indexes lie. One
// that cannot be read is no loss: the segment is.

// indexMin is how many messages make the queue long.
const indexMin = 5000

const (
	indexFixed   = 16 // segment number, its end, how many agents
	indexMessage = 1
	indexEntry   = 2
	messageItem  = 1 + 4 + 4 + 8 + 8 + 1 + 4
	entryItem    = 1 + 4 + 8 + 2 + 1 + 4 + 2
)

// indexPlace is where the index of a segment lies; the zero value: nowhere.
type indexPlace struct {
	seq    uint64
	offset uint32
}

// indexRecord is an index on its way to the log.
type indexRecord struct {
	record record
	of     *segment
}

// settled implements owner.
func (x *indexRecord) settled(r *record) {
	x.of.index = indexPlace{r.segment.seq, uint32(r.offset)}
}

// indexSegments makes the indexes that are missing.
func (s *Spool) indexSegments() error {
	for {
		seg := s.withoutIndex()
		if seg == nil {
			return nil
		}
		x := &indexRecord{of: seg, record: record{kind: typeIndex, wake: make(chan bool, 1)}}
		x.record.owner = x
		x.record.head = s.buildIndex(seg, make([]byte, headerSize))
		if x.record.head == nil {
			s.mu.Lock()
			seg.noIndex = true
			s.mu.Unlock()
			continue
		}
		x.record.seal()
		if err := s.commits.commit(&x.record); err != nil {
			return err
		}
	}
}

func (s *Spool) withoutIndex() *segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.messages) < s.indexMin {
		return nil
	}
	for _, seg := range s.segments[:len(s.segments)-1] {
		if seg.index.seq == 0 && seg.live > 0 && !seg.suspect && !seg.noIndex {
			return seg
		}
	}
	return nil
}

// buildIndex appends the index of a segment to dst; nil if it cannot have one.
func (s *Spool) buildIndex(seg *segment, dst []byte) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint64(dst, seg.seq)
	dst = le.AppendUint32(dst, uint32(seg.end))
	dst = le.AppendUint32(dst, uint32(len(s.agents)))
	for _, q := range s.agents {
		dst = append(append(dst, byte(len(q.name))), q.name...)
	}
	sc := scanner{file: seg.file, seq: seg.seq, limit: seg.end}
	for at := int64(0); at < seg.end; {
		h, head, err := sc.record(at)
		if err != nil || int64(len(dst)) > s.segmentSize/2 {
			return nil
		}
		ok := true
		switch h.kind {
		case typeMessage:
			dst, ok = s.indexMessage(dst, seg, at, head)
		case typeOutcomes:
			dst, ok = indexEntries(dst, at+headerSize, head)
		}
		if !ok {
			return nil
		}
		at += h.size()
	}
	return dst
}

// indexMessage adds a message that is still alive in this place.
func (s *Spool) indexMessage(dst []byte, seg *segment, at int64, head []byte) ([]byte, bool) {
	var h messageHead
	if _, err := parseHeadFixed(head, &h); err != nil {
		return dst, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.messages[h.id]
	if m == nil || m.segment != seg || int64(m.offset) != at {
		return dst, true
	}
	le := binary.LittleEndian
	dst = le.AppendUint32(append(dst, indexMessage), m.offset)
	dst = le.AppendUint32(dst, m.length)
	dst = le.AppendUint64(dst, uint64(m.id))
	dst = le.AppendUint64(dst, uint64(m.size))
	dst = append(dst, h.flags&flagSpilled)
	dst = le.AppendUint32(dst, h.count)
	for _, r := range m.recipients() {
		if r.agent == noAgent { // whose name only the envelope knows
			return dst, false
		}
		dst = append(dst, r.agent)
	}
	stateAt, entries := stateOf(head, &h)
	return indexEntries(dst, at+headerSize+int64(stateAt), entries)
}

// indexEntries adds entries of which the first lies at offset at.
func indexEntries(dst []byte, at int64, entries []byte) ([]byte, bool) {
	le := binary.LittleEndian
	var e entry
	for n := 0; n < len(entries); {
		length, err := e.parse(entries[n:])
		if err != nil {
			return dst, false
		}
		dst = le.AppendUint32(append(dst, indexEntry), uint32(at+int64(n)))
		dst = le.AppendUint64(dst, uint64(e.id))
		dst = le.AppendUint16(dst, e.index)
		dst = le.AppendUint32(append(dst, byte(e.state)), e.due)
		dst = le.AppendUint16(dst, e.attempts)
		n += length
	}
	return dst, true
}

// readIndex takes over the index of seg. It says false, and has changed
// nothing, if there is none that can be used.
func (r *recovery) readIndex(seg *segment, end int64) bool {
	place := r.indexes[seg.seq]
	in := r.segmentBySequence(place.seq)
	if place.seq == 0 || in == nil {
		return false
	}
	sc := scanner{file: in.file, seq: in.seq, limit: r.sizeOf(in)}
	h, head, err := sc.record(int64(place.offset))
	le := binary.LittleEndian
	if err != nil || h.kind != typeIndex || len(head) < indexFixed ||
		le.Uint64(head) != seg.seq || int64(le.Uint32(head[8:])) != end {
		return false
	}
	agents, items, ok := r.indexAgents(head[indexFixed:], le.Uint32(head[12:]))
	if !ok || !walkIndex(items, func([]byte) {}, func([]byte) {}) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	seg.index = place
	return walkIndex(items,
		func(item []byte) { r.applyIndexMessage(seg, item, agents) },
		func(item []byte) {
			e := entry{
				id: ID(le.Uint64(item[5:])), index: le.Uint16(item[13:]), state: State(item[15]),
				due: le.Uint32(item[16:]), attempts: le.Uint16(item[20:]),
			}
			r.applyEntry(&e, seg, int64(le.Uint32(item[1:])))
		})
}

// indexAgents reads the names of agents and says which these are now.
func (r *recovery) indexAgents(p []byte, count uint32) (agents, rest []byte, ok bool) {
	for range count {
		if len(p) == 0 || len(p) < 1+int(p[0]) {
			return nil, nil, false
		}
		agents = append(agents, r.agentOf(p[1:1+int(p[0])]))
		p = p[1+int(p[0]):]
	}
	return agents, p, true
}

// walkIndex calls message and entry for the items; false if it cannot read on.
func walkIndex(p []byte, message, entry func(item []byte)) bool {
	for len(p) > 0 {
		switch {
		case p[0] == indexMessage && len(p) >= messageItem:
			count := int64(binary.LittleEndian.Uint32(p[26:]))
			if count > RecipientsMax || int64(len(p)) < messageItem+count {
				return false
			}
			message(p[:messageItem+count])
			p = p[messageItem+count:]
		case p[0] == indexEntry && len(p) >= entryItem:
			entry(p[:entryItem])
			p = p[entryItem:]
		default:
			return false
		}
	}
	return true
}

func (r *recovery) applyIndexMessage(seg *segment, item, agents []byte) {
	le := binary.LittleEndian
	id, length := ID(le.Uint64(item[9:])), le.Uint32(item[5:])
	if m := r.messages[id]; m != nil {
		r.relocate(m, seg, int64(le.Uint32(item[1:])), length)
		return
	}
	m := r.newMessage(int(le.Uint32(item[26:])))
	m.id, m.size, m.spilled = id, int64(le.Uint64(item[17:])), item[25] != 0
	m.segment, m.offset, m.length = seg, le.Uint32(item[1:]), length
	rs := m.recipients()
	for i, agent := range item[messageItem:] {
		rs[i].agent = noAgent
		if int(agent) < len(agents) {
			rs[i].agent = agents[agent]
		}
	}
	r.addMessage(m)
}
