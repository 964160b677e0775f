package interop

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// Next hops that are broken, slow, or of ill will.

// misdeed is what a next hop does wrong, and at which stage.
type misdeed struct{ stage, words string }

func misdeeds() (all []misdeed) {
	stages := []string{"greeting", "EHLO", "MAIL", "RCPT", "DATA", "BODY", "END"}
	for _, stage := range stages {
		all = append(all, misdeed{stage, hang}, misdeed{stage, drop}, misdeed{stage, endless}, misdeed{stage, "421 4.3.2 going down"},
			misdeed{stage, "\x00\xffwhat is this?"}, misdeed{stage, "999 nobody knows"}, misdeed{stage, "250-one\r\n550 another"})
	}
	for _, stage := range stages[:3] {
		all = append(all, misdeed{stage, "354 go on"}, misdeed{stage, "451 4.3.0 later"})
	}
	return append(all, misdeed{"DATA", "250 2.0.0 fine"}, misdeed{"END", "354 more"}, misdeed{"RCPT", "250 2.1.5 ok\r\n250 2.1.5 and once more"})
}

// villain is a next hop with its misdeed, until it reforms.
type villain struct {
	*station
	misdeed
	domain string
	did    atomic.Bool
}

// startVillains starts one for each misdeed. They reform when reformed is
// true.
func startVillains(t *testing.T, reformed *atomic.Bool) (all []*villain) {
	for i, m := range misdeeds() {
		v := &villain{misdeed: m, domain: fmt.Sprintf("villain%d.test", i)}
		v.station = startStation(t, &station{reply: func(stage, _ string) string {
			if stage != m.stage || reformed.Load() {
				return ""
			}
			v.did.Store(true)
			return m.words
		}})
		all = append(all, v)
	}
	return all
}

// large is a message that no buffer between two programs holds.
func large(subject string) string {
	return note(subject) + strings.Repeat("A line of a message that is larger than what is buffered on its way.\r\n", 120_000)
}

// TestNothingIsLostAtBrokenNextHops has next hops that do everything wrong, one
// each. While they do, others get their mail. The server is killed, and after
// the next start, when they do right, each of them gets its message, whole; and
// no sender has heard of anything.
func TestNothingIsLostAtBrokenNextHops(t *testing.T) {
	var reformed atomic.Bool
	villains, good := startVillains(t, &reformed), startStation(t, &station{})
	w := ways{"good.test": "smtp:" + good.nextHop()}
	for _, v := range villains {
		w[v.domain] = "smtp:" + v.nextHop()
	}
	dir := t.TempDir()
	knownAccounts(t, dir)
	d := relayingIn(t, dir, w, "log.level=warn")
	sent := map[string]string{}
	for _, v := range villains {
		sent[v.domain] = note("for " + v.domain)
		if v.stage == "BODY" {
			sent[v.domain] = large("for " + v.domain)
		}
		d.send(t, "<"+alice+">", sent[v.domain], "<carol@"+v.domain+">")
	}
	d.send(t, "<"+alice+">", note("good"), "<carol@good.test>")
	if !good.await(func(mails []*sunk) bool { return len(mails) == 1 }) {
		t.Error("the good one does not get its mail")
	}
	if err := d.await(func() error { return awaitMisdeeds(d, t, villains) }); err != nil {
		t.Error(err)
	}
	d.kill() // it would wait for those who hang
	reformed.Store(true)
	d = relayingIn(t, dir, w, "log.level=warn")
	for _, v := range villains {
		if !v.await(func(mails []*sunk) bool { return len(mails) > 0 }) {
			t.Errorf("%q at %s: the message is lost", v.words, v.stage)
			continue
		}
		mails, _ := v.all()
		for _, m := range mails {
			if !strings.HasSuffix(m.text, lfOnly(sent[v.domain])) {
				t.Errorf("%q at %s: %d octets came, which end in %.100q", v.words, v.stage, len(m.text), m.text[max(0, len(m.text)-100):])
			}
		}
	}
	d.empty(t)
	if n := d.count(alice); n != 0 {
		t.Errorf("alice has got %d reports: %v", n, d.reports(t, alice))
	}
}

// lfOnly is text as it is stored.
func lfOnly(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }

// awaitMisdeeds says whom the server has not met yet: those that hang are, and
// mail for all others has been put off.
func awaitMisdeeds(d *demo, t *testing.T, villains []*villain) error {
	t.Helper()
	waiting := map[string]string{}
	for _, m := range d.queued(t) {
		for _, r := range m.Recipients {
			_, domain, _ := strings.Cut(r.Address, "@")
			waiting[domain] = r.State
		}
	}
	for _, v := range villains {
		state := waiting[v.domain]
		if !v.did.Load() || state != "running" && state != "deferred" && state != "ready" {
			return fmt.Errorf("%q at %s: did it: %v, the message is %q", v.words, v.stage, v.did.Load(), state)
		}
	}
	return nil
}

// TestLostReplyMakesTwoMessagesNotNone: the next hop takes the message, and the
// connection breaks before its reply.
func TestLostReplyMakesTwoMessagesNotNone(t *testing.T) {
	var first atomic.Bool
	next := startStation(t, &station{reply: func(stage, _ string) string {
		if stage == "END" && first.CompareAndSwap(false, true) {
			return drop
		}
		return ""
	}})
	d := relaying(t, ways{"far.test": "smtp:" + next.nextHop()})
	d.send(t, "<"+alice+">", note("once or twice"), "<carol@far.test>")
	flushUntil(t, d, func() bool {
		mails, _ := next.all()
		return len(mails) == 2
	})
	d.empty(t)
	mails, _ := next.all()
	if len(mails) != 2 || mails[0].text != mails[1].text || !strings.Contains(mails[0].text, "What is to be said about once or twice.") {
		t.Errorf("came: %+v", mails)
	}
}

// flushUntil has the queue tried until something is so.
func flushUntil(t *testing.T, d *demo, so func() bool) {
	t.Helper()
	if err := d.await(func() error {
		if so() {
			return nil
		}
		d.queue(t, "flush", "-quiet")
		return fmt.Errorf("the queue holds\n%s", d.queue(t, "list"))
	}); err != nil {
		t.Error(err)
	}
}

// TestDeadDestinationDelaysNobodyElse fills the queue with mail for a host that
// takes connections and says nothing. There are few connections, and some are
// left for others.
func TestDeadDestinationDelaysNobodyElse(t *testing.T) {
	hole, good := startStation(t, &station{reply: saying("greeting", hang)}), startStation(t, &station{})
	d := relaying(t, ways{"hole.test": "smtp:" + hole.nextHop(), "good.test": "smtp:" + good.nextHop()},
		"relay.connections-max=8", "log.level=warn")
	c := d.greetedFrom(t, "127.0.0.1")
	for i := range 200 {
		c.transaction(t, "<"+alice+">", note(fmt.Sprint("lost in space ", i)), "<carol@hole.test>")
	}
	for i := range 20 {
		c.transaction(t, "<"+alice+">", note(fmt.Sprint("on its way ", i)), "<carol@good.test>", fmt.Sprintf("<dave%d@hole.test>", i))
	}
	if !good.await(func(mails []*sunk) bool { return len(mails) == 20 }) {
		t.Error("mail for others waits for the dead")
	}
	if n := hole.connections(); n > 5 {
		t.Errorf("%d connections to somebody who has never said a word", n)
	}
	d.kill() // it would wait for him
}

// TestMailingDelaysNobodysLetter queues 2,000 messages of one sender before the
// one of another, for the same destination, which is let go only then.
func TestMailingDelaysNobodysLetter(t *testing.T) {
	const mailing, patient = 2000, 20
	open := make(chan struct{})
	next := startStation(t, &station{reply: func(stage, _ string) string {
		if stage == "MAIL" {
			<-open
		}
		return ""
	}})
	defer func() {
		if t.Failed() {
			close(open)
		}
	}()
	d := relaying(t, ways{"far.test": "smtp:" + next.nextHop()}, "relay.destination-connections-max=2", "log.level=warn")
	atOnce(8, 8, func(i int) {
		c := d.greetedFrom(t, "127.0.0.1")
		for range mailing / 8 {
			c.transaction(t, "<newsletter@example.test>", note("buy this"), "<carol@far.test>")
		}
	})
	d.send(t, "<"+alice+">", note("a letter"), "<carol@far.test>")
	if t.Failed() {
		return
	}
	close(open)
	if !next.await(func(mails []*sunk) bool { return len(mails) == mailing+1 }) {
		t.Fatal("not all have arrived")
	}
	mails, _ := next.all()
	place := slices.IndexFunc(mails, func(m *sunk) bool { return strings.Contains(m.text, "Subject: a letter") })
	if place < 0 || place > patient {
		t.Errorf("the letter came as number %d of %d", place+1, len(mails))
	}
	t.Logf("the letter came as number %d of %d", place+1, len(mails))
}
