package deliver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"barid/internal/vfs"
	"barid/internal/vfs/crash"
	"barid/maildir"
	"barid/spool"
)

// scene is a spool that delivers through an agent into mailboxes, all on one
// file system.
type scene struct {
	t      *testing.T
	fs     vfs.FS
	dir    string
	quota  maildir.Quota
	lookup func(account []byte) (maildir.Mailbox, error) // nil: every account exists
	log    *slog.Logger
	// between is called between two deliveries of the same message.
	between func()

	store *maildir.Store
	spool *spool.Spool
	done  chan result
}

// result is what an agent said of one recipient.
type result struct {
	id      spool.ID
	to      string
	outcome spool.Outcome
}

// watched reports what an agent said.
type watched struct {
	*Agent
	done    chan<- result
	twice   *Agent // not nil: delivers everything once more
	between func() // before it does
}

func (w watched) Deliver(ctx context.Context, job *spool.Job) {
	w.Agent.Deliver(ctx, job)
	if w.twice != nil {
		w.between()
		w.twice.Deliver(ctx, job)
	}
	for _, r := range job.Recipients {
		w.done <- result{job.ID, string(r.Address), r.Outcome}
	}
}

func newScene(t *testing.T) *scene {
	return &scene{t: t, fs: vfs.Disk{}, dir: t.TempDir(), between: func() {}}
}

func (s *scene) agent() *Agent {
	lookup := s.lookup
	if lookup == nil {
		lookup = func(account []byte) (maildir.Mailbox, error) {
			return s.store.Mailbox(filepath.Join(s.dir, "mail", string(account)), s.quota), nil
		}
	}
	return New(Options{Store: s.store, Lookup: lookup, Log: s.log})
}

// open starts the spool; twice wants everything delivered twice.
func (s *scene) open(twice bool) {
	s.t.Helper()
	s.store = maildir.New(maildir.Options{FS: s.fs, Host: "mx.example.test"})
	s.done = make(chan result, 1000)
	agent := watched{Agent: s.agent(), done: s.done}
	if twice {
		agent.between = s.between
		agent.twice = s.agent() // newer than the messages only if it is told so
		agent.twice.started = time.Now().Add(time.Hour)
	}
	var err error
	s.spool, err = spool.Open(spool.Options{
		FS: s.fs, Dir: filepath.Join(s.dir, "spool"), SegmentSize: 64 << 10, SpillSize: 4096, ReserveBytes: 1,
		Workers: 1, // so that nobody else is at the mailboxes between two deliveries
		Agents:  map[string]spool.Agent{"local": agent}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) close() error { return s.spool.Close(context.Background()) }

// commit puts a message into the spool.
func (s *scene) commit(body string, e *spool.Envelope) (spool.ID, error) {
	w := s.spool.Writer()
	defer w.Release()
	id, err := w.Begin()
	if err != nil {
		return 0, err
	}
	if _, err := io.WriteString(w, body); err != nil {
		return 0, err
	}
	return id, w.Commit(e)
}

func to(addresses ...string) *spool.Envelope {
	e := &spool.Envelope{ReturnPath: []byte("sender@example.org")}
	for _, a := range addresses {
		account, _, _ := strings.Cut(a, "@")
		account, _, _ = strings.Cut(account, "+")
		e.Recipients = append(e.Recipients, spool.Recipient{Address: []byte(a), Dest: []byte(Prefix + account)})
	}
	return e
}

// outcome sends a message to one recipient and waits for what the agent says.
func (s *scene) outcome(body string, e *spool.Envelope) result {
	s.t.Helper()
	if _, err := s.commit(body, e); err != nil {
		s.t.Fatal(err)
	}
	return <-s.done
}

// mail returns the messages in an account's INBOX.
func (s *scene) mail(account string) (messages []string) {
	s.t.Helper()
	for _, dir := range []string{"new", "cur"} {
		dir := filepath.Join(s.dir, "mail", account, dir)
		entries, err := s.fs.ReadDir(dir)
		if err != nil {
			return nil
		}
		for _, e := range entries {
			text, err := vfs.ReadFile(s.fs, filepath.Join(dir, e.Name()), 1<<30)
			if err != nil {
				s.t.Fatal(err)
			}
			messages = append(messages, string(text))
		}
	}
	slices.Sort(messages)
	return messages
}

func (s *scene) expect(account string, want ...string) {
	s.t.Helper()
	if got := s.mail(account); !slices.Equal(got, want) {
		s.t.Errorf("%s has %q, want %q", account, got, want)
	}
}

const front = "Return-Path: <sender@example.org>\nDelivered-To: alice@example.test\n"

func TestMessagesOfAllSizesArriveWholeAndOnce(t *testing.T) {
	s := newScene(t)
	s.open(true)
	var want []string
	for _, lines := range []int{1, 100, 1000, 40_000} { // in a record, a long record, spilled, several pieces
		body := "Subject: x\n\n" + strings.Repeat("a line\n", lines)
		if r := s.outcome(body, to("alice@example.test")); r.outcome.Kind != spool.Delivered {
			t.Fatalf("%d lines: %+v", lines, r)
		}
		want = append(want, front+body)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	slices.Sort(want)
	s.expect("alice", want...)
}

func TestRecipientsOfOneMailboxEachGetACopy(t *testing.T) {
	s := newScene(t)
	s.between = func() { // a reader has seen all
		drop, err := s.store.Mailbox(filepath.Join(s.dir, "mail", "alice"), s.quota).OpenMaildrop()
		if err != nil {
			t.Fatal(err)
		}
		defer drop.Close()
		drop.MarkSeen(slices.Values([]int{0, 1, 2}))
	}
	s.open(true)
	e := to("alice@example.test", "alice+tag@example.test", "alice@example.test", "bob@example.test")
	e.Recipients[2].Original = []byte("list@example.test")
	s.outcome("x\n", e)
	for range len(e.Recipients) - 1 {
		<-s.done
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	const from = "Return-Path: <sender@example.org>\n"
	s.expect("alice", from+"Delivered-To: alice+tag@example.test\nx\n", from+"Delivered-To: alice@example.test\nx\n", from+"X-Original-To: list@example.test\nDelivered-To: alice@example.test\nx\n")
	s.expect("bob", from+"Delivered-To: bob@example.test\nx\n")
}

func TestBinaryMessageIsStoredAsText(t *testing.T) {
	for name, octets := range map[string]string{"small": "\x00\r\n\xff", "spilled": strings.Repeat("\x00\r\n\xff", 3000)} {
		s := newScene(t)
		s.open(true)
		e := to("alice@example.test")
		e.Body = spool.BodyBinary
		s.outcome("Received: by us\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n"+octets, e)
		if err := s.close(); err != nil {
			t.Error(err)
		}
		got := s.mail("alice")
		if len(got) != 1 || strings.ContainsAny(got[0], "\x00\r") || !strings.HasPrefix(got[0], front+"Received: by us\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\nAA0K/") {
			t.Errorf("%s: %.300q", name, got)
		}
	}
}

func TestLastLineGetsItsEnd(t *testing.T) {
	s := newScene(t)
	s.open(true)
	s.outcome("Received: by us\n\nBDAT ended here", to("alice@example.test"))
	if err := s.close(); err != nil {
		t.Error(err)
	}
	s.expect("alice", front+"Received: by us\n\nBDAT ended here\n")
}

func TestVanishedAccountFailsAndBrokenLookupWaits(t *testing.T) {
	s := newScene(t)
	s.lookup = func(account []byte) (maildir.Mailbox, error) {
		if string(account) == "gone" {
			return maildir.Mailbox{}, ErrNoAccount
		}
		return maildir.Mailbox{}, errors.New("the user file is being edited")
	}
	s.open(false)
	if r := s.outcome("x\n", to("gone@example.test")); r.outcome.Kind != spool.Failed || r.outcome.Status != "5.1.1" {
		t.Errorf("%+v", r)
	}
	if r := s.outcome("x\n", to("alice@example.test")); r.outcome.Kind != spool.Deferred || r.outcome.Status != "4.2.0" {
		t.Errorf("%+v", r)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}

func TestFullMailboxDefersItsOwnMailOnly(t *testing.T) {
	s := newScene(t)
	s.quota = maildir.Quota{MessagesMax: 1}
	s.open(false)
	s.outcome("first\n", to("alice@example.test"))
	s.outcome("second\n", to("alice@example.test", "bob@example.test"))
	if r := <-s.done; r.outcome.Kind != spool.Delivered { // bob's
		t.Errorf("%+v", r)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	s.expect("alice", front+"first\n")
}

func TestShutdownLeavesTheMessageInTheQueue(t *testing.T) {
	s := newScene(t)
	s.store = maildir.New(maildir.Options{FS: s.fs, Host: "h"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var outcome spool.Outcome
	s.done = make(chan result, 1)
	s.open(false)
	agent := s.agent()
	if r := s.outcome("x\n", to("alice@example.test")); r.outcome.Kind != spool.Delivered {
		t.Errorf("%+v", r)
	}
	job := spool.Job{Recipients: make([]spool.JobRecipient, 1)}
	agent.Deliver(ctx, &job)
	if outcome = job.Recipients[0].Outcome; outcome.Kind != spool.Deferred || outcome.Status != "4.3.2" {
		t.Errorf("%+v", outcome)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}

func TestEachDeliveryIsOneLineWithTheQueueID(t *testing.T) {
	var lines bytes.Buffer
	s := newScene(t)
	s.log = slog.New(slog.NewTextHandler(&lines, nil))
	s.open(false)
	r := s.outcome("x\n", to("alice@example.test"))
	if err := s.close(); err != nil {
		t.Error(err)
	}
	got := lines.String()
	if strings.Count(got, "\n") != 1 || !strings.Contains(got, "msg=delivered id="+r.id.String()+" to=alice@example.test dest=local:alice status=2.0.0") {
		t.Errorf("%s", got)
	}
}

// TestAcknowledgedMailSurvivesPowerCuts runs spool, agent and mailboxes on one
// disk that is cut off after any of the first operations; after the reboot
// everything that Commit took must be in the mailboxes once, read by somebody
// or not.
func TestAcknowledgedMailSurvivesPowerCuts(t *testing.T) {
	for cut := range 160 {
		disk := crash.New(uint64(cut))
		s := &scene{t: t, fs: disk, dir: "/", quota: maildir.Quota{BytesMax: 1 << 30}}
		s.open(false)
		disk.CutAfter(disk.Changes() + cut)
		acknowledged := map[string]bool{}
		for n := range 6 {
			body := strings.Repeat(string(rune('a'+n))+"\n", 1+n*n*500)
			if _, err := s.commit(body, to("alice@example.test", "alice+x@example.test")); err == nil {
				acknowledged[body] = true
			}
			if drop, err := s.store.Mailbox("/mail/alice", s.quota).OpenMaildrop(); err == nil {
				if drop.Len() > 0 {
					drop.MarkSeen(slices.Values([]int{0}))
				}
				drop.Close()
			}
		}
		after := disk.Crash()
		_ = s.close() // what it says is about the old disk

		s.fs = after
		s.open(false)
		waiting := map[spool.ID]bool{}
		for sum := range s.spool.List(spool.Filter{}) {
			waiting[sum.ID] = true
		}
		seen := map[spool.ID]int{}
		for id := range waiting {
			for seen[id] < 2 {
				seen[(<-s.done).id]++
			}
		}
		if err := s.close(); err != nil {
			t.Fatalf("cut %d: %v", cut, err)
		}
		s.fs = after.Crash() // all of it was synced
		got := s.mail("alice")
		for body := range acknowledged {
			for _, address := range []string{"alice@example.test", "alice+x@example.test"} {
				want := "Return-Path: <sender@example.org>\nDelivered-To: " + address + "\n" + body
				if n := len(slices.DeleteFunc(slices.Clone(got), func(m string) bool { return m != want })); n != 1 {
					t.Fatalf("cut %d: message %.1q for %s is there %d times", cut, body, address, n)
				}
			}
		}
		if slices.Sort(got); len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Fatalf("cut %d: a message is there twice", cut)
		}
	}
}
