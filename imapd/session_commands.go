package imapd

import (
	"barid/internal/imap"
	"barid/internal/loop"
)

// noop is NOOP, CHECK and ENABLE: what changed is told with every command.
func (s *session) noop(*loop.Conn) (imap.Reply, job) { return imap.Reply{}, nil }

// id tells what we are, and logs what the client says of itself (RFC 2971).
func (s *session) id(c *loop.Conn) (imap.Reply, job) {
	for _, p := range s.work.command.Pairs {
		if imap.EqualFold(p.Name, "NAME") && p.Value != nil {
			s.server.Log.Debug("imap client", c.LogAttr(), "name", string(p.Value))
		}
	}
	pairs := []string{"name", "barid"}
	if s.server.Version != "" {
		pairs = append(pairs, "version", s.server.Version)
	}
	c.SetOut(imap.AppendID(c.Out(), pairs...))
	return imap.Reply{}, nil
}

// namespace tells that all mailboxes are the user's own (RFC 9051 6.3.10, RFC 2342).
func (s *session) namespace(c *loop.Conn) (imap.Reply, job) {
	personal := []imap.Namespace{{Prefix: []byte{}, Separator: s.server.Separator}}
	c.SetOut(imap.AppendNamespaces(c.Out(), personal, nil, nil, s.utf8()))
	return imap.Reply{}, nil
}
