//go:build !race

package spool

import (
	"testing"
	"time"

	"barid/internal/vfs"
)

func TestAcceptingAndDeliveringAllocatesNothing(t *testing.T) {
	o := Options{
		FS: vfs.Disk{}, Dir: t.TempDir(), Agents: map[string]Agent{"local": newBenchAgent()}, Workers: 2,
		Log: quiet(), ReserveBytes: 1, CheckpointInterval: 20 * time.Millisecond,
	}
	s := open(t, o)
	body, e := text(4096, 1), envelope("alice@example.test")
	w := s.Writer()
	one := func() {
		_, err := w.Begin()
		must(t, err)
		_, err = w.Write(append(w.AvailableBuffer(len(body)), body...))
		must(t, err)
		must(t, w.Commit(e))
	}
	for range 3000 {
		one()
	}
	settleDown(s)
	must(t, s.Checkpoint())
	if allocs := testing.AllocsPerRun(2000, one); allocs != 0 {
		t.Errorf("%v allocations per message", allocs)
	}
	w.Release()
	closeSpool(t, s)
}
