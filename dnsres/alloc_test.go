//go:build !race

package dnsres

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"barid/dnsres/dnstest"
)

func TestACacheHitDoesNotAllocate(t *testing.T) {
	s := play(t, dnstest.Zone(zone))
	s.write("hosts", "192.0.2.9 hosts.example\n")
	ctx, addr := t.Context(), netip.MustParseAddr("2001:db8::1")
	for name, lookup := range map[string]func() error{
		"MX":    func() error { _, err := s.MX(ctx, "Example.org."); return err },
		"A":     func() error { _, err := s.Addrs(ctx, "www.example.org", V4); return err },
		"AAAA":  func() error { _, err := s.Addrs(ctx, "mx1.example.org", V6); return err },
		"TXT":   func() error { _, err := s.TXT(ctx, "example.org"); return err },
		"SRV":   func() error { _, err := s.SRV(ctx, "_submission._tcp.example.org"); return err },
		"TLSA":  func() error { _, err := s.TLSA(ctx, "_25._tcp.mx1.example.org"); return err },
		"PTR":   func() error { _, err := s.PTR(ctx, addr); return err },
		"hosts": func() error { _, err := s.Addrs(ctx, "hosts.example", V4); return err },
		"negative": func() error {
			if _, err := s.MX(ctx, "nobody.example.org"); err == nil {
				return fmt.Errorf("found")
			}
			return nil
		},
	} {
		if err := lookup(); err != nil {
			t.Fatal(name, err)
		}
		if n := testing.AllocsPerRun(1000, func() { lookup() }); n != 0 {
			t.Errorf("%s: a hit allocates %v times", name, n)
		}
	}
}

// TestTheCacheKnowsWhatItWeighs compares the books with the heap.
func TestTheCacheKnowsWhatItWeighs(t *testing.T) {
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for _, n := range []int{3000, 20000} {
		before := heap()
		c, now := newCache(1<<30), time.Now()
		for i := range n {
			e := made(fmt.Sprintf("host-number-%d.some-domain.example", i), now.Add(time.Hour), 0)
			e.canonical = fmt.Sprintf("host-number-%d.some-domain.example", i)
			records := []MX{{10, fmt.Sprintf("mx1.host%d.example", i)}, {20, fmt.Sprintf("mx2.host%d.example", i)}}
			e.records = records
			e.size = e.memory()
			c.store(e, now)
		}
		grown := heap() - before
		_, bytes := c.usage()
		t.Logf("%d entries: the books say %d each, the heap has %d", n, bytes/int64(n), grown/int64(n))
		if grown > bytes || grown < bytes/2 {
			t.Errorf("%d entries: the books say %d bytes, the heap has %d", n, bytes, grown)
		}
		runtime.KeepAlive(c)
	}
}

func BenchmarkHit(b *testing.B) {
	s := benchmarked(b)
	ctx := b.Context()
	s.MX(ctx, "example.org")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.MX(ctx, "example.org"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHitParallel(b *testing.B) {
	s := benchmarked(b)
	ctx := b.Context()
	s.MX(ctx, "example.org")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.MX(ctx, "example.org"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkHosts(b *testing.B) {
	name := filepath.Join(b.TempDir(), "hosts")
	if err := os.WriteFile(name, []byte("192.0.2.1 mx1.example.org\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	r := New(Options{Hosts: name, ResolvConf: name})
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Addrs(ctx, "mx1.example.org", V4); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkQuestion asks a server on loopback, the server's own work and
// sockets included.
func BenchmarkQuestion(b *testing.B) {
	s := benchmarked(b)
	s.o.CacheBytes = -1
	s = New(s.o)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.MX(ctx, "example.org"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkQuestionParallel(b *testing.B) {
	s := benchmarked(b)
	s.o.CacheBytes = -1
	s = New(s.o)
	ctx := b.Context()
	b.ReportAllocs()
	b.SetParallelism(16)
	var n atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Addrs(ctx, fmt.Sprintf("h%d.example.org", n.Add(1)), V4); Temporary(err) {
				b.Error(err)
			}
		}
	})
}

func benchmarked(b *testing.B) *Resolver {
	server := dnstest.Start(b, dnstest.Zone(zone))
	return New(Options{ResolvConf: b.TempDir() + "/none", Hosts: b.TempDir() + "/none", Servers: []netip.AddrPort{server.Addr}, Timeout: 30 * time.Second})
}
