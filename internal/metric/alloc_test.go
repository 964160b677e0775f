//go:build !race

package metric

import (
	"testing"
	"time"
)

func TestAllocsOfObservingAreNone(t *testing.T) {
	h := NewHistogram(Bounds(0.0001, 4, 12)...)
	var c Counter
	if n := testing.AllocsPerRun(100, func() { h.ObserveDuration(time.Second); c.Add(1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
