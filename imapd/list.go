package imapd

import (
	"barid/imapd/proto"
	"barid/internal/imap"
	"barid/internal/loop"
)

// list is LIST (RFC 9051 6.3.9, RFC 5258, RFC 5819, RFC 6154).
func (s *session) list(c *loop.Conn) (imap.Reply, job) {
	p := &s.work.command.List
	if !p.Extended && len(p.Patterns) == 1 && len(p.Patterns[0]) == 0 {
		root := imap.ListEntry{Flags: imap.ListNoSelect, Separator: s.server.Separator}
		c.SetOut(root.Append(c.Out(), s.utf8()))
		return imap.Reply{}, nil
	}
	nodes, err := s.tree(c)
	if err != nil {
		return s.trouble(c, "list folders", err), nil
	}
	return imap.Reply{}, &listing{params: p, nodes: nodes, matcher: s.server.newMatcher(p.Reference, p.Patterns)}
}

// lsub is LSUB (RFC 3501 6.3.9).
func (s *session) lsub(c *loop.Conn) (imap.Reply, job) {
	p := &s.work.command.List
	nodes, err := s.tree(c)
	if err != nil {
		return s.trouble(c, "list folders", err), nil
	}
	return imap.Reply{}, &listing{params: p, lsub: true, nodes: nodes, matcher: s.server.newMatcher(p.Reference, p.Patterns)}
}

// listing is a LIST or LSUB under way.
type listing struct {
	params  *proto.ListParams
	lsub    bool
	nodes   []*node // still to be looked at
	matcher matcher
}

func (j *listing) goOn(s *session, c *loop.Conn) (imap.Reply, bool) {
	for ; len(j.nodes) > 0 && !unread(c); j.nodes = j.nodes[1:] {
		n := j.nodes[0]
		if !j.matcher.matches(n.name) {
			continue
		}
		entry, shown := j.entry(s.server)
		if !shown {
			continue
		}
		entry.Separator, entry.Name = s.server.Separator, []byte(n.name)
		c.SetOut(entry.Append(c.Out(), s.utf8()))
		if j.params.Options&proto.ReturnStatus != 0 && n.exists {
			s.listStatus(c, n)
		}
	}
	return imap.Reply{}, len(j.nodes) == 0
}

func (j *listing) drop() {}

// listStatus tells the status of a mailbox beside its name. Where that fails
// there is none (RFC 5819 section 2).
func (s *session) listStatus(c *loop.Conn, n *node) {
	items := s.work.command.List.Status
	status, err := s.statusOf(s.server.folderOfNode(n), items)
	if err != nil {
		s.trouble(c, "find the status of a folder", err)
		return
	}
	c.SetOut(status.Append(c.Out(), []byte(n.name), items, s.utf8()))
}

// entry is what is told of the first of the nodes that are left, whose name
// matches.
func (j *listing) entry(s *server) (e imap.ListEntry, shown bool) {
	n := j.nodes[0]
	if j.lsub {
		return j.lsubEntry(s)
	}
	options := j.params.Options
	e.Flags = n.attributes()
	if n.subscribed && options&(proto.SelectSubscribed|proto.ReturnSubscribed) != 0 {
		e.Flags |= imap.ListSubscribed
	}
	if options&proto.SelectRecursive == 0 {
		return e, j.chosen(n)
	}
	below, untold := j.subscribedBelow(s)
	e.ChildInfo = below
	return e, j.chosen(n) || untold
}

// chosen reports whether a node is what the selection options ask for (RFC 5258
// section 3.1).
func (j *listing) chosen(n *node) bool {
	options := j.params.Options
	switch {
	case options&proto.SelectSpecialUse != 0 && n.uses == 0:
		return false
	case options&proto.SelectSubscribed != 0:
		return n.subscribed
	}
	return n.exists || n.children
}

// subscribedBelow reports whether what the options ask for is below the first of
// the nodes, and whether some of it is not told by itself (RFC 5258 section
// 3.5).
func (j *listing) subscribedBelow(s *server) (some, untold bool) {
	for _, n := range s.below(j.nodes) {
		if j.chosen(n) {
			some = true
			untold = untold || !j.matcher.matches(n.name)
		}
	}
	return some, untold
}

// lsubEntry is what LSUB tells: a name that is subscribed, or one above such a
// name that the pattern does not reach (RFC 3501 6.3.9).
func (j *listing) lsubEntry(s *server) (e imap.ListEntry, shown bool) {
	e.LSUB = true
	if j.nodes[0].subscribed {
		return e, true
	}
	for _, n := range s.below(j.nodes) {
		if n.subscribed && !j.matcher.matches(n.name) {
			e.Flags = imap.ListNoSelect
			return e, true
		}
	}
	return e, false
}
