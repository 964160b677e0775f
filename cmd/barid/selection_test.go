package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"barid/spool"
)

func TestFiltersChooseRecipients(t *testing.T) {
	now := time.Now()
	sum := &spool.Summary{
		Arrived: now.Add(-time.Hour),
		Envelope: spool.Envelope{ReturnPath: []byte("News@example.org"), Recipients: []spool.Recipient{
			{Address: []byte("a@x.test"), Dest: []byte("smtp:x.test")},
			{Address: []byte("b@y.test"), Original: []byte("list@x.test"), Dest: []byte("smtp:[mx.y.test]:587")},
			{Address: []byte("alice@example.test"), Dest: []byte("local:alice@example.test")},
		}},
		Recipients: []spool.RecipientStatus{
			{State: spool.StateDeferred, Last: spool.Attempt{Outcome: spool.Outcome{Status: "4.4.1", Text: "Connection timed out"}}},
			{State: spool.StateFailed, Last: spool.Attempt{Outcome: spool.Outcome{Status: "5.1.1", Text: "no such user"}}},
			{State: spool.StateReady},
		},
	}
	all, none := []int(nil), []int{}
	for _, c := range []struct {
		r    request
		want []int
	}{
		{request{}, all},
		{request{From: "news@"}, all},
		{request{From: "<>"}, none},
		{request{To: "@X.TEST"}, []int{0, 1}}, // b was sent to as list@x.test
		{request{To: "news@"}, none},
		{request{Address: "news@"}, all},
		{request{State: "failed"}, []int{1}},
		{request{State: "failed", To: "a@x"}, none},
		{request{Dest: "x.test"}, []int{0}},
		{request{Dest: "SMTP"}, []int{0, 1}},
		{request{Dest: "mx.y.test"}, []int{1}},
		{request{Dest: "smtp:[mx.y.test]:587"}, []int{1}},
		{request{Dest: "local:alice"}, []int{2}},
		{request{Dest: "local:al"}, none},
		{request{Reason: "TIMED out"}, []int{0}},
		{request{Reason: "5.1."}, []int{1}},
		{request{OlderSeconds: 1800}, all},
		{request{NewerSeconds: 1800}, none},
		{request{NewerSeconds: 5400}, all},
	} {
		s, err := c.r.selection()
		if err != nil {
			t.Fatal(err)
		}
		inTime := s.older.IsZero() || sum.Arrived.Before(s.older)
		got := none
		if inTime && s.matches(sum) {
			got = s.recipients(sum)
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%+v: %v instead of %v", c.r, got, c.want)
		}
	}
}

func TestRecipientsThatAreOverAreNotChosen(t *testing.T) {
	sum := &spool.Summary{
		Envelope:   spool.Envelope{Recipients: make([]spool.Recipient, 3)},
		Recipients: []spool.RecipientStatus{{State: spool.StateDone}, {State: spool.StateDeferred}, {State: spool.StateDeleted}},
	}
	for state, want := range map[string][]int{"": {1}, "deferred": {1}} {
		s, err := (&request{State: state}).selection()
		if err != nil {
			t.Fatal(err)
		}
		if got := s.recipients(sum); !reflect.DeepEqual(got, want) {
			t.Errorf("state %q: %v instead of %v", state, got, want)
		}
	}
}

func TestDestinationsAreNamedWholeOnly(t *testing.T) {
	for _, c := range []struct {
		key, name string
		want      bool
	}{
		{"smtp:example.org", "example.org", true},
		{"smtp:example.org.uk", "example.org", false},
		{"smtp:my.example.org", "example.org", false},
		{"smtp:example.org:2525", "smtp:example.org", true},
		{"smtp:[2001:db8::1]:25", "[2001:db8::1]", true},
		{"lmtp:unix:/run/x.sock", "lmtp", true},
		{"lmtp:unix:/run/x.sock", "unix:/run", true},
		{"smtp:x", "smtp:", true},
		{"discard:spam", "spam", true},
		{"expanded:", "expanded", true},
	} {
		if got := leadsTo([]byte(c.key), []byte(c.name)); got != c.want {
			t.Errorf("%s named by %s: %v", c.key, c.name, got)
		}
	}
}

// twoAccounts is a scene in which mail to info goes to alice, whose mailbox is
// blocked, with one such message and one to both alice and bob.
func twoAccounts(t *testing.T) (s *scene, unblock func()) {
	t.Helper()
	s = newScene(t, "alias.map = aliases")
	writeFile(t, s.dir+"/users", "alice@example.test:{PLAIN}wonderland\nbob@example.test:{PLAIN}builder\n")
	writeFile(t, s.dir+"/aliases", "info: alice\nboth: alice, bob\n")
	s.start(t)
	unblock = s.block(t)
	s.send(t, "info@example.test", letter)
	s.send(t, "both@example.test", letter)
	await(t, "deferrals, and bob's copy", func() bool {
		return len(s.listed(t, "-state", "deferred", "-reason", ".")) == 2 && len(s.listed(t, "-to", "bob@", "-state", "running")) == 0
	})
	return s, unblock
}

// listed is what barid queue list says.
func (s *scene) listed(t *testing.T, filter ...string) (all []queued) {
	t.Helper()
	for line := range strings.Lines(s.queue(append([]string{"list", "-json"}, filter...)...).out) {
		var q queued
		if err := json.Unmarshal([]byte(line), &q); err != nil {
			t.Fatal(err)
		}
		all = append(all, q)
	}
	return all
}

// letters are the files in an account's mailbox.
func (s *scene) letters(t *testing.T, account string) int {
	t.Helper()
	files, err := os.ReadDir(fmt.Sprintf("%s/data/mail/example.test/%s/new", s.dir, account))
	if err != nil {
		return 0
	}
	return len(files)
}

func TestWhatAFilterDoesNotChooseStaysAsItIs(t *testing.T) {
	s := newScene(t, "alias.map = aliases")
	writeFile(t, s.dir+"/users", "alice@example.test:{PLAIN}wonderland\nbob@example.test:{PLAIN}builder\n")
	writeFile(t, s.dir+"/aliases", "both: alice, bob\n")
	s.start(t)
	s.block(t)
	writeFile(t, s.dir+"/data/mail/example.test/bob", "in the way")
	s.send(t, "both@example.test", letter)
	await(t, "two deferrals", func() bool {
		all := s.listed(t, "-state", "deferred", "-reason", ".")
		return len(all) == 1 && len(all[0].Recipients) == 2
	})
	s.queue("delete", "-to", "alice@", "-yes").want(t, exitOK, "delete: 1 message\n")
	all := s.listed(t)
	if len(all) != 1 {
		t.Fatalf("%+v", all)
	}
	for _, r := range all[0].Recipients {
		if want := map[string]string{"alice@example.test": "deleted", "bob@example.test": "deferred"}[r.Address]; r.State != want {
			t.Errorf("%s is %s", r.Address, r.State)
		}
	}
}

func TestRequeuedMailGoesWhereTheMapsLeadNow(t *testing.T) {
	for name, running := range map[string]bool{"by the server": true, "without a server": false} {
		t.Run(name, func(t *testing.T) {
			s, _ := twoAccounts(t)
			if !running {
				s.stop(t)
			}
			writeFile(t, s.dir+"/aliases", "info: bob\nboth: bob, alice\n# changed\n")
			if running {
				s.reload(t)
			}
			old := s.listed(t)
			s.queue("requeue", "-to", "info@").want(t, exitOK, "requeue: 1 message\n")
			s.queue("requeue", "-to", "both@", "-state", "deferred").want(t, exitOK, "requeue: 1 message\n")
			if !running {
				s.start(t)
			}
			await(t, "bob's mail", func() bool { return s.letters(t, "bob") >= 2 })
			await(t, "alice's deferrals", func() bool { return len(s.listed(t, "-state", "deferred", "-reason", ".")) == 1 })
			all := s.listed(t, "-state", "deferred")
			if len(all) != 1 || len(all[0].Recipients) != 1 || all[0].ID == old[1].ID || all[0].Sender != "sender@client.test" {
				t.Errorf("in the queue is %+v", all)
			}
			if n := s.letters(t, "bob"); n != 2 {
				t.Errorf("bob has %d letters: one to both, one to info", n)
			}
		})
	}
}

func TestWhatWouldNotBeTakenAnyMoreIsNotRequeued(t *testing.T) {
	s, unblock := twoAccounts(t)
	writeFile(t, s.dir+"/aliases", "both: alice, bob\n# without info\n")
	s.reload(t)
	s.queue("requeue", "-to", "info@").want(t, exitFailure, "<info@example.test> would not be taken any more", "5.1.1", "requeue: 0 messages\n")
	unblock()
	s.queue("flush").want(t, exitOK, "flush: 2 messages\n")
	s.awaitCount(t, 2)
}

func TestSummaryCountsRecipientsByAge(t *testing.T) {
	operated(t, 2, func(t *testing.T, s *scene, _ []string) {
		s.queue("summary").want(t, exitOK, "     ALL    <5m   <10m   <20m   <40m   <80m  <160m  <320m  <640m <1280m  older\n",
			"       2      2      0      0      0      0      0      0      0      0      0  all\n",
			"       2      2      0      0      0      0      0      0      0      0      0  local\n")
		s.queue("summary", "-by", "sender").want(t, exitOK, "  client.test\n")
		s.queue("summary", "-by", "domain", "-json").want(t, exitOK, `{"name":"example.test","total":2,"counts":[2,0,`)
		s.queue("summary", "-by", "reason").want(t, exitOK, "  4.")
		s.queue("summary", "-by", "colour").want(t, exitUsage, "destination, domain, sender, reason")
		s.queue("summary", "-to", "bob@").want(t, exitOK, "       0      0 ")
	})
}

func TestOldMailStandsOnTheRight(t *testing.T) {
	var r ageRow
	for _, age := range []time.Duration{-time.Second, 0, 5*time.Minute - 1, 5 * time.Minute, 21 * time.Hour, 22 * time.Hour, 5000 * time.Hour} {
		r.add(age)
	}
	if r.Total != 7 || r.Counts != [10]int{3, 1, 0, 0, 0, 0, 0, 0, 1, 2} {
		t.Errorf("%+v", r)
	}
}

func TestDestinationsTellWhatWaits(t *testing.T) {
	operated(t, 2, func(t *testing.T, s *scene, _ []string) {
		s.queue("destinations").want(t, exitOK, "local:alice@example.test")
		var d destination
		if err := json.Unmarshal([]byte(s.queue("destinations", "-json").out), &d); err != nil || d.Deferred != 2 || d.Key != "local:alice@example.test" {
			t.Errorf("%+v %v", d, err)
		}
	})
}

func TestDeleteByAFilterAsksFirst(t *testing.T) {
	s, _ := stuck(t, 2)
	s.queue("delete", "-all").want(t, exitUsage, "needs -yes")
	for _, c := range []struct {
		word string
		left int
	}{{"n", 2}, {"", 2}, {"yes", 0}} {
		r, seen := s.atTerminal(t, c.word, "queue", "-c", s.conf, "delete", "-from", "sender@")
		if n := len(s.listed(t)); n != c.left || !strings.Contains(seen, "delete 2 messages (2 recipients) for good? [y/N] ") {
			t.Fatalf("after %q: %d messages are left; %+v; at the terminal stood %q", c.word, n, r, seen)
		}
	}
}

// atTerminal runs barid at a terminal where somebody answers the first
// question.
func (s *scene) atTerminal(t *testing.T, word string, args ...string) (r result, seen string) {
	t.Helper()
	person, program := pty(t)
	typed := &typist{at: person}
	answered := make(chan error, 1)
	go func() { answered <- typed.answer("[y/N] ", word+"\n") }()
	var out bytes.Buffer
	r.code = run(terminal{in: program, out: &out, err: program, getenv: func(string) string { return "" }}, "barid", args)
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
	r.out = out.String()
	return r, typed.seen.String()
}

func TestWhoWaitsHearsOfProgressOnceInAWhile(t *testing.T) {
	var heard []int
	p := newPulse(func(a *answer) error {
		heard = append(heard, a.Progress)
		return nil
	})
	for i := 1; i <= 5; i++ {
		if i == 3 {
			p.told = time.Now().Add(-2 * pulseEvery)
		}
		if err := p.beat(i); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(heard, []int{3}) {
		t.Errorf("%v", heard)
	}
	// At a terminal it is seen, in a file it would be in the way.
	person, program := pty(t)
	terminal{err: program}.progress("hold: %s so far", counted(3, "message"))
	seen := make([]byte, 100)
	n, err := person.Read(seen)
	if err != nil || string(seen[:n]) != "hold: 3 messages so far ...\r" {
		t.Errorf("%q %v", seen[:n], err)
	}
	var file bytes.Buffer
	terminal{err: &file}.progress("hold")
	if file.Len() > 0 {
		t.Errorf("in a file: %q", file.String())
	}
}

func TestADestinationThatIsNotThereChoosesNothing(t *testing.T) {
	s, _ := stuck(t, 1)
	s.queue("list", "-dest", "example.org").want(t, exitOK, "no messages")
	s.queue("destinations", "-dest", "example.org").want(t, exitOK, "no messages")
	s.queue("destinations", "-from", "x").want(t, exitUsage, "only filter")
	s.queue("flush", "-dest", "example.org").want(t, exitOK, "flush: 0 messages\n")
	s.queue("flush", "-dest", "local").want(t, exitOK, "flush: 1 message\n")
	s.queue("flush", "-to", "alice").want(t, exitOK, "flush: ")
}
