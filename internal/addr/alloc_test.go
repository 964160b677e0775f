//go:build !race

package addr

import "testing"

func TestCanonicalFormAllocatesNothing(t *testing.T) {
	buf := make([]byte, 0, 2*AddressMax)
	for _, s := range []string{"Alice+Tag@Example.Test", `"a b"@example.test`, "a@münchen.example"} {
		address := []byte(s)
		if n := testing.AllocsPerRun(100, func() { buf, _ = Append(buf[:0], address) }); n != 0 {
			t.Errorf("%s: %v allocations", s, n)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	buf := make([]byte, 0, 2*AddressMax)
	address := []byte("alice+tag@mail.example.test")
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = Append(buf[:0], address)
	}
}
