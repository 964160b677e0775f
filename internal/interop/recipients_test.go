package interop

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
)

// TestEachRecipientFaresAsTheNextHopSays sends one message to 900, of whom a
// third is taken, a third refused, and a third put off at first, in an order in
// which they all meet. Each of the first and the last gets it once, and one or
// a few reports name each of the others once.
func TestEachRecipientFaresAsTheNextHopSays(t *testing.T) {
	const recipients = 900
	var open atomic.Bool
	next := startStation(t, &station{reply: func(stage, line string) string {
		var number int
		if stage != "RCPT" {
			return ""
		}
		if _, err := fmt.Sscanf(line, "RCPT TO:<user%d@far.test>", &number); err != nil {
			return "501 5.1.3 " + err.Error()
		}
		switch {
		case number%3 == 1:
			return "550 5.1.1 no such user"
		case number%3 == 2 && !open.Load():
			return "450 4.2.1 come back later"
		}
		return ""
	}})
	d := relaying(t, ways{"far.test": "smtp:" + next.nextHop()}, "log.level=error")
	var to []string
	for i := range recipients {
		to = append(to, fmt.Sprintf("<user%d@far.test>", i))
	}
	d.send(t, "<"+alice+">", note("to 900"), to...)
	if !next.await(func(mails []*sunk) bool { return recipientsOf(mails) >= recipients/3 }) {
		t.Error("not all that are taken at once have it")
	}
	open.Store(true)
	if !next.await(func(mails []*sunk) bool { return recipientsOf(mails) >= 2*recipients/3 }) {
		t.Error("not all that were put off have it")
	}
	d.empty(t)
	mails, _ := next.all()
	got := map[string]int{}
	for _, m := range mails {
		for _, rcpt := range m.to {
			address, _, _ := strings.Cut(rcpt, " ")
			got[address]++
		}
	}
	for _, r := range d.reports(t, alice) {
		for _, f := range r.recipients {
			if f.Get("Action") != "failed" || f.Get("Status") != "5.1.1" {
				t.Errorf("a report says %v", f)
			}
			got["<"+finalRecipient(f)+">"] += 1000
		}
	}
	for i, address := range to {
		if want := map[bool]int{true: 1000, false: 1}[i%3 == 1]; got[address] != want {
			t.Errorf("%s: %d, want %d (a thousand for each report, one for each message)", address, got[address], want)
		}
	}
	t.Logf("%d transactions, %d reports", len(mails), d.count(alice))
}
