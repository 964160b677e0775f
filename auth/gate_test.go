package auth

import (
	"runtime"
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

func TestGateMakesWaitWhoNeedsMoreMemoryThanIsLeft(t *testing.T) {
	g := newGate(3, 100)
	g.enter(60)
	entered := make(chan bool)
	go func() { entered <- g.enter(50) }()
	g.waitFor(1)
	if g.bytes != 40 || !g.enter(40) {
		t.Errorf("%d bytes left", g.bytes)
	}
	g.leave(60)
	if !<-entered || g.bytes != 10 {
		t.Errorf("let in late with %d bytes left", g.bytes)
	}
}

// waitFor returns when n wait.
func (g *gate) waitFor(n int) {
	for waiting := -1; waiting < n; {
		runtime.Gosched()
		g.mu.Lock()
		waiting = g.waiting
		g.mu.Unlock()
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
	g.waitFor(2)
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

func TestGateGivesGarbageBackWhenNobodyComputes(t *testing.T) {
	g := newGate(2, 100<<20)
	times := 0
	g.giveBack = func() { times++ }
	for _, step := range []struct {
		do   func()
		want int
	}{
		{func() {}, 0},
		{func() { g.enter(1 << 20); g.leave(1 << 20) }, 0}, // not worth it
		{func() { g.enter(20 << 20) }, 0},
		{func() { g.enter(1 << 20); g.leave(20 << 20) }, 0}, // the other still computes
		{func() { g.leave(1 << 20) }, 1},
		{func() {}, 1},
	} {
		step.do()
		if g.tidy(); times != step.want {
			t.Fatalf("given back %d times, want %d", times, step.want)
		}
	}
}
