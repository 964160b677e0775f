package pop3d

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"

	"barid/auth"
	"barid/internal/loop"
	"barid/pop3d/proto"
)

// noContext is for log calls: nothing here has a context to pass on.
var noContext = context.Background()

func (s *session) logLogin(c *loop.Conn, mechanism string) {
	if mechanism == "" {
		mechanism = "USER"
	}
	s.server.Log.Info("pop3 login", c.LogAttr(), "account", s.visit.account, "mechanism", mechanism,
		"messages", s.visit.drop.Len(), "octets", s.visit.octets)
}

// logRefusal logs a login that auth refused, with what the client must not
// know.
func (s *session) logRefusal(c *loop.Conn, said proto.Credentials, err error) {
	user, mechanism := string(said.Name), "USER"
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
	s.server.Log.Log(noContext, level, "pop3 login refused", c.LogAttr(),
		"user", strings.ToValidUTF8(user, "?"), "mechanism", mechanism, "error", err)
}

// logTurnedAway logs an account that proved who it is and cannot come in.
func (s *session) logTurnedAway(c *loop.Conn, account auth.Account, reason string, err error) {
	level := slog.LevelInfo
	if err != nil && mailboxVerdict(err) != proto.RefuseInUse {
		level = slog.LevelError
	}
	s.server.Log.Log(noContext, level, "pop3 login refused", c.LogAttr(), "account", account.Name, "reason", reason, "error", err)
}

func (s *session) logLogout(c *loop.Conn, why error) {
	v := s.visit
	reason := "ended by us"
	switch {
	case v.drop == nil:
		reason = "QUIT"
	case why == io.EOF:
		reason = "closed by the client"
	case why != nil:
		reason = why.Error()
	}
	s.server.Log.Info("pop3 logout", c.LogAttr(), "account", v.account, "reason", reason,
		"retrieved", v.retrieved, "top", v.looked, "deleted", v.deleted, "bytes", v.sent)
}
