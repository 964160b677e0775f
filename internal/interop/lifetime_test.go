//go:build interop

package interop

import (
	"strings"
	"testing"
	"time"
)

// TestMailThatNobodyTakesExpires waits for a minute, which is the shortest
// lifetime that there is: then the sender gets the reason for all the attempts.
func TestMailThatNobodyTakesExpires(t *testing.T) {
	t.Parallel()
	busy := startStation(t, &station{reply: saying("RCPT", "450 4.2.1 come back later")})
	d := relaying(t, ways{"busy.test": "smtp:" + busy.nextHop()}, "queue.lifetime=1m", "queue.retry=5s", "queue.warn-after=0s")
	begin := time.Now()
	d.send(t, "<"+alice+">", note("too late"), "<carol@busy.test>")
	d.send(t, "<"+bob+">", note("too late"), "<carol@busy.test> NOTIFY=SUCCESS,DELAY")
	if reason := d.awaitDeferred(t, "-from", "alice"); !strings.HasPrefix(reason, "4.2.1 ") {
		t.Errorf("the reason is %q", reason)
	}
	for time.Since(begin) < time.Minute && d.count(alice) == 0 {
		<-time.After(time.Second)
	}
	r := d.awaitReports(t, alice, 1)["carol@busy.test"]
	if r == nil {
		t.Fatal("no report")
	}
	if early := time.Since(begin); early < time.Minute {
		t.Errorf("given up after %v", early)
	}
	v := verdict{to: "carol@busy.test", action: "failed", status: "4.2.1", remote: stationMTA, words: "smtp; 450 4.2.1 come back later"}
	v.check(t, r.recipients[0])
	d.empty(t)
	if n := d.count(bob); n != 0 {
		t.Errorf("bob did not want to hear of it, and has %d messages", n)
	}
}
