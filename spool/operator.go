package spool

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"slices"
	"time"
)

// Summary is a message as an operator sees it.
type Summary struct {
	ID         ID
	Arrived    time.Time
	Size       int64 // of the body in bytes
	Envelope   Envelope
	Recipients []RecipientStatus // as in Envelope.Recipients
}

// RecipientStatus is what is known about one recipient.
type RecipientStatus struct {
	State    State
	Attempts int
	Due      time.Time // of the next attempt, when StateDeferred; to the second
	Last     Attempt   // the newest attempt, if there was one
	History  []Attempt // the newest five attempts, oldest first; only in Show
}

// Filter chooses messages; the zero value chooses all. What is set must apply.
type Filter struct {
	State   State  // at least one recipient is in this state
	Address []byte // is part of the return path or of a recipient's address, in any case of letters
	Dest    []byte // is the beginning of a recipient's destination key
	Before  time.Time
}

// List yields the messages that a filter chooses, oldest first. The addresses
// are read from the disk one message at a time, so a long queue takes no
// memory; messages that come or go meanwhile may be missing. A Summary and its
// slices are valid until the next one. An error is about the one message with
// that ID.
func (s *Spool) List(f Filter) iter.Seq2[*Summary, error] {
	return func(yield func(*Summary, error) bool) {
		job := &Job{spool: s}
		for _, id := range s.ids(&f) {
			sum, err := s.summary(job, id, false)
			if errors.Is(err, ErrUnknown) || err == nil && !f.matches(sum) {
				continue
			}
			if !yield(sum, err) {
				return
			}
		}
	}
}

// ids are those messages that may match, sorted.
func (s *Spool) ids(f *Filter) []ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]ID, 0, len(s.messages))
	for id, m := range s.messages {
		if (f.State == 0 || m.hasState(f.State)) && (f.Before.IsZero() || id.Time().Before(f.Before)) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (m *message) hasState(state State) bool {
	for _, r := range m.recipients() {
		if r.state == state {
			return true
		}
	}
	return false
}

func (f *Filter) matches(sum *Summary) bool {
	e := &sum.Envelope
	return (len(f.Address) == 0 || holds(e.ReturnPath, f.Address) || slices.ContainsFunc(e.Recipients, func(r Recipient) bool {
		return holds(r.Address, f.Address)
	})) && (len(f.Dest) == 0 || slices.ContainsFunc(e.Recipients, func(r Recipient) bool {
		return bytes.HasPrefix(r.Dest, f.Dest)
	}))
}

func holds(address, part []byte) bool {
	return bytes.Contains(bytes.ToLower(address), bytes.ToLower(part))
}

// Show returns all that is known about a message; ErrUnknown if there is none.
func (s *Spool) Show(id ID) (*Summary, error) {
	// What memory knows of the last attempts may still wait for the disk.
	flushErr := s.flush()
	sum, err := s.summary(&Job{spool: s}, id, true)
	if err != nil {
		return nil, errors.Join(err, flushErr)
	}
	return sum, nil
}

// summary reads a message with the memory of job.
func (s *Spool) summary(job *Job, id ID, whole bool) (*Summary, error) {
	sum := &Summary{ID: id, Arrived: id.Time()}
	if err := s.pin(job, id, sum); err != nil {
		return nil, err
	}
	defer s.unpin(job)
	if err := job.load(); err != nil {
		return sum, err
	}
	sum.Size, sum.Envelope = job.Size, job.Envelope
	for i := range sum.Recipients {
		r := &sum.Recipients[i]
		history, n := s.history(id, uint16(i), nil)
		if n == 0 {
			continue
		}
		attempts := parseHistory(history)
		if len(attempts) > 0 {
			r.Last = attempts[len(attempts)-1]
		}
		if whole {
			r.History = attempts
		}
	}
	return sum, nil
}

// pin finds a message and makes job about it.
func (s *Spool) pin(job *Job, id ID, sum *Summary) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.messages[id]
	if m == nil {
		return ErrUnknown
	}
	job.locate(m)
	for _, r := range m.recipients() {
		status := RecipientStatus{State: r.state, Attempts: int(r.attempts)}
		if r.state == StateDeferred {
			status.Due = time.Unix(int64(r.due), 0)
		}
		sum.Recipients = append(sum.Recipients, status)
	}
	return nil
}

func (s *Spool) unpin(job *Job) {
	s.mu.Lock()
	job.unpin()
	s.mu.Unlock()
	job.close()
}

// history appends the encoded attempts of the newest durable entry of a
// recipient to dst. There are none when the entry cannot be read: they are for
// people, and delivery does not depend on them.
func (s *Spool) history(id ID, index uint16, dst []byte) (history []byte, count uint8) {
	s.mu.Lock()
	var r recipientState
	if m := s.messages[id]; m != nil && int(index) < len(m.recipients()) {
		r = m.recipients()[index]
	}
	seg := s.segmentBySequence(s.base + uint64(r.entrySegment))
	if r.entryOffset == 0 || seg == nil {
		s.mu.Unlock()
		return dst, 0
	}
	seg.pins++
	s.mu.Unlock()
	buf := make([]byte, entryMax)
	n, _ := seg.file.ReadAt(buf, int64(r.entryOffset))
	s.mu.Lock()
	if seg.pins--; seg.pins == 0 && seg.live == 0 {
		s.nudge()
	}
	s.mu.Unlock()
	var e entry
	if _, err := e.parse(buf[:n]); err != nil || e.id != id || e.index != index && e.index != allRecipients {
		return dst, 0
	}
	return append(dst, e.history...), e.outcomes
}

// Contents is the text of a message in the spool, to be read and closed.
type Contents struct {
	*io.SectionReader
	job *Job
}

// OpenBody opens the text of a message. It can be read until Close also when
// the message is delivered meanwhile.
func (s *Spool) OpenBody(id ID) (*Contents, error) {
	job := &Job{spool: s}
	if err := s.pin(job, id, &Summary{}); err != nil {
		return nil, err
	}
	err := job.load()
	if err == nil && job.spilled {
		_, err = job.ReadAt(make([]byte, 1), 0) // opens it, should it be removed soon
	}
	if err != nil {
		s.unpin(job)
		return nil, err
	}
	return &Contents{io.NewSectionReader(job, 0, job.Size), job}, nil
}

// Close gives back what the contents hold.
func (c *Contents) Close() error {
	c.job.spool.unpin(c.job)
	return nil
}

// Hold keeps recipients of a message from being delivered until Release; all
// of them when none is given. Recipients are named by their index. An attempt
// that is running is not stopped: if it succeeds, it stands. Hold, Release and
// Delete return when the change is durable; if that fails, it is in force all
// the same and will be made durable later.
func (s *Spool) Hold(id ID, recipients ...int) error {
	return s.decide(id, StateHeld, recipients)
}

// Release makes recipients ready that are held, have failed, or wait: they are
// tried at once, and their attempts are counted from the beginning. The age of
// the message remains.
func (s *Spool) Release(id ID, recipients ...int) error {
	return s.decide(id, StateReady, recipients)
}

// Delete forgets recipients of a message, all when none is given; without
// recipients the message is gone.
func (s *Spool) Delete(id ID, recipients ...int) error {
	return s.decide(id, StateDeleted, recipients)
}

// decide puts recipients into the state that an operator wants.
func (s *Spool) decide(id ID, want State, recipients []int) error {
	// Or the history would miss the last attempt. Should it fail, the flush
	// at the end says so.
	_ = s.flush()
	if err := s.decideAll(id, want, recipients); err != nil {
		return err
	}
	return s.flush()
}

func (s *Spool) decideAll(id ID, want State, recipients []int) error {
	if len(recipients) == 0 {
		recipients = s.allOf(id)
	}
	histories := make([]entry, len(recipients))
	for k, i := range recipients {
		histories[k].history, histories[k].outcomes = s.history(id, uint16(i), nil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.messages[id]
	for m != nil && (m.claimed || m.reporting) {
		s.unclaimed.Wait()
		m = s.messages[id]
	}
	if m == nil {
		return ErrUnknown
	}
	for _, i := range recipients {
		if i < 0 || i >= len(m.recipients()) {
			return ErrUnknown
		}
	}
	for k, i := range recipients {
		s.decideOne(m, uint16(i), want, &histories[k])
	}
	s.schedule(m)
	return nil
}

// allOf are the indices of all recipients of a message.
func (s *Spool) allOf(id ID) []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []int
	if m := s.messages[id]; m != nil {
		for i := range m.recipients() {
			all = append(all, i)
		}
	}
	return all
}

// decideOne changes one recipient, where that is legal, and notes it. Under
// s.mu.
func (s *Spool) decideOne(m *message, index uint16, want State, past *entry) {
	r := &m.recipients()[index]
	switch {
	case r.state.final() || r.state == StateDelivered || r.state == want:
		return
	case want == StateReady && r.state == StateRunning:
		return
	}
	s.setState(m, r, want)
	r.due = 0
	if want == StateReady {
		r.attempts = 0
	}
	e := r.entryOf(m.id, index, past.history, past.outcomes)
	s.note(&e)
	// Not final before the new entry is durable.
	r.entryOffset = 0
}

// Flush makes the deferred recipients of the messages that a filter chooses
// due now, and returns how many messages these are.
func (s *Spool) Flush(f Filter) (messages int, err error) {
	f.State = StateDeferred
	if len(f.Address) == 0 && len(f.Dest) == 0 {
		for _, id := range s.ids(&f) {
			if s.flushMessage(id) {
				messages++
			}
		}
		return messages, nil
	}
	for sum, listErr := range s.List(f) {
		if listErr != nil {
			err = errors.Join(err, listErr)
			continue
		}
		if s.flushMessage(sum.ID) {
			messages++
		}
	}
	return messages, err
}

func (s *Spool) flushMessage(id ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.messages[id]
	if m == nil {
		return false
	}
	now, any := s.seconds(), false
	for i := range m.recipients() {
		if r := &m.recipients()[i]; r.state == StateDeferred {
			r.due, any = now, true
		}
	}
	s.schedule(m)
	return any
}
