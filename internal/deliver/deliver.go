// Package deliver puts mail for local accounts into their mailboxes: it is the
// spool's agent for destinations of the form "local:ACCOUNT".
//
// To each recipient's copy it prepends what final delivery owes to the reader
// (RFC 5321 section 4.4):
//
//	Return-Path: <sender@example.org>
//	X-Original-To: postmaster@example.test     (only when an alias led here)
//	Delivered-To: alice@example.test
//
// and a message that came as BODY=BINARYMIME is turned into text first, since
// a Maildir holds text (RFC 3030 section 3).
//
// A copy gets a file name that follows from the queue id alone, so that the
// spool may have a message delivered as often as it likes: the mailbox has it
// once. For a message with several recipients the name also carries a checksum
// of the recipient, because two of them may lead to one mailbox and their
// copies differ in the lines above.
//
// The package decides nothing about when: it tries, and says what became of
// it. What it says of an error is meant for a report to the sender too, so it
// names no file; the log line does.
package deliver

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"log/slog"
	"sync"
	"time"

	"barid/internal/message"
	"barid/maildir"
	"barid/spool"
)

// Prefix is what destination keys of this agent begin with.
const Prefix = "local:"

// ErrNoAccount is returned by Options.Lookup for an account that does not
// exist (any more).
var ErrNoAccount = errors.New("no such account")

// Options are the agent's surroundings. Store and Lookup must be set.
type Options struct {
	Store *maildir.Store
	// Lookup returns an account's mailbox, which need not exist on disk. It
	// must not keep the name. ErrNoAccount is for ever, any other error for
	// now.
	Lookup func(account []byte) (maildir.Mailbox, error)
	// OverQuota is what becomes of mail for a full mailbox: spool.Deferred,
	// also when unset, or spool.Failed.
	OverQuota spool.Kind
	Now       func() time.Time // time.Now when nil
	Log       *slog.Logger     // discards when nil
}

// Agent implements spool.Agent.
type Agent struct {
	store     *maildir.Store
	lookup    func(account []byte) (maildir.Mailbox, error)
	overQuota spool.Kind
	now       func() time.Time
	log       *slog.Logger
	started   time.Time
	works     sync.Pool // *work
}

var _ spool.Agent = (*Agent)(nil)

// New returns an agent. It belongs to one run of the program: messages that
// arrived before New was called may have been delivered by an earlier run.
func New(o Options) *Agent {
	a := &Agent{store: o.Store, lookup: o.Lookup, overQuota: o.OverQuota, now: o.Now, log: o.Log}
	if a.overQuota == spool.Unset {
		a.overQuota = spool.Deferred
	}
	if a.now == nil {
		a.now = time.Now
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	a.started = a.now()
	a.works.New = func() any { return new(work) }
	return a
}

// work is the memory of one delivery, kept for the next.
type work struct {
	message  maildir.Message
	room     [64]byte // of id
	id       []byte
	front    []byte
	body     []byte
	text     []byte // body, when it had to be made text
	envelope *spool.Envelope
}

// keptMax is how large a buffer may be to be kept.
const keptMax = 1 << 20

// Deliver implements spool.Agent: it delivers a copy to every recipient.
func (a *Agent) Deliver(ctx context.Context, job *spool.Job) {
	w := a.works.Get().(*work)
	defer a.release(w)
	err := w.load(job, job.Attempt > 1 || job.Arrived.Before(a.started))
	for i := range job.Recipients {
		r := &job.Recipients[i]
		switch {
		case ctx.Err() != nil:
			r.Outcome = spool.Outcome{Kind: spool.Deferred, Status: "4.3.2", Text: "the server is shutting down"}
		case err != nil:
			r.Outcome = a.outcome(err)
		default:
			err := a.deliver(w, &r.Recipient)
			r.Outcome = a.outcome(err)
			a.report(ctx, job, r, err)
		}
	}
}

func (a *Agent) release(w *work) {
	w.message, w.envelope = maildir.Message{}, nil
	if cap(w.body) > keptMax || cap(w.text) > keptMax {
		w.body, w.text = nil, nil
	}
	a.works.Put(w)
}

// Sync implements spool.Agent.
func (a *Agent) Sync() error {
	err := a.store.Sync()
	if err != nil {
		a.log.Error("cannot sync the mailboxes; what was delivered stays in the queue", "error", err)
	}
	return err
}

// load gets the parts that all recipients share.
func (w *work) load(job *spool.Job, again bool) error {
	w.envelope = &job.Envelope
	w.id = job.ID.Append(w.room[:0])
	w.message = maildir.Message{ID: w.id, Micros: job.Arrived.UnixMicro(), Again: again}
	binary := job.Envelope.Body == spool.BodyBinary
	if path := job.SpillPath(); path != "" && !binary {
		w.message.File, w.message.FileSize = path, job.Size
		return nil
	}
	body, err := job.ReadAll(w.body[:0])
	w.body = body
	if err != nil {
		return &bodyError{err}
	}
	if binary {
		w.text = message.AppendText(w.text[:0], body)
		body = w.text
	}
	if n := len(body); n > 0 && body[n-1] != '\n' {
		body = append(body, '\n') // BDAT need not end with a line end, a line in a mailbox does
	}
	w.message.Body = body
	return nil
}

// bodyError is a body that the spool cannot give.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return "cannot read the message from the queue: " + e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// deliver puts one recipient's copy into his mailbox.
func (a *Agent) deliver(w *work, r *spool.Recipient) error {
	box, err := a.lookup(bytes.TrimPrefix(r.Dest, []byte(Prefix)))
	if err != nil {
		return err
	}
	w.front = appendFront(w.front[:0], w.envelope.ReturnPath, r)
	w.message.Front = w.front
	w.message.ID = w.id
	if len(w.envelope.Recipients) > 1 {
		w.message.ID = appendRecipient(w.id, r)
	}
	return box.Deliver(maildir.Inbox, &w.message)
}

// appendFront appends the fields of final delivery.
func appendFront(dst, returnPath []byte, r *spool.Recipient) []byte {
	dst = appendLine(dst, "Return-Path: <", returnPath, ">\n")
	if len(r.Original) > 0 && !bytes.Equal(r.Original, r.Address) {
		dst = appendLine(dst, "X-Original-To: ", r.Original, "\n")
	}
	return appendLine(dst, "Delivered-To: ", r.Address, "\n")
}

// appendLine appends a field. Addresses come from the SMTP grammar, which
// keeps control characters out; here a mistake would forge fields, so they
// are kept out once more.
func appendLine(dst []byte, before string, address []byte, after string) []byte {
	dst = append(dst, before...)
	for _, c := range address {
		if c < ' ' || c == 0x7f {
			c = '?'
		}
		dst = append(dst, c)
	}
	return append(dst, after...)
}

// appendRecipient appends what tells copies of one message apart.
func appendRecipient(dst []byte, r *spool.Recipient) []byte {
	sum := crc32.ChecksumIEEE(r.Address)
	sum = crc32.Update(sum, crc32.IEEETable, r.Original)
	return hex.AppendEncode(append(dst, 'R'), []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
}
