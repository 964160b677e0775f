package relay

import (
	"log/slog"
	"time"

	"barid/spool"
)

// report counts an outcome and writes its line into the log, in which the
// delays are those that people know from other servers: in the queue, for the
// connection, for the message. It costs nothing when nobody listens.
func (r *Relay) report(w *work, c *conn, to *spool.JobRecipient) {
	level := slog.LevelWarn
	switch to.Outcome.Kind {
	case spool.Delivered:
		level = slog.LevelInfo
		r.stats.delivered.Add(1)
	case spool.Deferred:
		r.stats.deferred.Add(1)
	default:
		r.stats.failed.Add(1)
	}
	if !r.o.Log.Enabled(w.ctx, level) {
		return
	}
	host, crypt, text := "none", "none", to.Outcome.Text
	if c != nil {
		host, text = c.target.name, string(w.text)
		if c.tls != "" {
			crypt = c.tls
		}
	}
	now := time.Now()
	r.o.Log.LogAttrs(w.ctx, level, to.Outcome.Kind.String(),
		slog.String("id", w.job.ID.String()),
		slog.String("to", string(to.Address)),
		slog.String("dest", string(to.Dest)),
		slog.String("relay", host),
		slog.String("tls", crypt),
		slog.String("status", to.Outcome.Status),
		slog.Duration("delay", r.o.Now().Sub(w.job.Arrived)),
		slog.Duration("queued", r.o.Now().Sub(w.job.Arrived)-now.Sub(w.began)),
		slog.Duration("connecting", w.ready.Sub(w.began)),
		slog.Duration("sending", now.Sub(w.ready)),
		slog.Int64("size", w.job.Size),
		slog.String("reply", text),
	)
}
