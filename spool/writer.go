package spool

import (
	"hash/crc32"

	"barid/internal/vfs"
)

// Writer takes one message after the other into the spool:
//
//	Begin, then AvailableBuffer and Write as often as needed, then Commit or Abort.
//
// It belongs to one goroutine. It comes from a pool and holds the memory of a
// message, so it should be released when the session has no message.
type Writer struct {
	spool    *Spool
	id       ID
	open     bool
	record   record
	size     int64     // of the body so far
	envelope *Envelope // during Commit
	state    []byte    // entries about other messages, which become true with this one
	err      error     // of an earlier Write
	queued   bool      // the record has been given to the log

	spill    vfs.File // not nil: the body goes there, record.body is its buffer
	spillCRC uint32
}

// Writer takes a Writer from the pool.
func (s *Spool) Writer() *Writer {
	w, ok := s.writers.Get().(*Writer)
	if !ok {
		w = &Writer{record: record{kind: typeMessage, wake: make(chan bool, 1)}}
		w.record.owner = w
	}
	w.spool = s
	return w
}

// Release aborts the message, if there is one, and gives the Writer back to the
// pool. It must not be used any more.
func (w *Writer) Release() {
	w.Abort()
	if int64(cap(w.record.body)) > 2*w.spool.spillSize {
		w.record.body = nil
	}
	w.spool.writers.Put(w)
}

// Begin begins a message and says what its ID will be. The errors are those
// of Commit: nothing is taken that cannot be kept.
func (w *Writer) Begin() (ID, error) {
	w.Abort()
	if err := w.spool.refusal(); err != nil {
		return 0, err
	}
	w.id = w.spool.nextID()
	w.open = true
	return w.id, nil
}

// AvailableBuffer is an empty slice with room for n bytes. What is appended to
// it and then given to Write at once, is not copied. Valid until the next call.
func (w *Writer) AvailableBuffer(n int) []byte {
	b := w.record.body
	if cap(b)-len(b) < n+alignment {
		if w.spill != nil {
			w.drain()
			b = w.record.body
		}
		if need := len(b) + n + alignment; need > cap(b) {
			b = append(make([]byte, 0, max(need, 2*cap(b), 8192)), b...)
			w.record.body = b
		}
	}
	return b[len(b):len(b):cap(b)]
}

// Buffered is how many octets of the body are in memory.
func (w *Writer) Buffered() int { return len(w.record.body) }

// Write adds to the body. An error makes Commit fail with the same.
func (w *Writer) Write(p []byte) (int, error) {
	if !w.open {
		return 0, ErrClosed
	}
	if w.err != nil {
		return 0, w.err
	}
	b := w.record.body
	if free := b[len(b):cap(b)]; len(p) > 0 && len(p) <= len(free) && &p[0] == &free[0] {
		w.record.body = b[:len(b)+len(p)]
	} else {
		w.copy(p)
	}
	w.size += int64(len(p))
	if int64(len(w.record.body)) > w.spool.spillSize {
		w.drain()
	}
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// copy adds p to the buffer, in pieces that keep the buffer small.
func (w *Writer) copy(p []byte) {
	for len(p) > 0 && w.err == nil {
		n := min(len(p), 64<<10)
		w.AvailableBuffer(n)
		w.record.body = append(w.record.body, p[:n]...)
		p = p[n:]
		if int64(len(w.record.body)) > w.spool.spillSize {
			w.drain()
		}
	}
}

// Commit makes the message durable and hands it over to delivery; it returns
// when that is so. From then on nothing loses it. It returns ErrFull or
// ErrFailed if the message was not kept and may be tried again later,
// ErrEnvelope if it can never be kept, ErrClosed when the spool closes. In any
// case the message is over for the Writer. e is not kept.
func (w *Writer) Commit(e *Envelope) error {
	if !w.open {
		return ErrClosed
	}
	err := w.commit(e)
	w.open = false
	switch {
	case err == nil:
	case w.queued:
		w.spool.orphan(w)
	default:
		w.dropSpill()
	}
	w.reset()
	return err
}

func (w *Writer) commit(e *Envelope) error {
	for i := range e.Recipients {
		if w.spool.agentOf(e.Recipients[i].Dest) == nil {
			return ErrEnvelope
		}
	}
	if w.spill != nil {
		w.finishSpill()
	}
	if w.err != nil {
		return w.err
	}
	if err := w.encode(e); err != nil {
		return err
	}
	w.queued, w.envelope = true, e
	defer func() { w.envelope = nil }()
	return w.spool.commits.commit(&w.record)
}

func (w *Writer) encode(e *Envelope) error {
	h := messageHead{id: w.id, body: e.Body, ret: e.Ret, size: uint64(w.size), spillCRC: w.spillCRC}
	if e.SMTPUTF8 {
		h.flags |= flagSMTPUTF8
	}
	if w.spill != nil {
		h.flags |= flagSpilled
	}
	var err error
	r := &w.record
	var space [headerSize]byte
	r.head, err = appendHead(append(r.head[:0], space[:]...), &h, e)
	if err != nil {
		return err
	}
	if len(w.state) > 0 {
		addState(r.head[headerSize:], w.state)
		r.head = append(r.head, w.state...)
	}
	r.seal()
	if r.size() > w.spool.segmentSize/2 {
		return ErrEnvelope
	}
	return nil
}

// settled makes the message known to the queue.
func (w *Writer) settled(r *record) {
	s, e := w.spool, w.envelope
	m := s.newMessage(len(e.Recipients))
	m.id, m.sender, m.spilled = w.id, senderOf(e), w.spill != nil
	m.segment, m.offset, m.length = r.segment, uint32(r.offset), uint32(r.size())
	rs := m.recipients()
	for i := range rs {
		s.assign(&rs[i], s.destination(e.Recipients[i].Dest))
	}
	s.insert(m)
	s.ages.add(m)
	s.schedule(m)
	s.stats.accepted.Add(1)
	if len(w.state) > 0 {
		s.stateDurable(r)
	}
}

// Abort gives the message up, if there is one.
func (w *Writer) Abort() {
	if w.open {
		w.open = false
		w.dropSpill()
		w.reset()
	}
}

func (w *Writer) reset() {
	if w.spill != nil {
		w.spill.Close()
	}
	w.spill, w.spillCRC, w.size, w.err, w.queued = nil, 0, 0, nil, false
	w.record.body, w.state = w.record.body[:0], w.state[:0]
	if cap(w.record.head) > 64<<10 {
		w.record.head = nil
	}
}

// drain moves the buffer to the spill file, which is made when needed.
func (w *Writer) drain() {
	p := w.record.body
	w.record.body = p[:0]
	if w.err != nil {
		return
	}
	if w.spill == nil {
		f, err := w.spool.fs.Create(w.spool.spillPath(w.id), 0o600)
		if err != nil {
			w.fail("create", err)
			return
		}
		w.spill = f
	}
	w.spillCRC = crc32.Update(w.spillCRC, castagnoli, p)
	w.spool.space.spent.Add(int64(len(p)))
	if _, err := w.spill.Write(p); err != nil {
		w.fail("write", err)
	}
}

// finishSpill makes the spill file and its name durable.
func (w *Writer) finishSpill() {
	w.drain()
	if w.err != nil {
		return
	}
	err := w.spill.Sync()
	if err == nil {
		err = w.spool.fs.SyncDir(w.spool.path(spillDir))
	}
	w.spool.stats.syncs.Add(2)
	if err != nil {
		w.fail("sync", err)
	}
}

func (w *Writer) fail(what string, err error) {
	w.spool.log.Error("spool: cannot keep a large message", "id", w.id.String(), "what", what, "err", err)
	w.err = ErrFailed
	if isFull(err) {
		w.err = ErrFull
	}
}

// dropSpill removes the spill file. Should that fail, the next start does it.
func (w *Writer) dropSpill() {
	if w.spill != nil {
		w.spool.removeSpill(w.id)
	}
}
