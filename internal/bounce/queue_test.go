package bounce

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"

	"barid/internal/vfs"
	"barid/spool"
)

// fixed is an agent that always says the same.
type fixed struct{ outcome spool.Outcome }

func (a fixed) Deliver(_ context.Context, job *spool.Job) {
	for i := range job.Recipients {
		job.Recipients[i].Outcome = a.outcome
	}
}

func (fixed) Sync() error { return nil }

// reportOf sends a message through a queue whose Reporter is ours, and returns
// the report.
func reportOf(t *testing.T, outcome spool.Outcome, notify spool.Notify) report {
	t.Helper()
	s := &scene{t: t, reports: make(chan report, 10)}
	s.reporter = New(Options{Hostname: "mx.example.test", Route: s.route})
	var err error
	s.spool, err = spool.Open(spool.Options{
		FS: vfs.Disk{}, Dir: t.TempDir(), SegmentSize: 1 << 20, ReserveBytes: 1, Reporter: s.reporter,
		Agents: map[string]spool.Agent{"smtp": fixed{outcome}, "local": inside{s}}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.spool.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	w := s.spool.Writer()
	defer w.Release()
	if _, err := w.Begin(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, plainMessage); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(envelope(notify, "bob@example.net")); err != nil {
		t.Fatal(err)
	}
	return <-s.reports
}

func TestQueueHasReportsWrittenAndDelivered(t *testing.T) {
	for action, c := range map[string]struct {
		outcome spool.Outcome
		notify  spool.Notify
	}{
		"failed":    {refusal, 0},
		"delivered": {spool.Outcome{Kind: spool.Delivered, Status: "2.0.0"}, spool.NotifySuccess},
		"relayed":   {spool.Outcome{Kind: spool.Delivered, Action: spool.ActionRelayed, Remote: "mx.example.net", Text: "250 ok"}, spool.NotifySuccess},
	} {
		r := reportOf(t, c.outcome, c.notify)
		if !strings.Contains(r.text, "\nAction: "+action+"\n") || !strings.Contains(r.text, "Final-Recipient: rfc822; bob@example.net\n") || r.to[0] != "alice@example.org" {
			t.Errorf("%s: to %v\n%s", action, r.to, r.text)
		}
	}
}
