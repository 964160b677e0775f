package loop

import "testing"

// A surplus worker counts as running from the moment when it is told to end.
// Whoever queues work in between counts on it.
func TestSurplusWorkerPassesOnWhatCameBeforeItEnded(t *testing.T) {
	l := &Loop{}
	l.schedule.init(Options{Workers: 1})
	started := 0
	l.startWorker = func(*worker) { started++ }
	w := &worker{wake: make(chan struct{}, 1), surplus: true}
	l.all = append(l.all, w)
	l.running = 1
	l.mu.Lock()
	defer l.mu.Unlock()
	l.push(&Conn{})
	l.callWorker()
	if started != 0 {
		t.Fatal("more sessions run than are allowed")
	}
	if c := l.nextReady(w); c != nil {
		t.Fatal("a surplus worker goes on")
	}
	if started != 1 || l.running != 1 {
		t.Errorf("nobody takes up the ready queue: %d workers started, %d running", started, l.running)
	}
}
