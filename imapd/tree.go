package imapd

import (
	"bytes"
	"slices"
	"strings"

	"barid/internal/imap"
	"barid/internal/loop"
	"barid/maildir"
)

// A node is a name in the tree of an account's mailboxes: of a mailbox, of one
// that is subscribed only, or of a level above such.
type node struct {
	name       string
	exists     bool
	subscribed bool
	children   bool // a mailbox is below it
	uses       imap.ListFlag
}

// tree is all names, each before those below it.
func (s *session) tree(c *loop.Conn) ([]*node, error) {
	m := s.visitor.mailbox
	folders, err := m.Folders()
	if err != nil {
		return nil, err
	}
	subscriptions, err := m.Subscriptions()
	if err != nil {
		return nil, err
	}
	uses, err := m.SpecialUses()
	if err != nil {
		return nil, err
	}
	t := grower{server: s.server, nodes: make(map[string]*node)}
	t.at(inbox).exists = true
	for _, folder := range folders {
		if n := t.ofFolder(folder); n != nil {
			n.exists = true
			t.growUp(n)
		} else {
			s.server.Log.Debug("imap: no client can name this folder", c.LogAttr(), "account", s.visitor.account, "folder", folder)
		}
	}
	for _, folder := range subscriptions {
		if n := t.ofFolder(folder); n != nil {
			n.subscribed = true
			t.growUp(n)
		}
	}
	for _, u := range uses {
		if n := t.ofFolder(u.Folder); n != nil {
			n.uses |= useOf(u.Use)
		}
	}
	return t.sorted(), nil
}

// grower makes a tree.
type grower struct {
	server *server
	nodes  map[string]*node
}

func (t *grower) at(name string) *node {
	n := t.nodes[name]
	if n == nil {
		n = &node{name: name}
		t.nodes[name] = n
	}
	return n
}

func (t *grower) ofFolder(folder string) *node {
	name, ok := t.server.nameOf(folder)
	if !ok {
		return nil
	}
	return t.at(string(name))
}

// growUp makes the nodes above one.
func (t *grower) growUp(n *node) {
	name := n.name
	for {
		i := strings.LastIndexByte(name, t.server.Separator)
		if i < 0 {
			return
		}
		name = name[:i]
		above := t.at(name)
		above.children = above.children || n.exists
	}
}

// sorted lists the nodes so that what is below one follows it.
func (t *grower) sorted() []*node {
	nodes := make([]*node, 0, len(t.nodes))
	for _, n := range t.nodes {
		nodes = append(nodes, n)
	}
	key := func(name string) string { return strings.ReplaceAll(name, string(t.server.Separator), "\x00") }
	slices.SortFunc(nodes, func(a, b *node) int { return strings.Compare(key(a.name), key(b.name)) })
	return nodes
}

// useOf is the special use of a name.
func useOf(name string) imap.ListFlag {
	text := imap.Text(name)
	if use, ok, fault := text.UseAttr(); ok && fault == "" && text.Empty() {
		return use
	}
	return 0
}

// below are the nodes below the first of a part of a tree.
func (s *server) below(nodes []*node) []*node {
	prefix := nodes[0].name + string(s.Separator)
	n := 1
	for n < len(nodes) && strings.HasPrefix(nodes[n].name, prefix) {
		n++
	}
	return nodes[1:n]
}

// attributes are those that every client is told of a node (RFC 3348, RFC 6154).
func (n *node) attributes() (flags imap.ListFlag) {
	flags = n.uses
	if !n.exists { // the second is for clients that do not know the first
		flags |= imap.ListNonExistent | imap.ListNoSelect
	}
	if n.children {
		return flags | imap.ListHasChildren
	}
	return flags | imap.ListHasNoChildren
}

// matcher says which names the patterns of a LIST mean.
type matcher struct {
	patterns  [][]byte
	separator byte
}

// newMatcher puts the reference before each pattern (RFC 9051 6.3.9).
func (s *server) newMatcher(reference []byte, patterns [][]byte) matcher {
	m := matcher{separator: s.Separator}
	for _, p := range patterns {
		m.patterns = append(m.patterns, slices.Concat(reference, p))
	}
	return m
}

// matches reports whether one of the patterns fits. INBOX has no case.
func (m *matcher) matches(name string) bool {
	for _, p := range m.patterns {
		if imap.MatchPattern(p, []byte(name), m.separator) || name == inbox && imap.MatchPattern(bytes.ToUpper(p), []byte(inbox), m.separator) {
			return true
		}
	}
	return false
}

// folderOfNode is the folder of a node that exists.
func (s *server) folderOfNode(n *node) string {
	folder, ok := s.folderOf([]byte(n.name))
	if !ok {
		return maildir.Inbox
	}
	return folder
}
