//go:build !race

package relay

import "testing"

func TestAMessageOnAnOpenConnectionAllocatesNothing(t *testing.T) {
	s := newScene(t, "")
	s.o.Idle = 0
	go sink(s.listen("127.0.0.1"))
	job := s.jobs(1, large(4<<10))[0]
	deliver(t, s.relay, job)
	if n := testing.AllocsPerRun(200, func() { deliver(t, s.relay, job) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAPolicyIsFoundWithoutAllocation(t *testing.T) {
	p := openPolicies(t, ".example.org tls=never\n* tls=required\n")
	for _, hop := range []string{"a.b.example.org:25", "[192.0.2.1]:25", "elsewhere.example"} {
		if n := testing.AllocsPerRun(100, func() { p.For(hop) }); n != 0 {
			t.Errorf("%s: %v allocations", hop, n)
		}
	}
}
