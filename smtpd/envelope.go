package smtpd

import (
	"bytes"

	"barid/internal/loop"
	"barid/internal/route"
	"barid/internal/smtp"
	"barid/smtpd/proto"
	"barid/spool"
)

var (
	notYourAddress = smtp.Reply{Code: 553, Status: smtp.Status{5, 7, 1}, Text: "You may send as your own addresses only, not as "}
	tooMany        = smtp.Reply{Code: 452, Status: smtp.Status{4, 5, 3}, Text: "Too many recipients"}
	fullForNow     = smtp.Reply{Code: 452, Status: smtp.Status{4, 2, 2}, Text: "The recipient's mailbox is full: "}
	fullForGood    = smtp.Reply{Code: 552, Status: smtp.Status{5, 2, 2}, Text: "The recipient's mailbox is full: "}
)

// mail answers AskMail: who has authenticated may send as themselves only
// (RFC 6409 6.1); from anybody else any sender is welcome.
func (s *session) mail(c *loop.Conn) proto.Answer {
	m := s.engine.Mail()
	if account := s.account(); account != "" && !s.server.Router.MaySendAs(account, m.ReturnPath) {
		s.logRefused(c, "sender is not the account's", m.ReturnPath)
		return refuseAddress(notYourAddress, m.ReturnPath)
	}
	s.t.clear()
	e := &s.t.envelope
	e.ReturnPath, e.EnvID, e.SMTPUTF8 = m.ReturnPath, m.EnvID, m.UTF8
	e.Ret, e.Body = retOf(m.Ret), bodyOf(m.Body)
	return accept
}

// rcpt answers AskRcpt: the router decides, then the quota.
func (s *session) rcpt(c *loop.Conn) proto.Answer {
	r := s.engine.Rcpt()
	v := s.server.Router.Resolve(r.Address, route.Sender{Address: s.t.envelope.ReturnPath}, &s.t.targets)
	if v.Kind != route.Accept {
		s.logRecipient(c, r.Address, v)
		return refuse(s.t.routeReply(v, r.Address))
	}
	if len(s.t.envelope.Recipients)+len(s.t.targets.List) > spool.RecipientsMax {
		return refuse(tooMany)
	}
	if s.full(c) {
		s.logRefused(c, "mailbox full", r.Address)
		if s.server.Quota.Permanent {
			return refuseAddress(fullForGood, r.Address)
		}
		return refuseAddress(fullForNow, r.Address)
	}
	s.t.add(r)
	return accept
}

// refuseAddress refuses an address of the engine's, which lives until the
// engine has the answer.
func refuseAddress(r smtp.Reply, address []byte) proto.Answer {
	r.Detail = address
	return refuse(r)
}

// routeReply is the router's verdict about an address as a reply. It lives
// until the transaction keeps something else.
func (t *transaction) routeReply(v route.Verdict, address []byte) smtp.Reply {
	start := len(t.names)
	t.names = append(append(t.names, ": "...), address...)
	r := smtp.Reply{Code: v.Code, Status: statusOf(v.Status), Text: v.Text, Detail: t.names[start:]}
	t.names = t.names[:start]
	return r
}

// add puts the targets of a recipient into the envelope.
func (t *transaction) add(r *proto.Recipient) {
	for i := range t.targets.List {
		target := &t.targets.List[i]
		to := spool.Recipient{
			Address: t.keep(target.Address),
			ORcpt:   r.ORcpt,
			Notify:  notifyOf(r.Notify),
			Dest:    t.keep(target.Dest),
		}
		if !bytes.Equal(r.Address, target.Address) {
			to.Original = r.Address
		}
		t.envelope.Recipients = append(t.envelope.Recipients, to)
	}
}

// full reports whether none of the targets has room. A list is welcome as
// long as one member has; for the others delivery tries again.
func (s *session) full(c *loop.Conn) bool {
	q := s.server.Quota
	if q == nil {
		return false
	}
	for i := range s.t.targets.List {
		account := s.t.targets.List[i].Account
		if len(account) == 0 || !q.Limited(account) {
			return false
		}
		c.Blocking()
		if q.Fits(account, s.engine.Mail().Size) == nil {
			return false
		}
	}
	return true
}

// fewRecipients is up to how many recipients comparing all with all is
// cheaper than a map.
const fewRecipients = 16

// dedupe leaves the first of the recipients that are the same mailbox by the
// same address, however many lists it is on and however often it was named.
func (t *transaction) dedupe() {
	all := t.envelope.Recipients
	if len(all) > fewRecipients {
		t.dedupeMany()
		return
	}
	kept := all[:0]
	for i := range all {
		if !has(kept, &all[i]) {
			kept = append(kept, all[i])
		}
	}
	t.envelope.Recipients = kept
}

func has(recipients []spool.Recipient, r *spool.Recipient) bool {
	for i := range recipients {
		if bytes.Equal(recipients[i].Address, r.Address) && bytes.Equal(recipients[i].Dest, r.Dest) {
			return true
		}
	}
	return false
}

func (t *transaction) dedupeMany() {
	all := t.envelope.Recipients
	seen := make(map[string]struct{}, len(all))
	var key []byte
	kept := all[:0]
	for i := range all {
		key = append(append(append(key[:0], all[i].Address...), 0), all[i].Dest...)
		if _, there := seen[string(key)]; !there {
			seen[string(key)] = struct{}{}
			kept = append(kept, all[i])
		}
	}
	t.envelope.Recipients = kept
}
