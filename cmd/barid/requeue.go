package main

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"barid/internal/route"
	"barid/spool"
)

// requeue is a message that is sent on its way anew: those of its recipients
// that are not finished are looked up again, as if they had just been named at
// the door, and get a message of their own in place of the old one. Maps and
// transports may have changed since.
//
// Nothing is lost whenever it ends: the old recipients are held, the new
// message is committed, then the old recipients are deleted. Should the machine
// stop in between, the message is there twice, once on hold.
type requeue struct {
	*operator
	old     *spool.Summary
	indices []int // of the recipients that move
	to      *addressees
}

func requeueMessage(o *operator, c chosen, _ func(*answer) error) error {
	router, err := o.router()
	if err != nil {
		return err
	}
	old, err := o.spool.Show(c.id)
	if err != nil {
		return err
	}
	r := &requeue{operator: o, old: old, to: newAddressees(router, old.Envelope.ReturnPath)}
	if err := r.route(c.recipients); err != nil {
		return err
	}
	return r.move()
}

// route finds out where the chosen recipients go now.
func (r *requeue) route(chosen []int) error {
	for i := range r.old.Recipients {
		if e := &r.old.Envelope.Recipients[i]; r.finished(i) {
			r.to.seen[recipientKey(named(e), e.Address, e.Dest)] = true // it has been there
		}
	}
	for i := range r.old.Recipients {
		if r.finished(i) || chosen != nil && !slices.Contains(chosen, i) {
			continue
		}
		if r.old.Recipients[i].State == spool.StateRunning {
			return errors.New("it is being delivered just now; try again when that is over")
		}
		if err := r.look(&r.old.Envelope.Recipients[i]); err != nil {
			return err
		}
		r.indices = append(r.indices, i)
	}
	if len(r.indices) == 0 {
		return errors.New("none of its recipients waits for delivery")
	}
	return nil
}

// finished says that nothing is left to do for a recipient.
func (r *requeue) finished(i int) bool {
	switch r.old.Recipients[i].State {
	case spool.StateReady, spool.StateRunning, spool.StateDeferred, spool.StateHeld, spool.StateFailed:
		return false
	}
	return true
}

// named is the address that a sender gave.
func named(e *spool.Recipient) []byte {
	if len(e.Original) > 0 {
		return e.Original
	}
	return e.Address
}

// look adds the targets of a recipient. Several recipients may come from one
// name; whom that reaches now, each gets one copy, and nobody a second one.
func (r *requeue) look(e *spool.Recipient) error {
	asNamed := spool.Recipient{Address: named(e), ORcpt: e.ORcpt, Notify: e.Notify}
	if v := r.to.add(&asNamed); v.Kind != route.Accept {
		return fmt.Errorf("<%s> would not be taken any more, so nothing is changed: %s %s", shown(asNamed.Address), v.Status, v.Text)
	}
	return nil
}

// move puts the new message in the place of the old one.
func (r *requeue) move() error {
	if err := r.spool.Hold(r.old.ID, r.indices...); err != nil {
		return err
	}
	// Nobody is left when all whom the name reaches now have the message.
	if len(r.to.list) > 0 {
		if err := r.copy(); err != nil {
			return fmt.Errorf("%w; it is on hold", err)
		}
	}
	return r.spool.Delete(r.old.ID, r.indices...)
}

// copy commits the new message.
func (r *requeue) copy() error {
	body, err := r.spool.OpenBody(r.old.ID)
	if err != nil {
		return err
	}
	defer body.Close()
	w := r.spool.Writer()
	defer w.Release()
	if _, err := w.Begin(); err != nil {
		return err
	}
	if _, err := io.Copy(w, body); err != nil {
		return err
	}
	e := r.old.Envelope
	e.Recipients = r.to.list
	return w.Commit(&e)
}
