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
}
