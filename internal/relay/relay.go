package relay

import (
	"context"
	"crypto/tls"
	"net/netip"
	"sync"
	"sync/atomic"

	"barid/spool"
)

// Relay implements spool.Agent for destinations that begin with SMTP or LMTP.
// It is one agent for both, so that they share its limits.
type Relay struct {
	o            Options
	pool         *pool
	unreachable  addressBook
	sessions     tls.ClientSessionCache
	bind4, bind6 []netip.Addr
	binds        atomic.Uint32 // connections that were given an address
	implicitPort uint16
	stats        counters
	works        sync.Pool // *work

	mu      sync.Mutex
	ending  *ending // of the deliveries
	hurried bool    // Hurry was called
}

// An ending is when deliveries end. All that the spool has an agent make end
// together.
type ending struct {
	last context.Context // of the spool: there is no more time
	// soon ends with it, or with Hurry: whatever can be done again as well is
	// given up.
	soon   context.Context
	cancel context.CancelFunc
}

var _ spool.Agent = (*Relay)(nil)

// New returns an agent. Nothing runs until it has something to deliver.
func New(o Options) *Relay {
	r := &Relay{o: o.withDefaults(), sessions: tls.NewLRUClientSessionCache(sessionsMax), implicitPort: implicitPort}
	r.pool = newPool(r.o.Idle, r.o.ConnectionsMax)
	for _, a := range r.o.Bind {
		if a = a.Unmap(); a.Is4() {
			r.bind4 = append(r.bind4, a)
		} else {
			r.bind6 = append(r.bind6, a)
		}
	}
	r.works.New = func() any { return &work{relay: r, inRoom: make([]byte, inSize)} }
	return r
}

const (
	// inSize is the memory for replies, in bytes: more than a line of one.
	inSize = 8 << 10
	// keptMax is how large a buffer may be to be kept, in bytes.
	keptMax = 256 << 10
)

// Deliver implements spool.Agent.
func (r *Relay) Deliver(ctx context.Context, job *spool.Job) {
	w := r.works.Get().(*work)
	w.ending = r.endingOf(ctx)
	w.ctx, w.job = w.ending.soon, job
	for i := range job.Recipients {
		if job.Recipients[i].Outcome.Kind != spool.Unset {
			continue
		}
		w.begin(i)
		w.run()
		r.pool.leave(w.site)
		job.Health, job.HealthText = w.health, w.healthText
	}
	w.rest()
	r.works.Put(w)
}

// rest lets go of everything but the memory.
func (w *work) rest() {
	w.ending, w.ctx, w.job, w.site, w.conn = nil, nil, nil, nil, nil
	w.way, w.content, w.converted, w.failure = way{}, content{}, content{}, failure{}
	clear(w.paths)
	if cap(w.body) > keptMax || cap(w.out) > keptMax {
		w.body, w.out = nil, nil
	}
	if cap(w.t.Recipients) > 1000 {
		w.t.Recipients = nil
	}
}

// endingOf is the ending of deliveries with this context.
func (r *Relay) endingOf(ctx context.Context) *ending {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ending == nil || r.ending.last != ctx {
		e := &ending{last: ctx}
		e.soon, e.cancel = context.WithCancel(ctx)
		if r.ending = e; r.hurried {
			e.cancel()
		}
	}
	return r.ending
}

// Hurry gives up all deliveries, those under way and those to come, but where a
// server has the message and only its reply is missing: to give that up would
// send it twice. For the end of the program, before the spool is closed: what
// was given up is tried again at its next start.
func (r *Relay) Hurry() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hurried = true
	if r.ending != nil {
		r.ending.cancel()
	}
}

// Sync implements spool.Agent. What was delivered is in another server's hands
// by then.
func (r *Relay) Sync() error { return nil }

// Close says goodbye to all servers to which idle connections are open, and
// keeps none any more. Deliveries may go on.
func (r *Relay) Close() { r.pool.close() }
