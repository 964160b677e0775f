package maildir

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"barid/internal/vfs"
)

// benchFolder is a folder of n messages in cur/, as we deliver them.
func benchFolder(b *testing.B, n int) (Mailbox, *Folder) {
	b.Helper()
	s := New(Options{FS: vfs.Disk{}, Host: "mx.example.org"})
	m := s.Mailbox(filepath.Join(b.TempDir(), "box"), Quota{})
	must(b, m.Create(Inbox))
	text := []byte(strings.Repeat("x", 99) + "\n")
	for i := range n {
		name := fmt.Sprintf("%d.M%06dQ%010dk7m9.mx.example.org,S=100,W=101:2,S", 1_700_000_000+i, i%1_000_000, i)
		must(b, os.WriteFile(filepath.Join(m.Path(), "cur", name), text, 0o600))
	}
	f := mustFolder(b, m, Inbox)
	return m, f
}

var benchSizes = []int{10_000, 200_000}

// BenchmarkFolder does one thing after the other with one folder, for making
// 200,000 files takes longer than all of it.
func BenchmarkFolder(b *testing.B) {
	for _, n := range benchSizes {
		if n > 10_000 && testing.Short() {
			continue
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			m, f := benchFolder(b, n)
			f.Close()
			b.Run("memory", func(b *testing.B) { benchMemory(b, m, n) })
			for _, how := range []string{"in step", "changed", "no index"} {
				b.Run("open "+how, func(b *testing.B) { benchOpen(b, m, n, how) })
			}
			f = mustFolder(b, m, Inbox)
			defer f.Close()
			b.Run("scan", func(b *testing.B) { benchScan(b, f) })
			v := mustView(b, f, ViewOptions{})
			b.Run("messages", func(b *testing.B) { benchMessages(b, v) })
			b.Run("set flags of all", func(b *testing.B) { benchSetFlags(b, v) })
			b.Run("expunge half", func(b *testing.B) { benchExpunge(b, f) })
		})
	}
}

func benchOpen(b *testing.B, m Mailbox, n int, how string) {
	b.ReportAllocs()
	for range b.N {
		b.StopTimer()
		switch how {
		case "changed":
			now := m.store.now()
			must(b, os.Chtimes(filepath.Join(m.Path(), "cur"), now, now))
		case "no index":
			must(b, os.Remove(filepath.Join(m.Path(), "barid-index")))
		}
		b.StartTimer()
		f := mustFolder(b, m, Inbox)
		b.StopTimer()
		if f.Status().Messages != uint32(n) {
			b.Fatal(f.Status())
		}
		f.Close()
		b.StartTimer()
	}
}

func benchScan(b *testing.B, f *Folder) {
	b.ReportAllocs()
	for b.Loop() {
		f.news.curDirty.Store(true)
		must(b, f.Refresh())
	}
}

func benchMessages(b *testing.B, v *View) {
	room := make([]StoredMessage, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		for seq, n := 1, v.Len(); seq <= n; seq += len(room) {
			room = v.Messages(room[:0], seq)
		}
	}
}

func benchSetFlags(b *testing.B, v *View) {
	uids := v.UIDs(nil, 1, v.Len())
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		_, err := v.SetFlags(uids, FlagChange{How: FlagHow(i & 1), Flags: Flagged})
		must(b, err)
	}
}

// benchExpunge expunges every second message that is left.
func benchExpunge(b *testing.B, f *Folder) {
	total := 0
	for range b.N {
		var uids []uint32
		for i, uid := range f.allUIDs() {
			if i%2 == 0 {
				uids = append(uids, uid)
			}
		}
		gone, err := f.Expunge(uids, ExpungeOptions{Any: true})
		must(b, err)
		total += len(gone)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(max(total, 1)), "ns/message")
}

func BenchmarkFolderStatus(b *testing.B) {
	m, f := benchFolder(b, 10_000)
	f.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.FolderStatus(Inbox); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSetFlagsOne(b *testing.B) {
	_, f := benchFolder(b, 10_000)
	defer f.Close()
	v := mustView(b, f, ViewOptions{})
	for _, lazy := range []bool{false, true} {
		b.Run(fmt.Sprintf("lazy %v", lazy), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				_, err := v.SetFlags([]uint32{5000}, FlagChange{How: FlagHow(i & 1), Flags: Flagged, Lazy: lazy})
				must(b, err)
			}
		})
	}
}

func BenchmarkCopyAll(b *testing.B) {
	m, f := benchFolder(b, 10_000)
	defer f.Close()
	uids := f.allUIDs()
	for i, move := range []bool{false, true} {
		b.Run(fmt.Sprintf("move %v", move), func(b *testing.B) {
			from, uids := f, uids
			for round := 0; b.Loop(); round++ {
				name := fmt.Sprintf("To%d-%d", i, round)
				must(b, m.CreateFolder(name))
				to := mustFolder(b, m, name)
				_, got, err := from.Copy(uids, to, CopyOptions{Move: move})
				must(b, err)
				if move {
					from, uids = to, got
				} else {
					to.Close()
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	text := strings.Repeat(strings.Repeat("x", 68)+"\r\n", 60)
	for _, sessions := range []int{1, 10} {
		b.Run(fmt.Sprintf("sessions %d", sessions), func(b *testing.B) {
			_, f := benchFolder(b, 0)
			defer f.Close()
			b.ReportAllocs()
			b.SetParallelism(max(sessions/runtime.GOMAXPROCS(0), 1))
			if sessions == 1 {
				for b.Loop() {
					appendText(b, f, text, Seen)
				}
				return
			}
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					appendText(b, f, text, Seen)
				}
			})
		})
	}
}

func BenchmarkCacheRead(b *testing.B) {
	const n = 10_000
	_, f := benchFolder(b, n)
	defer f.Close()
	v := mustView(b, f, ViewOptions{})
	var items []CacheItem
	for _, uid := range f.allUIDs() {
		items = append(items, CacheItem{uid, []byte(strings.Repeat("e", 600))})
	}
	must(b, f.CachePut(items))
	room, buf := make([]StoredMessage, 0, 256), make([]byte, 64<<10)
	b.ReportAllocs()
	for b.Loop() {
		r := f.NewCacheReader(buf)
		for seq := 1; seq <= n; seq += len(room) {
			room = v.Messages(room[:0], seq)
			for i := range room {
				if r.Get(&room[i]) == nil {
					b.Fatal("missing")
				}
			}
		}
		r.Close()
	}
	b.SetBytes(n * 600)
}

// heap is what the program holds.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func benchMemory(b *testing.B, m Mailbox, n int) {
	const count = 1000
	var folder, views int64
	for range b.N {
		before := heap()
		f := mustFolder(b, m, Inbox)
		open := heap()
		var all []*View
		for range count {
			all = append(all, mustView(b, f, ViewOptions{Notify: func() {}}))
		}
		folder, views = open-before, heap()-open
		for _, v := range all {
			v.Close()
		}
		f.Close()
	}
	b.ReportMetric(float64(folder)/float64(n), "B/message")
	b.ReportMetric(float64(views)/count, "B/view")
	b.ReportMetric(0, "ns/op")
}
