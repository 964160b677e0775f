package deliver

import (
	"context"
	"log/slog"

	"barid/spool"
)

// Expanded is the spool's agent for destinations "expanded:". It stands for an
// alias with several targets whose sender wants to hear of success: the targets
// have the mail, and are recipients of their own; that is all there is to say
// of the alias (RFC 3461 section 5.2.7.3, RFC 3464 section 2.3.3).
type Expanded struct{}

var _ spool.Agent = Expanded{}

// Deliver implements spool.Agent: every alias has been expanded.
func (Expanded) Deliver(_ context.Context, job *spool.Job) {
	for i := range job.Recipients {
		job.Recipients[i].Outcome = spool.Outcome{Kind: spool.Delivered, Status: "2.0.0", Action: spool.ActionExpanded}
	}
}

// Sync implements spool.Agent: there is nothing to make durable.
func (Expanded) Sync() error { return nil }

// Discard is the spool's agent for destinations "discard:REASON": it throws
// mail away, as the transport map asked for, and leaves a line in the log. The
// sender cannot tell; the reason is for the postmaster.
type Discard struct {
	Log *slog.Logger // discards, too, when nil
}

var _ spool.Agent = Discard{}

// Deliver implements spool.Agent.
func (d Discard) Deliver(ctx context.Context, job *spool.Job) {
	for i := range job.Recipients {
		r := &job.Recipients[i]
		r.Outcome = spool.Outcome{Kind: spool.Delivered, Status: "2.0.0"}
		if d.Log != nil {
			d.Log.LogAttrs(ctx, slog.LevelInfo, "discarded", slog.String("id", job.ID.String()), slog.String("from", string(job.Envelope.ReturnPath)),
				slog.String("to", string(r.Address)), slog.String("dest", string(r.Dest)), slog.Int64("size", job.Size))
		}
	}
}

// Sync implements spool.Agent: there is nothing to make durable.
func (Discard) Sync() error { return nil }
