package spool

// reconcileSpills removes the bodies that no message names, and reports those
// that a message names and that are not there.
func (r *recovery) reconcileSpills() error {
	dir := r.path(spillDir)
	list, err := r.fs.ReadDir(dir)
	if err != nil {
		return err
	}
	r.garbage = nil // what was finished while reading is found below
	there := make(map[ID]bool, len(list))
	for _, d := range list {
		id, err := ParseID(d.Name())
		if err != nil {
			r.log.Warn("spool: a stranger among the bodies", "file", d.Name())
			continue
		}
		there[id] = true
		if m := r.messages[id]; m == nil || !m.spilled {
			if r.stats.damaged.Load() > 0 {
				r.damage(r.spillPath(id), "no message names this body", 0)
			}
			r.removeSpill(id)
		}
	}
	for _, m := range r.order {
		if r.messages[m.id] == m && m.spilled && !there[m.id] {
			r.loseBody(m)
		}
	}
	return nil
}

// loseBody makes the recipients of a message fail whose spill file is missing.
func (r *recovery) loseBody(m *message) {
	r.stats.damaged.Add(1)
	r.log.Error("spool: the body of a message is missing", "id", m.id.String(), "file", r.spillPath(m.id))
	r.mu.Lock()
	defer r.mu.Unlock()
	lost := Attempt{Time: r.now(), Outcome: Outcome{Kind: Failed, Status: "5.3.0", Text: "the body was lost from the disk"}}
	rs := m.recipients()
	for i := range rs {
		if rs[i].state.final() {
			continue
		}
		r.setState(m, &rs[i], StateFailed)
		history, outcomes := appendAttempt(nil, 0, &lost)
		e := rs[i].entryOf(m.id, uint16(i), history, outcomes)
		r.note(&e)
	}
}
