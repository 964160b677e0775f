package auth

import "sync"

// gate limits how many hashes are computed at once and how much memory they
// use together: a flood of logins queues up here and costs neither more CPU
// nor more memory than this.
type gate struct {
	mu         sync.Mutex
	free       sync.Cond
	slots      int
	bytes      int64
	waiting    int
	waitingMax int
}

func newGate(slots int, bytes int64) *gate {
	g := &gate{slots: slots, bytes: bytes, waitingMax: 128 * slots}
	g.free.L = &g.mu
	return g
}

// enter waits for a slot and memory; false when too many wait already, which
// means that an answer would come after the client's patience. A hash needs
// at most what the gate has in all: the file's reading sees to that.
func (g *gate) enter(bytes int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting >= g.waitingMax {
		return false
	}
	g.waiting++
	for g.slots == 0 || g.bytes < bytes {
		g.free.Wait()
	}
	g.waiting--
	g.slots--
	g.bytes -= bytes
	return true
}

// leave gives back what enter took. All are woken, because the next in line
// may need more memory than there is while another can go on.
func (g *gate) leave(bytes int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.slots++
	g.bytes += bytes
	g.free.Broadcast()
}
