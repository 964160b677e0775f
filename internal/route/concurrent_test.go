package route

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"barid/internal/watch"
)

// TestResolvingGoesOnWhileMapsAreReread holds, under the race detector, that a
// recipient is answered by the old map or by the new one and never by half of one.
func TestResolvingGoesOnWhileMapsAreReread(t *testing.T) {
	s := prepare(t, "a: :include:list\n", "", "alice@example.test", "bob@example.test")
	s.file("list", "alice\nbob\n")
	var ticks atomic.Int64
	start := time.Now()
	s.options.Now = func() time.Time { return start.Add(time.Duration(ticks.Add(1)) * watch.Interval) }
	s.options.Log = nil
	r, err := New(s.options)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			var to Targets
			for range 200 {
				v := r.Resolve([]byte("a@example.test"), Sender{}, &to)
				if got := outcome(v, &to); got != "alice@example.test, bob@example.test" {
					t.Errorf("%s (%s)", got, v.Reason)
				}
				if !r.MaySendAs("alice@example.test", []byte("alice@example.test")) {
					t.Error("alice may not send as herself")
				}
			}
		})
	}
	for range 50 {
		if err := r.Reload(); err != nil {
			t.Error(err)
		}
	}
	group.Wait()
}
