package smtpd

import (
	"bytes"
	"slices"

	"barid/internal/loop"
	"barid/internal/route"
	"barid/internal/smtp"
	"barid/smtpd/proto"
	"barid/spool"
)

// transaction is the memory of one mail transaction: the engine's, and what
// the door makes of it. It is lent from a pool; its memory is kept from use
// to use.
type transaction struct {
	engine   proto.Transaction
	targets  route.Targets
	envelope spool.Envelope // Recipients keeps its memory
	names    []byte         // what the envelope's slices point into, where the engine has no copy
	writer   *spool.Writer  // from AskData to the end; nil otherwise
	id       spool.ID
	idText   [16]byte
	verdict  proto.Answer // what became of the message, once the engine has asked
	stride   int64        // octets of the body when patience was last renewed
}

// abort drops what is not committed.
func (t *transaction) abort() {
	if t.writer != nil {
		t.writer.Abort()
		t.writer.Release()
		t.writer = nil
	}
	t.clear()
}

// namesKept is how much memory for names a transaction keeps while nobody
// uses it.
const namesKept = 16 << 10

// clear forgets the envelope and keeps the memory.
func (t *transaction) clear() {
	recipients, names := t.envelope.Recipients[:0], t.names[:0]
	if cap(names) > namesKept {
		recipients, names = nil, nil
	}
	t.envelope = spool.Envelope{Recipients: recipients}
	t.names = names
	t.stride = 0
	t.verdict = proto.Answer{}
}

// keep copies p into the transaction's memory. Growing leaves what was handed
// out before where it was.
func (t *transaction) keep(parts ...[]byte) []byte {
	start := len(t.names)
	for _, p := range parts {
		t.names = append(t.names, p...)
	}
	return t.names[start:len(t.names):len(t.names)]
}

var (
	notYourAddress = smtp.Reply{Code: 553, Status: smtp.Status{5, 7, 1}, Text: "You may send as your own addresses only"}
	tooMany        = smtp.Reply{Code: 452, Status: smtp.Status{4, 5, 3}, Text: "Too many recipients"}
	fullForNow     = smtp.Reply{Code: 452, Status: smtp.Status{4, 2, 2}, Text: "The recipient's mailbox is full"}
	fullForGood    = smtp.Reply{Code: 552, Status: smtp.Status{5, 2, 2}, Text: "The recipient's mailbox is full"}
)

// mail answers AskMail: who has authenticated may send as themselves only
// (RFC 6409 6.1); from anybody else any sender is welcome.
func (s *session) mail(c *loop.Conn) proto.Answer {
	m := s.engine.Mail()
	if account := s.account(); account != "" && !s.server.Router.MaySendAs(account, m.ReturnPath) {
		s.logRefused(c, "sender is not the account's", string(m.ReturnPath))
		return refuse(notYourAddress)
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
	v := s.server.Router.Resolve(r.Address, &s.t.targets)
	if v.Kind != route.Accept {
		s.logRecipient(c, r.Address, v)
		return refuse(smtp.Reply{Code: v.Code, Status: statusOf(v.Status), Text: v.Text})
	}
	if len(s.t.envelope.Recipients)+len(s.t.targets.List) > spool.RecipientsMax {
		return refuse(tooMany)
	}
	if s.full(c) {
		s.logRefused(c, "mailbox full", string(r.Address))
		if s.server.Quota.Permanent {
			return refuse(fullForGood)
		}
		return refuse(fullForNow)
	}
	s.t.add(r)
	return accept
}

// add puts the targets of a recipient into the envelope.
func (t *transaction) add(r *proto.Recipient) {
	for i := range t.targets.List {
		target := &t.targets.List[i]
		to := spool.Recipient{
			Address: t.keep(target.Address),
			ORcpt:   r.ORcpt,
			Notify:  notifyOf(r.Notify),
			Dest:    t.keep(localDest, target.Account),
		}
		if !bytes.Equal(r.Address, target.Address) {
			to.Original = r.Address
		}
		t.envelope.Recipients = append(t.envelope.Recipients, to)
	}
}

// localDest begins the destination key of a mailbox of ours: the rest is the
// account.
var localDest = []byte("local:")

// full reports whether none of the targets has room. A list is welcome as
// long as one member has; for the others delivery tries again.
func (s *session) full(c *loop.Conn) bool {
	q := s.server.Quota
	if q == nil {
		return false
	}
	for i := range s.t.targets.List {
		account := s.t.targets.List[i].Account
		if !q.Limited(account) {
			return false
		}
		c.Blocking()
		if q.Fits(account, s.engine.Mail().Size) == nil {
			return false
		}
	}
	return true
}

// dedupe leaves one of the recipients that are the same mailbox by the same
// address, however many lists it is on.
func (t *transaction) dedupe() {
	if len(t.envelope.Recipients) < 2 {
		return
	}
	same := func(a, b spool.Recipient) int {
		if d := bytes.Compare(a.Dest, b.Dest); d != 0 {
			return d
		}
		return bytes.Compare(a.Address, b.Address)
	}
	slices.SortStableFunc(t.envelope.Recipients, same)
	t.envelope.Recipients = slices.CompactFunc(t.envelope.Recipients, func(a, b spool.Recipient) bool { return same(a, b) == 0 })
}
