package deliver

import (
	"log/slog"
	"strings"
	"testing"

	"barid/spool"
)

func TestExpandedAliasIsReportedAsExpanded(t *testing.T) {
	job := &spool.Job{Recipients: make([]spool.JobRecipient, 2)}
	Expanded{}.Deliver(t.Context(), job)
	for _, r := range job.Recipients {
		if r.Outcome.Kind != spool.Delivered || r.Outcome.Action != spool.ActionExpanded {
			t.Errorf("%+v", r.Outcome)
		}
	}
	if err := (Expanded{}).Sync(); err != nil {
		t.Error(err)
	}
}

func TestDiscardedMailLeavesALineInTheLogAndNoReasonForTheSender(t *testing.T) {
	var log strings.Builder
	job := &spool.Job{ID: 42, Recipients: []spool.JobRecipient{{Recipient: spool.Recipient{Address: []byte("bob@example.test"), Dest: []byte("discard:we do not like it")}}}}
	for _, d := range []Discard{{}, {Log: slog.New(slog.NewTextHandler(&log, nil))}} {
		d.Deliver(t.Context(), job)
		if o := job.Recipients[0].Outcome; o.Kind != spool.Delivered || o.Text != "" || d.Sync() != nil {
			t.Errorf("%+v", o)
		}
	}
	if got := log.String(); !strings.Contains(got, "discarded") || !strings.Contains(got, job.ID.String()) || !strings.Contains(got, "we do not like it") {
		t.Errorf("the log says %s", got)
	}
}
