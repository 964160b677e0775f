package imapd

import (
	"barid/internal/imap"
	"barid/internal/loop"
)

// limits are those of an account; 0 is none.
type limits struct{ octets, messages int64 }

func (l limits) any() bool { return l.octets > 0 || l.messages > 0 }

// There is one quota root, all folders together, and its name is empty. A
// mailbox without limits has none.

// getQuota is GETQUOTA (RFC 9208 4.1.1).
func (s *session) getQuota(c *loop.Conn) (imap.Reply, job) {
	if len(s.work.command.Quota.Root) > 0 || !s.visitor.limits.any() {
		return refuse(imap.CodeNonExistent, "there is no such quota root"), nil
	}
	return s.tellQuota(c), nil
}

// getQuotaRoot is GETQUOTAROOT (RFC 9208 4.1.2).
func (s *session) getQuotaRoot(c *loop.Conn) (imap.Reply, job) {
	cmd := &s.work.command
	if refusal, ok := s.mustExist(c, cmd.Mailbox); !ok {
		return refusal, nil
	}
	var roots [][]byte
	if s.visitor.limits.any() {
		roots = [][]byte{{}}
	}
	c.SetOut(imap.AppendQuotaRoot(c.Out(), cmd.Mailbox, roots, s.utf8()))
	if roots == nil {
		return imap.Reply{}, nil
	}
	return s.tellQuota(c), nil
}

// tellQuota appends how full the mailbox is.
func (s *session) tellQuota(c *loop.Conn) imap.Reply {
	usage, err := s.visitor.mailbox.Usage()
	if err != nil {
		return s.trouble(c, "find out how full a mailbox is", err)
	}
	var all []imap.QuotaResource
	if l := s.visitor.limits.octets; l > 0 {
		all = append(all, imap.QuotaResource{Name: "STORAGE", Usage: (usage.Bytes + 1023) / 1024, Limit: (l + 1023) / 1024})
	}
	if l := s.visitor.limits.messages; l > 0 {
		all = append(all, imap.QuotaResource{Name: "MESSAGE", Usage: usage.Messages, Limit: l})
	}
	c.SetOut(imap.AppendQuota(c.Out(), nil, all, s.utf8()))
	return imap.Reply{}
}

// mustExist refuses what is about a mailbox that is not there.
func (s *session) mustExist(c *loop.Conn, mailbox []byte) (refusal imap.Reply, ok bool) {
	folder, ok := s.server.folderOf(mailbox)
	if !ok {
		return refuseMissing(), false
	}
	found, err := s.visitor.mailbox.HasFolder(folder)
	switch {
	case err != nil:
		return s.trouble(c, "look for a folder", err), false
	case !found:
		return refuseMissing(), false
	}
	return imap.Reply{}, true
}
