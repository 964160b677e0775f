package imapd

import (
	"bytes"
	"errors"

	"barid/internal/imap"
	"barid/internal/loop"
	"barid/internal/message"
	"barid/internal/mime"
	"barid/maildir"
)

// finder finds the messages that a search asks for. A message is asked what
// can be answered with what is known of it, and only if that does not decide
// the matter, the next dearer source is read: the list in memory, the folder's
// cache, the header section, the text.
type finder struct {
	search *imap.Search
	aids   []aid // of the nodes
	now    int64 // seconds since 1970
	walk   walk
	spent  int // since the last rest
	failed error

	m         maildir.StoredMessage // the last one that was found
	level     level                 // of what is known of m
	summaries summaries
	summary   summary
	letter    opened
	searcher  mime.Searcher
	parts     message.Structure // of m, at textLevel
	room      []byte
}

// aid is what a node of a search is turned into before the messages are asked.
type aid struct {
	level  level
	uids   bool          // Set is one of UIDs
	flags  maildir.Flags // of a keyword
	kept   int           // the field of a summary in which Text is looked for; -1: another one
	needle []byte        // Text, folded
}

// level is a source of what is known of a message, the cheapest first.
type level uint8

const (
	listLevel level = iota
	summaryLevel
	headerLevel
	textLevel
)

// newFinder prepares a search. The sets in it are resolved.
func (s *session) newFinder(search *imap.Search) *finder {
	x := &finder{search: search, now: s.server.Now().Unix(), aids: make([]aid, len(search.Nodes))}
	deepest := listLevel
	for i := range search.Nodes {
		x.prepare(s.box, i)
		deepest = max(deepest, x.aids[i].level)
	}
	if deepest > listLevel {
		x.summaries.begin(s.box.folder, s.box.view.Len())
	}
	x.walk = walkThrough(everything, false, s.work.messages())
	for i := int32(1); int(i) < len(search.Nodes); i = search.Nodes[i].Next {
		if n := &search.Nodes[i]; n.Key == imap.SearchUID || n.Key == imap.SearchSeq {
			x.walk = walkThrough(n.Set, x.aids[i].uids, s.work.messages())
			break
		}
	}
	return x
}

// keptFields are the fields of which a summary has the text.
var keptFields = [...]struct {
	key   imap.SearchKey
	name  string
	field int
}{
	{imap.SearchSubject, "SUBJECT", sumSubject},
	{imap.SearchFrom, "FROM", sumFrom},
	{imap.SearchTo, "TO", sumTo},
	{imap.SearchCc, "CC", sumCc},
	{imap.SearchBcc, "BCC", sumBcc},
}

// prepare prepares a node.
func (x *finder) prepare(b *selected, i int) {
	n, a := &x.search.Nodes[i], &x.aids[i]
	a.kept = -1
	switch n.Key {
	case imap.SearchSeq:
		a.uids, _ = b.resolve(&n.Set, false) // numbers that no message has are met by none
	case imap.SearchUID:
		a.uids, _ = b.resolve(&n.Set, true)
	case imap.SearchKeyword, imap.SearchUnkeyword:
		a.flags, _ = b.folder.KeywordFlags([]string{string(n.Text)}, false)
	case imap.SearchSentBefore, imap.SearchSentOn, imap.SearchSentSince:
		a.level = summaryLevel
	case imap.SearchHeader:
		a.level = headerLevel
	case imap.SearchBody, imap.SearchText:
		a.level = textLevel
	}
	for _, row := range &keptFields {
		if n.Key == row.key || n.Key == imap.SearchHeader && imap.EqualFold(n.Name, row.name) {
			a.level, a.kept = summaryLevel, row.field
		}
	}
	if a.level > listLevel {
		a.needle = x.searcher.AppendNeedle(nil, n.Text)
	}
}

// costs are what it takes to read a source, in messages of the list.
var costs = [...]int{listLevel: 1, summaryLevel: 4, headerLevel: 64, textLevel: 256}

// restAfter is how much is read before others have a turn.
const restAfter = 64 << 10

// next returns the next message that is found; nil when there are no more.
// rests: it is time to let others have a turn.
func (x *finder) next(s *session, c *loop.Conn) (m *maildir.StoredMessage, rests bool) {
	for {
		if x.spent > restAfter {
			x.spent, s.work.rests = 0, true
			return nil, true
		}
		m := x.walk.step(s.box.view)
		if m == nil {
			x.letter.close()
			s.keep(c, &x.summaries)
			return nil, false
		}
		if x.spent++; m.Gone {
			continue
		}
		x.m, x.level = *m, listLevel
		x.letter.close()
		found, err := x.matches(s)
		if err != nil {
			x.fail(s, c, err)
		}
		if x.summaries.full() {
			s.keep(c, &x.summaries)
		}
		if found {
			return &x.m, false
		}
	}
}

// fail notes that a message cannot be read. One that is gone is not found.
func (x *finder) fail(s *session, c *loop.Conn, err error) {
	if errors.Is(err, maildir.ErrVanished) {
		return
	}
	x.failed = err
	s.server.Log.Error("imap: cannot search a message", c.LogAttr(), "account", s.visitor.account,
		"folder", s.box.folder.Name(), "uid", x.m.UID, "error", err)
}

func (x *finder) close() {
	x.letter.close()
	x.summaries.close()
}

// matches reports whether the message is found.
func (x *finder) matches(s *session) (bool, error) {
	for {
		switch x.ask(0) {
		case yes:
			return true, nil
		case no:
			return false, nil
		}
		if x.level == headerLevel {
			return x.matchesText(s)
		}
		if err := x.learn(s, x.level+1); err != nil {
			return false, err
		}
	}
}

// matchesText reads the whole message and reports whether it is found.
func (x *finder) matchesText(s *session) (found bool, err error) {
	x.level = textLevel
	x.spent += costs[textLevel]
	err = x.letter.whole(&s.server.large, func(text []byte) {
		x.parts.Parse(text)
		found = x.ask(0) == yes
	})
	return found, err
}

// learn reads the next source but for the text.
func (x *finder) learn(s *session, to level) (err error) {
	x.level = to
	x.spent += costs[to]
	if to == summaryLevel {
		if x.m.Virtual < 0 && x.asksSize() {
			if x.m.Virtual, err = s.box.folder.VirtualSize(x.m.UID); err != nil {
				return err
			}
		}
		if x.summaries.cache == nil || x.summaries.find(&x.summary, &x.m, needsHeader) {
			return nil
		}
	}
	if x.letter.file == nil {
		if err = x.letter.open(s.box.folder, x.m.UID, s.work.text); err != nil {
			return err
		}
		s.work.text = x.letter.text[:0]
	}
	if to == summaryLevel {
		return x.summaries.make(&x.summary, x.m.UID, &x.letter, needsHeader, &s.server.large)
	}
	_, err = x.letter.header()
	return err
}

func (x *finder) asksSize() bool {
	for i := range x.search.Nodes {
		if k := x.search.Nodes[i].Key; k == imap.SearchLarger || k == imap.SearchSmaller {
			return true
		}
	}
	return false
}

// know learns what the summary of the message says, if that was not needed to
// find it.
func (x *finder) know(s *session) error {
	if x.level >= summaryLevel {
		return nil
	}
	return x.learn(s, summaryLevel)
}

// summarize makes summaries be read, whatever the search needs.
func (x *finder) summarize(b *selected) {
	if x.summaries.cache == nil {
		x.summaries.begin(b.folder, b.view.Len())
	}
}

// answer is what is known of a message so far.
type answer uint8

const (
	no answer = iota
	yes
	unknown
)

func answerOf(b bool) answer {
	if b {
		return yes
	}
	return no
}

// ask asks a node of the tree, which is at most as deep as package imap allows.
func (x *finder) ask(i int32) answer {
	n := &x.search.Nodes[i]
	switch n.Key {
	case imap.SearchAnd:
		return x.askEach(i+1, n.Next, no)
	case imap.SearchOr:
		return x.askEach(i+1, n.Next, yes)
	case imap.SearchNot:
		switch x.ask(i + 1) {
		case yes:
			return no
		case no:
			return yes
		}
		return unknown
	}
	a := &x.aids[i]
	switch {
	case a.level > x.level:
		return unknown
	case a.level == listLevel:
		return x.askList(n, a)
	}
	return answerOf(x.askText(n, a))
}

// askEach asks nodes until one of them decides.
func (x *finder) askEach(i, end int32, decides answer) answer {
	result := yes - decides
	for ; i < end; i = x.search.Nodes[i].Next {
		switch got := x.ask(i); got {
		case decides:
			return decides
		case unknown:
			result = unknown
		}
	}
	return result
}

// askList asks what the list of messages knows.
func (x *finder) askList(n *imap.SearchNode, a *aid) answer {
	m := &x.m
	switch n.Key {
	case imap.SearchFlag:
		return answerOf(x.hasFlag(n.Flag))
	case imap.SearchUnflag:
		return answerOf(!x.hasFlag(n.Flag))
	case imap.SearchKeyword:
		return answerOf(m.Flags&a.flags != 0)
	case imap.SearchUnkeyword:
		return answerOf(m.Flags&a.flags == 0)
	case imap.SearchSeq, imap.SearchUID:
		number := m.Seq
		if a.uids {
			number = m.UID
		}
		return answerOf(n.Set.Contains(number))
	case imap.SearchLarger, imap.SearchSmaller:
		if m.Virtual < 0 {
			return unknown
		}
		return answerOf(n.Key == imap.SearchLarger && m.Virtual > n.Number || n.Key == imap.SearchSmaller && m.Virtual < n.Number)
	}
	return answerOf(x.askRest(n))
}

func (x *finder) hasFlag(f imap.Flag) bool {
	if f == imap.FlagRecent {
		return x.m.Recent
	}
	return x.m.Flags&storedFlags(f) != 0
}

// askRest asks for dates and numbers, those of RFC 5032 and RFC 8514 too. Dates
// are those of the zone in which INTERNALDATE is shown.
func (x *finder) askRest(n *imap.SearchNode) bool {
	m := &x.m
	switch n.Key {
	case imap.SearchAll, imap.SearchSaveDates:
		return true
	case imap.SearchBefore, imap.SearchOn, imap.SearchSince:
		return askDay(n, n.Key-imap.SearchBefore, imap.DayOf(m.Date, 0))
	case imap.SearchSavedBefore, imap.SearchSavedOn, imap.SearchSavedSince:
		return askDay(n, n.Key-imap.SearchSavedBefore, imap.DayOf(m.Saved, 0))
	case imap.SearchOlder:
		return m.Date <= x.now-n.Number
	case imap.SearchYounger:
		return m.Date >= x.now-n.Number
	case imap.SearchModSeq:
		return m.ModSeq >= n.Number
	case imap.SearchEmailID:
		var id [32]byte
		return bytes.Equal(maildir.AppendEmailID(id[:0], m.EmailID), n.Text)
	}
	return false // THREADID: no message has one
}

// askDay compares a day; key is 0 for before, 1 for on and 2 for since.
func askDay(n *imap.SearchNode, key imap.SearchKey, day imap.Day) bool {
	switch key {
	case 0:
		return day < n.Day
	case 1:
		return day == n.Day
	}
	return day >= n.Day
}

// askText asks for what stands in the message.
func (x *finder) askText(n *imap.SearchNode, a *aid) bool {
	switch n.Key {
	case imap.SearchSentBefore, imap.SearchSentOn, imap.SearchSentSince:
		return x.summary.dated && askDay(n, n.Key-imap.SearchSentBefore, imap.DayOf(x.summary.sent, x.summary.zone))
	case imap.SearchBody:
		return x.searcher.Body(&x.parts, a.needle)
	case imap.SearchText:
		return x.searcher.Message(&x.parts, a.needle)
	}
	if a.kept >= 0 {
		x.room = x.searcher.Append(x.room[:0], x.summary.field[a.kept])
		return len(x.room) > 0 && bytes.Contains(x.room, a.needle)
	}
	header, err := x.letter.header()
	return err == nil && x.searcher.Field(header, n.Name, a.needle)
}
