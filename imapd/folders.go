package imapd

import (
	"errors"
	"strings"

	"barid/internal/imap"
	"barid/internal/loop"
	"barid/maildir"
)

// create is CREATE (RFC 9051 6.3.4, RFC 6154 section 3, RFC 8474 4.2).
func (s *session) create(c *loop.Conn) (imap.Reply, job) {
	cmd := &s.work.command
	if cmd.UnknownUse {
		return refuse(imap.CodeUseAttr, "this special use is not known here"), nil
	}
	folder, ok := s.server.folderOf(s.server.withoutEnd(cmd.Mailbox))
	if !ok {
		return refuseName(), nil
	}
	m := s.visitor.mailbox
	if folder == maildir.Inbox {
		return refuse(imap.CodeAlreadyExists, "there is always an INBOX"), nil
	}
	if err := m.CreateFolder(folder); err != nil {
		return s.refuseFolder(c, "create a folder", err), nil
	}
	if cmd.Use != 0 {
		if err := m.SetSpecialUse(folder, usesOf(cmd.Use)); err != nil {
			return s.trouble(c, "note what a folder is for", err), nil
		}
	}
	status, err := m.FolderStatus(folder)
	if err != nil {
		return s.trouble(c, "open a new folder", err), nil
	}
	return imap.Reply{Code: imap.CodeMailboxID, Args: parenthesized(status.ID), Text: "created"}, nil
}

// usesOf are the names of special uses.
func usesOf(uses imap.ListFlag) []string { return strings.Fields(string(uses.Append(nil))) }

// delete is DELETE (RFC 9051 6.3.5). What is below stays, and so does the
// subscription.
func (s *session) delete(c *loop.Conn) (imap.Reply, job) {
	folder, ok := s.server.folderOf(s.work.command.Mailbox)
	if !ok {
		return refuseMissing(), nil
	}
	if folder == maildir.Inbox {
		return refuse(imap.CodeCannot, "INBOX stays"), nil
	}
	if err := s.visitor.mailbox.DeleteFolder(folder); err != nil {
		return s.refuseFolder(c, "delete a folder", err), nil
	}
	s.dropLost(c)
	return imap.Reply{Text: "deleted"}, nil
}

// rename is RENAME (RFC 9051 6.3.6).
func (s *session) rename(c *loop.Conn) (imap.Reply, job) {
	cmd := &s.work.command
	from, ok := s.server.folderOf(cmd.Mailbox)
	if !ok {
		return refuseMissing(), nil
	}
	to, ok := s.server.folderOf(s.server.withoutEnd(cmd.To))
	if !ok {
		return refuseName(), nil
	}
	if to == maildir.Inbox {
		return refuse(imap.CodeAlreadyExists, "there is always an INBOX"), nil
	}
	if err := s.visitor.mailbox.RenameFolder(from, to); err != nil {
		return s.refuseFolder(c, "rename a folder", err), nil
	}
	s.dropLost(c)
	return imap.Reply{Text: "renamed"}, nil
}

// dropLost leaves the mailbox that the client has selected and just deleted or
// renamed itself. Others that have it selected are told to come back.
func (s *session) dropLost(c *loop.Conn) {
	s.collect(c, true)
	if s.box == nil || !s.box.gone {
		return
	}
	s.work.forgetChanges()
	s.deselect()
	s.engine.Deselect()
	c.SetOut(imap.Reply{Code: imap.CodeClosed, Text: "the selected mailbox is not there any more"}.Append(c.Out(), nil))
}

// refuseFolder is the reply when folders could not be changed.
func (s *session) refuseFolder(c *loop.Conn, doing string, err error) imap.Reply {
	switch {
	case errors.Is(err, maildir.ErrNoFolder):
		return refuseMissing()
	case errors.Is(err, maildir.ErrFolderExists):
		return refuse(imap.CodeAlreadyExists, "there is such a mailbox already")
	case errors.Is(err, maildir.ErrFolderName):
		return refuseName()
	}
	return s.trouble(c, doing, err)
}

// subscribe is SUBSCRIBE; the mailbox need not exist (RFC 9051 6.3.7).
func (s *session) subscribe(c *loop.Conn) (imap.Reply, job) { return s.setSubscribed(c, true), nil }

// unsubscribe is UNSUBSCRIBE (RFC 9051 6.3.8).
func (s *session) unsubscribe(c *loop.Conn) (imap.Reply, job) { return s.setSubscribed(c, false), nil }

func (s *session) setSubscribed(c *loop.Conn, wanted bool) imap.Reply {
	folder, ok := s.server.folderOf(s.server.withoutEnd(s.work.command.Mailbox))
	if !ok {
		return refuseName()
	}
	if err := s.visitor.mailbox.Subscribe(folder, wanted); err != nil {
		return s.trouble(c, "change subscriptions", err)
	}
	return imap.Reply{}
}
