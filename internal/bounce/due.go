package bounce

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"barid/internal/dsn"
	"barid/spool"
)

// due reports whether the sender is to be told of an outcome (RFC 3461
// sections 4.1 and 5.2.2 to 5.2.6): when NOTIFY was not given, of failure and
// delay.
func due(r *spool.JobRecipient) bool {
	n := r.Notify
	if n&spool.NotifyNever != 0 {
		return false
	}
	switch r.Outcome.Kind {
	case spool.Failed:
		return n == 0 || n&spool.NotifyFailure != 0
	case spool.Deferred:
		return n == 0 || n&spool.NotifyDelay != 0
	case spool.Delivered:
		return n&spool.NotifySuccess != 0 && r.Outcome.Action != spool.ActionPassed
	}
	return false
}

// failed is the same when there is no sender: NOTIFY does not matter then.
func failed(r *spool.JobRecipient) bool { return r.Outcome.Kind == spool.Failed }

// told is what the sender is told of a recipient. Slices are those of r.
func told(r *spool.JobRecipient, expires time.Time) dsn.Recipient {
	o := &r.Outcome
	t := dsn.Recipient{
		Address: calledBySender(&r.Recipient), ORcpt: r.ORcpt, Action: action(o),
		Status: o.Status, Text: o.Text, Remote: mtaName(o.Remote),
	}
	if o.Remote != "" {
		t.Text = reply(o.Text)
	}
	if t.Action == dsn.Delayed {
		t.RetryUntil = expires
	}
	return t
}

// mtaName is a server as the name of an MTA of type dns: a domain, or an
// address in brackets (RFC 3461 section 9.3). One that is reached through a
// unix socket is on this host.
func mtaName(remote string) string {
	if strings.HasPrefix(remote, "/") {
		return "localhost"
	}
	if address, is := addressLiteral(remote); is {
		return address
	}
	return remote
}

// addressLiteral writes an IP address as RFC 5321 section 4.1.3 has it.
func addressLiteral(text string) (literal string, is bool) {
	a, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		return "", false
	case a.Is6():
		return "[IPv6:" + a.String() + "]", true
	}
	return "[" + a.String() + "]", true
}

// reply is the transcript of a server's reply, which a report wants (RFC 3461
// section 9.2), out of the sentence that operators read:
//
//	host mx.example.net[192.0.2.1] said: 550 5.1.1 no such user (in reply to RCPT)
//	host mx.example.net[192.0.2.1] refused to talk to me: 554 5.7.1 go away
func reply(text string) string {
	begin, said, found := strings.Cut(text, " said: ")
	if before, refusal, is := strings.Cut(text, " refused to talk to me: "); is && (!found || len(before) < len(begin)) {
		return refusal
	}
	if !found {
		return text
	}
	if at := strings.LastIndex(said, " (in reply to "); at >= 0 {
		said = said[:at]
	}
	return said
}

// calledBySender is the recipient's address as it was when the message was
// accepted (RFC 3464 section 2.3.2).
func calledBySender(r *spool.Recipient) []byte {
	if len(r.Original) > 0 {
		return r.Original
	}
	return r.Address
}

// action translates an outcome (RFC 3464 section 2.3.3).
func action(o *spool.Outcome) dsn.Action {
	switch {
	case o.Kind == spool.Failed:
		return dsn.Failed
	case o.Kind == spool.Deferred:
		return dsn.Delayed
	case o.Action == spool.ActionRelayed:
		return dsn.Relayed
	case o.Action == spool.ActionExpanded:
		return dsn.Expanded
	}
	return dsn.Delivered
}

// failures keeps what will not be tried again.
func failures(rs []dsn.Recipient) []dsn.Recipient {
	return slices.DeleteFunc(rs, func(r dsn.Recipient) bool { return r.Action != dsn.Failed })
}
