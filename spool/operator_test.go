package spool

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"barid/internal/vfs/crash"
)

// states are those of the recipients of a message, in short.
func states(t *testing.T, s *Spool, id ID) string {
	t.Helper()
	sum, err := s.Show(id)
	if errors.Is(err, ErrUnknown) {
		return "gone"
	}
	must(t, err)
	var all []string
	for _, r := range sum.Recipients {
		all = append(all, r.State.String())
	}
	return strings.Join(all, " ")
}

func TestOperatorDecidesAboutEachRecipientAndTheDiskRemembers(t *testing.T) {
	fsys := crash.New(1)
	s := open(t, options(fsys, heldAgent()))
	id, err := submit(s, []byte("x"), envelope("a@x", "b@x", "c@x"))
	must(t, err)
	settleDown(s)
	must(t, s.Hold(id, 1))
	must(t, s.Delete(id, 2))
	expect := func(want string) {
		t.Helper()
		if got := states(t, s, id); got != want {
			t.Fatalf("states %q, want %q", got, want)
		}
	}
	expect("deferred held deleted")
	for _, bad := range []int{-1, 3} {
		if err := s.Hold(id, bad); !errors.Is(err, ErrUnknown) {
			t.Errorf("recipient %d: %v", bad, err)
		}
	}
	closeSpool(t, s)

	s = open(t, options(fsys, heldAgent()))
	expect("deferred held deleted")
	sum, err := s.Show(id)
	must(t, err)
	if h := sum.Recipients[1].History; len(h) != 1 || h[0].Kind != Deferred {
		t.Errorf("the held recipient forgot its history: %+v", h)
	}
	must(t, s.Release(id, 1))
	settleDown(s)
	expect("deferred deferred deleted")
	must(t, s.Delete(id))
	expect("gone")
	if err := s.Release(id); !errors.Is(err, ErrUnknown) {
		t.Errorf("release of a message that is gone: %v", err)
	}
	closeSpool(t, s)

	s = open(t, options(fsys, heldAgent()))
	expect("gone")
	closeSpool(t, s)
}

func TestHoldStandsUnlessTheRunningDeliverySucceeds(t *testing.T) {
	for kind, want := range map[Kind]string{Deferred: "held", Failed: "held", Delivered: "delivered"} {
		a := newAgent()
		a.gate = make(chan struct{})
		a.deliver = func(*Job, *JobRecipient) Outcome { return Outcome{Kind: kind} }
		s := open(t, options(crash.New(1), a))
		id, err := submit(s, []byte("x"), envelope("a@x"))
		must(t, err)
		for s.Stats().Running == 0 {
			runtime.Gosched()
		}
		must(t, s.Hold(id))
		close(a.gate)
		settleDown(s)
		if got := states(t, s, id); got != want {
			t.Errorf("%v: %s, want %s", kind, got, want)
		}
		closeSpool(t, s)
	}
}

func TestListChoosesByAllThatAFilterSays(t *testing.T) {
	c := newClock()
	a := newAgent()
	a.deliver = func(*Job, *JobRecipient) Outcome {
		return Outcome{Kind: Deferred, Text: "the mailbox is full", RetryAfter: time.Hour}
	}
	o := options(crash.New(1), a)
	o.Now = c.Now
	s := open(t, o)
	var ids []ID
	for i := range 5 {
		id, err := submit(s, []byte("x"), envelope(fmt.Sprintf("User%d@example.test", i)))
		must(t, err)
		ids = append(ids, id)
		c.advance(time.Minute)
	}
	settleDown(s)
	must(t, s.Hold(ids[2]))
	for _, test := range []struct {
		name   string
		filter Filter
		want   []ID
	}{
		{"all", Filter{}, ids},
		{"held", Filter{State: StateHeld}, ids[2:3]},
		{"address", Filter{Address: []byte("uSER3@")}, ids[3:4]},
		{"sender", Filter{Address: []byte("sender@example.org")}, ids},
		{"age", Filter{Before: ids[2].Time()}, ids[:2]},
		{"dest", Filter{Dest: []byte("local:User4@example.test")}, ids[4:]},
		{"dest, not its beginning", Filter{Dest: []byte("local:User4")}, nil},
		{"beginning of dest", Filter{DestPrefix: []byte("local:User4")}, ids[4:]},
		{"two conditions", Filter{State: StateHeld, DestPrefix: []byte("local:User4")}, nil},
		{"both apply", Filter{State: StateHeld, DestPrefix: []byte("local:User2")}, ids[2:3]},
		{"return path", Filter{Sender: []byte("SENDER@")}, ids},
		{"no such sender", Filter{Sender: []byte("user3")}, nil},
		{"recipient", Filter{Recipient: []byte("user3")}, ids[3:4]},
		{"reason", Filter{Reason: []byte("MAILBOX IS FULL"), Recipient: []byte("user1")}, ids[1:2]},
		{"another reason", Filter{Reason: []byte("no route")}, nil},
		{"younger", Filter{After: ids[2].Time()}, ids[3:]},
	} {
		var got []ID
		for sum, err := range s.List(test.filter) {
			must(t, err)
			got = append(got, sum.ID)
		}
		if fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
	closeSpool(t, s)
}

func TestListKnowsTheReasonOfAnAttemptAtOnce(t *testing.T) {
	a := newAgent()
	a.deliver = func(*Job, *JobRecipient) Outcome {
		return Outcome{Kind: Deferred, Text: "the mailbox is full", RetryAfter: time.Hour}
	}
	s := open(t, options(crash.New(1), a))
	_, err := submit(s, []byte("x"), envelope("user@example.test"))
	must(t, err)
	settleDown(s)
	for sum, err := range s.List(Filter{Reason: []byte("full")}) {
		must(t, err)
		if sum.Recipients[0].Last.Text == "the mailbox is full" {
			closeSpool(t, s)
			return
		}
	}
	t.Fatal("the reason is not known")
}

func TestFlushTriesDeferredMessagesNow(t *testing.T) {
	a := heldAgent()
	s := open(t, options(crash.New(1), a))
	for _, address := range []string{"a@x", "b@x", "c@x"} {
		_, err := submit(s, []byte("x"), envelope(address))
		must(t, err)
	}
	settleDown(s)
	if n, err := s.Flush(Filter{Address: []byte("b@")}); n != 1 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	if got := a.waitFor(4); got[3].address != "b@x" || got[3].attempt != 2 {
		t.Fatalf("tried %+v", got[3])
	}
	settleDown(s)
	if n, err := s.Flush(Filter{}); n != 3 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	a.waitFor(7)
	closeSpool(t, s)
}

func TestFlushOfOneRecipientTriesNobodyElseAndForgetsNoAttempt(t *testing.T) {
	a := heldAgent()
	s := open(t, options(crash.New(1), a))
	id, err := submit(s, []byte("x"), envelope("a@x", "b@x"))
	must(t, err)
	settleDown(s)
	must(t, s.FlushMessage(id, 1))
	if got := a.waitFor(3); got[2].address != "b@x" || got[2].attempt != 2 {
		t.Fatalf("tried %+v", got[2])
	}
	settleDown(s)
	if err := s.FlushMessage(id + 1); !errors.Is(err, ErrUnknown) {
		t.Errorf("a message that is not there: %v", err)
	}
	if states := states(t, s, id); states != "deferred deferred" {
		t.Errorf("states: %s", states)
	}
	closeSpool(t, s)
}

func TestExpiredRecipientIsKeptWithItsLastReason(t *testing.T) {
	c := newClock()
	a := newAgent()
	a.deliver = func(*Job, *JobRecipient) Outcome { return Outcome{Kind: Deferred, Status: "4.4.1", Text: "no route"} }
	o := options(crash.New(1), a)
	o.Now = c.Now
	s := open(t, o)
	id, err := submit(s, []byte("x"), envelope("a@x"))
	must(t, err)
	attempts := 0
	for range 100 {
		settleDown(s)
		if states(t, s, id) == "failed" {
			break
		}
		attempts++
		c.advance(3 * time.Hour)
		s.Wake()
		a.waitFor(attempts + 1)
	}
	sum, err := s.Show(id)
	must(t, err)
	r := sum.Recipients[0]
	if r.State != StateFailed || r.Last.Status != "4.4.1" || !strings.HasSuffix(r.Last.Text, "no route") || len(r.History) != historyMax {
		t.Errorf("%+v", r)
	}
	if attempts < 35 || attempts > 45 { // every 3 hours for 5 days
		t.Errorf("%d attempts", attempts)
	}
	closeSpool(t, s)
}

func TestDeliveredIsKeptUntilTheAgentHasSynced(t *testing.T) {
	fsys := crash.New(1)
	a := newAgent()
	failure := errors.New("no sync today")
	a.sync = func() error { return failure }
	s := open(t, options(fsys, a))
	id, err := submit(s, []byte("x"), envelope("a@x"))
	must(t, err)
	a.waitFor(1)
	settleDown(s)
	if err := s.Checkpoint(); !errors.Is(err, failure) {
		t.Fatalf("checkpoint: %v", err)
	}
	if got := states(t, s, id); got != "delivered" {
		t.Fatalf("state %q", got)
	}
	b := newAgent()
	again := open(t, func() Options { o := options(fsys.Crash(), b); return o }())
	if got := b.waitFor(1); got[0].id != id {
		t.Fatalf("delivered again: %v", got)
	}
	closeSpool(t, again)
	a.mu.Lock()
	a.sync = nil
	a.mu.Unlock()
	must(t, s.Checkpoint())
	if got := states(t, s, id); got != "gone" {
		t.Fatalf("state %q", got)
	}
	closeSpool(t, s)
}

func TestLeftoversMoveSoThatOldSegmentsAreFreed(t *testing.T) {
	fsys := crash.New(1)
	a := newAgent()
	a.deliver = func(_ *Job, r *JobRecipient) Outcome {
		if strings.HasPrefix(string(r.Address), "stays") {
			return Outcome{Kind: Deferred, Status: "4.2.2", Text: "full", RetryAfter: time.Hour}
		}
		return Outcome{Kind: Delivered}
	}
	s := open(t, options(fsys, a))
	want := map[ID][]byte{}
	for i := range 200 {
		addresses := []string{"goes@x"}
		if i%20 == 0 {
			addresses = []string{"goes@x", "stays@x"}
		}
		body := text(3000+i*10, i)
		id, err := submit(s, body, envelope(addresses...))
		must(t, err)
		if i%20 == 0 {
			want[id] = body
		}
	}
	settleDown(s)
	must(t, s.Checkpoint())
	for s.Stats().Segments > 6 {
		s.nudge()
	}
	check := func() {
		t.Helper()
		if n, _ := survivorsOf(t, s, want); n != len(want) {
			t.Fatalf("%d of %d", n, len(want))
		}
		for id := range want {
			if got := states(t, s, id); got != "done deferred" {
				t.Fatalf("%v: %s", id, got)
			}
			sum, _ := s.Show(id)
			if last := sum.Recipients[1].Last; last.Text != "full" {
				t.Fatalf("%v: history %+v", id, last)
			}
		}
	}
	check()
	closeSpool(t, s)
	s = open(t, options(fsys.Crash(), a))
	check()
	closeSpool(t, s)
}
