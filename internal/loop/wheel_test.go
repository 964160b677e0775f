package loop

import (
	"math/rand/v2"
	"testing"
	"time"
)

// testClock is a clock with injected time and as many connections as wanted.
func testClock(n int) (*clock, []*Conn) {
	k := &clock{}
	k.init(true)
	conns := make([]*Conn, n)
	for i := range conns {
		conns[i] = &Conn{}
	}
	return k, conns
}

func TestWheelNeverWakesEarlyAndNeverForgets(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	k, conns := testClock(500)
	due := map[*Conn]instant{}
	now := dayOne
	arm := func(c *Conn) {
		fine := random.IntN(4) == 0
		d := now + 1 + instant(random.IntN(2_000_000)) // beyond one turn of either wheel
		due[c] = d
		k.wakeAt(c, d, fine)
	}
	for _, c := range conns {
		arm(c)
	}
	woken := 0
	for range 20000 {
		now += instant(random.IntN(700))
		for _, c := range append([]*Conn(nil), k.advance(now)...) {
			if due[c] > now {
				t.Fatalf("woken %d ms early", due[c]-now)
			}
			woken++
			arm(c)
		}
		if c := conns[random.IntN(len(conns))]; random.IntN(3) == 0 {
			arm(c) // earlier or later than before
		}
		for c, d := range due {
			if now-d > 2*longStep {
				t.Fatalf("%p is %d ms late", c, now-d)
			}
		}
	}
	if woken < 1000 {
		t.Errorf("only %d were woken", woken)
	}
}

func TestForgottenTimersDoNotWake(t *testing.T) {
	k, conns := testClock(100)
	for i, c := range conns {
		k.wakeAt(c, dayOne+instant(1+i*100), i%2 == 0)
	}
	for i, c := range conns {
		if i%3 == 0 {
			k.forget(c)
			k.forget(c)
		}
	}
	var woken int
	for s := range 20 {
		woken += len(k.advance(dayOne + instant(s*1000)))
	}
	if want := 66; woken != want || k.long.count != 0 || k.short.count != 0 {
		t.Errorf("%d were woken, want %d; left %d and %d", woken, want, k.long.count, k.short.count)
	}
}

func TestLaterDeadlineTakesNoLock(t *testing.T) {
	k, conns := testClock(1)
	c := conns[0]
	k.wakeAt(c, dayOne+5000, false)
	k.wheelMu.Lock()
	k.wakeAt(c, dayOne+50000, false)
	k.wheelMu.Unlock()
	for s := range 49 {
		if n := len(k.advance(dayOne + instant(s*1000))); n != 0 {
			t.Fatalf("woken after %d seconds", s)
		}
	}
	if n := len(k.advance(dayOne + 51000)); n != 1 {
		t.Error("not woken")
	}
}

func TestDeadlineIsRoundedUp(t *testing.T) {
	k := &clock{}
	k.init(false) // real time: the last tick may be a second old
	if got, want := k.deadline(1500*time.Microsecond), dayOne+longStep+2; got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}
