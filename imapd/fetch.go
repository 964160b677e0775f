package imapd

import (
	"errors"
	"slices"

	"barid/internal/imap"
	"barid/internal/loop"
	"barid/maildir"
)

// fetching is a FETCH under way (RFC 9051 6.4.5). It goes message by message,
// and within one item by item; what it holds is one message's header section
// at most, whatever the set and the sizes.
type fetching struct {
	server  *server
	want    *imap.Fetch
	walk    walk
	uid     bool // UIDs are told
	reads   imap.FetchKinds
	begun   bool
	to      int // of PARTIAL: how many messages are left; negative: all
	passing int // of PARTIAL: how many messages come before
	lost    bool
	failed  error

	m       maildir.StoredMessage // under way
	writer  imap.FetchWriter
	item    int  // the next one; -1: no message is under way
	changed bool // m got \Seen, and its flags have to be told
	summary summary
	letter  opened
	texts   []source // of the items that send one
	inline  []byte   // texts that were put together
	sending sending
	buf     *[readSize]byte
	seen    [1]uint32 // UID of m

	summaries summaries
}

// Which items need what of a message.
const (
	// needsSummary: its envelope or what follows from all of its text.
	needsSummary imap.FetchKinds = 1<<imap.FetchEnvelope | 1<<imap.FetchBodyStructure | 1<<imap.FetchPreview
	// needsText: its file.
	needsText imap.FetchKinds = 1<<imap.FetchSection | 1<<imap.FetchBinary | 1<<imap.FetchBinarySize |
		1<<imap.FetchRFC822 | 1<<imap.FetchRFC822Header | 1<<imap.FetchRFC822Text | 1<<imap.FetchBody
)

// fetch is FETCH and UID FETCH.
func (s *session) fetch(*loop.Conn) (imap.Reply, job) {
	cmd := &s.work.command
	byUID, ok := s.box.resolve(&cmd.Set, cmd.UID)
	if !ok {
		return bad("there is no message with such a number"), nil
	}
	f := &cmd.Fetch
	j := &fetching{
		server: s.server, want: f, reads: f.Kinds, uid: cmd.UID || f.Kinds.Has(imap.FetchUID), item: -1, to: -1,
		walk: walkThrough(cmd.Set, byUID, s.work.messages()),
	}
	if f.Partial.Given() {
		j.part(s.box, cmd.Set, byUID)
	}
	if f.ChangedSince > 0 && !f.Kinds.Has(imap.FetchModSeq) {
		f.Items = append(slices.Clip(f.Items), imap.FetchItem{Kind: imap.FetchModSeq, Peek: true})
		f.Kinds |= 1 << imap.FetchModSeq
	}
	return imap.Reply{}, j
}

// part notes which messages of the set are meant (RFC 9394 section 3.3).
func (j *fetching) part(b *selected, set imap.SeqSet, uids bool) {
	p := j.want.Partial
	from, to := int(min(p.From, 1<<31-2)), int(min(p.To, 1<<31-2))
	if p.FromEnd {
		n := b.count(set, uids)
		from, to = n-to+1, n-from+1
	}
	from = max(from, 1)
	j.passing, j.to = from-1, max(to-from+1, 0)
}

// count is how many messages of the view are in a resolved set.
func (b *selected) count(set imap.SeqSet, uids bool) (n int) {
	for _, r := range set.Ranges {
		first, last := int(r.From), int(min(r.To, uint32(b.view.Len())))
		if uids {
			first, _ = b.view.Seq(r.From)
			last = b.lastUpTo(r.To)
		}
		n += max(last-first+1, 0)
	}
	return n
}

func (j *fetching) goOn(s *session, c *loop.Conn) (imap.Reply, bool) {
	if !j.begun {
		j.begun = true
		j.begin(s, c)
	}
	for !unread(c) {
		if j.item < 0 && !j.nextMessage(s, c) {
			return j.end(s, c), true
		}
		if j.item >= 0 && !j.tell(s, c) {
			return imap.Reply{}, false
		}
	}
	return imap.Reply{}, false
}

// begin tells what has vanished, when that was asked for, and takes up what
// the items need.
func (j *fetching) begin(s *session, c *loop.Conn) {
	if j.want.Vanished {
		set := s.box.vanishedIn(s.work.command.Set, j.want.ChangedSince)
		if len(set.Ranges) > 0 {
			out := imap.AppendVanished(c.Out(), true)
			c.SetOut(append(set.Append(out), "\r\n"...))
		}
	}
	if j.reads&needsText != 0 || j.reads&needsSummary != 0 {
		j.buf = s.server.buffers.Get().(*[readSize]byte)
		n := s.box.count(s.work.command.Set, j.walk.uids)
		j.summaries.begin(s.box.folder, n)
	}
}

// vanishedIn are the UIDs of a set that have vanished since a change and that
// the client does not have (RFC 7162 3.2.6).
func (b *selected) vanishedIn(set imap.SeqSet, since int64) (vanished imap.SeqSet) {
	for _, r := range b.folder.Vanished(nil, since) {
		from, _ := b.view.Seq(r.First)
		if from > b.lastUpTo(r.Last) {
			vanished.Ranges = append(vanished.Ranges, imap.Range{From: r.First, To: r.Last})
			continue
		}
		for uid := r.First; ; uid++ {
			if _, known := b.view.Seq(uid); !known {
				vanished.Add(uid)
			}
			if uid == r.Last {
				break
			}
		}
	}
	return intersection(vanished, set)
}

// nextMessage begins with the next message of which something is to be told;
// false when there are no more.
func (j *fetching) nextMessage(s *session, c *loop.Conn) bool {
	for {
		m := j.walk.step(s.box.view)
		if m == nil || j.to == 0 {
			return false
		}
		if j.passing > 0 {
			j.passing--
			continue
		}
		if j.to > 0 {
			j.to--
		}
		if m.Gone {
			j.lost = true
			continue
		}
		if j.want.ChangedSince > 0 && m.ModSeq <= j.want.ChangedSince {
			continue
		}
		j.m = *m
		if j.summaries.full() {
			s.keep(c, &j.summaries)
		}
		if err := j.prepare(s); err != nil {
			j.fail(s, c, err)
			continue
		}
		var out []byte
		out, j.writer = s.beginFetch(c.Out(), &j.m, j.uid || j.changed && s.engine.Enabled().Has(imap.EnabledQResync))
		c.SetOut(out)
		j.item = 0
		return true
	}
}

// fail notes that nothing can be told of a message.
func (j *fetching) fail(s *session, c *loop.Conn, err error) {
	j.letter.close()
	if errors.Is(err, maildir.ErrVanished) {
		j.lost = true
		return
	}
	if j.failed == nil {
		j.failed = err
	}
	if err == errUnknownCTE {
		return
	}
	s.server.Log.Error("imap: cannot read a message", c.LogAttr(), "account", s.visitor.account,
		"folder", s.box.folder.Name(), "uid", j.m.UID, "error", err)
}

// end ends the command. Who names a message that is gone has to be told (RFC
// 5530 section 3).
func (j *fetching) end(s *session, c *loop.Conn) imap.Reply {
	s.keep(c, &j.summaries)
	switch {
	case errors.Is(j.failed, errUnknownCTE):
		return refuse(imap.CodeUnknownCTE, "some of the parts cannot be decoded")
	case j.failed != nil:
		return refuse(imap.CodeUnavailable, "some of the messages cannot be read")
	case j.lost && !s.work.command.UID:
		return refuse(imap.CodeExpungeIssued, "some of the messages are gone")
	case j.lost:
		return imap.Reply{Code: imap.CodeExpungeIssued, Text: "some of the messages are gone"}
	}
	return imap.Reply{}
}

// drop gives back what is held.
func (j *fetching) drop() {
	j.letter.close()
	j.summaries.close()
	if j.buf != nil {
		j.server.buffers.Put(j.buf)
		j.buf = nil
	}
}

// tell tells the rest of a message's items, as far as the client reads. It
// reports whether that was all.
func (j *fetching) tell(s *session, c *loop.Conn) bool {
	for {
		if !j.sending.sent() {
			if err := j.sending.send(c, &j.letter, j.buf[:]); err != nil {
				j.fail(s, c, err)
				s.torn = true
				return false
			}
			if !j.sending.sent() {
				return false
			}
			s.box.remember(&j.sending)
		}
		if j.item == len(j.want.Items) {
			break
		}
		c.SetOut(j.appendItem(s, c.Out()))
		j.item++
	}
	j.letter.close()
	j.item = -1
	out := c.Out()
	if j.changed && !j.want.Kinds.Has(imap.FetchFlags) {
		out = j.appendFlags(s, out)
	}
	if j.changed && !j.want.Kinds.Has(imap.FetchModSeq) && s.engine.Enabled().Has(imap.EnabledCondStore) {
		out = j.writer.ModSeq(out, uint64(j.m.ModSeq)) // RFC 7162 section 3.1
	}
	c.SetOut(j.writer.End(out))
	return true
}

func (j *fetching) appendFlags(s *session, out []byte) []byte {
	system, keywords := s.flags(&j.m)
	return j.writer.Flags(out, system, s.box.folder.Keywords(), keywords)
}

// appendItem appends an item; of one that sends a text what stands before it.
func (j *fetching) appendItem(s *session, out []byte) []byte {
	i, w, m := &j.want.Items[j.item], &j.writer, &j.m
	switch i.Kind {
	case imap.FetchFlags:
		return j.appendFlags(s, out)
	case imap.FetchUID:
		return out // beginFetch has told it
	case imap.FetchInternalDate:
		return w.InternalDate(out, m.Date, 0)
	case imap.FetchSize:
		return w.Size(out, m.Virtual)
	case imap.FetchEnvelope:
		return w.Envelope(out, j.summary.field[sumEnvelope])
	case imap.FetchBodyStructure:
		return w.Structure(out, i.Kind, j.summary.field[sumStructure])
	case imap.FetchBody:
		return w.Structure(out, i.Kind, j.texts[j.item].inline)
	case imap.FetchModSeq:
		return w.ModSeq(out, uint64(m.ModSeq))
	case imap.FetchEmailID:
		var id [32]byte
		return w.EmailID(out, maildir.AppendEmailID(id[:0], m.EmailID))
	case imap.FetchThreadID:
		return w.ThreadID(out, nil)
	case imap.FetchSaveDate:
		return w.SaveDate(out, m.Saved, 0)
	case imap.FetchPreview:
		if !j.summary.has(needsAll) {
			return w.Preview(out, nil) // RFC 8970 section 3.2: it was to be LAZY
		}
		return w.Preview(out, j.summary.field[sumPreview])
	case imap.FetchBinarySize:
		return w.BinarySize(out, i, max(j.texts[j.item].octets, 0))
	}
	from := j.texts[j.item]
	if from.octets < 0 {
		return w.Section(out, i, -1)
	}
	j.sending.binary = i.Kind == imap.FetchBinary
	return w.Section(out, i, j.sending.begin(m.UID, from, i.Offset, i.Length, s.box.mark))
}
