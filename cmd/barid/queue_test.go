package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"barid/spool"
)

// stuck is a scene whose queue holds messages that cannot be delivered, with
// their ids, oldest first.
func stuck(t *testing.T, messages int) (s *scene, ids []string) {
	t.Helper()
	s = newScene(t)
	s.start(t)
	s.block(t)
	for range messages {
		s.send(t, "alice@example.test", letter)
	}
	await(t, "deferrals", func() bool {
		ids = nil
		for line := range strings.Lines(s.queue("list", "-state", "deferred", "-json").out) {
			var q queued
			if err := json.Unmarshal([]byte(line), &q); err != nil {
				t.Fatal(err)
			}
			if q.Recipients[0].Reason != "" { // known once it is on disk
				ids = append(ids, q.ID)
			}
		}
		return len(ids) == messages
	})
	return s, ids
}

// operated runs a test against the running server, and against the spool of a
// server that has ended.
func operated(t *testing.T, messages int, test func(t *testing.T, s *scene, ids []string)) {
	t.Run("by the server", func(t *testing.T) {
		s, ids := stuck(t, messages)
		test(t, s, ids)
	})
	t.Run("without a server", func(t *testing.T) {
		s, ids := stuck(t, messages)
		s.stop(t)
		test(t, s, ids)
	})
}

func TestQueueShowsAndChangesMessages(t *testing.T) {
	operated(t, 3, func(t *testing.T, s *scene, ids []string) {
		s.queue("show", ids[0]).want(t, exitOK, "id:       "+ids[0], "sender:   sender@client.test", "client:   127.0.0.1",
			"to:       alice@example.test\n          deferred, attempts: 1, destination: local:alice@example.test", " next attempt ")
		s.queue("cat", ids[0]).want(t, exitOK, "Received: from client.test", "\nSubject: hello\n\nA letter.\n")

		s.queue("hold", ids[0]).want(t, exitOK, "hold: 1 message\n")
		s.queue("list", "-state", "held").want(t, exitOK, ids[0])
		s.queue("delete", "-state", "held", "-yes").want(t, exitOK, "delete: 1 message\n")
		s.queue("show", ids[0]).want(t, exitFailure, ids[0]+": spool: no such message")
		s.queue("delete", "-older", "1h", "-all", "-yes").want(t, exitOK, "delete: 0 messages\n")
		s.queue("hold", "-address", "SENDER@").want(t, exitOK, "hold: 2 messages\n")
		s.queue("release", "-dest", "local:alice", "-quiet").want(t, exitOK)
		if out := s.queue("list", "-state", "held").out; out != "no messages\n" {
			t.Errorf("after release: %s", out)
		}
		r := s.queue("delete", ids[1], "0000000000000", ids[2]).want(t, exitFailure, "0000000000000: spool: no such message", "delete: 2 messages\n")
		if strings.Contains(r.err, ids[1]) {
			t.Errorf("complains of %s: %s", ids[1], r.err)
		}
		s.queue("list").want(t, exitOK, "no messages\n")
		s.queue("show", "no-id").want(t, exitFailure, "is no queue id")
	})
}

func TestIDsComeFromStandardInput(t *testing.T) {
	s, ids := stuck(t, 2)
	barid(ids[0]+"* 123 Mon\n\n"+ids[1]+"\n", "queue", "-c", s.conf, "delete", "-").want(t, exitOK, "delete: 2 messages\n")
	barid("", "queue", "-c", s.conf, "delete", "-").want(t, exitOK, "nothing to do")
}

func TestNothingIsDeliveredWithoutAServer(t *testing.T) {
	s, ids := stuck(t, 2)
	s.queue("release", "-all").want(t, exitOK)
	s.stop(t)
	before := s.queue("list", "-json").want(t, exitOK, ids[0], ids[1]).out
	s.queue("flush").want(t, exitUnavailable, "only a server delivers")
	if after := s.queue("list", "-json").out; after != before {
		t.Errorf("looking at the queue has changed it from\n%sto\n%s", before, after)
	}
}

func TestJSONHasTheNamesOfPostqueue(t *testing.T) {
	s, ids := stuck(t, 1)
	var got map[string]any
	if err := json.Unmarshal([]byte(s.queue("list", "-json").out), &got); err != nil {
		t.Fatal(err)
	}
	recipient := got["recipients"].([]any)[0].(map[string]any)
	arrived := time.Unix(int64(got["arrival_time"].(float64)), 0)
	if got["queue_name"] != "deferred" || got["queue_id"] != ids[0] || got["sender"] != "sender@client.test" ||
		got["message_size"].(float64) < 100 || got["forced_expire"] != false || time.Since(arrived) > patience ||
		recipient["address"] != "alice@example.test" || !strings.HasPrefix(recipient["delay_reason"].(string), "4.") {
		t.Errorf("%v", got)
	}
}

func TestMailqReadsLikePostfix(t *testing.T) {
	at := time.Date(2026, time.November, 3, 4, 5, 6, 0, time.Local).Unix()
	m := new(mailq)
	text := m.line(nil, &answer{Message: &queued{Queue: "deferred", ID: "0c5wq3k7m9rxa", Size: 2048, Arrived: at, Sender: "a@b.test", Recipients: []recipient{
		{Address: "x@c.test", Reason: "4.2.2 mailbox full"}, {Address: "y@c.test", Reason: "4.2.2 mailbox full"}, {Address: "z@c.test"},
	}}})
	text = m.line(text, &answer{Message: &queued{Queue: "hold", ID: "0c5wq3k7m9rxb", Size: 100, Arrived: at, Sender: noSender, Recipients: []recipient{{Address: "x@c.test"}}}})
	text = m.end(text, 2)
	want := `----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------
0c5wq3k7m9rxa         2048 Tue Nov  3 04:05:06 a@b.test
                                                          (4.2.2 mailbox full)
                                               x@c.test
                                               y@c.test
                                                          (reason unavailable)
                                               z@c.test

0c5wq3k7m9rxb!         100 Tue Nov  3 04:05:06 MAILER-DAEMON
                                               x@c.test

-- 2 Kbytes in 2 Requests.
`
	if string(text) != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	if got := string(new(mailq).end(nil, 0)); got != "Mail queue is empty\n" {
		t.Errorf("an empty queue: %q", got)
	}
	if mailqMark("active") != "*" {
		t.Error("active messages have no *")
	}
}

func TestMailqByName(t *testing.T) {
	s, ids := stuck(t, 1)
	baridAs("mailq", "", "-C", s.conf).want(t, exitOK, ids[0], "-- 0 Kbytes in 1 Request.\n")
	s.sendmail("", "-bp").want(t, exitOK, ids[0])
}

func TestQueueNameIsTheOneOfPostfix(t *testing.T) {
	for _, c := range []struct {
		states []spool.State
		name   string
	}{
		{[]spool.State{spool.StateHeld, spool.StateFailed}, "hold"},
		{[]spool.State{spool.StateHeld, spool.StateDeferred}, "deferred"},
		{[]spool.State{spool.StateDeferred, spool.StateReady}, "active"},
		{[]spool.State{spool.StateDone, spool.StateRunning}, "active"},
	} {
		var recipients []spool.RecipientStatus
		for _, s := range c.states {
			recipients = append(recipients, spool.RecipientStatus{State: s})
		}
		if name := queueName(recipients); name != c.name {
			t.Errorf("%v: %s instead of %s", c.states, name, c.name)
		}
	}
}

func TestNothingThatATerminalObeysIsShown(t *testing.T) {
	if got := shown([]byte("a\x1b[31mb\x00ü\u202e")); got != "a?[31mb?ü?" {
		t.Errorf("%q", got)
	}
}

func TestLongQueueIsListedAndDeleted(t *testing.T) {
	const messages = 2000
	s := newScene(t)
	s.start(t)
	s.block(t)
	s.stop(t)
	cfg := s.config(t)
	q, err := openIdleSpool(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w := q.Writer()
	for i := range messages {
		if _, err := w.Begin(); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(w, "Subject: %d\n\n", i)
		if err := w.Commit(&spool.Envelope{Recipients: []spool.Recipient{{Address: []byte("alice@example.test"), Dest: []byte("local:alice@example.test")}}}); err != nil {
			t.Fatal(err)
		}
	}
	w.Release()
	if err := closeIdleSpool(q); err != nil {
		t.Fatal(err)
	}
	s.start(t)
	if n := strings.Count(s.queue("list", "-json").out, "\n"); n != messages {
		t.Errorf("%d lines for %d messages", n, messages)
	}
	s.queue("delete", "-all", "-yes").want(t, exitOK, fmt.Sprintf("delete: %d messages\n", messages))
	s.queue("list").want(t, exitOK, "no messages\n")
}

func TestStrangersDoNotSeeTheQueue(t *testing.T) {
	s, _ := stuck(t, 1)
	if perm := mode(t, s.dir+"/data/run/control"); perm != 0o600 {
		t.Errorf("the control socket has mode %o", perm)
	}
	if perm := mode(t, s.dir+"/data/run/sendmail"); perm != 0o666 {
		t.Errorf("the sendmail socket has mode %o", perm)
	}
	if perm := mode(t, s.dir+"/data"); perm != 0o711 {
		t.Errorf("the data directory has mode %o", perm)
	}
}

func TestControlSocketAnswersNonsense(t *testing.T) {
	s := newScene(t)
	s.start(t)
	for request, want := range map[string]string{
		"nonsense\n":                    "request not understood",
		`{"verb":"destroy"}`:            `there is no queue command \"destroy\"`,
		`{"verb":"hold","state":"odd"}`: `there is no state \"odd\"`,
		`{"verb":"show","ids":["?"]}`:   "is no queue id",
	} {
		c, err := net.Dial("unix", s.dir+"/data/run/control")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, request+"\n"); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(c)
		c.Close()
		if err != nil || !strings.Contains(string(answer), want) || !strings.Contains(string(answer), `"done":true`) {
			t.Errorf("%s: %s %v", request, answer, err)
		}
	}
}

func TestQueueWithoutServerOrSpool(t *testing.T) {
	s := newScene(t)
	s.queue("list").want(t, exitUnavailable, "is this the right configuration?")
}

func TestPostfixParsersReadOurMailq(t *testing.T) {
	// The idiom of countless scripts: ids of lines that begin with one.
	s, ids := stuck(t, 2)
	script := `awk '/^[0-9A-Za-z]/ && $1 !~ /^-/ && NF >= 7 { sub(/[*!]$/, "", $1); print $1, $2, $7 }'`
	run := exec.Command("sh", "-c", script)
	run.Stdin = strings.NewReader(s.sendmail("", "-bp").out)
	out, err := run.Output()
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		if words := strings.Fields(line); words[0] != ids[i] || words[2] != "sender@client.test" {
			t.Errorf("line %d: %s", i, line)
		}
	}
}
