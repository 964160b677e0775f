package spool

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"barid/internal/vfs"
)

// benchDir is where the benchmarks write; SPOOL_BENCH_DIR chooses a disk that
// says something about real ones (docs/performance.md).
func benchDir(b *testing.B) string {
	if dir := os.Getenv("SPOOL_BENCH_DIR"); dir != "" {
		dir, err := os.MkdirTemp(dir, "spool")
		must(b, err)
		b.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	return b.TempDir()
}

func cpuTime() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkAcceptAndDeliver takes messages of 4 KiB from so many writers at
// once on the real disk, each synced before it counts, and delivers them to an agent that does
// nothing.
func BenchmarkAcceptAndDeliver(b *testing.B) {
	for _, writers := range []int{1, 10, 50, 200} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := open(b, Options{
				FS: vfs.Disk{}, Dir: benchDir(b), Log: quiet(), ReserveBytes: 1, Workers: 2,
				Agents: map[string]Agent{"local": newBenchAgent()},
			})
			b.ReportAllocs()
			cpu := cpuTime()
			b.ResetTimer()
			commitMany(b, s, writers)
			settleDown(s)
			must(b, s.Checkpoint())
			b.StopTimer()
			n := float64(b.N)
			b.ReportMetric(float64(cpuTime()-cpu)/n/1000, "cpu-µs/op")
			b.ReportMetric(float64(s.Stats().Syncs)/n, "syncs/op")
			b.ReportMetric(n/b.Elapsed().Seconds(), "msg/s")
			closeSpool(b, s)
		})
	}
}

func commitMany(b *testing.B, s *Spool, writers int) {
	body := text(4096, 1)
	var left atomic.Int64
	left.Store(int64(b.N))
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			w := s.Writer()
			defer w.Release()
			e := envelope("alice@example.test")
			for left.Add(-1) >= 0 {
				if _, err := w.Begin(); err != nil {
					b.Error(err)
				}
				_, _ = w.Write(append(w.AvailableBuffer(len(body)), body...))
				if err := w.Commit(e); err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// benchAgent reads each message, as an agent must, and drops it.
type benchAgent struct{ buffers sync.Pool }

func newBenchAgent() *benchAgent {
	return &benchAgent{sync.Pool{New: func() any { b := make([]byte, 0, 8192); return &b }}}
}

func (a *benchAgent) Deliver(_ context.Context, job *Job) {
	buf := a.buffers.Get().(*[]byte)
	defer a.buffers.Put(buf)
	body, err := job.ReadAll((*buf)[:0])
	*buf = body
	for i := range job.Recipients {
		if err == nil {
			job.Recipients[i].Outcome = Outcome{Kind: Delivered}
		}
	}
}

func (a *benchAgent) Sync() error { return nil }

// BenchmarkOpen opens a spool that holds so many deferred messages of 4 KiB,
// or of 200 bytes when they are very many, for so many destinations, and says
// how much memory each takes.
func BenchmarkOpen(b *testing.B) {
	for _, load := range []benchLoad{{10_000, 4096, 100}, {100_000, 4096, 10_000}, {1_000_000, 200, 10_000}} {
		b.Run(fmt.Sprintf("messages=%d", load.messages), func(b *testing.B) {
			o := Options{
				FS: vfs.Disk{}, Dir: benchDir(b), Log: quiet(), ReserveBytes: 1,
				Agents: map[string]Agent{"local": &deferAgent{}},
			}
			fillSpool(b, o, load)
			before := heapBytes()
			b.ResetTimer()
			cpu := cpuTime()
			for range b.N {
				s := open(b, o)
				b.StopTimer()
				b.ReportMetric(float64((cpuTime() - cpu).Milliseconds()), "cpu-ms")
				if n := s.Stats().Messages; n != load.messages {
					b.Fatalf("%d messages", n)
				}
				b.ReportMetric(float64(heapBytes()-before)/float64(load.messages), "heap-B/msg")
				closeSpool(b, s)
				cpu = cpuTime()
				b.StartTimer()
			}
		})
	}
}

type benchLoad struct{ messages, size, destinations int }

func fillSpool(b *testing.B, o Options, load benchLoad) {
	s := open(b, o)
	body := text(load.size, 1)
	var all sync.WaitGroup
	for k := range 200 {
		all.Go(func() {
			for i := range load.messages / 200 {
				e := envelope(fmt.Sprintf("alice%d@example.test", (i*200+k)%load.destinations))
				if _, err := submit(s, body, e); err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
	settleDown(s)
	closeSpool(b, s)
}

func heapBytes() int64 {
	runtime.GC()
	runtime.GC() // pools are emptied by the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

type deferAgent struct{}

func (deferAgent) Deliver(_ context.Context, job *Job) {
	for i := range job.Recipients {
		job.Recipients[i].Outcome = Outcome{Kind: Deferred, Status: "4.2.2", Text: "full", RetryAfter: 24 * time.Hour}
	}
}

func (deferAgent) Sync() error { return nil }
