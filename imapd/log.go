package imapd

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"

	"barid/auth"
	"barid/imapd/proto"
	"barid/internal/imap"
	"barid/internal/loop"
)

// noContext is for log calls: nothing here has a context to pass on.
var noContext = context.Background()

func (s *session) logLogin(c *loop.Conn, mechanism string) {
	if mechanism == "" {
		mechanism = "LOGIN"
	}
	s.server.Log.Info("imap login", c.LogAttr(), "account", s.visitor.account, "mechanism", mechanism)
}

// logRefusal logs a login that auth refused, with what the client must not
// know.
func (s *session) logRefusal(c *loop.Conn, said proto.Credentials, err error) {
	user, mechanism := string(said.Name), "LOGIN"
	if said.Mechanism != "" {
		mechanism = said.Mechanism
		if s.exchange != nil {
			user = s.exchange.User()
		}
	}
	level := slog.LevelInfo
	var failure *auth.Error
	if !errors.As(err, &failure) || failure.Class == auth.Temporary {
		level = slog.LevelWarn
	}
	s.server.Log.Log(noContext, level, "imap login refused", c.LogAttr(),
		"user", strings.ToValidUTF8(user, "?"), "mechanism", mechanism, "error", err)
}

// logLogout says how the session of somebody who had logged in ended.
func (s *session) logLogout(c *loop.Conn, why error) {
	reason := "ended by us or LOGOUT"
	switch {
	case why == io.EOF:
		reason = "closed by the client"
	case why != nil:
		reason = why.Error()
	}
	s.server.Log.Info("imap logout", c.LogAttr(), "account", s.visitor.account, "reason", reason)
}

// trouble logs that something of ours failed, and returns the reply for it.
func (s *session) trouble(c *loop.Conn, doing string, err error) imap.Reply {
	s.server.Log.Error("imap: cannot "+doing, c.LogAttr(), "account", s.visitor.account, "error", err)
	return refuse(imap.CodeUnavailable, "something of ours failed, try again later")
}
