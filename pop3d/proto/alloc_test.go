//go:build !race

package proto

import "testing"

// TestDialogueAllocatesNothing holds the promise of docs/pop3.md: what a
// client does all day costs the engine no memory.
func TestDialogueAllocatesNothing(t *testing.T) {
	r := newRepeater(t)
	in := []byte("STAT\r\nUIDL\r\nLIST\r\nRETR 1\r\nTOP 1 1\r\nUIDL 2\r\nLIST 2\r\nNOOP\r\nDELE 2\r\nRSET\r\nCAPA\r\n")
	r.run(in) // the buffers grow, and the marks
	if n := testing.AllocsPerRun(100, func() { r.run(in) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}
