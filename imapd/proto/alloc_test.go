//go:build !race

package proto

import (
	"testing"
	"unsafe"
)

// TestEveryDayCommandsAllocNothing holds the promise of docs/imap.md: what a
// client does all day costs the engine no memory.
func TestEveryDayCommandsAllocNothing(t *testing.T) {
	r := newRepeater(t)
	r.run(everyDay) // the memory grows
	if n := testing.AllocsPerRun(100, func() { r.run(everyDay) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

// TestSecondIdleAllocNothing: the second IDLE of a session costs nothing.
func TestSecondIdleAllocNothing(t *testing.T) {
	r := newRepeater(t)
	in := []byte("abc IDLE\r\nDONE\r\n")
	r.s.Lend(&r.command)
	step := func() {
		at := 0
		for at < len(in) {
			n, out, _ := r.s.Step(in[at:], r.out[:0])
			at, r.out = at+n, out
		}
	}
	step()
	if n := testing.AllocsPerRun(100, step); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

// TestSessionIsSmallAlloc: what an idle client costs, beside the tag of its
// IDLE.
func TestSessionIsSmallAlloc(t *testing.T) {
	if size := unsafe.Sizeof(Session{}); size > 256 {
		t.Fatalf("a session has %d octets", size)
	}
}
