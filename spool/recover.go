package spool

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"barid/internal/vfs"
)

// recovery is what is needed while the log is read (docs/spool.md, Recovery).
type recovery struct {
	*Spool
	started  time.Time
	ends     map[uint64]int64 // of segments, as the open records tell
	indexes  map[uint64]indexPlace
	manifest manifest   // the newest open record
	newest   uint64     // its segment
	order    []*message // as they came
	tail     []*record  // to be written again
}

// load reads what an earlier run left, and begins a new segment.
func (s *Spool) load() error {
	r := &recovery{Spool: s, started: time.Now(), ends: map[uint64]int64{}, indexes: map[uint64]indexPlace{}}
	if err := r.findFiles(); err != nil {
		return err
	}
	for _, seg := range s.segments {
		if err := r.readOpen(seg); err != nil {
			return err
		}
	}
	if err := r.dropStrangers(); err != nil {
		return err
	}
	r.makeRoom()
	for _, seg := range s.segments {
		r.readSegment(seg)
	}
	if err := r.reconcileSpills(); err != nil {
		return err
	}
	if err := s.commits.begin(r.tail); err != nil {
		return err
	}
	r.settleTail()
	r.scheduleAll()
	s.log.Info("spool: open", "messages", len(s.messages), "segments", len(s.segments),
		"damaged", s.stats.damaged.Load(), "took", time.Since(r.started))
	return nil
}

// makeRoom makes the map of messages as large as it will be, about, so that it
// need not grow while the log is read.
func (r *recovery) makeRoom() {
	possible := uint64(len(r.segments)) * uint64(r.segmentSize) / (headerSize + headFixed)
	n := int(min(r.manifest.messages, possible))
	r.messages = make(map[ID]*message, n)
	r.order = make([]*message, 0, n)
	r.due = make(dueHeap, 0, n)
}

// scheduleAll begins deliveries, oldest messages first.
func (r *recovery) scheduleAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	order := slices.DeleteFunc(r.order, func(m *message) bool { return r.messages[m.id] != m })
	slices.SortFunc(order, func(a, b *message) int { return cmp.Compare(a.id, b.id) })
	for _, m := range slices.Compact(order) {
		r.ages.add(m)
		r.schedule(m)
	}
	if n := r.nobody.states.waiting(); n > 0 {
		r.log.Warn("spool: recipients wait for an agent that is not there", "recipients", n)
	}
}

// findFiles opens the segments and spares.
func (r *recovery) findFiles() error {
	list, err := r.fs.ReadDir(r.dir)
	if err != nil {
		return err
	}
	for _, d := range list {
		seq, isSegment := parseSegmentName(d.Name(), segmentPrefix)
		spareSeq, isSpare := parseSegmentName(d.Name(), sparePrefix)
		rawSeq, isRaw := parseSegmentName(d.Name(), rawPrefix)
		r.sequence = max(r.sequence, seq, spareSeq, rawSeq)
		if isRaw {
			if err := r.fs.Remove(r.path(d.Name())); err != nil {
				return err
			}
		}
		if !isSegment && !isSpare {
			continue
		}
		file, err := r.fs.OpenWrite(r.path(d.Name()))
		if err != nil {
			return err
		}
		if isSegment {
			r.segments = append(r.segments, &segment{seq: seq, file: file})
		} else if err := r.addSpare(r.path(d.Name()), file); err != nil {
			return err
		}
	}
	slices.SortFunc(r.segments, func(a, b *segment) int { return cmp.Compare(a.seq, b.seq) })
	return r.firstSequence()
}

func (r *recovery) addSpare(name string, file vfs.File) error {
	size, err := file.Size()
	if err == nil && size == r.segmentSize && len(r.spares) < sparesMax {
		r.spares = append(r.spares, &spare{name: name, file: file})
		return nil
	}
	return errors.Join(err, file.Close(), r.fs.Remove(name))
}

// firstSequence makes the sequence numbers of a new spool begin anywhere.
func (r *recovery) firstSequence() error {
	if r.sequence == 0 {
		var random [8]byte
		if _, err := rand.Read(random[:]); err != nil {
			return err
		}
		r.sequence = binary.LittleEndian.Uint64(random[:]) >> 2
	}
	r.base = r.sequence
	if len(r.segments) > 0 {
		r.base = r.segments[0].seq
	}
	return nil
}

// readOpen learns from an open record where older segments end.
func (r *recovery) readOpen(seg *segment) error {
	sc := scanner{file: seg.file, seq: seg.seq, limit: r.sizeOf(seg)}
	if otherLayout(sc.peek(0, headerSize), seg.seq) {
		return ErrLayout
	}
	h, head, err := sc.record(0)
	if err != nil || h.kind != typeOpen {
		return nil
	}
	m, err := parseManifest(head)
	if err != nil {
		return nil
	}
	r.sawID(m.lastID)
	for seq, place := range m.older {
		r.ends[seq], r.indexes[seq] = place.end, place.index
	}
	r.manifest, r.newest = m, seg.seq
	return nil
}

func (r *recovery) sizeOf(seg *segment) int64 {
	size, err := seg.file.Size()
	if err != nil {
		return r.segmentSize
	}
	return size
}

func (r *recovery) sawID(id ID) {
	if uint64(id) > r.lastID.Load() {
		r.lastID.Store(uint64(id))
	}
}

// dropStrangers removes segments that the newest open record does not know:
// their removal, or the failure to begin them, was not durable. And it reports
// those that it knows and that are not there, though older ones are.
func (r *recovery) dropStrangers() error {
	kept := r.segments[:0]
	for _, seg := range r.segments {
		if _, known := r.manifest.older[seg.seq]; known || seg.seq >= r.newest {
			kept = append(kept, seg)
			continue
		}
		r.log.Info("spool: removing a segment that is no part of the log", "segment", seg.seq)
		if err := errors.Join(seg.file.Close(), r.fs.Remove(r.segmentPath(seg.seq))); err != nil {
			return err
		}
	}
	r.segments = kept
	for seq := range r.manifest.older {
		if len(kept) > 0 && seq > kept[0].seq && r.segmentBySequence(seq) == nil {
			r.stats.damaged.Add(1)
			r.log.Error("spool: a segment is missing", "segment", r.segmentPath(seq))
		}
	}
	return nil
}

// readSegment takes over what the records of a segment say.
func (r *recovery) readSegment(seg *segment) {
	end, known := r.ends[seg.seq]
	if known && r.readIndex(seg, end) {
		seg.end = end
		return
	}
	size := r.sizeOf(seg)
	if known && end > size {
		r.damageSegment(seg, "the segment is too short", size)
	}
	sc := &scanner{file: seg.file, seq: seg.seq, limit: size, bodies: !known}
	if known {
		sc.limit = min(end, size)
	}
	at, confirmed, closed := int64(0), int64(0), false
	for at < sc.limit {
		h, head, err := sc.record(at)
		if err == nil {
			err = r.apply(seg, at, &h, head)
		}
		if err == nil {
			at += h.size()
			confirmed = max(confirmed, int64(h.durable))
			closed = h.kind == typeClose
			continue
		}
		if !known && (closed || !sc.wasDurable(at)) {
			break
		}
		next := sc.nextHeader(at + alignment)
		r.damageSegment(seg, fmt.Sprintf("%d bytes are no record", next-at), at)
		at, closed = next, false
	}
	seg.end = at
	if !known {
		seg.end, seg.suspect = confirmed, seg.suspect || !closed
		r.keepTail(sc, seg, at)
	}
}

// apply takes over one record.
func (r *recovery) apply(seg *segment, at int64, h *header, head []byte) error {
	switch h.kind {
	case typeMessage:
		return r.applyMessage(seg, at, h, head)
	case typeOutcomes:
		return r.applyEntries(seg, at, head)
	case typeOpen, typeClose, typeIndex:
		return nil
	}
	return errBadRecord
}

func (r *recovery) applyMessage(seg *segment, at int64, h *header, head []byte) error {
	var mh messageHead
	var e Envelope
	if err := parseHead(head, &mh, &e); err != nil {
		return err
	}
	stateAt, entries := stateOf(head, &mh)
	if err := checkEntries(entries); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.applyAll(seg, at+headerSize+int64(stateAt), entries)
	if m := r.messages[mh.id]; m != nil {
		r.relocate(m, seg, at, uint32(h.size()))
		return nil
	}
	m := r.newMessage(len(e.Recipients))
	m.id, m.sender, m.spilled = mh.id, senderOf(&e), mh.flags&flagSpilled != 0
	m.segment, m.offset, m.length = seg, uint32(at), uint32(h.size())
	rs := m.recipients()
	for i := range rs {
		r.assign(&rs[i], r.destination(e.Recipients[i].Dest))
	}
	r.addMessage(m)
	return nil
}

func (r *recovery) addMessage(m *message) {
	r.sawID(m.id)
	r.insert(m)
	r.order = append(r.order, m)
}

// applyEntries changes nothing when one of the entries is bad.
func (r *recovery) applyEntries(seg *segment, at int64, entries []byte) error {
	if err := checkEntries(entries); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.applyAll(seg, at+headerSize, entries)
	return nil
}

func checkEntries(entries []byte) error {
	var e entry
	for len(entries) > 0 {
		n, err := e.parse(entries)
		if err != nil {
			return err
		}
		entries = entries[n:]
	}
	return nil
}

// applyAll applies good entries, the first of which lies at offset at. Under
// s.mu.
func (r *recovery) applyAll(seg *segment, at int64, entries []byte) {
	var e entry
	for n := 0; n < len(entries); {
		length, _ := e.parse(entries[n:])
		r.applyEntry(&e, seg, at+int64(n))
		n += length
	}
}

// applyEntry sets the state that an entry tells. Under s.mu.
func (r *recovery) applyEntry(e *entry, seg *segment, offset int64) {
	m := r.messages[e.id]
	if m == nil {
		return
	}
	state, marks := e.state, marks(0)
	switch {
	case state == StateRunning:
		state = StateReady
	case state == StateDelivered && (r.reporter != nil || r.idle):
		marks = markSynced
	case state == StateDelivered: // and nobody reports it any more
		state = StateDone
	}
	m.forEach(e, func(rs *recipientState) {
		if !rs.over() {
			rs.entryOffset = 0 // what makes it over is this entry
		}
		r.setState(m, rs, state)
		rs.due, rs.attempts, rs.marks = e.due, e.attempts, marks
	})
	r.noteDurable(m, e, seg, offset)
}

// prepareDir makes the directories of the spool.
func (s *Spool) prepareDir() error {
	for _, dir := range []string{s.dir, s.path(spillDir)} {
		if err := s.fs.MkdirAll(dir, fs.FileMode(0o700)); err != nil {
			return err
		}
	}
	return nil
}
