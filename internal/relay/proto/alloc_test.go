//go:build !race

package proto

import "testing"

func TestMessageAllocatesNothing(t *testing.T) {
	f := newFast(t, 100<<10, 3)
	f.message(t)
	f.refused(t)
	if n := testing.AllocsPerRun(200, func() { f.message(t) }); n != 0 {
		t.Errorf("a message of 100 KiB to 3 recipients: %v allocations", n)
	}
	if n := testing.AllocsPerRun(200, func() { f.refused(t) }); n != 0 {
		t.Errorf("a message that nobody wants: %v allocations", n)
	}
}
