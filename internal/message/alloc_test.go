//go:build !race

package message

import (
	"os"
	"testing"
)

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

func TestParsingAStructureAllocatesNothing(t *testing.T) {
	msg, err := os.ReadFile("testdata/structure/01-rfc9051-parts.eml")
	if err != nil {
		t.Fatal(err)
	}
	var s Structure
	var x LineIndex
	dst := make([]byte, 0, 4096)
	path, ranges := []uint32{4, 2, 2, 1}, make([]Range, 1)
	s.Parse(msg)
	allocs := testing.AllocsPerRun(100, func() {
		s.Parse(msg)
		part, _ := s.Find(path)
		d, _ := s.Decode(part)
		if d.Size() != 12 {
			t.Fatal("wrong size")
		}
		x.Reset(msg)
		ranges[0] = Range{s.Parts()[part].Body, s.Parts()[part].End}
		r := NewReader(&x, ranges, 3)
		dst = r.Append(dst[:0], 100)
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
