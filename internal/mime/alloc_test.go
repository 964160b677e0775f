//go:build !race

package mime

import (
	"os"
	"testing"

	"barid/internal/message"
)

func TestEncodingAndSearchingAllocateNothing(t *testing.T) {
	var e Encoder
	var s Searcher
	var m message.Structure
	msg := []byte(searched)
	needle := s.AppendNeedle(nil, []byte("nirgends"))
	out := make([]byte, 0, 8192)
	other, err := os.ReadFile("testdata/envelope/04-quotes-words-and-oddities.eml")
	if err != nil {
		t.Fatal(err)
	}
	name, subject, from := []byte("subject"), []byte("Re: [list] subject"), []byte("=?utf-8?q?K=C3=A4the?= <a@example.org>")
	run := func() {
		m.Parse(msg)
		out = e.AppendEnvelope(out[:0], m.Header(0))
		out = e.AppendBodyStructure(out, &m, true)
		out = e.AppendEnvelope(out, other)
		if s.Message(&m, needle) || s.Field(m.Header(0), name, needle) {
			t.Fatal("found")
		}
		out, _ = AppendBaseSubject(out[:0], subject)
		out = s.AppendDisplay(out, from)
		out = s.AppendPreview(out, &m)
	}
	run()
	if allocs := testing.AllocsPerRun(100, run); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
