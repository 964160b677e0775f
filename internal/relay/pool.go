package relay

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"barid/internal/relay/proto"
)

// A pool keeps connections for the next message to the same destination, and
// counts all connections that there are.
//
// The connections of a site are a stack: what the load does not need grows old
// at the bottom and is closed. Which of all sites has the oldest is searched
// when it is needed, which is when a connection is made or has expired; there
// are at most ConnectionsMax to look at.
type pool struct {
	idleFor time.Duration
	slots   chan struct{} // one is held by each connection
	waiting atomic.Int32  // who waits for a slot

	mu     sync.Mutex
	sites  map[string]*site
	idle   int
	sweep  *time.Timer
	armed  bool // sweep will run
	closed bool
}

// A site is a destination that somebody is busy with, or to which there are
// connections.
type site struct {
	dest    string
	key     Key
	nextHop string
	err     error // of the key
	users   int
	idle    []*conn // the oldest first
}

func newPool(idleFor time.Duration, connectionsMax int) *pool {
	p := &pool{idleFor: idleFor, slots: make(chan struct{}, connectionsMax), sites: map[string]*site{}}
	p.sweep = time.AfterFunc(time.Hour, p.expire)
	p.sweep.Stop()
	return p
}

// enter gives the site of a destination, until leave. While there are
// connections to it, its key is not parsed again.
func (p *pool) enter(dest []byte) *site {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.sites[string(dest)]
	if s == nil {
		s = &site{dest: string(dest)}
		s.key, s.err = ParseKey(s.dest)
		s.nextHop = s.key.NextHop()
		p.sites[s.dest] = s
	}
	s.users++
	return s
}

func (p *pool) leave(s *site) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.users--
	p.tidy(s)
}

// tidy forgets a site that nobody needs. Under p.mu.
func (p *pool) tidy(s *site) {
	if s.users == 0 && len(s.idle) == 0 {
		delete(p.sites, s.dest)
	}
}

// take gives the youngest idle connection that was made under the same terms,
// or nil. It still has its slot.
func (p *pool) take(s *site, policy *Policy, login *proto.Login) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(s.idle) - 1; i >= 0; i-- {
		if c := s.idle[i]; c.policy.equal(policy) && c.options.Login == *login {
			s.remove(i)
			p.idle--
			return c
		}
	}
	return nil
}

// remove takes a connection out of the stack, which stays in order.
func (s *site) remove(i int) {
	last := len(s.idle) - 1
	copy(s.idle[i:], s.idle[i+1:])
	s.idle[last] = nil
	s.idle = s.idle[:last]
}

// put keeps a connection, unless somebody waits for its slot.
func (p *pool) put(s *site, c *conn) {
	if p.idleFor > 0 && p.keep(s, c) {
		return
	}
	c.quit()
	p.giveSlot()
}

// keep says false when there is no place. Who waits for a slot has said so
// before he looked for an idle connection, so either he sees this one or he is
// seen here.
func (p *pool) keep(s *site, c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.waiting.Load() > 0 {
		return false
	}
	c.idleSince = time.Now()
	s.idle = append(s.idle, c)
	p.idle++
	if !p.armed {
		p.armed = true
		p.sweep.Reset(p.idleFor)
	}
	return true
}

// takeSlot waits until another connection may be made. Idle ones make room.
func (p *pool) takeSlot(ctx context.Context, deadline time.Time) bool {
	select {
	case p.slots <- struct{}{}:
		return true
	default:
	}
	p.waiting.Add(1)
	defer p.waiting.Add(-1)
	if c := p.evict(time.Time{}); c != nil {
		c.quit()
		return true // with its slot
	}
	limit := time.NewTimer(time.Until(deadline))
	defer limit.Stop()
	select {
	case p.slots <- struct{}{}:
		return true
	case <-ctx.Done():
	case <-limit.C:
	}
	return false
}

func (p *pool) giveSlot() { <-p.slots }

// evict takes away the connection that has been idle for longest, if that is
// since before the given time; any when it is zero.
func (p *pool) evict(before time.Time) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.oldest()
	if s == nil || !before.IsZero() && s.idle[0].idleSince.After(before) {
		return nil
	}
	c := s.idle[0]
	s.remove(0)
	p.idle--
	p.tidy(s)
	return c
}

// oldest is the site with the connection that has been idle for longest.
// Under p.mu.
func (p *pool) oldest() (oldest *site) {
	for _, s := range p.sites {
		if len(s.idle) > 0 && (oldest == nil || s.idle[0].idleSince.Before(oldest.idle[0].idleSince)) {
			oldest = s
		}
	}
	return oldest
}

// expire closes what has been idle for too long, and comes again while there
// is anything left.
func (p *pool) expire() {
	for c := p.evict(time.Now().Add(-p.idleFor)); c != nil; c = p.evict(time.Now().Add(-p.idleFor)) {
		c.quit()
		p.giveSlot()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.oldest()
	if p.armed = s != nil; p.armed {
		p.sweep.Reset(max(time.Until(s.idle[0].idleSince.Add(p.idleFor)), time.Millisecond))
	}
}

// close closes all idle connections; none is kept any more.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.sweep.Stop()
	p.mu.Unlock()
	for c := p.evict(time.Time{}); c != nil; c = p.evict(time.Time{}) {
		c.quit()
		p.giveSlot()
	}
}

// count is how many connections there are, and how many of them are idle.
func (p *pool) count() (open, idle int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.slots), p.idle
}
