package auth

import (
	"runtime/debug"
	"sync"
	"time"
)

// gate limits how many hashes are computed at once and how much memory they
// use together: a flood of logins queues up here and costs neither more CPU
// nor more memory than this.
//
// ARGON2 leaves some 20 MiB of garbage per hash, which a process that does
// nothing afterwards would keep for minutes. So when nobody has come for a
// while it is given back.
type gate struct {
	mu         sync.Mutex
	free       sync.Cond
	slots      int
	bytes      int64
	bytesMax   int64 // all there is
	waiting    int
	waitingMax int
	garbage    int64       // allocated since memory was last given back
	quiet      *time.Timer // runs since somebody left
	giveBack   func()
}

const (
	quietTime  = 10 * time.Second
	garbageMin = 8 << 20 // bytes that are worth a collection
)

func newGate(slots int, bytes int64) *gate {
	g := &gate{slots: slots, bytes: bytes, bytesMax: bytes, waitingMax: 128 * slots, giveBack: debug.FreeOSMemory}
	g.free.L = &g.mu
	g.quiet = time.AfterFunc(quietTime, g.tidy)
	return g
}

// tidy gives garbage back when there is enough and nobody computes.
func (g *gate) tidy() {
	g.mu.Lock()
	wanted := g.garbage >= garbageMin && g.bytes == g.bytesMax
	if wanted {
		g.garbage = 0
	}
	g.mu.Unlock()
	if wanted {
		g.giveBack()
	}
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
	g.garbage += bytes
	if g.garbage >= garbageMin {
		g.quiet.Reset(quietTime)
	}
	g.free.Broadcast()
}
