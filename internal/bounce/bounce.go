// Package bounce tells senders what became of their mail: it is the spool's
// Reporter. It decides who is told what, by the rules of RFC 3461 section 5.2,
// and has package dsn write it.
//
// A report has the null sender, so nobody ever reports on a report, neither
// this server nor the next (RFC 5321 section 6.1). When there is no sender
// that could be told, a failure is a warning in the log, and goes to the
// postmaster if he wants it (RFC 3461 section 5.2).
//
// One report covers all recipients of the job that have something to tell.
// A recipient is called what the sender called him: where aliases led is
// not said, though the words of the server there may give it away.
package bounce

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	"strconv"
	"time"

	"barid/internal/dsn"
	"barid/spool"
)

// Options say how reports are made. Hostname and Route must be set.
type Options struct {
	Hostname string // our name
	// ReturnFull returns whole messages to senders who did not say how much
	// they want (RFC 3461 section 4.3); else the header only.
	ReturnFull bool
	// SizeMax is how large a message may be to be returned whole, in octets;
	// 0: any size.
	SizeMax int64
	// Route says where mail for an address goes: to whom and to which
	// destination. Nobody means that nothing can be sent there. An error is
	// for now: the report is made later. It must not keep address, and what
	// it returns is used before it is called again.
	Route func(address []byte) ([]spool.Recipient, error)
	// Postmaster is who gets the failures that no sender can be told of;
	// empty: they are in the log only.
	Postmaster []byte
	Now        func() time.Time // time.Now when nil
	Random     func() uint64    // nobody can guess what comes next; crypto/rand when nil
	Log        *slog.Logger     // discards when nil
}

// Reporter implements spool.Reporter. It belongs to one goroutine.
type Reporter struct {
	options Options
	told    []dsn.Recipient // memory for the next report
}

var _ spool.Reporter = (*Reporter)(nil)

// New returns a Reporter.
func New(o Options) *Reporter {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = unguessable
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Reporter{options: o}
}

func unguessable() uint64 {
	var b [8]byte
	rand.Read(b[:]) // it never fails
	return binary.NativeEndian.Uint64(b[:])
}

// Report implements spool.Reporter.
func (b *Reporter) Report(job *spool.Job, w *spool.Writer) (*spool.Envelope, error) {
	defer b.forget()
	sender := job.Envelope.ReturnPath
	if len(sender) == 0 {
		b.collect(job, failed)
		return b.undeliverable(job, w, "it has the null sender")
	}
	if b.collect(job, due); len(b.told) == 0 {
		return nil, nil
	}
	to, err := b.options.Route(sender)
	if err != nil {
		b.options.Log.Warn("a report has to wait", "id", job.ID.String(), "sender", string(sender), "error", err)
		return nil, err
	}
	if len(to) == 0 {
		return b.undeliverable(job, w, "no mail can be sent to its sender")
	}
	return b.write(job, w, to, &dsn.Report{To: sender})
}

// collect finds the recipients who are to be told of.
func (b *Reporter) collect(job *spool.Job, wanted func(*spool.JobRecipient) bool) {
	for i := range job.Recipients {
		if r := &job.Recipients[i]; wanted(r) {
			b.told = append(b.told, told(r, job.Expires))
		}
	}
}

// forget lets go of the job, and of memory that is not usual.
func (b *Reporter) forget() {
	const keptMax = 1000
	clear(b.told)
	b.told = b.told[:0]
	if cap(b.told) > keptMax {
		b.told = nil
	}
}

// write writes the report and says to whom it goes. There is none on itself:
// its sender is the null sender, and NOTIFY is NEVER (RFC 3461 section 6.1).
func (b *Reporter) write(job *spool.Job, w *spool.Writer, to []spool.Recipient, r *dsn.Report) (*spool.Envelope, error) {
	nonce := b.options.Random()
	r.Host, r.Boundary, r.Date = b.options.Hostname, nonce, b.options.Now()
	r.ID = job.ID.String() + "." + strconv.FormatUint(b.options.Random(), 36)
	r.Queue, r.EnvID, r.Arrived, r.ReceivedFrom = job.ID.String(), job.Envelope.EnvID, job.Arrived, receivedFrom(job.Envelope.Client)
	r.Recipients, r.Message, r.Size = b.told, job, job.Size
	r.Full, r.UTF8 = b.returnsAll(job), job.Envelope.SMTPUTF8
	form, err := dsn.Write(w, r)
	if err != nil {
		b.options.Log.Error("cannot write a report; it will be tried again", "id", job.ID.String(), "error", err)
		return nil, err
	}
	e := &spool.Envelope{Recipients: to, SMTPUTF8: form.SMTPUTF8}
	if form.EightBit {
		e.Body = spool.Body8Bit
	}
	for i := range e.Recipients {
		e.Recipients[i].Notify = spool.NotifyNever
	}
	b.options.Log.Info("reported", "id", job.ID.String(), "to", string(r.To), "action", worst(b.told).String(), "recipients", len(b.told))
	return e, nil
}

func worst(rs []dsn.Recipient) dsn.Action {
	action := dsn.Delivered
	for i := range rs {
		action = max(action, rs[i].Action)
	}
	return action
}

// returnsAll decides how much of the message goes back (RFC 3461 sections 4.3
// and 6.2): all of it on failure only, and only of what is text.
func (b *Reporter) returnsAll(job *spool.Job) bool {
	if worst(b.told) != dsn.Failed || job.Envelope.Body == spool.BodyBinary {
		return false
	}
	if most := b.options.SizeMax; most > 0 && job.Size > most {
		return false
	}
	return job.Envelope.Ret == spool.RetFull || job.Envelope.Ret == spool.RetUnset && b.options.ReturnFull
}

// receivedFrom is the client as the name of an MTA of type dns, when it is
// known by its address (RFC 3461 section 9.3).
func receivedFrom(client []byte) string {
	literal, _ := addressLiteral(string(client))
	return literal
}

// undeliverable is what happens to a failure of which no sender can be told.
func (b *Reporter) undeliverable(job *spool.Job, w *spool.Writer, why string) (*spool.Envelope, error) {
	b.told = failures(b.told)
	if len(b.told) == 0 {
		return nil, nil
	}
	b.warn(job, why)
	postmaster := b.options.Postmaster
	if len(postmaster) == 0 || len(job.Envelope.ReturnPath) == 0 && wasFor(job, postmaster) {
		return nil, nil
	}
	to, err := b.options.Route(postmaster)
	if err != nil || len(to) == 0 {
		return nil, err
	}
	return b.write(job, w, to, &dsn.Report{To: postmaster, Postmaster: true})
}

// wasFor reports whether a message was for this address: then it may be a
// report that could not be delivered there, and another one would not be
// either.
func wasFor(job *spool.Job, address []byte) bool {
	for i := range job.Recipients {
		if bytes.EqualFold(address, job.Recipients[i].Address) || bytes.EqualFold(address, calledBySender(&job.Recipients[i].Recipient)) {
			return true
		}
	}
	return false
}

// warningsMax is how many recipients of a message get a line in the log.
const warningsMax = 100

// warn leaves in the log what nobody is told.
func (b *Reporter) warn(job *spool.Job, why string) {
	for i := range b.told[:min(len(b.told), warningsMax)] {
		r := &b.told[i]
		b.options.Log.Warn("mail can be neither delivered nor returned", "id", job.ID.String(), "sender", string(job.Envelope.ReturnPath), "because", why,
			"to", string(r.Address), "status", r.Status, "remote", r.Remote, "reason", r.Text)
	}
	if more := len(b.told) - warningsMax; more > 0 {
		b.options.Log.Warn("mail can be neither delivered nor returned", "id", job.ID.String(), "more", more)
	}
}
