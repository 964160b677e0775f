package proto

import (
	"strings"
	"testing"
)

// repeater drives a logged-in session without the habits of door.
type repeater struct {
	s    Session
	out  []byte
	text []byte
	uid  []byte
}

func newRepeater(t testing.TB) *repeater {
	d := loggedIn(t, make([]string, 100)...)
	return &repeater{
		s: d.s, uid: []byte("1760000000.M1Qabcdefghijklm.host"), text: []byte(strings.Repeat("Header: of 40 octets, or nearly so....\n", 20) + "\n" +
			strings.Repeat("A line of text as people write them, some sixty octets.....\n", 55)),
	}
}

func (r *repeater) run(in []byte) {
	r.out = r.out[:0]
	for {
		n, out, next := r.s.Step(in, r.out)
		in = in[n:]
		switch next {
		case NeedInput:
			return
		case AskSize:
			out = r.s.Answer(Answer{Octets: 4200}, out)
		case AskUID:
			out = r.s.Answer(Answer{UID: r.uid}, out)
		case AskMessage:
			out = r.s.Answer(Answer{Octets: 4200}, out)
		case SendBody:
			out, _ = r.s.AppendBody(out, r.text)
			out = r.s.EndBody(out)
		}
		r.out = out
	}
}

func benchmark(b *testing.B, commands string) {
	r, in := newRepeater(b), []byte(commands)
	r.run(in)
	b.SetBytes(int64(len(r.out)))
	b.ReportAllocs()
	for b.Loop() {
		r.run(in)
	}
}

func BenchmarkStat(b *testing.B)            { benchmark(b, "STAT\r\n") }
func BenchmarkRetr4KiB(b *testing.B)        { benchmark(b, "RETR 1\r\n") }
func BenchmarkTop(b *testing.B)             { benchmark(b, "TOP 1 0\r\n") }
func BenchmarkUIDL100Messages(b *testing.B) { benchmark(b, "UIDL\r\n") }
