//go:build !race

package maildir

import (
	"path/filepath"
	"testing"

	"barid/internal/vfs"
)

func TestListingMessagesAllocatesNothing(t *testing.T) {
	s, dir, _ := newStore(t)
	m := s.Mailbox(dir, Quota{})
	for n := range 10 {
		deliver(t, m, n, "x\n")
	}
	d := open(t, m)
	defer d.Close()
	out := make([]byte, 0, 100)
	allocs := testing.AllocsPerRun(100, func() {
		for i := range d.Len() {
			if _, err := d.Size(i); err != nil {
				t.Fatal(err)
			}
			out = d.AppendUIDL(out[:0], i)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// A delivery costs its path, and inside of vfs.Disk one copy of each path for
// the kernel and the open file.
func TestDeliveryAllocatesLittle(t *testing.T) {
	s := New(Options{FS: vfs.Disk{}, Host: "mx.example.org"})
	m := s.Mailbox(filepath.Join(t.TempDir(), "box"), Quota{})
	msg := message(0, "x\n")
	allocs := testing.AllocsPerRun(200, func() {
		msg.Micros++
		if err := m.Deliver(Inbox, msg); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 8 {
		t.Errorf("%v allocations", allocs)
	}
}
