package spool

// Moving: the few messages that keep an old segment alive are written again at
// the end of the log, with what is known about their recipients, so that the
// segments behind can be freed.
//
// A message moves only while nothing else can happen to it: no agent has it, no
// entry about it waits in the outbox, and `claimed` keeps it so. Therefore all
// that is known of it stands in its new record, envelope, body and entries,
// which is durable as a whole or not at all.

// moveBytes is how much is moved at a time.
const moveBytes = 1 << 20

// moveLeftovers moves the messages of the oldest segment when more than half
// of the log is dead.
func (s *Spool) moveLeftovers() error {
	for s.tooMuchDead() {
		seg, moved, err := s.moveSome()
		if err != nil || moved == 0 {
			return err
		}
		s.log.Debug("spool: moved messages", "from", seg.seq, "messages", moved)
		if err := s.freeSegments(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Spool) tooMuchDead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.segments) < 2 || s.segments[0].live == 0 {
		return false
	}
	var all, live int64
	for _, seg := range s.segments[:len(s.segments)-1] {
		all += seg.end
		live += seg.liveBytes
	}
	return all-live > live+4*s.segmentSize
}

// moveSome moves up to moveBytes from the oldest segment.
func (s *Spool) moveSome() (seg *segment, moved int, err error) {
	if err := s.flush(); err != nil {
		return nil, 0, err
	}
	s.mu.Lock()
	seg = s.segments[0]
	s.mu.Unlock()
	moves := s.prepareMoves(seg)
	for i, mv := range moves {
		if err = s.commits.enqueue(&mv.record); err != nil {
			s.endMoves(moves[i:])
			moves = moves[:i]
			break
		}
	}
	for _, mv := range moves {
		if waitErr := s.commits.wait(&mv.record); waitErr == nil {
			moved++
		} else {
			err = waitErr
		}
	}
	s.endMoves(moves)
	return seg, moved, err
}

// move is one message that is being written again.
type move struct {
	spool   *Spool
	message *message
	record  record
}

// prepareMoves finds messages of seg that can move now, marks and reads them.
// The messages are found by reading the segment: memory keeps no list of them.
func (s *Spool) prepareMoves(seg *segment) []*move {
	var moves []*move
	job := &Job{spool: s}
	size := int64(0)
	sc := scanner{file: seg.file, seq: seg.seq, limit: seg.end}
	for at := int64(0); at < seg.end && size < moveBytes; {
		h, head, err := sc.record(at)
		if err != nil {
			at = sc.nextHeader(at + alignment)
			continue
		}
		var fixed messageHead
		if h.kind == typeMessage {
			if _, err := parseHeadFixed(head, &fixed); err == nil && s.beginMove(fixed.id, seg, at) {
				if mv := s.readMove(job, fixed.id); mv != nil {
					moves = append(moves, mv)
					size += mv.record.size()
				}
			}
		}
		at += h.size()
	}
	return moves
}

// beginMove marks the message as moving if its record is at this place and
// nothing is under way for it.
func (s *Spool) beginMove(id ID, seg *segment, at int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.messages[id]
	if m == nil || m.segment != seg || int64(m.offset) != at || m.busy != 0 || m.claimed || m.reporting || !s.outbox.empty() {
		return false
	}
	for _, r := range m.recipients() {
		if r.state == StateRunning || r.state == StateDelivered && !r.has(markSynced) {
			return false
		}
	}
	s.claim(m)
	return true
}

// readMove makes the new record; nil when the old one cannot be read.
func (s *Spool) readMove(job *Job, id ID) *move {
	s.mu.Lock()
	m := s.messages[id]
	job.locate(m)
	rs := append([]recipientState(nil), m.recipients()...)
	s.mu.Unlock()
	mv := &move{spool: s, message: m}
	err := job.load()
	if err == nil {
		err = mv.build(job, rs)
	}
	s.unpin(job)
	if err != nil {
		s.log.Error("spool: cannot move a message", "id", id.String(), "err", err)
		s.endMoves([]*move{mv})
		return nil
	}
	return mv
}

// build makes the record. The body keeps the checksum that it came with, so
// that damage does not become good by being copied.
func (mv *move) build(job *Job, rs []recipientState) error {
	head := job.record[headerSize:int(job.bodyAt-job.offset)]
	r := &mv.record
	*r = record{kind: typeMessage, owner: mv, wake: make(chan bool, 1), head: make([]byte, headerSize)}
	r.head = append(r.head, withState(head, mv.entries(job.ID, rs, true))...)
	if int64(len(r.head)) > mv.spool.segmentSize/2 { // many recipients with long histories
		r.head = append(r.head[:headerSize], withState(head, mv.entries(job.ID, rs, false))...)
	}
	if !job.spilled {
		r.body = make([]byte, job.Size, job.Size+alignment)
		if n, err := job.ReadAt(r.body, 0); int64(n) != job.Size {
			return err
		}
	}
	r.seal()
	r.bodyCRC = job.bodyCRC
	return nil
}

// entries are what is known about the recipients beside the envelope.
func (mv *move) entries(id ID, rs []recipientState, histories bool) (entries []byte) {
	for i := range rs {
		r := &rs[i]
		if r.entryOffset == 0 {
			continue
		}
		var history []byte
		var outcomes uint8
		if histories {
			history, outcomes = mv.spool.history(id, uint16(i), nil)
		}
		e := r.entryOf(id, uint16(i), history, outcomes)
		entries = e.append(entries)
	}
	return entries
}

// settled implements owner.
func (mv *move) settled(r *record) {
	mv.spool.relocate(mv.message, r.segment, r.offset, uint32(r.size()))
	mv.spool.stateDurable(r)
}

// endMoves lets things happen to the messages again.
func (s *Spool) endMoves(moves []*move) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, mv := range moves {
		s.unclaim(mv.message)
	}
	s.nudge()
}

// claim keeps everything else from happening to a message, or to those of its
// recipients that no agent has, until unclaim. Under s.mu.
func (s *Spool) claim(m *message) {
	m.claimed = true
	s.removeDue(m)
}

// unclaim lets things happen to a message again. Under s.mu.
func (s *Spool) unclaim(m *message) {
	m.claimed = false
	s.schedule(m)
	s.finishIfDone(m)
	s.unclaimed.Broadcast()
}
