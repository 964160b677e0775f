package maildir

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"barid/internal/vfs"
)

// benchDir is where the benchmarks write: BENCH_DIR, to measure a certain
// file system, or a temporary directory.
func benchDir(b *testing.B) string {
	if dir := os.Getenv("BENCH_DIR"); dir != "" {
		dir, err := os.MkdirTemp(dir, "maildir")
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	return b.TempDir()
}

func BenchmarkDeliver(b *testing.B) {
	body := []byte(strings.Repeat("a line of 32 octets, all of them\n", 124))[:4096]
	for name, quota := range map[string]Quota{"plain": {}, "quota": {BytesMax: 1 << 40}} {
		b.Run(name, func(b *testing.B) {
			s := New(Options{FS: vfs.Disk{}, Host: "mx.example.org"})
			m := s.Mailbox(filepath.Join(benchDir(b), "box"), quota)
			msg := Message{Front: []byte("Return-Path: <a@example.org>\nDelivered-To: b@example.test\n"), Body: body}
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				msg.ID, msg.Micros = fmt.Appendf(msg.ID[:0], "%013d", n), int64(n)
				if err := m.Deliver(Inbox, &msg); err != nil {
					b.Fatal(err)
				}
				if n%1000 == 999 {
					b.StopTimer()
					if err := s.Sync(); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
			}
		})
	}
}

func BenchmarkMaildrop(b *testing.B) {
	const messages = 10_000
	s := New(Options{FS: vfs.Disk{}, Host: "mx.example.org"})
	m := s.Mailbox(filepath.Join(benchDir(b), "box"), Quota{})
	for n := range messages {
		msg := Message{ID: fmt.Appendf(nil, "%013d", n), Micros: int64(n) * 7_654_321, Body: []byte("Subject: x\n\n")}
		if err := m.Deliver(Inbox, &msg); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("open 10000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			d, err := m.OpenMaildrop()
			if err != nil || d.Len() != messages {
				b.Fatal(err)
			}
			d.Close()
		}
	})
	d, err := m.OpenMaildrop()
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	b.Run("size and uidl of 10000", func(b *testing.B) {
		b.ReportAllocs()
		var out []byte
		for b.Loop() {
			for i := range messages {
				if _, err := d.Size(i); err != nil {
					b.Fatal(err)
				}
				out = d.AppendUIDL(out[:0], i)
			}
		}
	})
}
