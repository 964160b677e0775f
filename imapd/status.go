package imapd

import (
	"errors"

	"barid/internal/imap"
	"barid/internal/loop"
	"barid/maildir"
)

// status is STATUS (RFC 9051 6.3.11, RFC 8438, RFC 7162 3.1.7, RFC 7889, RFC 8474 4.3).
func (s *session) status(c *loop.Conn) (imap.Reply, job) {
	cmd := &s.work.command
	folder, ok := s.server.folderOf(cmd.Mailbox)
	if !ok {
		return refuseMissing(), nil
	}
	status, err := s.statusOf(folder, cmd.Status)
	switch {
	case errors.Is(err, maildir.ErrNoFolder):
		return refuseMissing(), nil
	case err != nil:
		return s.trouble(c, "find the status of a folder", err), nil
	}
	c.SetOut(status.Append(c.Out(), cmd.Mailbox, cmd.Status, s.utf8()))
	return imap.Reply{}, nil
}

// statusOf counts what the items ask for.
func (s *session) statusOf(folder string, items imap.StatusItems) (told imap.MailboxStatus, err error) {
	m := s.visitor.mailbox
	status, err := m.FolderStatus(folder)
	if err == nil && status.Unsized > 0 && items&(imap.StatusSize|imap.StatusDeletedStorage) != 0 {
		if err = weigh(m, folder); err == nil {
			status, err = m.FolderStatus(folder)
		}
	}
	appendLimit := s.server.MessageMax
	if appendLimit == 0 {
		appendLimit = -1 // none
	}
	return imap.MailboxStatus{
		Messages: status.Messages, Recent: status.Recent, Unseen: status.Unseen, Deleted: status.Deleted,
		UIDNext: status.UIDNext, UIDValidity: status.UIDValidity,
		Size: status.Bytes, DeletedStorage: status.DeletedBytes,
		HighestModSeq: uint64(status.HighestModSeq), MailboxID: mailboxID(status.ID),
		AppendLimit: appendLimit,
	}, err
}

// weigh finds the sizes of those messages whose names do not tell them. The
// folder remembers them.
func weigh(m maildir.Mailbox, name string) error {
	folder, err := m.OpenFolder(name)
	if err != nil {
		return err
	}
	defer folder.Close()
	view, err := folder.NewView(maildir.ViewOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer view.Close()
	for page := view.Messages(make([]maildir.StoredMessage, 0, pageMax), 1); len(page) > 0; {
		for i := range page {
			if page[i].Virtual >= 0 {
				continue
			}
			if _, err := folder.VirtualSize(page[i].UID); err != nil && !errors.Is(err, maildir.ErrVanished) {
				return err
			}
		}
		page = view.Messages(page[:0], int(page[len(page)-1].Seq)+1)
	}
	return nil
}
