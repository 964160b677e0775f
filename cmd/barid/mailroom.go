package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"barid/internal/message"
	"barid/internal/route"
	"barid/spool"
)

// mailroom puts messages into the spool that come through no door. Who left
// them does not wait for an answer, so a recipient who is refused gets the
// message into the queue all the same, to fail there: the sender hears of it
// as of every failure.
type mailroom struct {
	spool  *spool.Spool
	who    func() *whoIsWho
	logger *slog.Logger
}

// waitError says that the same message may be taken later.
type waitError struct{ text string }

// Error implements error.
func (e *waitError) Error() string { return e.text }

// textMax is how long a message may be, in octets. It is held in memory.
func (m *mailroom) textMax() int64 { return dropTextMax(m.who().cfg) }

// submit puts a message into the spool.
func (m *mailroom) submit(d *dropFile, from dropOrigin) error {
	who := m.who()
	text := storable(d.text)
	header := text[:message.HeaderLen(text)]
	if len(header) > headerMax {
		return fmt.Errorf("its header has %d octets", len(header))
	}
	to, err := m.address(d, who, message.Count(header, "Received") > who.cfg.Message.ReceivedMax)
	if err != nil {
		return err
	}
	e := &spool.Envelope{
		ReturnPath: []byte(d.Sender), EnvID: []byte(xtext(d.EnvelopeID)), Recipients: to,
		Client: strconv.AppendUint([]byte("uid "), uint64(from.uid), 10),
	}
	if e.Ret, err = parseRet(d.Ret); err != nil {
		return err
	}
	if !ascii(text) {
		e.Body = spool.Body8Bit
	}
	e.SMTPUTF8 = needsUTF8(d, header)
	return m.commit(e, text, from)
}

// storable is a text as the spool has it: lines that end with LF, and no CR.
// What sendmail leaves is like that.
func storable(text []byte) []byte {
	if bytes.HasSuffix(text, []byte{'\n'}) && bytes.IndexByte(text, '\r') < 0 {
		return text
	}
	return splitDraft(endLines(text)).withoutCR().text()
}

// needsUTF8 says whether only a server with SMTPUTF8 understands the envelope
// or the header (RFC 6531 3.4, RFC 6532).
func needsUTF8(d *dropFile, header []byte) bool {
	for _, r := range d.Recipients {
		if !ascii(r) {
			return true
		}
	}
	return !ascii(d.Sender) || !ascii(header)
}

// address finds out where each recipient goes.
func (m *mailroom) address(d *dropFile, who *whoIsWho, loops bool) ([]spool.Recipient, error) {
	notify, err := parseNotify(d.Notify)
	if err != nil {
		return nil, err
	}
	to := newAddressees(who.router, []byte(d.Sender))
	for _, r := range d.Recipients {
		recipient := spool.Recipient{Address: []byte(r), Notify: notify}
		v := route.Verdict{Status: "5.4.6", Text: "the message has been through too many servers"}
		if !loops {
			v = to.add(&recipient)
		}
		switch v.Kind {
		case route.Reject:
			m.logger.Info("refused", "to", r, "from", d.Sender, "status", v.Status, "error", v.Text)
			to.put(&recipient, recipient.Address, refusedDest(v), notify)
		case route.Defer:
			return nil, &waitError{fmt.Sprintf("<%s>: %s %s", r, v.Status, v.Text)}
		}
	}
	if len(to.list) > spool.RecipientsMax {
		return nil, fmt.Errorf("it goes to %d recipients", len(to.list))
	}
	return to.list, nil
}

// commit writes the message, below the trace of this hop (RFC 5321 4.4).
func (m *mailroom) commit(e *spool.Envelope, text []byte, from dropOrigin) error {
	w := m.spool.Writer()
	defer w.Release()
	id, err := w.Begin()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "Received: by %s (barid, from uid %d) id %s;\n\t%s\n",
		m.who().cfg.Hostname, from.uid, id, from.left.Format("Mon, 2 Jan 2006 15:04:05 -0700"))
	_, _ = w.Write(text) // an error shows again at Commit
	if err := w.Commit(e); err != nil {
		return err
	}
	m.logger.Info("accepted", "id", id.String(), "from", string(e.ReturnPath), "recipients", len(e.Recipients),
		"octets", len(text), "uid", from.uid, "with", "sendmail", "waited", time.Since(from.left).Round(time.Millisecond))
	return nil
}

// refuser is the agent for recipients that were refused when nobody waited for
// the answer.
type refuser struct{}

// refusedDest is their destination, which tells why.
func refusedDest(v route.Verdict) []byte {
	return fmt.Appendf(nil, "%s:%s %s", refusedAgent, v.Status, v.Text)
}

// Deliver implements spool.Agent.
func (refuser) Deliver(_ context.Context, job *spool.Job) {
	for i := range job.Recipients {
		r := &job.Recipients[i]
		_, why, _ := bytes.Cut(r.Dest, []byte{':'})
		status, text, _ := bytes.Cut(why, []byte{' '})
		r.Outcome = spool.Outcome{Kind: spool.Failed, Status: string(status), Text: string(text)}
	}
}

// Sync implements spool.Agent.
func (refuser) Sync() error { return nil }
