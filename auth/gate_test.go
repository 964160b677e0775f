package auth

import (
	"sync"
	"testing"
)

func TestGateKeepsToItsSlotsAndMemory(t *testing.T) {
	g := newGate(3, 100)
	var mu sync.Mutex
	var busy, bytes int64
	var wg sync.WaitGroup
	for i := range 100 {
		need := int64(10 + i%5*20)
		wg.Go(func() {
			if !g.enter(need) {
				t.Error("turned away")
				return
			}
			mu.Lock()
			busy++
			bytes += need
			if busy > 3 || bytes > 100 {
				t.Errorf("%d at once with %d bytes", busy, bytes)
			}
			busy--
			bytes -= need
			mu.Unlock()
			g.leave(need)
		})
	}
	wg.Wait()
	if g.slots != 3 || g.bytes != 100 || g.waiting != 0 {
		t.Errorf("left behind: %d slots, %d bytes, %d waiting", g.slots, g.bytes, g.waiting)
	}
}

func TestGateTurnsAwayWhenTooManyWait(t *testing.T) {
	g := newGate(1, 100)
	g.waitingMax = 2
	g.enter(1)
	entered := make(chan bool)
	for range 2 {
		go func() { entered <- g.enter(1) }()
	}
	for waiting := 0; waiting < 2; { // both are in the queue soon
		g.mu.Lock()
		waiting = g.waiting
		g.mu.Unlock()
	}
	if g.enter(1) {
		t.Error("a third may wait")
	}
	for range 2 {
		g.leave(1)
		if !<-entered {
			t.Error("one who waited was turned away")
		}
	}
}
