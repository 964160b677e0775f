package spool

// The outbox holds the entries that wait for a ride to the log, in the order
// in which memory changed. Nothing waits for most of them; a flush is for those
// that somebody waits for. All of it is under Spool.mu.
type outbox struct {
	waiting  []byte // begins with headerSize free bytes
	spare    []byte // memory of the batch before
	riding   record // what the leader has taken
	onTheWay bool
	added    uint64 // bytes of entries ever added
	written  uint64 // bytes of entries ever made durable
}

// entriesMax is how many bytes of entries go into one record.
const entriesMax = 256 << 10

func (o *outbox) empty() bool { return o.added == o.written }

func (o *outbox) reset(buf []byte) []byte {
	return append(buf[:0], make([]byte, headerSize)...)
}

// note adds an entry. Under s.mu.
func (s *Spool) note(e *entry) {
	o := &s.outbox
	if len(o.waiting) == 0 {
		o.waiting = o.reset(o.waiting)
	}
	before := len(o.waiting)
	o.waiting = e.append(o.waiting)
	o.added += uint64(len(o.waiting) - before)
	if before == headerSize {
		wake(s.flushSoon)
	}
}

// takeOutbox makes a record of at most limit bytes of the entries that wait,
// or nil. Only the leader calls it, and either settleOutbox or returnOutbox
// after it.
func (s *Spool) takeOutbox(limit int64) *record {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := &s.outbox
	if len(o.waiting) <= headerSize {
		return nil
	}
	n := wholeEntries(o.waiting, min(limit-alignment, entriesMax))
	if n == headerSize {
		return nil
	}
	taken := o.waiting
	o.waiting = append(o.reset(o.spare), taken[n:]...)
	o.riding = record{kind: typeOutcomes, head: taken[:n]}
	o.spare = nil
	o.onTheWay = true
	o.riding.seal()
	return &o.riding
}

// wholeEntries is the length of the longest prefix of p, header included, that
// is at most limit long and ends with an entry.
func wholeEntries(p []byte, limit int64) int {
	if int64(len(p)) <= limit {
		return len(p)
	}
	n := headerSize
	var e entry
	for {
		length, err := e.parse(p[n:])
		if err != nil || int64(n+length) > limit {
			return n
		}
		n += length
	}
}

// settleOutbox notes that what takeOutbox took is durable.
func (s *Spool) settleOutbox(r *record) {
	if r == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entriesDurable(r)
	s.outbox.written += uint64(r.headLen)
	s.outbox.spare = r.head
	s.outbox.onTheWay = false
}

// entriesDurable goes through the entries of a durable record. Under s.mu.
func (s *Spool) entriesDurable(r *record) {
	s.walkEntries(r, 0, r.head[headerSize:headerSize+r.headLen])
}

// stateDurable is the same for the entries in a message record. Under s.mu.
func (s *Spool) stateDurable(r *record) {
	head := r.head[headerSize : headerSize+r.headLen]
	var h messageHead
	if _, err := parseHeadFixed(head, &h); err != nil {
		panic("spool: a message record without a head")
	}
	at, entries := stateOf(head, &h)
	s.walkEntries(r, at, entries)
}

// walkEntries notes entries as durable that begin at offset at of a head.
func (s *Spool) walkEntries(r *record, at int, entries []byte) {
	var e entry
	for n := 0; n < len(entries); {
		length, err := e.parse(entries[n:])
		if err != nil {
			panic("spool: the outbox holds no entries")
		}
		s.entryDurable(&e, r.segment, r.offset+int64(headerSize+at+n))
		n += length
	}
}

// returnOutbox puts back what takeOutbox took.
func (s *Spool) returnOutbox(r *record) {
	if r == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o := &s.outbox
	back := append(o.reset(nil), r.head[headerSize:headerSize+r.headLen]...)
	if len(o.waiting) > headerSize {
		back = append(back, o.waiting[headerSize:]...)
	}
	o.waiting = back
	o.onTheWay = false
}

// flush returns when all entries noted before the call are durable.
func (s *Spool) flush() error {
	s.mu.Lock()
	target := s.outbox.added
	done := s.outbox.written >= target
	s.mu.Unlock()
	ticket := s.takeTicket()
	defer s.tickets.Put(ticket)
	for !done {
		if err := s.commits.commit(ticket); err != nil {
			return err
		}
		s.mu.Lock()
		done = s.outbox.written >= target
		s.mu.Unlock()
	}
	return nil
}

// takeTicket gives a record that has nothing of its own.
func (s *Spool) takeTicket() *record {
	if r, ok := s.tickets.Get().(*record); ok {
		return r
	}
	return &record{wake: make(chan bool, 1)}
}

// wake tells whoever receives from c that there is something to do.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
