package relay

import (
	"net/netip"
	"sync"
	"time"
)

// An addressBook remembers for a short time which servers could not be
// reached, so that each message does not wait for them anew before it goes to
// the next.
type addressBook struct {
	mu    sync.Mutex
	until map[netip.AddrPort]time.Time
}

const (
	unreachableFor = time.Minute
	unreachableMax = 1000 // addresses
)

func (b *addressBook) has(at netip.AddrPort) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	until, ok := b.until[at]
	if ok && time.Now().After(until) {
		delete(b.until, at)
		ok = false
	}
	return ok
}

// add notes a server. When there are too many, any is forgotten: it is tried
// once more than it had to be.
func (b *addressBook) add(at netip.AddrPort) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until == nil {
		b.until = map[netip.AddrPort]time.Time{}
	}
	for old := range b.until {
		if len(b.until) < unreachableMax {
			break
		}
		delete(b.until, old)
	}
	b.until[at] = time.Now().Add(unreachableFor)
}
