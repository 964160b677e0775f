package spool

import (
	"context"
	"time"
)

// Agent delivers messages: the spool decides when and what, the agent how. Its
// methods are called by several goroutines at once.
type Agent interface {
	// Deliver tries the recipients of job once and sets the Outcome of each;
	// one that is left unset counts as deferred. The job and all that it
	// hands out is the spool's again when Deliver returns. ctx ends when the
	// spool cannot wait any longer to be closed; what is then reported as
	// deferred is tried again at the next start.
	Deliver(ctx context.Context, job *Job)
	// Sync makes durable whatever was reported as Delivered before the call.
	// It is called once for many messages. When it fails, it is called again
	// later; the messages stay in the spool until then.
	Sync() error
}

// Kind is how an attempt ended.
type Kind uint8

// The kinds of outcome.
const (
	Unset     Kind = iota
	Delivered      // it is where it belongs; durable after the next Agent.Sync
	Deferred       // not now
	Failed         // never
)

// String is the kind in one word.
func (k Kind) String() string {
	names := [...]string{"unset", "delivered", "deferred", "failed"}
	if int(k) >= len(names) {
		return "unknown"
	}
	return names[k]
}

// Outcome is what became of an attempt to deliver to one recipient.
type Outcome struct {
	Kind   Kind
	Status string // enhanced status code (RFC 3463); at most 20 bytes are kept
	Text   string // for operators and reports; at most 500 bytes are kept
	// RetryAfter, when not zero, takes the place of the schedule's pause
	// after a Deferred.
	RetryAfter time.Duration
	// Action is what a report calls a Delivered.
	Action Action
	// Remote is the name of the server whose reply Text is, or empty when it
	// is our own word; for the Remote-MTA of a report (RFC 3464 2.3.5).
	Remote string
}

// Action is what became of a recipient that is Delivered, as a report on
// success says it (RFC 3464 2.3.3).
type Action uint8

// The actions.
const (
	ActionDelivered Action = iota // it is in the mailbox
	ActionRelayed                 // a server has it that sends no reports
	ActionExpanded                // it went on to the members of a list
	ActionPassed                  // a server has it that reports itself: no report is ours
)

// Health is what an attempt told about the destination as a whole, other than
// about one message.
type Health uint8

// The kinds of health.
const (
	HealthUnknown Health = iota
	Healthy              // it took what it was offered, or refused the message for what it is
	Busy                 // it wants fewer connections
	Dead                 // nobody could be reached, or nobody spoke as a server does
)

// String is the health in one word.
func (h Health) String() string {
	names := [...]string{"unknown", "healthy", "busy", "dead"}
	if int(h) >= len(names) {
		return "unknown"
	}
	return names[h]
}

// Reporter writes reports on what became of a message, which are messages
// again (RFC 3461, RFC 3464). It is called by one goroutine.
type Reporter interface {
	// Report is told of recipients about whom their sender may want to know:
	// job.Recipients, with the Outcome that is to be reported. Deferred means
	// that the message is late, and will be tried until job.Expires. It writes
	// a report into w, which has begun, and says to whom it goes; nil when no
	// report is due. On error it will be asked again later.
	Report(job *Job, w *Writer) (*Envelope, error)
}
