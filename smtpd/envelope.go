package smtpd

import (
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
	from := route.Sender{Address: s.t.envelope.ReturnPath, MayRelay: s.mayRelay(c)}
	v := s.server.Router.Resolve(r.Address, from, &s.t.targets)
	if v.Kind != route.Accept {
		s.logRecipient(c, r.Address, v)
		return refuse(s.t.routeReply(v, r.Address))
	}
	if len(s.t.envelope.Recipients)+len(s.t.targets.List) >= spool.RecipientsMax { // one may be added
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

// mayRelay reports whether the client may send to other hosts through this
// one: who has authenticated, and whom Options.Relay names. By LMTP nobody may:
// it is the way into mailboxes, not out of here.
func (s *session) mayRelay(c *loop.Conn) bool {
	switch s.server.Engine.Mode {
	case proto.LMTP:
		return false
	case proto.Submission:
		return s.account() != ""
	}
	return s.account() != "" || s.server.Relay != nil && !s.unplaced && s.server.Relay(c.RemoteAddr().Addr())
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
