package interop

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestKilledRelayLosesNothing sends to a server that hands everything on and is
// killed in the middle, again and again. Every message that got its 250 must
// come out at the next hop, whole. It may come twice only when the server was
// killed before it had noted the next hop's reply: that is, for the last
// messages of a connection.
func TestKilledRelayLosesNothing(t *testing.T) {
	dir, next := t.TempDir(), startSink(t)
	settings := []string{"relay.host=" + next.nextHop(), "queue.retry=1s"}
	ledger := &ledger{domain: "far.test", answered: map[token]bool{}, begun: map[token]bool{}}
	for round := range killRounds {
		d := runDemo(t, dir, settings...)
		ledger.load(t, d, round, 1+rand.IntN(400))
	}
	d := runDemo(t, dir, settings...)
	next.await(func(mails []*sunk) bool { return ledger.lostAt(mails) == 0 })
	d.stop(t)
	mails, _ := next.all()
	again := ledger.checkRelayed(t, mails)
	t.Logf("%d messages answered 250, %d more begun, %d relayed again", len(ledger.answered), len(ledger.begun)-len(ledger.answered), again)
	if t.Failed() {
		t.Logf("the last server's log:\n%s", d.log)
	}
}

// lostAt counts the promised messages that are not among those that have come.
func (l *ledger) lostAt(mails []*sunk) int {
	came := map[token]bool{}
	for _, m := range mails {
		if k, err := tokenOf(m.text); err == nil {
			came[k] = true
		}
	}
	lost := 0
	for k := range l.answered {
		if !came[k] {
			lost++
		}
	}
	return lost
}

// relayedAgainMax is how many copies one kill may cause: a connection has one
// message whose reply, or the note of it, is on its way.
const relayedAgainMax = 20

// checkRelayed compares what came out with the ledger and returns how many
// copies were too many.
func (l *ledger) checkRelayed(t *testing.T, mails []*sunk) (again int) {
	t.Helper()
	found, recipients := map[token]int{}, map[token]int{}
	for _, m := range mails {
		k, err := tokenOf(m.text)
		if err != nil {
			t.Errorf("the next hop: %v", err)
			continue
		}
		if !strings.HasSuffix(m.text, strings.ReplaceAll(k.message(), "\r\n", "\n")) {
			t.Errorf("the next hop got a torn copy of %s (%d octets)", k, len(m.text))
		}
		found[k]++
		recipients[k] += len(m.to)
	}
	for k := range l.answered {
		if want := len(l.recipients(k)); recipients[k] < want {
			t.Errorf("%s was answered 250 and came to %d of %d recipients", k, recipients[k], want)
		}
	}
	for k, n := range found {
		if !l.begun[k] {
			t.Errorf("the next hop got %s, which was never sent", k)
		}
		again += n - 1
	}
	if again > killRounds*relayedAgainMax {
		t.Errorf("%d messages were relayed again after %d kills", again, killRounds)
	}
	return again
}
