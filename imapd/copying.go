package imapd

import (
	"errors"
	"strconv"

	"barid/imapd/proto"
	"barid/internal/imap"
	"barid/internal/loop"
	"barid/maildir"
)

// copy is COPY and MOVE (RFC 9051 6.4.7 and 6.4.8).
func (s *session) copy(c *loop.Conn) (imap.Reply, job) {
	cmd := &s.work.command
	move := cmd.Verb == proto.Move
	if move && s.box.view.ReadOnly() {
		return refuseReadOnly(), nil
	}
	uids, refusal, ok := s.chosen()
	if !ok {
		return refusal, nil
	}
	to, refusal := s.open(c, cmd.Mailbox)
	if to == nil {
		if refusal.Code == imap.CodeNonExistent {
			refusal.Code = imap.CodeTryCreate
		}
		return refusal, nil
	}
	defer to.Close()
	from, got, err := s.box.folder.Copy(uids, to, maildir.CopyOptions{Move: move})
	r := s.copied(to, from, got)
	if move && len(got) > 0 { // before the messages are gone (RFC 6851 4.3)
		c.SetOut(r.Append(c.Out(), nil))
		r = imap.Reply{}
	}
	if err != nil {
		return s.refuseCopying(c, err), nil
	}
	return r, nil
}

// copied tells which UIDs the messages have got.
//
//	resp-code-copy = "COPYUID" SP nz-number SP uid-set SP uid-set  ; RFC 9051 section 9
func (s *session) copied(to *maildir.Folder, from, got []uint32) imap.Reply {
	if len(got) == 0 {
		return imap.Reply{Text: "there was nothing to copy"}
	}
	w := s.work
	w.args = appendSet(appendNumber(w.args[:0], to.UIDValidity()), from)
	w.args = appendSet(w.args, got)
	return imap.Reply{Code: imap.CodeCopyUID, Args: w.args, Text: "copied"}
}

func (s *session) refuseCopying(c *loop.Conn, err error) imap.Reply {
	if errors.Is(err, maildir.ErrVanished) {
		return refuse(imap.CodeExpungeIssued, "some of the messages are gone")
	}
	return s.refuseStoring(c, err)
}

// expunge is EXPUNGE and UID EXPUNGE (RFC 9051 6.4.3 and 6.4.9, RFC 4315). The client is
// told by what follows every command.
func (s *session) expunge(c *loop.Conn) (imap.Reply, job) {
	if s.box.view.ReadOnly() {
		return refuseReadOnly(), nil
	}
	uids := []uint32(nil)
	if s.work.command.UID {
		chosen, refusal, ok := s.chosen()
		if !ok {
			return refusal, nil
		}
		uids = chosen
	} else {
		uids = s.marked()
	}
	if _, err := s.box.folder.Expunge(uids, maildir.ExpungeOptions{}); err != nil {
		return s.trouble(c, "expunge messages", err), nil
	}
	return imap.Reply{}, nil
}

func appendNumber(out []byte, n uint32) []byte { return strconv.AppendUint(out, uint64(n), 10) }

// appendSet appends a space and UIDs in the order given.
func appendSet(out []byte, uids []uint32) []byte {
	var set imap.SetWriter
	out = append(out, ' ')
	for _, uid := range uids {
		out = set.Add(out, uid)
	}
	return set.End(out)
}
