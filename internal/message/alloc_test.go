//go:build !race

package message

import "testing"

func TestReadingAHeaderAllocatesNothing(t *testing.T) {
	msg := []byte(sample)
	allocs := testing.AllocsPerRun(100, func() {
		if Count(msg[:HeaderLen(msg)], "received") != 2 {
			t.Fatal("wrong count")
		}
		Lookup(msg, "subject")
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
