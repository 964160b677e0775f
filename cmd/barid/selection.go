package main

import (
	"bytes"
	"fmt"
	"iter"
	"time"

	"barid/spool"
)

// selection is the messages, and in them the recipients, that a request is
// about.
type selection struct {
	ids           []spool.ID // when there are any, these with all of their recipients
	state         spool.State
	older, newer  time.Time // arrived before, and after
	from, to      []byte    // parts of addresses, in small letters
	address, dest []byte
	reason        []byte
	by            ageKey // of a summary
}

// chosen is a message, with those of its recipients that are meant; all of
// them when recipients is nil.
type chosen struct {
	id         spool.ID
	recipients []int
}

// selection reads the filters of a request.
func (r *request) selection() (*selection, error) {
	s := &selection{
		from: lower(r.From), to: lower(r.To), address: lower(r.Address), dest: lower(r.Dest), reason: lower(r.Reason),
	}
	for _, text := range r.IDs {
		id, err := spool.ParseID(text)
		if err != nil {
			return nil, fmt.Errorf("%q is no queue id: 'barid queue list' shows them", text)
		}
		s.ids = append(s.ids, id)
	}
	var err error
	if s.state, err = parseState(r.State); err != nil {
		return nil, err
	}
	if s.by, err = findAgeKey(r.By); err != nil {
		return nil, err
	}
	now := time.Now()
	if r.OlderSeconds > 0 {
		s.older = now.Add(-time.Duration(r.OlderSeconds) * time.Second)
	}
	if r.NewerSeconds > 0 {
		s.newer = now.Add(-time.Duration(r.NewerSeconds) * time.Second)
	}
	return s, nil
}

func lower(s string) []byte { return bytes.ToLower([]byte(s)) }

// everything says that nothing is asked but that there is a message.
func (s *selection) everything() bool {
	return s.ids == nil && s.state == 0 && s.older.IsZero() && s.newer.IsZero() && !s.reads()
}

// onlyDest says that nothing is asked but where it goes.
func (s *selection) onlyDest() bool {
	rest := *s
	rest.dest = nil
	return len(s.dest) > 0 && rest.everything()
}

// reads says that the answer depends on what is written in the messages.
func (s *selection) reads() bool {
	return len(s.from)+len(s.to)+len(s.address)+len(s.dest)+len(s.reason) > 0
}

// all yields what is selected from a queue, oldest first. A Summary is valid
// until the next one; an error is about the message with its ID.
func (s *selection) all(q *spool.Spool) iter.Seq2[*spool.Summary, error] {
	return func(yield func(*spool.Summary, error) bool) {
		for sum, err := range q.List(s.filter(q)) {
			// What cannot be read is only chosen when it need not be.
			if err == nil && !s.matches(sum) || err != nil && (s.reads() || !s.inTime(sum)) {
				continue
			}
			if !yield(sum, err) {
				return
			}
		}
	}
}

// filter is what the spool can choose by itself, without reading messages.
func (s *selection) filter(q *spool.Spool) spool.Filter {
	f := spool.Filter{State: s.state, Before: s.older, After: s.newer}
	if len(s.dest) == 0 {
		return f
	}
	f.Dest = s.dest // where nothing is, unless it is named so
	n := 0
	for d := range s.destinations(q) {
		f.Dest = []byte(d.Key)
		n++
	}
	if n > 1 {
		f.Dest = nil // reading the messages tells
	}
	return f
}

func (s *selection) inTime(sum *spool.Summary) bool {
	return s.newer.IsZero() || sum.Arrived.After(s.newer)
}

// matches says whether a recipient of the message is chosen.
func (s *selection) matches(sum *spool.Summary) bool {
	if !s.inTime(sum) {
		return false
	}
	for i := range sum.Recipients {
		if s.chooses(sum, i) {
			return true
		}
	}
	return false
}

// recipients are the indices of those chosen, of which there is at least one;
// nil when these are all.
func (s *selection) recipients(sum *spool.Summary) (indices []int) {
	for i := range sum.Recipients {
		if s.chooses(sum, i) {
			indices = append(indices, i)
		}
	}
	if len(indices) == len(sum.Recipients) {
		return nil
	}
	return indices
}

// chooses says whether one recipient is meant: all that is set must apply to
// it and to its message.
func (s *selection) chooses(sum *spool.Summary, i int) bool {
	status := &sum.Recipients[i]
	if s.state != status.State && (s.state != 0 || status.State == spool.StateDone || status.State == spool.StateDeleted) {
		return false // with those that are over nothing can be done
	}
	if i >= len(sum.Envelope.Recipients) {
		return !s.reads()
	}
	sender, r := sum.Envelope.ReturnPath, &sum.Envelope.Recipients[i]
	return isSender(sender, s.from) &&
		(holds(r.Address, s.to) || holds(r.Original, s.to)) &&
		(holds(sender, s.address) || holds(r.Address, s.address) || holds(r.Original, s.address)) &&
		leadsTo(r.Dest, s.dest) &&
		holds([]byte(status.Last.Status+" "+status.Last.Text), s.reason)
}

// isSender says whether a return path has the part; the null sender is asked
// for by either of its names.
func isSender(returnPath, part []byte) bool {
	if string(part) == "<>" || string(part) == "mailer-daemon" {
		return len(returnPath) == 0
	}
	return holds(returnPath, part)
}

// holds says whether text has the part, in any case of letters.
func holds(text, part []byte) bool {
	return len(part) == 0 || bytes.Contains(bytes.ToLower(text), part)
}

// leadsTo says whether a destination key is named by what it begins with, with
// or without its agent and the bracket of a host: smtp:[mx.example.net]:587 is
// named by smtp, by mx.example.net and in full; but smtp:example.org.uk not by
// example.org.
func leadsTo(key, name []byte) bool {
	if len(name) == 0 {
		return true
	}
	_, place, _ := bytes.Cut(key, []byte{':'})
	for _, whole := range [...][]byte{key, place, bytes.TrimPrefix(place, []byte{'['})} {
		rest, ok := bytes.CutPrefix(whole, name)
		if ok && (len(rest) == 0 || bytes.IndexByte([]byte(":]@/"), rest[0]) >= 0 || bytes.HasSuffix(name, []byte{':'})) {
			return true
		}
	}
	return false
}
