//go:build !race

package deliver

import (
	"log/slog"
	"path/filepath"
	"testing"

	"barid/internal/vfs"
	"barid/maildir"
	"barid/spool"
)

// A delivery costs what maildir and vfs cost: paths, and the open file.
func TestDeliveryAllocatesLittle(t *testing.T) {
	store := maildir.New(maildir.Options{FS: vfs.Disk{}, Host: "mx.example.test"})
	path := filepath.Join(t.TempDir(), "alice")
	agent := New(Options{
		Store:  store,
		Lookup: func([]byte) (maildir.Mailbox, error) { return store.Mailbox(path, maildir.Quota{}), nil },
		Log:    slog.New(slog.DiscardHandler),
	})
	job := spool.Job{
		Envelope:   *to("alice@example.test"),
		Recipients: []spool.JobRecipient{{Recipient: to("alice@example.test").Recipients[0]}},
	}
	job.Arrived = agent.started
	allocs := testing.AllocsPerRun(200, func() {
		job.ID++
		agent.Deliver(t.Context(), &job)
		if o := job.Recipients[0].Outcome; o.Kind != spool.Delivered {
			t.Fatal(o)
		}
	})
	if allocs > 9 {
		t.Errorf("%v allocations", allocs)
	}
}
