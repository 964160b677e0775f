package relay

import (
	"errors"
	"strconv"
	"strings"
	"syscall"
	"time"

	"barid/internal/relay/proto"
	"barid/internal/smtp"
	"barid/spool"
)

// A failure is why a destination could not be reached.
type failure struct {
	kind   spool.Kind
	status string
	text   string
	remote string      // whose words the text is
	stage  proto.Stage // how far it went: AtNothing before there was a connection
	health spool.Health
	final  bool // the other servers of the destination need not be asked
}

// note keeps the failure that tells most: one that may pass before one that
// is for ever, then the one that went furthest, then the newest. So mail comes
// back only when nobody has left any hope.
func (f *failure) note(g failure) {
	if g.kind == spool.Unset || f.kind == spool.Deferred && g.kind == spool.Failed || f.kind == g.kind && g.stage < f.stage {
		return
	}
	*f = g
}

// outcome is what the failure means for a recipient.
func (f *failure) outcome() spool.Outcome {
	return spool.Outcome{Kind: f.kind, Status: f.status, Text: f.text, Remote: f.remote}
}

// failed is the failure of a connection that the engine has given up.
func (c *conn) failed() failure {
	o := c.client.Failure()
	f := failure{kind: spool.Deferred, status: o.Status.String(), text: string(c.appendText(nil, &o)), stage: o.Stage, health: spool.Dead}
	if o.Kind == proto.Permanent {
		f.kind = spool.Failed
	} else if o.Status[0] == 5 { // of a login or of TLS: it is for somebody to mend
		o.Status[0] = 4
		f.status = o.Status.String()
	}
	if o.Code != 0 {
		f.remote = c.target.host
	}
	f.final = o.Stage == proto.AtAuth && o.Code/100 == 5 // they know the same passwords
	if o.Code/100 == 4 || o.Stage == proto.AtAuth || o.Stage >= proto.AtMail {
		f.health = spool.Busy
	}
	return f
}

// appendText appends what a server has said, or what is to be said of it.
//
//	host mx.example.org[192.0.2.1] said: 550 5.1.1 no such user (in reply to RCPT)
//	host mx.example.org[192.0.2.1] refused to talk to me: 554 5.7.1 go away
func (c *conn) appendText(dst []byte, o *proto.Outcome) []byte {
	name := c.target.name
	if c.target.at.IsValid() {
		name = name[:strings.LastIndexByte(name, ':')] // without the port
	}
	if o.Code == 0 {
		dst = append(append(dst, name...), ": "...)
		return append(dst, o.Text...)
	}
	door := o.Stage == proto.AtGreeting || o.Stage == proto.AtHello
	verb := " said: "
	if door {
		verb = " refused to talk to me: "
	}
	dst = append(append(append(dst, "host "...), name...), verb...)
	dst = strconv.AppendInt(dst, int64(o.Code), 10)
	if o.Status[1] != 0 || o.Status[2] != 0 {
		dst = o.Status.Append(append(dst, ' '))
	}
	dst = append(append(dst, ' '), o.Text...)
	if door {
		return dst
	}
	dst = append(dst, " (in reply to "...)
	return append(append(dst, o.Stage.String()...), ')')
}

// conclude gives a recipient the outcome of a transaction.
func (w *work) conclude(c *conn, r *spool.JobRecipient, o *proto.Outcome) {
	r.Outcome = spool.Outcome{Kind: spool.Deferred, Status: statusText(o.Status)}
	out := &r.Outcome
	switch o.Kind {
	case proto.Delivered:
		out.Kind = spool.Delivered
		out.Action = c.action(r)
	case proto.Permanent:
		out.Kind = spool.Failed
	}
	if o.Code != 0 {
		out.Remote = c.target.host
	}
	w.hasten(out)
	w.text = c.appendText(w.text[:0], o)
	if o.Kind == proto.Temporary && o.Code == 0 && w.t.Uncertain {
		w.text = append(w.text, "; it may have got the message all the same"...)
	}
	// What a server says to a success is for a report on it only, and a
	// string would be the one allocation of a message.
	if o.Kind != proto.Delivered || r.Notify&spool.NotifySuccess != 0 {
		out.Text = string(w.text)
	}
}

// hasten has a recipient tried again at once, at the next start, whom this one
// gave up only because it ends.
func (w *work) hasten(o *spool.Outcome) {
	if o.Kind == spool.Deferred && w.ctx.Err() != nil {
		o.RetryAfter = time.Second
	}
}

// action is what a report on success says. A server that knows DSN and was
// asked for reports sends them itself; a server of LMTP has put the message
// into a mailbox. (RFC 3461 5.2.2, RFC 2033 4.2)
func (c *conn) action(r *spool.JobRecipient) spool.Action {
	switch {
	case c.client.Offers(proto.DSN) && r.Notify != 0:
		return spool.ActionPassed
	case c.options.Dialect == proto.LMTP:
		return spool.ActionDelivered
	}
	return spool.ActionRelayed
}

// statusText is the status as text; that of a success costs nothing.
func statusText(s smtp.Status) string {
	switch s {
	case smtp.Status{2, 0, 0}:
		return "2.0.0"
	case smtp.Status{2, 6, 0}:
		return "2.6.0"
	}
	return s.String()
}

// congested reports whether a reply is about the server as a whole rather than
// about the message: it is too busy, or has no room. (RFC 3463 3.4, 3.5)
func congested(o *proto.Outcome) bool {
	s := o.Status
	return o.Kind == proto.Temporary && o.Code != 0 && (s[1] == 3 && s[2] <= 2 && s[2] > 0 || s[1] == 4 && s[2] == 5)
}

// unreadable is the outcome of a message that the spool cannot give.
func unreadable(err error) spool.Outcome {
	if errors.Is(err, spool.ErrDamaged) {
		return spool.Outcome{Kind: spool.Failed, Status: "5.3.0", Text: "the message was damaged in the queue"}
	}
	o := spool.Outcome{Kind: spool.Deferred, Status: "4.3.0", Text: "the message cannot be read from the queue"}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		o.Text += ": " + errno.Error()
	}
	return o
}
