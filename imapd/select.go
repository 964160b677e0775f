package imapd

import (
	"encoding/hex"
	"errors"

	"barid/imapd/proto"
	"barid/internal/imap"
	"barid/internal/loop"
	"barid/maildir"
)

// selectMailbox is SELECT and EXAMINE (RFC 9051 6.3.2). A mailbox that was
// selected is not any more, whatever comes of it.
func (s *session) selectMailbox(c *loop.Conn) (imap.Reply, job) {
	cmd := &s.work.command
	folder, refusal := s.open(c, cmd.Mailbox) // first, in case it is the same: then it need not be read again
	if s.box != nil {
		s.deselect()
		c.SetOut(imap.Reply{Code: imap.CodeClosed, Text: "the previous mailbox is closed"}.Append(c.Out(), nil))
	}
	if folder == nil {
		return refusal, nil
	}
	b := &selected{folder: folder, waker: c.Waker()}
	view, err := folder.NewView(maildir.ViewOptions{ReadOnly: cmd.Verb == proto.Examine, Notify: b.notify})
	if err != nil {
		folder.Close()
		return s.trouble(c, "open a folder", err), nil
	}
	b.view = view
	s.box = b
	c.SetOut(s.describe(c.Out()))
	r := imap.Reply{Code: imap.CodeReadWrite, Text: "selected"}
	if view.ReadOnly() {
		r = imap.Reply{Code: imap.CodeReadOnly, Text: "selected, for reading only"}
	}
	if q := &cmd.Select; q.QResync && q.UIDValidity == folder.UIDValidity() {
		return imap.Reply{}, s.newResync(q, r)
	}
	return r, nil
}

// open opens the folder of a mailbox. Without one, refusal is the reply.
func (s *session) open(c *loop.Conn, mailbox []byte) (folder *maildir.Folder, refusal imap.Reply) {
	name, ok := s.server.folderOf(mailbox)
	if !ok {
		return nil, refuseMissing()
	}
	folder, err := s.visitor.mailbox.OpenFolder(name)
	switch {
	case errors.Is(err, maildir.ErrNoFolder):
		return nil, refuseMissing()
	case err != nil:
		return nil, s.trouble(c, "open a folder", err)
	}
	return folder, imap.Reply{}
}

func refuseMissing() imap.Reply { return refuse(imap.CodeNonExistent, "there is no such mailbox") }

// describe appends what a client is told of the mailbox that it has selected
// (RFC 9051 6.3.2, RFC 3501 6.3.1, RFC 7162 3.1.2.1, RFC 8474 4.1).
func (s *session) describe(out []byte) []byte {
	b := s.box
	status := b.folder.Status()
	out = imap.AppendExists(out, uint32(b.view.Len()))
	if !s.rev2() {
		out = imap.AppendRecent(out, uint32(b.view.Recent()))
		if first := b.view.FirstUnseen(); first > 0 {
			out = imap.AppendNumberCode(out, "UNSEEN", uint64(first), "the first that was not seen")
		}
	}
	out = s.appendFlagNames(out)
	out = imap.AppendNumberCode(out, imap.CodeUIDNext, uint64(status.UIDNext), "the next UID")
	out = imap.AppendNumberCode(out, imap.CodeUIDValidity, uint64(status.UIDValidity), "UIDs are valid")
	out = imap.AppendNumberCode(out, imap.CodeHighestModSeq, uint64(b.view.HighestModSeq()), "the last change")
	out = imap.Reply{Code: imap.CodeMailboxID, Args: parenthesized(b.folder.ID()), Text: "the mailbox's own id"}.Append(out, nil)
	if s.rev2() {
		entry := imap.ListEntry{Separator: s.server.Separator, Name: s.work.command.Mailbox}
		out = entry.Append(out, s.utf8())
	}
	return out
}

// mailboxID is a folder's id as it is told.
//
//	objectid = 1*255(ALPHA / DIGIT / "_" / "-")     ; RFC 8474 section 7
func mailboxID(id [16]byte) []byte { return hex.AppendEncode([]byte{'F'}, id[:]) }

func parenthesized(id [16]byte) []byte {
	return append(append([]byte{'('}, mailboxID(id)...), ')')
}

// closeMailbox is CLOSE: what is marked as deleted goes without a word (RFC
// 9051 6.4.1).
func (s *session) closeMailbox(c *loop.Conn) (imap.Reply, job) {
	if !s.box.view.ReadOnly() {
		if _, err := s.box.folder.Expunge(s.marked(), maildir.ExpungeOptions{}); err != nil {
			return s.trouble(c, "expunge messages", err), nil
		}
	}
	s.deselect()
	return imap.Reply{}, nil
}

// unselect is UNSELECT (RFC 9051 6.4.2, RFC 3691).
func (s *session) unselect(*loop.Conn) (imap.Reply, job) {
	s.deselect()
	return imap.Reply{}, nil
}

// marked are the UIDs of the messages of the view that are marked as deleted.
func (s *session) marked() []uint32 {
	w := s.work
	w.uids = w.uids[:0]
	for page := s.box.view.Messages(w.messages(), 1); len(page) > 0; {
		for i := range page {
			if m := &page[i]; m.Flags&maildir.Deleted != 0 {
				w.uids = append(w.uids, m.UID)
			}
		}
		page = s.box.view.Messages(w.messages(), int(page[len(page)-1].Seq)+1)
	}
	return w.uids
}

// resync is what SELECT tells a client that has been here before (RFC 7162
// 3.2.5.1): what is gone, and what has changed.
type resync struct {
	reply imap.Reply
	since int64
	known imap.SeqSet // empty: all
	gone  []maildir.UIDRange
	next  int // of the messages, by number
	begun bool
}

func (s *session) newResync(q *proto.SelectParams, r imap.Reply) *resync {
	return &resync{reply: r, since: q.ModSeq, known: q.KnownUIDs, gone: s.box.folder.Vanished(nil, q.ModSeq), next: 1}
}

func (j *resync) goOn(s *session, c *loop.Conn) (imap.Reply, bool) {
	if !j.begun {
		j.begun = true
		c.SetOut(j.appendVanished(c.Out()))
	}
	for !unread(c) {
		page := s.box.view.Messages(s.work.messages(), j.next)
		if len(page) == 0 {
			return j.reply, true
		}
		j.next += len(page)
		out := c.Out()
		for i := range page {
			if m := &page[i]; !m.Gone && m.ModSeq > j.since && (len(j.known.Ranges) == 0 || j.known.Contains(m.UID)) {
				out = s.appendFlagsOf(out, m, true)
			}
		}
		c.SetOut(out)
	}
	return imap.Reply{}, false
}

func (j *resync) drop() {}

// appendVanished appends VANISHED (EARLIER) with those UIDs that the client
// knows and that are gone.
func (j *resync) appendVanished(out []byte) []byte {
	var gone imap.SeqSet
	for _, r := range j.gone {
		gone.Ranges = append(gone.Ranges, imap.Range{From: r.First, To: r.Last})
	}
	if len(j.known.Ranges) > 0 {
		gone = intersection(gone, j.known)
	}
	if len(gone.Ranges) == 0 {
		return out
	}
	out = imap.AppendVanished(out, true)
	return append(gone.Append(out), "\r\n"...)
}

// intersection is what two resolved sets have in common.
func intersection(a, b imap.SeqSet) (both imap.SeqSet) {
	i, j := 0, 0
	for i < len(a.Ranges) && j < len(b.Ranges) {
		x, y := a.Ranges[i], b.Ranges[j]
		if from, to := max(x.From, y.From), min(x.To, y.To); from <= to {
			both.Ranges = append(both.Ranges, imap.Range{From: from, To: to})
		}
		if x.To < y.To {
			i++
		} else {
			j++
		}
	}
	return both
}
