package proto

import (
	"fmt"
	"strings"

	"barid/internal/imap"
)

func verbName(v Verb) string {
	for i := range verbs {
		if verbs[i].verb == v && v != none {
			return verbs[i].name
		}
	}
	return fmt.Sprint(int(v))
}

// describe says what the engine understood, in one line: only what was said.
func describe(c *Command, texts []string) string {
	var b strings.Builder
	say := func(when bool, format string, args ...any) {
		if when {
			fmt.Fprintf(&b, format+" ", args...)
		}
	}
	say(c.UID, "UID")
	say(true, "%s", verbName(c.Verb))
	say(c.Mailbox != nil, "%q", c.Mailbox)
	say(c.To != nil, "to %q", c.To)
	say(c.Set.Saved || len(c.Set.Ranges) > 0, "set=%s", c.Set.Append(nil))
	say(c.Enables != 0, "enables=%d", c.Enables)
	describeSelect(&c.Select, say)
	describeFetch(&c.Fetch, say)
	if c.Verb == Store {
		say(true, "op=%d silent=%v flags=%s since=%d", c.Store.Op, c.Store.Silent, appendFlags(nil, c.Store.Flags), c.Store.UnchangedSince)
	}
	describeSearch(c, say)
	l := &c.List
	say(c.Verb == List || c.Verb == LSUB, "ref=%q patterns=%q options=%d extended=%v status=%d", l.Reference, l.Patterns, l.Options, l.Extended, l.Status)
	say(c.Status != 0, "status=%d", c.Status)
	say(c.Use != 0 || c.UnknownUse, "use=(%s) unknown=%v", c.Use.Append(nil), c.UnknownUse)
	say(len(c.Pairs) > 0, "pairs=%s", describePairs(c.Pairs))
	say(len(c.Words) > 0, "words=%q", c.Words)
	say(c.Verb == GetMetadata, "max=%d depth=%d", c.Metadata.MaxSize, c.Metadata.Depth)
	say(c.Quota.Root != nil, "root=%q", c.Quota.Root)
	for _, q := range c.Quota.Limits {
		say(true, "%s=%d", q.Resource, q.Limit)
	}
	say(c.ACL.Identifier != nil, "identifier=%q", c.ACL.Identifier)
	say(c.Verb == SetACL, "op=%d rights=%s", c.ACL.Op, c.ACL.Rights.Append(nil))
	describeNotify(&c.Notify, say)
	say(texts != nil, "texts=%q", texts)
	return b.String()
}

func describePairs(pairs []Pair) string {
	var b strings.Builder
	for _, p := range pairs {
		value := "NIL"
		if p.Value != nil {
			value = fmt.Sprintf("%q", p.Value)
		}
		fmt.Fprintf(&b, "%s:%s;", p.Name, value)
	}
	return b.String()
}

type sayer func(when bool, format string, args ...any)

func describeSelect(p *SelectParams, say sayer) {
	say(p.CondStore, "condstore")
	say(p.QResync, "qresync=%d,%d known=%s seqs=%s uids=%s", p.UIDValidity, p.ModSeq, p.KnownUIDs.Append(nil), p.MatchSeqs.Append(nil), p.MatchUIDs.Append(nil))
}

func describeFetch(f *imap.Fetch, say sayer) {
	for i := range f.Items {
		item := &f.Items[i]
		say(true, "item=%d", item.Kind)
		switch item.Kind {
		case imap.FetchSection, imap.FetchBinary, imap.FetchBinarySize:
			say(true, "[%s]<%d.%d>", item.Section.Append(nil, true), item.Offset, item.Length)
		}
		say(!item.Peek, "seen")
		say(item.Lazy, "lazy")
	}
	say(f.ChangedSince > 0, "since=%d", f.ChangedSince)
	say(f.Vanished, "vanished")
	say(f.Partial.Given(), "partial=%s", f.Partial.Append(nil))
}

func describeSearch(c *Command, say sayer) {
	s := &c.Search
	if c.Verb != Search && c.Verb != Sort && c.Verb != Thread {
		return
	}
	say(s.Charset != nil, "charset=%s", s.Charset)
	say(s.Extended, "return=%d", s.Return)
	say(s.Partial.Given(), "partial=%s", s.Partial.Append(nil))
	for i := range s.Update {
		say(true, "update=%d", s.Update[i].Kind)
	}
	for _, k := range c.Sort {
		say(true, "by=%d,%v", k.By, k.Reverse)
	}
	say(c.Verb == Thread, "thread=%d", c.Thread)
	at := 0
	say(true, "%s", describeNode(s.Nodes, &at))
}

func describeNode(nodes []imap.SearchNode, at *int) string {
	n := &nodes[*at]
	*at++
	var b strings.Builder
	fmt.Fprintf(&b, "%d", n.Key)
	if n.Flag != 0 {
		fmt.Fprintf(&b, " flag=%d", n.Flag)
	}
	if n.Number != 0 {
		fmt.Fprintf(&b, " n=%d", n.Number)
	}
	if n.Day != 0 {
		fmt.Fprintf(&b, " day=%d", n.Day)
	}
	if n.Name != nil {
		fmt.Fprintf(&b, " %q", n.Name)
	}
	if n.Text != nil {
		fmt.Fprintf(&b, " %q", n.Text)
	}
	if n.Set.Saved || n.Set.Ranges != nil {
		fmt.Fprintf(&b, " %s", n.Set.Append(nil))
	}
	for *at < int(n.Next) {
		b.WriteString("{" + describeNode(nodes, at) + "}")
	}
	return b.String()
}

func describeNotify(n *NotifyParams, say sayer) {
	say(n.None, "none")
	say(n.Status, "status")
	for _, g := range n.Groups {
		say(true, "(filter=%d of=%q events=%d)", g.Filter, g.Mailboxes, g.Events)
		describeFetch(&g.Fetch, say)
	}
}
