package imapd

import (
	"slices"
	"sync/atomic"

	"barid/internal/imap"
	"barid/internal/loop"
	"barid/maildir"
)

// selected is the mailbox that a client has selected.
type selected struct {
	folder *maildir.Folder
	view   *maildir.View
	// keywords are the bits of the keywords that the client has been told.
	keywords uint64
	// gone: the folder is not there any more, and the session has to end.
	gone bool
	// saved is the result of the last SEARCH that was saved, as UIDs (RFC 5182).
	saved imap.SeqSet
	// mark is where the text ended of which a part was sent last; nil: none was.
	mark *mark

	waker     loop.Waker
	listening atomic.Bool // in IDLE: a change is told at once
}

// notify is called by the folder when there is something to tell.
func (b *selected) notify() {
	if b.listening.Load() {
		b.waker.Wake()
	}
}

// deselect leaves the mailbox.
func (s *session) deselect() {
	if s.box == nil {
		return
	}
	s.stopListening()
	s.box.view.Close()
	s.box.folder.Close()
	s.box = nil
}

// highest is the largest number that a set of the command may mean: what "*"
// stands for.
func (b *selected) highest(uid bool) uint32 {
	n := b.view.Len()
	if !uid || n == 0 {
		return uint32(n)
	}
	var last [1]uint32
	return b.view.UIDs(last[:0], n, n)[0]
}

// resolve prepares a set of the command. From then on it is one of UIDs or of
// message numbers, as uids says: "$" has become UIDs. ok is false when it names
// a message that is not there by its number (RFC 9051 section 9, seq-number).
func (b *selected) resolve(set *imap.SeqSet, uid bool) (uids, ok bool) {
	if set.Saved {
		// A copy, since sets are resolved where they stand.
		*set = imap.SeqSet{Ranges: slices.Clone(b.saved.Ranges)}
		return true, true
	}
	highest := b.highest(uid)
	set.Resolve(highest)
	return uid, uid || len(set.Ranges) > 0 && set.Ranges[0].From > 0 && set.Largest() <= highest
}

// appendUIDs appends the UIDs of the messages in a resolved set, ascending,
// those included that are gone and that the client does not know of.
func (b *selected) appendUIDs(dst []uint32, set imap.SeqSet, uids bool) []uint32 {
	for _, r := range set.Ranges {
		first, last := int(r.From), int(min(r.To, uint32(b.view.Len())))
		if uids {
			first, _ = b.view.Seq(r.From)
			last = b.lastUpTo(r.To)
		}
		dst = b.view.UIDs(dst, first, last)
	}
	return dst
}

// lastUpTo is the number of the last message whose UID is not above uid.
func (b *selected) lastUpTo(uid uint32) int {
	seq, exact := b.view.Seq(uid)
	if exact {
		return seq
	}
	return seq - 1
}

// chosen are the UIDs of the messages that the command's set names. Without ok
// the command is to be answered with refusal.
func (s *session) chosen() (uids []uint32, refusal imap.Reply, ok bool) {
	w := s.work
	byUID, ok := s.box.resolve(&w.command.Set, w.command.UID)
	if !ok {
		return nil, bad("there is no message with such a number"), false
	}
	w.uids = s.box.appendUIDs(w.uids[:0], w.command.Set, byUID)
	return w.uids, imap.Reply{}, true
}

// unread reports whether the client has so much to read that a job has to
// stop for a while.
func unread(c *loop.Conn) bool { return c.Queued() >= queuedMax }

// flags gives the flags of a message as they are sent to the client.
func (s *session) flags(m *maildir.StoredMessage) (system imap.Flag, keywords uint64) {
	system = systemFlags(m.Flags)
	if m.Recent && !s.rev2() {
		system |= imap.FlagRecent
	}
	return system, uint64(m.Flags&maildir.KeywordBits) & named(s.box.folder.Keywords())
}

// flagPairs are the system flags here and in the store.
var flagPairs = [...]struct {
	imap  imap.Flag
	store maildir.Flags
}{
	{imap.FlagAnswered, maildir.Answered},
	{imap.FlagFlagged, maildir.Flagged},
	{imap.FlagDeleted, maildir.Deleted},
	{imap.FlagSeen, maildir.Seen},
	{imap.FlagDraft, maildir.Draft},
}

func systemFlags(stored maildir.Flags) (system imap.Flag) {
	for _, p := range flagPairs {
		if stored&p.store != 0 {
			system |= p.imap
		}
	}
	return system
}

func storedFlags(system imap.Flag) (stored maildir.Flags) {
	for _, p := range flagPairs {
		if system&p.imap != 0 {
			stored |= p.store
		}
	}
	return stored
}

// beginFetch begins a FETCH response about a message in the client's dialect.
// UID is told where the client needs it: with UID commands, and to those who
// count by UIDs (RFC 7162 3.2.4).
func (s *session) beginFetch(out []byte, m *maildir.StoredMessage, uid bool) ([]byte, imap.FetchWriter) {
	w := imap.FetchWriter{UTF8: s.utf8(), UIDOnly: s.engine.Enabled().Has(imap.EnabledUIDOnly)}
	if w.UIDOnly {
		return w.Begin(out, m.UID), w
	}
	out = w.Begin(out, m.Seq)
	if uid {
		out = w.UID(out, m.UID)
	}
	return out, w
}

// appendFlagsOf appends FETCH with the flags of a message, and with its
// mod-sequence for those who asked for such.
func (s *session) appendFlagsOf(out []byte, m *maildir.StoredMessage, uid bool) []byte {
	enabled := s.engine.Enabled()
	out, w := s.beginFetch(out, m, uid || enabled.Has(imap.EnabledQResync))
	system, keywords := s.flags(m)
	out = w.Flags(out, system, s.box.folder.Keywords(), keywords)
	if enabled.Has(imap.EnabledCondStore) {
		out = w.ModSeq(out, uint64(m.ModSeq))
	}
	return w.End(out)
}

// idle tells what has happened and waits for more (RFC 2177, RFC 9051 6.3.13). waits is false when there is
// more to tell than the client has read.
func (s *session) idle(c *loop.Conn) (waits bool) {
	if s.box == nil {
		return true
	}
	c.Blocking()
	if !s.box.listening.Swap(true) { // before looking: what comes later wakes
		s.server.idlers.enter(s.box)
	}
	s.collect(c, false)
	if !s.tell(c) {
		return false
	}
	s.leaveIfGone(c)
	return s.box != nil
}

// stopListening: the client is not in IDLE, and is told of nothing before it
// asks.
func (s *session) stopListening() {
	if s.box != nil && s.box.listening.Swap(false) {
		s.server.idlers.leave(s.box)
	}
}

// leaveIfGone ends the session when its mailbox is not there any more: nothing
// that the client believes about it is true, and there is no other way to say
// so that all of them understand.
func (s *session) leaveIfGone(c *loop.Conn) {
	if s.box != nil && s.box.gone {
		c.SetOut(s.engine.Hangup(imap.CodeUnavailable, "the selected mailbox was deleted or renamed", c.Out()))
		s.deselect()
	}
}
