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
	indexFixed       = 12 // segment number, its end
	indexMessage     = 1
	indexEntry       = 2
	indexDestination = 3
	messageItem      = 1 + 4 + 4 + 8 + 4 + 1 + 4 // and 4 for each recipient
	entryItem        = 1 + 4 + 8 + 2 + 1 + 4 + 2
	destinationItem  = 1 + 2 // and the key
)

// Destination keys are numbered in the order in which they first appear; each
// stands before the first message that needs it.

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

// indexBuilder makes the index of one segment.
type indexBuilder struct {
	*Spool
	seg     *segment
	out     []byte
	numbers map[*destination]uint32 // in this index
}

// buildIndex appends the index of a segment to dst; nil if it cannot have one.
func (s *Spool) buildIndex(seg *segment, dst []byte) []byte {
	le := binary.LittleEndian
	b := indexBuilder{Spool: s, seg: seg, numbers: map[*destination]uint32{}}
	b.out = le.AppendUint32(le.AppendUint64(dst, seg.seq), uint32(seg.end))
	sc := scanner{file: seg.file, seq: seg.seq, limit: seg.end}
	for at := int64(0); at < seg.end; {
		h, head, err := sc.record(at)
		if err != nil || int64(len(b.out)) > s.segmentSize/2 {
			return nil
		}
		ok := true
		switch h.kind {
		case typeMessage:
			ok = b.message(at, head)
		case typeOutcomes:
			ok = b.entries(at+headerSize, head)
		}
		if !ok {
			return nil
		}
		at += h.size()
	}
	return b.out
}

// message adds a message, if it is still alive in this place, and the entries
// in its record.
func (b *indexBuilder) message(at int64, head []byte) bool {
	var h messageHead
	if _, err := parseHeadFixed(head, &h); err != nil {
		return false
	}
	b.mu.Lock()
	if m := b.messages[h.id]; m != nil && m.segment == b.seg && int64(m.offset) == at {
		b.live(m, &h)
	}
	b.mu.Unlock()
	stateAt, entries := stateOf(head, &h)
	return b.entries(at+headerSize+int64(stateAt), entries)
}

// live adds a message. Under mu.
func (b *indexBuilder) live(m *message, h *messageHead) {
	le := binary.LittleEndian
	rs := m.recipients()
	for i := range rs {
		b.number(b.destinationOf(&rs[i]))
	}
	b.out = le.AppendUint32(append(b.out, indexMessage), m.offset)
	b.out = le.AppendUint32(b.out, m.length)
	b.out = le.AppendUint64(b.out, uint64(m.id))
	b.out = le.AppendUint32(b.out, m.sender)
	b.out = append(b.out, h.flags&flagSpilled)
	b.out = le.AppendUint32(b.out, h.count)
	for i := range rs {
		b.out = le.AppendUint32(b.out, b.numbers[b.destinationOf(&rs[i])])
	}
}

// number gives a destination its number.
func (b *indexBuilder) number(d *destination) {
	if _, ok := b.numbers[d]; ok {
		return
	}
	b.numbers[d] = uint32(len(b.numbers))
	b.out = binary.LittleEndian.AppendUint16(append(b.out, indexDestination), uint16(len(d.key)))
	b.out = append(b.out, d.key...)
}

// entries adds entries of which the first lies at offset at.
func (b *indexBuilder) entries(at int64, entries []byte) bool {
	le := binary.LittleEndian
	var e entry
	for n := 0; n < len(entries); {
		length, err := e.parse(entries[n:])
		if err != nil {
			return false
		}
		b.out = le.AppendUint32(append(b.out, indexEntry), uint32(at+int64(n)))
		b.out = le.AppendUint64(b.out, uint64(e.id))
		b.out = le.AppendUint16(b.out, e.index)
		b.out = le.AppendUint32(append(b.out, e.stateOctet()), e.due)
		b.out = le.AppendUint16(b.out, e.attempts)
		n += length
	}
	return true
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
	items := head[indexFixed:]
	if !walkIndex(items, func(byte, []byte) {}) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	seg.index = place
	var keys []indexKey
	return walkIndex(items, func(kind byte, item []byte) {
		switch kind {
		case indexDestination:
			keys = append(keys, indexKey{key: item[destinationItem:]})
		case indexMessage:
			r.applyIndexMessage(seg, item, keys)
		case indexEntry:
			r.applyIndexEntry(seg, item)
		}
	})
}

// walkIndex calls do for each item; false if it cannot read on.
func walkIndex(p []byte, do func(kind byte, item []byte)) bool {
	for keys := int64(0); len(p) > 0; {
		n := indexItem(p, keys)
		if n <= 0 || n > int64(len(p)) {
			return false
		}
		if p[0] == indexDestination {
			keys++
		}
		do(p[0], p[:n])
		p = p[n:]
	}
	return true
}

// indexItem is the length of the first item of p, before which stand so many
// keys; 0 when it is none, and more than there is when it is cut off.
func indexItem(p []byte, keys int64) int64 {
	le := binary.LittleEndian
	switch {
	case p[0] == indexDestination && len(p) >= destinationItem:
		return destinationItem + int64(le.Uint16(p[1:]))
	case p[0] == indexEntry:
		return entryItem
	case p[0] != indexMessage || len(p) < messageItem:
		return 0
	}
	count := int64(le.Uint32(p[22:]))
	n := messageItem + 4*count
	if count == 0 || count > RecipientsMax || n > int64(len(p)) {
		return 0
	}
	for at := int64(messageItem); at < n; at += 4 {
		if int64(le.Uint32(p[at:])) >= keys {
			return 0
		}
	}
	return n
}

// indexKey is a destination key in an index, and what it was found to be.
type indexKey struct {
	key []byte
	d   *destination
}

// found is the destination of the key. It is looked up again when it was
// forgotten meanwhile. Under mu.
func (k *indexKey) found(s *Spool) *destination {
	if k.d == nil || s.destinations.known[k.d.index] != k.d {
		k.d = s.destination(k.key)
	}
	return k.d
}

func (r *recovery) applyIndexMessage(seg *segment, item []byte, keys []indexKey) {
	le := binary.LittleEndian
	id, length := ID(le.Uint64(item[9:])), le.Uint32(item[5:])
	if m := r.messages[id]; m != nil {
		r.relocate(m, seg, int64(le.Uint32(item[1:])), length)
		return
	}
	m := r.newMessage(int(le.Uint32(item[22:])))
	m.id, m.sender, m.spilled = id, le.Uint32(item[17:]), item[21] != 0
	m.segment, m.offset, m.length = seg, le.Uint32(item[1:]), length
	rs := m.recipients()
	for i := range rs {
		r.assign(&rs[i], keys[le.Uint32(item[messageItem+4*i:])].found(r.Spool))
	}
	r.addMessage(m)
}

func (r *recovery) applyIndexEntry(seg *segment, item []byte) {
	le := binary.LittleEndian
	e := entry{
		id: ID(le.Uint64(item[5:])), index: le.Uint16(item[13:]),
		due: le.Uint32(item[16:]), attempts: le.Uint16(item[20:]),
	}
	e.setStateOctet(item[15])
	r.applyEntry(&e, seg, int64(le.Uint32(item[1:])))
}
