package deliver

import (
	"context"
	"errors"
	"log/slog"
	"syscall"

	"barid/maildir"
	"barid/spool"
)

// outcome says what an error of a delivery means for the recipient, with a
// status of RFC 3463. Only an account that is gone and a message that is
// damaged are for ever; everything else somebody can mend.
func (a *Agent) outcome(err error) spool.Outcome {
	var body *bodyError
	switch {
	case err == nil:
		return spool.Outcome{Kind: spool.Delivered, Status: "2.0.0"}
	case errors.Is(err, ErrNoAccount):
		return spool.Outcome{Kind: spool.Failed, Status: "5.1.1", Text: "the account does not exist any more"}
	case errors.Is(err, maildir.ErrOverQuota) && a.overQuota == spool.Failed:
		return spool.Outcome{Kind: spool.Failed, Status: "5.2.2", Text: "the mailbox is full"}
	case errors.Is(err, maildir.ErrOverQuota), errors.Is(err, syscall.EDQUOT):
		return spool.Outcome{Kind: spool.Deferred, Status: "4.2.2", Text: "the mailbox is full"}
	case errors.Is(err, spool.ErrDamaged):
		return spool.Outcome{Kind: spool.Failed, Status: "5.3.0", Text: "the message was damaged in the queue"}
	case errors.Is(err, syscall.ENOSPC):
		return spool.Outcome{Kind: spool.Deferred, Status: "4.3.1", Text: "no space left for mailboxes"}
	case errors.As(err, &body):
		return spool.Outcome{Kind: spool.Deferred, Status: "4.3.0", Text: "the message cannot be read from the queue" + cause(err)}
	}
	return spool.Outcome{Kind: spool.Deferred, Status: "4.2.0", Text: "the mailbox cannot be written" + cause(err)}
}

// cause names what the system said, without the file that it spoke of.
func cause(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return ": " + errno.Error()
	}
	return ""
}

// report writes the log line of one delivery. It costs nothing when nobody
// listens.
func (a *Agent) report(ctx context.Context, job *spool.Job, r *spool.JobRecipient, err error) {
	level := slog.LevelInfo
	if err != nil {
		level = slog.LevelWarn
	}
	if !a.log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("id", job.ID.String()),
		slog.String("to", string(r.Address)),
		slog.String("dest", string(r.Dest)),
		slog.String("status", r.Outcome.Status),
		slog.Duration("delay", a.now().Sub(job.Arrived)),
	}
	if err == nil {
		a.log.LogAttrs(ctx, level, "delivered", append(attrs, slog.Int64("size", job.Size))...)
		return
	}
	a.log.LogAttrs(ctx, level, r.Outcome.Kind.String(), append(attrs, slog.Any("error", err))...)
}
