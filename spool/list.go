package spool

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"strings"
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

// Filter chooses messages; the zero value chooses all. A message is chosen when
// all that is set applies: what is said about a recipient, to one and the same.
// Parts of texts are found in any case of letters.
type Filter struct {
	After, Before time.Time // it arrived after the one, and before the other
	Sender        []byte    // part of the return path
	Address       []byte    // part of the return path or of a recipient's address

	State      State
	Recipient  []byte // part of the address
	Dest       []byte // the destination key
	DestPrefix []byte // the beginning of the destination key
	Reason     []byte // part of the text of the last outcome
}

// reads says that the messages must be read from the disk to choose.
func (f *Filter) reads() bool {
	return len(f.Sender)+len(f.Address)+len(f.Recipient)+len(f.Reason) > 0
}

// List yields the messages that a filter chooses, oldest first. The addresses
// are read from the disk one message at a time, so a long queue takes little
// memory; messages that come or go meanwhile may be missing. A Summary and its
// slices are valid until the next one. An error is about the one message with
// that ID.
func (s *Spool) List(f Filter) iter.Seq2[*Summary, error] {
	return func(yield func(*Summary, error) bool) {
		// What memory knows of the last attempts may still wait for the disk,
		// from where they are read. On a disk that takes nothing any more there
		// are older ones.
		_ = s.flush()
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

// ids are those messages that may match, by what memory holds; oldest first.
func (s *Spool) ids(f *Filter) (ids []ID) {
	s.walk(func(m *message) bool {
		arrived := m.id.Time()
		if !f.Before.IsZero() && !arrived.Before(f.Before) {
			return false
		}
		if (f.After.IsZero() || arrived.After(f.After)) && s.mayMatch(f, m) {
			ids = append(ids, m.id)
		}
		return true
	})
	return ids
}

// walk calls do for each message, oldest first, until it says false. do is
// called under s.mu, and must not make messages end; the lock is given back now and then.
func (s *Spool) walk(do func(*message) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.ages.newCursor()
	defer s.ages.drop(c)
	for n := 1; c.at != nil; n++ {
		m := c.at
		c.at = m.next
		if !do(m) {
			return
		}
		if n%sweepMax == 0 {
			s.mu.Unlock()
			s.mu.Lock()
		}
	}
}

// mayMatch says whether a recipient of m has the state and the destination that
// f wants. Under s.mu.
func (s *Spool) mayMatch(f *Filter, m *message) bool {
	if f.State == 0 && len(f.Dest)+len(f.DestPrefix) == 0 {
		return true
	}
	rs := m.recipients()
	for i := range rs {
		key := s.destinationOf(&rs[i]).key
		if (f.State == 0 || rs[i].state == f.State) && (len(f.Dest) == 0 || key == string(f.Dest)) &&
			strings.HasPrefix(key, string(f.DestPrefix)) {
			return true
		}
	}
	return false
}

func (f *Filter) matches(sum *Summary) bool {
	e := &sum.Envelope
	if !holds(e.ReturnPath, f.Sender) {
		return false
	}
	inSender := holds(e.ReturnPath, f.Address)
	for i := range e.Recipients {
		r, status := &e.Recipients[i], &sum.Recipients[i]
		if (inSender || holds(r.Address, f.Address)) && f.matchesRecipient(r, status) {
			return true
		}
	}
	return false
}

func (f *Filter) matchesRecipient(r *Recipient, status *RecipientStatus) bool {
	return (f.State == 0 || status.State == f.State) && holds(r.Address, f.Recipient) &&
		(len(f.Dest) == 0 || bytes.Equal(r.Dest, f.Dest)) && bytes.HasPrefix(r.Dest, f.DestPrefix) &&
		holds([]byte(status.Last.Text), f.Reason)
}

func holds(text, part []byte) bool {
	return len(part) == 0 || bytes.Contains(bytes.ToLower(text), bytes.ToLower(part))
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
