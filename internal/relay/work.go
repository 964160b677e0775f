package relay

import (
	"bytes"
	"context"
	"time"

	"barid/internal/relay/proto"
	"barid/spool"
)

// A work is one job on its way to one destination, with the memory for it,
// which is kept for the next.
type work struct {
	relay  *Relay
	ending *ending
	ctx    context.Context // ending.soon
	job    *spool.Job
	site   *site

	policy   Policy
	login    proto.Login
	way      way
	deadline time.Time
	failure  failure // why no server could be had
	health   spool.Health
	// healthText is why health is not Healthy.
	healthText string

	conn    *conn // the connection in use, if it is fit for another transaction
	stale   bool  // a connection that was in use before has failed: make a new one
	inClear bool  // the handshake with the target has failed: without TLS

	content   content
	converted content

	left   []int    // recipients of the job without an outcome
	batch  []int    // those of them that go into the next transaction
	paths  [][]byte // return path by recipient of the job, where it is rewritten
	t      proto.Transaction
	inRoom []byte // memory of in
	in     []byte // read and not yet consumed
	out    []byte // not yet sent
	body   []byte
	text   []byte
	began  time.Time
	ready  time.Time // the connection was there
}

// begin sets out for the destination of the i-th recipient, with all that
// have the same.
func (w *work) begin(i int) {
	dest := w.job.Recipients[i].Dest
	w.site = w.relay.pool.enter(dest)
	w.left = w.left[:0]
	for j := i; j < len(w.job.Recipients); j++ {
		if r := &w.job.Recipients[j]; r.Outcome.Kind == spool.Unset && bytes.Equal(r.Dest, dest) {
			w.left = append(w.left, j)
		}
	}
	w.setWay()
	w.failure, w.stale, w.inClear, w.health = failure{}, false, false, spool.HealthUnknown
	w.healthText = ""
	w.began = time.Now()
	w.ready = w.began
	o := &w.relay.o
	w.deadline = w.began.Add(o.Timeouts.Job + time.Duration(w.job.Size/(4<<10))*time.Second)
}

// setWay begins the way to the site.
func (w *work) setWay() {
	key := w.site.key
	w.way = way{relay: w.relay, key: key, port: key.Port}
	if w.way.port == 0 {
		w.way.port = w.relay.o.Port
		if key.LMTP {
			w.way.port = lmtpPort
		}
	}
}

// lmtpPort is where LMTP is spoken where the key does not say: the port for any
// private mail system, which RFC 2033 section 5 leaves to the two sides.
const lmtpPort = 24

// terms asks what is special about the destination. A password makes TLS
// necessary, and a certificate: otherwise whoever answers would get it.
func (w *work) terms() {
	o := &w.relay.o
	w.policy, w.login = Policy{}, proto.Login{}
	if o.Policy != nil {
		w.policy = o.Policy(w.site.nextHop)
	}
	if o.Login == nil {
		return
	}
	login, ok := o.Login(w.site.nextHop, w.job.Envelope.ReturnPath)
	if !ok {
		return
	}
	w.login = login
	w.login.InClear = w.login.InClear || w.policy.ClearLogin
	if w.policy.TLS == Opportunistic && !w.login.InClear {
		w.policy.TLS = Required
	}
}

// run brings the message to all that are left.
func (w *work) run() {
	if w.site.err != nil {
		w.settle(w.left, &spool.Outcome{Kind: spool.Deferred, Status: "4.3.5", Text: "the destination " + w.site.dest + " makes no sense: " + w.site.err.Error()})
		return
	}
	w.terms()
	if err := w.load(); err != nil {
		o := unreadable(err)
		w.settle(w.left, &o)
		return
	}
	w.rewrite()
	for w.nextBatch() {
		for len(w.batch) > 0 {
			if !w.connected() {
				o := w.failure.outcome()
				w.health, w.healthText = w.failure.health, w.failure.text
				w.settle(w.batch, &o)
				w.batch = w.batch[:0]
				break
			}
			w.transact()
		}
	}
	if w.conn != nil {
		w.relay.pool.put(w.site, w.conn)
		w.conn = nil
	}
}

// settle gives recipients an outcome that is not a server's.
func (w *work) settle(recipients []int, o *spool.Outcome) {
	for _, i := range recipients {
		w.job.Recipients[i].Outcome = *o
		w.hasten(&w.job.Recipients[i].Outcome)
		w.relay.report(w, nil, &w.job.Recipients[i])
	}
}

// rewrite finds the return path for each recipient.
func (w *work) rewrite() {
	w.paths = w.paths[:0]
	if w.relay.o.Rewrite == nil {
		return
	}
	from := w.job.Envelope.ReturnPath
	for i := range w.job.Recipients {
		r := &w.job.Recipients[i]
		if r.Outcome.Kind != spool.Unset {
			w.paths = append(w.paths, from)
			continue
		}
		path, err := w.relay.o.Rewrite(from, r.Original, r.Address)
		if err != nil {
			w.settle([]int{i}, &spool.Outcome{Kind: spool.Deferred, Status: "4.3.0", Text: "the return path cannot be rewritten: " + err.Error()})
		}
		w.paths = append(w.paths, path)
	}
}

// path is the return path for a recipient.
func (w *work) path(i int) []byte {
	if len(w.paths) == 0 {
		return w.job.Envelope.ReturnPath
	}
	return w.paths[i]
}

// nextBatch gathers those that are left and have one return path. It says
// false when nobody is.
func (w *work) nextBatch() bool {
	rest := w.left[:0]
	w.batch = w.batch[:0]
	for _, i := range w.left {
		switch {
		case w.job.Recipients[i].Outcome.Kind != spool.Unset:
		case len(w.batch) == 0 || bytes.Equal(w.path(i), w.path(w.batch[0])):
			w.batch = append(w.batch, i)
		default:
			rest = append(rest, i)
		}
	}
	w.left = rest
	return len(w.batch) > 0
}

// connected makes sure that there is a connection.
func (w *work) connected() bool {
	if w.conn != nil {
		return true
	}
	for !w.stale {
		c := w.relay.pool.take(w.site, &w.policy, &w.login)
		if c == nil {
			break
		}
		if c.fit() {
			c.socket.endWith(w.ending)
			w.in, w.out = w.in[:0], w.out[:0]
			w.relay.stats.reused.Add(1)
			w.conn = c
			return true
		}
		c.quit()
		w.relay.pool.giveSlot()
	}
	w.conn = w.connect()
	w.ready = time.Now()
	return w.conn != nil
}
