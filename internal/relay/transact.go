package relay

import (
	"barid/internal/relay/proto"
	"barid/internal/smtp"
	"barid/spool"
)

// transact sends the message to the batch, in one transaction. Those that are
// to be tried again at once stay in the batch.
func (w *work) transact() {
	c := w.conn
	m, err := w.contentFor(c)
	if err != nil {
		o := unreadable(err)
		w.settle(w.batch, &o)
		w.batch = w.batch[:0]
		return
	}
	w.fill(c, m)
	w.out = c.client.Begin(&w.t, w.out)
	next := w.converse(c)
	if next == proto.SendBody {
		next = w.sendBody(c, m)
	}
	if next != proto.Done {
		panic("relay: a transaction does not end")
	}
	stuck := w.collect(c)
	next = w.converse(c)
	switch {
	case next != proto.Ready || len(w.in) > 0:
		c.hangup()
	case stuck:
		c.quit()
	default:
		return
	}
	w.relay.pool.giveSlot()
	w.conn = nil
}

// fill makes the transaction.
func (w *work) fill(c *conn, m *content) {
	e, t := &w.job.Envelope, &w.t
	t.Reset()
	t.ReturnPath, t.EnvID, t.Ret = w.path(w.batch[0]), e.EnvID, smtp.Ret(e.Ret)
	t.Body, t.UTF8, t.Size = m.kind, w.needsUTF8(c, m), m.size
	if m.kind != proto.BodyBinary {
		t.Size += m.lines
	}
	for _, i := range w.batch {
		r := &w.job.Recipients[i]
		t.Recipients = append(t.Recipients, proto.Recipient{Address: r.Address, ORcpt: r.ORcpt, Notify: smtp.Notify(r.Notify)})
	}
}

// collect gives the batch the outcomes of the transaction. Who is to be tried
// again at once stays in the batch: those for whom the server had no room in
// this transaction, and those whose connection was lost before the message
// went out. It reports whether the connection is of no use to the rest.
func (w *work) collect(c *conn) (stuck bool) {
	failure := c.client.Failure()
	early := failure.Kind != proto.Undecided && failure.Stage >= proto.AtMail && failure.Stage <= proto.AtData
	rest, lost := w.batch[:0], false
	for k, i := range w.batch {
		r, o := &w.job.Recipients[i], &w.t.Recipients[k].Outcome
		switch {
		case o.Kind == proto.Untried:
			rest = append(rest, i)
		case early && o.Kind == proto.Temporary && o.Stage == failure.Stage && o.Code == failure.Code:
			rest, lost = append(rest, i), true
		default:
			w.conclude(c, r, o)
			w.relay.report(w, c, r)
			if congested(o) {
				w.health, w.healthText = spool.Busy, r.Outcome.Text
			}
		}
	}
	none := len(rest) == len(w.batch)
	w.batch = rest
	w.learn(c, failure.Kind != proto.Undecided)
	switch {
	case lost && c.client.Mails() > 1:
		w.stale = true // it had served others before: the same server again
	case lost:
		w.failure.note(c.failed())
		w.nextTarget()
	case none && len(rest) > 0:
		stuck, w.stale = true, true
	}
	return stuck
}

// learn notes what a transaction told about the destination.
func (w *work) learn(c *conn, failed bool) {
	switch {
	case w.ctx.Err() != nil:
	case failed:
		w.health = spool.Busy
		w.healthText = c.failed().text
	case w.health == spool.HealthUnknown:
		w.health = spool.Healthy
	}
}
