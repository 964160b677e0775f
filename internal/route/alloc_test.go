//go:build !race

package route

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestResolvingAPlainMailboxAllocatesNothing(t *testing.T) {
	s := newSite(t, "list: alice\n", "a@example.test alice\n")
	s.Router.options.Account = func(name []byte) (string, bool) {
		return "alice@example.test", string(name) == "alice@example.test"
	}
	var to Targets
	for _, a := range []string{"alice@example.test", "Alice+tag@Example.Test", "nobody@example.test", "a@elsewhere.test"} {
		address := []byte(a)
		if n := testing.AllocsPerRun(100, func() { s.Resolve(address, Sender{}, &to) }); n != 0 {
			t.Errorf("%s: %v allocations", a, n)
		}
		if n := testing.AllocsPerRun(100, func() { s.MaySendAs("alice@example.test", address) }); n != 0 {
			t.Errorf("may send as %s: %v allocations", a, n)
		}
	}
}

func TestResolvingAPlainRemoteAddressAllocatesNothing(t *testing.T) {
	s := gateway(t, "some.test smtp:[192.0.2.1]\n", func(s *site) {
		s.options.Smarthost = "[smart.test]:587"
		s.options.SenderFile = s.file("senders", "@other.test [192.0.2.2]\n")
		s.options.RelayRecipientFile = s.file("recipients", "a@relayed.test\n")
	})
	from := Sender{Address: []byte("Alice@Example.test"), MayRelay: true}
	var to Targets
	for _, a := range []string{"Bob@Remote.test", "bob+tag@sub.remote.test", "bob@some.test", "a@relayed.test"} {
		address := []byte(a)
		if n := testing.AllocsPerRun(100, func() { s.Resolve(address, from, &to) }); n != 0 {
			t.Errorf("%s: %v allocations", a, n)
		}
	}
}

func BenchmarkResolveRemote(b *testing.B) {
	r, err := New(Options{Domains: []string{"example.test"}, Separators: "+"})
	if err != nil {
		b.Fatal(err)
	}
	var to Targets
	address, from := []byte("bob@remote.test"), Sender{MayRelay: true}
	b.ReportAllocs()
	for b.Loop() {
		r.Resolve(address, from, &to)
	}
}

func BenchmarkResolve(b *testing.B) {
	r, err := New(Options{Domains: []string{"example.test"}, Separators: "+", Account: func(name []byte) (string, bool) {
		return "alice@example.test", string(name) == "alice@example.test"
	}})
	if err != nil {
		b.Fatal(err)
	}
	var to Targets
	address := []byte("alice@example.test")
	b.ReportAllocs()
	for b.Loop() {
		r.Resolve(address, Sender{}, &to)
	}
}

// million writes a virtual map of so many entries.
func million(b *testing.B, n int) string {
	b.Helper()
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "customer%d@example.test mailbox%d@example.test\n", i, i%1000)
	}
	name := filepath.Join(b.TempDir(), "virtual")
	if err := os.WriteFile(name, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	return name
}

func BenchmarkLoadAMillionEntries(b *testing.B) {
	o := Options{Domains: []string{"example.test"}, VirtualFile: million(b, 1_000_000), Account: func(name []byte) (string, bool) { return "", false }}
	b.ReportAllocs()
	var before, after runtime.MemStats
	var r *Router
	for b.Loop() {
		r = nil
		runtime.GC()
		runtime.ReadMemStats(&before)
		r, _ = New(o)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "bytes/entry")
	runtime.KeepAlive(r)
}

func BenchmarkResolveAmongEntries(b *testing.B) {
	for _, n := range []int{1000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r, err := New(Options{Domains: []string{"example.test"}, VirtualFile: million(b, n), Account: func(name []byte) (string, bool) {
				return "mailbox", name[0] == 'm'
			}})
			if err != nil {
				b.Fatal(err)
			}
			var to Targets
			address := []byte("customer7@example.test")
			b.ReportAllocs()
			for b.Loop() {
				r.Resolve(address, Sender{}, &to)
			}
		})
	}
}
