//go:build !race

package vfs_test

import (
	"path/filepath"
	"testing"
)

func TestFileOperationsAllocateNothing(t *testing.T) {
	f := create(t, filepath.Join(t.TempDir(), "a"), "")
	bufs := [][]byte{[]byte("head"), make([]byte, 4096), []byte("tail")}
	p := make([]byte, 4104)
	allocs := testing.AllocsPerRun(100, func() {
		_, err := f.WriteVAt(bufs, 0)
		must(t, err)
		_, err = f.WriteAt(p, 0)
		must(t, err)
		_, err = f.ReadAt(p, 0)
		must(t, err)
		must(t, f.Sync())
		_, err = f.Size()
		must(t, err)
	})
	if allocs != 0 {
		t.Fatalf("%v allocations", allocs)
	}
}
