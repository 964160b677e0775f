package imapd

import (
	"errors"
	"math/bits"

	"barid/internal/imap"
	"barid/internal/loop"
	"barid/maildir"
)

// collect asks the view what the client has to be told.
func (s *session) collect(c *loop.Conn, keepExpunged bool) {
	b, w := s.box, s.work
	if b == nil || b.gone {
		return
	}
	changes, err := b.view.Sync(w.changes, maildir.SyncOptions{KeepExpunged: keepExpunged})
	w.changes = changes
	if errors.Is(err, maildir.ErrFolderGone) {
		b.gone = true
	} else if err != nil {
		s.server.Log.Warn("imap: cannot look for what others changed", c.LogAttr(), "account", s.visitor.account, "error", err)
	}
}

// forgetChanges: nobody is left to be told of them.
func (w *work) forgetChanges() { w.changes, w.told = w.changes[:0], 0 }

// owes reports whether there are changes that were collected and not told.
func (w *work) owes() bool { return w.told < len(w.changes) }

// tell tells the client what was collected, as far as it reads. It reports
// whether that was all.
func (s *session) tell(c *loop.Conn) (all bool) {
	w := s.work
	for w.owes() {
		if unread(c) {
			return false
		}
		c.SetOut(s.tellSome(c.Out()))
	}
	w.forgetChanges()
	return true
}

// tellMax is how many changes are told in one piece.
const tellMax = 64

// tellSome appends the next of the changes. Those of one kind stand together.
func (s *session) tellSome(out []byte) []byte {
	w := s.work
	rest := w.changes[w.told:]
	n := 1
	for n < len(rest) && n < tellMax && rest[n].Kind == rest[0].Kind {
		n++
	}
	w.told += n
	switch rest[0].Kind {
	case maildir.Expunged:
		return s.appendExpunged(out, rest[:n])
	case maildir.FlagsChanged:
		out = s.appendKeywords(out)
		for i := range rest[:n] {
			if m, ok := s.box.view.ByUID(rest[i].UID); ok && !m.Gone {
				out = s.appendFlagsOf(out, &m, false)
			}
		}
		return out
	}
	out = imap.AppendExists(out, rest[0].Seq)
	if !s.rev2() {
		out = imap.AppendRecent(out, uint32(s.box.view.Recent()))
	}
	return out
}

// appendExpunged tells that messages are gone: by their numbers, or by UIDs to
// a client that keeps those (RFC 7162 3.2.10, RFC 9586 3.4).
func (s *session) appendExpunged(out []byte, gone []maildir.Change) []byte {
	if e := s.engine.Enabled(); !e.Has(imap.EnabledQResync) && !e.Has(imap.EnabledUIDOnly) {
		for i := range gone {
			out = imap.AppendExpunge(out, gone[i].Seq)
		}
		return out
	}
	var set imap.SetWriter
	out = imap.AppendVanished(out, false)
	for i := range gone {
		out = set.Add(out, gone[i].UID)
	}
	return append(set.End(out), "\r\n"...)
}

// appendKeywords tells the keywords of the folder when there are more than the
// client knows.
func (s *session) appendKeywords(out []byte) []byte {
	if named(s.box.folder.Keywords()) == s.box.keywords {
		return out
	}
	return s.appendFlagNames(out)
}

// appendFlagNames tells which flags messages may have, and which of them the
// client can change.
func (s *session) appendFlagNames(out []byte) []byte {
	names := s.box.folder.Keywords()
	all := named(names)
	s.box.keywords = all
	out = imap.AppendFlagsResponse(out, names, all)
	if s.box.view.ReadOnly() {
		return imap.AppendPermanentFlags(out, 0, nil, 0, false)
	}
	return imap.AppendPermanentFlags(out, imap.FlagsAll, names, all, bits.OnesCount64(all) < maildir.KeywordsMax)
}

// named are the bits of the keywords that have a name: other programs may use
// letters that have none.
func named(names []string) (set uint64) {
	for i, name := range names {
		if name != "" {
			set |= 1 << i
		}
	}
	return set
}
