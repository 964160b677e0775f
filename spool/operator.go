package spool

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
