package proto

import (
	"fmt"
	"slices"
	"strings"

	"barid/internal/imap"
)

// toy is a store of mailboxes in the plainest way, enough for the dialogues of
// the RFCs.
type toy struct {
	boxes  []*toyBox
	open   *toyBox
	saved  []uint32 // UIDs of "$"
	modSeq uint64
}

type toyBox struct {
	name     string
	messages []*toyMessage
	uidNext  uint32
	validity uint32
}

type toyMessage struct {
	uid      uint32
	system   imap.Flag
	keywords []string
	text     string
	date     imap.DateTime
	modSeq   uint64
}

func newToy() *toy {
	return &toy{modSeq: 1, boxes: []*toyBox{{name: "INBOX", uidNext: 1, validity: 3857529045}}}
}

func (t *toy) find(name []byte) *toyBox {
	for _, b := range t.boxes {
		if b.name == string(name) {
			return b
		}
	}
	return nil
}

func (t *toy) add(b *toyBox, text string, flags imap.Flags, date imap.DateTime) uint32 {
	t.modSeq++
	m := &toyMessage{uid: b.uidNext, system: flags.System, text: text, date: date, modSeq: t.modSeq}
	for _, k := range flags.Keywords {
		m.keywords = append(m.keywords, string(k))
	}
	b.messages = append(b.messages, m)
	b.uidNext++
	return m.uid
}

func fail(code imap.Code, text string) imap.Reply {
	return imap.Reply{Status: imap.NO, Code: code, Text: text}
}

// execute runs a command.
func (d *door) execute(c *Command, out []byte) ([]byte, imap.Reply) {
	t, utf8 := d.box, d.s.Enabled().UTF8()
	switch c.Verb {
	case Noop, Check, Enable:
	case ID:
		out = append(out, "* ID NIL\r\n"...)
	case Namespace:
		out = append(out, "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n"...)
	case Select, Examine:
		return t.selectBox(c, out)
	case CloseMailbox, Unselect, Unauthenticate:
		if c.Verb == CloseMailbox {
			t.expunge(c, nil)
		}
		t.open = nil
	case Create:
		if t.find(c.Mailbox) != nil {
			return out, fail(imap.CodeAlreadyExists, "it is there")
		}
		t.boxes = append(t.boxes, &toyBox{name: string(c.Mailbox), uidNext: 1, validity: 1})
	case Delete:
		if t.find(c.Mailbox) == nil {
			return out, fail(imap.CodeNonExistent, "there is none")
		}
		t.boxes = slices.DeleteFunc(t.boxes, func(b *toyBox) bool { return b.name == string(c.Mailbox) })
	case List:
		out = t.list(c, out, utf8)
	case Status:
		return t.status(c, out, utf8)
	case Append:
		return d.append(c, out)
	case Fetch:
		out = t.fetch(c, out)
	case Store:
		out = t.store(c, out)
	case Search:
		out = t.search(c, out)
	case Expunge:
		out = t.expunge(c, out)
	case Copy:
		return t.copy(c, out)
	default:
		return out, fail(imap.CodeCannot, "this toy cannot do that")
	}
	return out, imap.Reply{}
}

func (t *toy) selectBox(c *Command, out []byte) ([]byte, imap.Reply) {
	t.open = t.find(c.Mailbox)
	if t.open == nil {
		return out, fail(imap.CodeNonExistent, "there is no such mailbox")
	}
	out = imap.AppendExists(out, uint32(len(t.open.messages)))
	out = imap.AppendFlagsResponse(out, nil, 0)
	out = imap.AppendPermanentFlags(out, imap.FlagsAll, nil, 0, true)
	out = imap.AppendNumberCode(out, imap.CodeUIDNext, uint64(t.open.uidNext), "next")
	out = imap.AppendNumberCode(out, imap.CodeUIDValidity, uint64(t.open.validity), "valid")
	if c.Verb == Examine {
		return out, imap.Reply{Code: imap.CodeReadOnly}
	}
	return out, imap.Reply{Code: imap.CodeReadWrite}
}

func (t *toy) list(c *Command, out []byte, utf8 bool) []byte {
	for _, b := range t.boxes {
		for _, p := range c.List.Patterns {
			if imap.MatchPattern(append(slices.Clone(c.List.Reference), p...), []byte(b.name), '/') {
				e := imap.ListEntry{Flags: imap.ListHasNoChildren, Separator: '/', Name: []byte(b.name)}
				out = e.Append(out, utf8)
				break
			}
		}
	}
	return out
}

func (t *toy) status(c *Command, out []byte, utf8 bool) ([]byte, imap.Reply) {
	b := t.find(c.Mailbox)
	if b == nil {
		return out, fail(imap.CodeNonExistent, "there is no such mailbox")
	}
	s := imap.MailboxStatus{Messages: uint32(len(b.messages)), UIDNext: b.uidNext, UIDValidity: b.validity, HighestModSeq: t.modSeq, AppendLimit: -1}
	for _, m := range b.messages {
		s.Size += int64(len(m.text))
		if m.system&imap.FlagSeen == 0 {
			s.Unseen++
		}
	}
	return s.Append(out, c.Mailbox, c.Status, utf8), imap.Reply{}
}

func (d *door) append(c *Command, out []byte) ([]byte, imap.Reply) {
	b := d.box.find(c.Mailbox)
	var uids imap.SeqSet
	for i, text := range d.taken {
		uids.Add(d.box.add(b, text, flagsOf(d.flags[i]), d.dates[i]))
	}
	if b == d.box.open {
		out = imap.AppendExists(out, uint32(len(b.messages)))
	}
	return out, imap.Reply{Code: imap.CodeAppendUID, Args: imap.AppendAppendUID(nil, b.validity, uids)}
}

// flagsOf parses a flag-list again.
func flagsOf(text string) imap.Flags {
	var p imap.Parser
	p.Begin([]byte(text), &imap.Dialect{})
	f, _ := p.FlagList()
	return f
}

// chosen returns the indices of the messages of a set.
func (t *toy) chosen(set imap.SeqSet, uid bool) (list []int) {
	largest := uint32(len(t.open.messages))
	if uid {
		largest = t.open.uidNext - 1
	}
	set.Resolve(largest)
	for i, m := range t.open.messages {
		if set.Saved && slices.Contains(t.saved, m.uid) || !uid && set.Contains(uint32(i+1)) || uid && set.Contains(m.uid) {
			list = append(list, i)
		}
	}
	return list
}

func (t *toy) fetch(c *Command, out []byte) []byte {
	var w imap.FetchWriter
	for _, i := range t.chosen(c.Set, c.UID) {
		m := t.open.messages[i]
		if int64(m.modSeq) <= c.Fetch.ChangedSince {
			continue
		}
		out = w.Begin(out, uint32(i+1))
		if c.UID && !c.Fetch.Kinds.Has(imap.FetchUID) {
			out = w.UID(out, m.uid)
		}
		for j := range c.Fetch.Items {
			out = m.item(&w, out, &c.Fetch.Items[j])
		}
		if c.Fetch.SetsSeen && m.system&imap.FlagSeen == 0 {
			m.system |= imap.FlagSeen
			out = w.Flags(out, m.system, m.keywords, 1<<len(m.keywords)-1)
		}
		out = w.End(out)
	}
	return out
}

func (m *toyMessage) item(w *imap.FetchWriter, out []byte, i *imap.FetchItem) []byte {
	switch i.Kind {
	case imap.FetchFlags:
		return w.Flags(out, m.system, m.keywords, 1<<len(m.keywords)-1)
	case imap.FetchUID:
		return w.UID(out, m.uid)
	case imap.FetchInternalDate:
		return w.InternalDate(out, m.date.Unix, m.date.ZoneMinutes)
	case imap.FetchSize:
		return w.Size(out, int64(len(m.text)))
	case imap.FetchModSeq:
		return w.ModSeq(out, m.modSeq)
	case imap.FetchEnvelope:
		return w.Envelope(out, []byte("(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"))
	}
	text := m.text
	header, body, _ := strings.Cut(text, "\r\n\r\n")
	switch i.Section.Text {
	case imap.SectionHeader:
		text = header + "\r\n\r\n"
	case imap.SectionBody:
		text = body
	}
	if i.Length > 0 {
		text = text[min(i.Offset, int64(len(text))):min(i.Offset+i.Length, int64(len(text)))]
	}
	return append(w.Section(out, i, int64(len(text))), text...)
}

func (t *toy) store(c *Command, out []byte) []byte {
	for _, i := range t.chosen(c.Set, c.UID) {
		m := t.open.messages[i]
		switch c.Store.Op {
		case StoreReplace:
			m.system, m.keywords = c.Store.Flags.System, nil
		case StoreAdd:
			m.system |= c.Store.Flags.System
		case StoreRemove:
			m.system &^= c.Store.Flags.System
		}
		t.modSeq++
		m.modSeq = t.modSeq
		for _, k := range c.Store.Flags.Keywords {
			m.keywords = slices.DeleteFunc(m.keywords, func(have string) bool { return have == string(k) })
			if c.Store.Op != StoreRemove {
				m.keywords = append(m.keywords, string(k))
			}
		}
		if !c.Store.Silent {
			var w imap.FetchWriter
			out = w.Begin(out, uint32(i+1))
			out = w.End(w.Flags(out, m.system, m.keywords, 1<<len(m.keywords)-1))
		}
	}
	return out
}

func (t *toy) search(c *Command, out []byte) []byte {
	var found []uint32
	t2 := t.saved
	t.saved = nil
	for i, m := range t.open.messages {
		at := 0
		if m.matches(c.Search.Nodes, &at, uint32(i+1)) {
			n := uint32(i + 1)
			if c.UID {
				n = m.uid
			}
			found = append(found, n)
			t.saved = append(t.saved, m.uid)
		}
	}
	if !c.Search.Extended {
		t.saved = t2
		out = imap.BeginSearch(out)
		for _, n := range found {
			out = imap.AppendResult(out, n)
		}
		return imap.EndSearch(out, 0)
	}
	if c.Search.Return&imap.ReturnSave == 0 {
		t.saved = t2
	}
	return esearch(c, found, out)
}

func esearch(c *Command, found []uint32, out []byte) []byte {
	if c.Search.Return == imap.ReturnSave {
		return out
	}
	out = imap.BeginESearch(out, c.Tag, c.UID)
	if len(found) > 0 && c.Search.Return&imap.ReturnMin != 0 {
		out = imap.AppendESearchNumber(out, "MIN", uint64(found[0]))
	}
	if len(found) > 0 && c.Search.Return&imap.ReturnMax != 0 {
		out = imap.AppendESearchNumber(out, "MAX", uint64(found[len(found)-1]))
	}
	if c.Search.Return&imap.ReturnCount != 0 {
		out = imap.AppendESearchNumber(out, "COUNT", uint64(len(found)))
	}
	if len(found) > 0 && c.Search.Return&imap.ReturnAll != 0 {
		out = imap.AppendESearchAll(out)
		var w imap.SetWriter
		for _, n := range found {
			out = w.Add(out, n)
		}
		out = w.End(out)
	}
	return append(out, "\r\n"...)
}

// matches asks a message the node at *at and moves *at behind it.
func (m *toyMessage) matches(nodes []imap.SearchNode, at *int, number uint32) bool {
	n := &nodes[*at]
	*at++
	result := true
	switch n.Key {
	case imap.SearchAnd, imap.SearchOr, imap.SearchNot:
		all, some := true, false
		for *at < int(n.Next) {
			one := m.matches(nodes, at, number)
			all, some = all && one, some || one
		}
		return n.Key == imap.SearchAnd && all || n.Key == imap.SearchOr && some || n.Key == imap.SearchNot && !all
	case imap.SearchFlag:
		result = m.system&n.Flag != 0
	case imap.SearchUnflag:
		result = m.system&n.Flag == 0
	case imap.SearchFrom, imap.SearchSubject, imap.SearchText, imap.SearchTo, imap.SearchBody:
		result = strings.Contains(m.text, string(n.Text))
	case imap.SearchSeq:
		n.Set.Resolve(number)
		result = n.Set.Contains(number)
	case imap.SearchUID:
		result = n.Set.Contains(m.uid)
	case imap.SearchSince:
		result = imap.DayOf(m.date.Unix, m.date.ZoneMinutes) >= n.Day
	}
	return result
}

func (t *toy) expunge(c *Command, out []byte) []byte {
	n := 0
	for _, m := range t.open.messages {
		if m.system&imap.FlagDeleted == 0 || c.UID && !c.Set.Contains(m.uid) {
			t.open.messages[n] = m
			n++
			continue
		}
		out = imap.AppendExpunge(out, uint32(n+1))
	}
	t.open.messages = t.open.messages[:n]
	return out
}

func (t *toy) copy(c *Command, out []byte) ([]byte, imap.Reply) {
	to := t.find(c.Mailbox)
	if to == nil {
		return out, fail(imap.CodeTryCreate, "there is no such mailbox")
	}
	var from, uids imap.SetWriter
	var a, b []byte
	for _, i := range t.chosen(c.Set, c.UID) {
		m := t.open.messages[i]
		a = from.Add(a, m.uid)
		b = uids.Add(b, t.add(to, m.text, imap.Flags{System: m.system}, m.date))
	}
	args := fmt.Appendf(nil, "%d %s %s", to.validity, from.End(a), uids.End(b))
	return out, imap.Reply{Code: imap.CodeCopyUID, Args: args}
}
