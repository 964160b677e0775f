package imapd

import (
	"errors"
	"slices"

	"barid/imapd/proto"
	"barid/internal/imap"
	"barid/internal/loop"
	"barid/maildir"
)

func refuseReadOnly() imap.Reply {
	return refuse(imap.CodeReadOnly, "the mailbox was selected for reading only")
}

// store is STORE (RFC 9051 6.4.6, RFC 7162 3.1.3).
func (s *session) store(c *loop.Conn) (imap.Reply, job) {
	if s.box.view.ReadOnly() {
		return refuseReadOnly(), nil
	}
	uids, refusal, ok := s.chosen()
	if !ok {
		return refusal, nil
	}
	p := &s.work.command.Store
	change, err := s.box.flagChange(p)
	if errors.Is(err, maildir.ErrKeywords) {
		return refuse(imap.CodeLimit, "the mailbox has no room for another keyword"), nil
	}
	if err != nil {
		return s.trouble(c, "name a keyword", err), nil
	}
	result, err := s.box.view.SetFlags(uids, change)
	if err != nil {
		return s.trouble(c, "change flags", err), nil
	}
	j := &flagsTold{uids: uids, silent: p.Silent, modified: result.Modified, reply: s.stored(&result)}
	if p.Silent {
		j.uids = result.Changed
	}
	c.SetOut(s.appendKeywords(c.Out()))
	return imap.Reply{}, j
}

// flagChange is what STORE asks for in the terms of the store.
func (b *selected) flagChange(p *proto.StoreParams) (maildir.FlagChange, error) {
	change := maildir.FlagChange{
		How: maildir.Replace, Flags: storedFlags(p.Flags.System),
		Conditional: p.UnchangedSince >= 0, UnchangedSince: p.UnchangedSince,
	}
	switch p.Op {
	case proto.StoreAdd:
		change.How = maildir.Add
	case proto.StoreRemove:
		change.How = maildir.Remove
	}
	if len(p.Flags.Keywords) == 0 {
		return change, nil
	}
	names := make([]string, len(p.Flags.Keywords))
	for i, k := range p.Flags.Keywords {
		names[i] = string(k)
	}
	keywords, err := b.folder.KeywordFlags(names, p.Op != proto.StoreRemove)
	change.Flags |= keywords
	return change, err
}

// stored is the reply to a STORE that did what it could.
func (s *session) stored(result *maildir.FlagResult) imap.Reply {
	if len(result.Modified) > 0 {
		w := s.work
		w.args = s.appendNumbers(w.args[:0], result.Modified)
		return imap.Reply{Code: imap.CodeModified, Args: w.args, Text: "others have changed some of them"}
	}
	if len(result.Gone) > 0 {
		return imap.Reply{Code: imap.CodeExpungeIssued, Text: "some of them are gone"}
	}
	return imap.Reply{}
}

// appendNumbers appends the set of messages given by ascending UIDs, as the
// command counts them.
func (s *session) appendNumbers(out []byte, uids []uint32) []byte {
	var set imap.SetWriter
	for _, uid := range uids {
		if s.work.command.UID {
			out = set.Add(out, uid)
		} else if seq, exact := s.box.view.Seq(uid); exact {
			out = set.Add(out, uint32(seq))
		}
	}
	return set.End(out)
}

// flagsTold is the part of STORE that tells what the flags are now.
type flagsTold struct {
	uids     []uint32 // to be told
	modified []uint32 // of these, not
	silent   bool     // only mod-sequences are told, to those who keep them
	reply    imap.Reply
}

func (j *flagsTold) goOn(s *session, c *loop.Conn) (imap.Reply, bool) {
	enabled := s.engine.Enabled()
	if j.silent && !enabled.Has(imap.EnabledCondStore) {
		return j.reply, true
	}
	for len(j.uids) > 0 && !unread(c) {
		n := min(len(j.uids), tellMax)
		out := c.Out()
		for _, uid := range j.uids[:n] {
			m, ok := s.box.view.ByUID(uid)
			if !ok || m.Gone || j.isModified(uid) {
				continue
			}
			if j.silent {
				out = s.appendModSeq(out, &m)
			} else {
				out = s.appendFlagsOf(out, &m, s.work.command.UID)
			}
		}
		c.SetOut(out)
		j.uids = j.uids[n:]
	}
	return j.reply, len(j.uids) == 0
}

func (j *flagsTold) drop() {}

func (j *flagsTold) isModified(uid uint32) bool {
	_, found := slices.BinarySearch(j.modified, uid)
	return found
}

// appendModSeq appends FETCH with the mod-sequence of a message.
func (s *session) appendModSeq(out []byte, m *maildir.StoredMessage) []byte {
	out, w := s.beginFetch(out, m, s.work.command.UID || s.engine.Enabled().Has(imap.EnabledQResync))
	return w.End(w.ModSeq(out, uint64(m.ModSeq)))
}
