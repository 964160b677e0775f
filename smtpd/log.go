package smtpd

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"strconv"

	"barid/auth"
	"barid/internal/loop"
	"barid/internal/route"
	"barid/smtpd/proto"
	"barid/spool"
)

// noContext is for log calls: nothing here has a context to pass on.
var noContext = context.Background()

// log writes a line about the session, with the attributes that every such
// line has. Nothing is put together for a line that nobody will see.
func (s *session) log(c *loop.Conn, level slog.Level, message string, attrs ...slog.Attr) {
	if !s.server.Log.Enabled(noContext, level) {
		return
	}
	all := append(make([]slog.Attr, 0, len(attrs)+6),
		slog.Uint64("conn", c.ID()),
		slog.String("remote", remoteOf(c)),
	)
	if helo := s.helo(); len(helo) > 0 {
		all = append(all, slog.String("helo", string(helo)))
	}
	if state := c.TLS(); state != nil {
		all = append(all, slog.String("tls", tls.VersionName(state.Version)), slog.String("cipher", tls.CipherSuiteName(state.CipherSuite)))
	}
	if account := s.account(); account != "" {
		all = append(all, slog.String("account", account))
	}
	s.server.Log.LogAttrs(noContext, level, message, append(all, attrs...)...)
}

func remoteOf(c *loop.Conn) string {
	if a := c.RemoteAddr(); a.IsValid() {
		return a.String()
	}
	if peer, ok := c.Peer(); ok {
		return "uid " + strconv.FormatUint(uint64(peer.UID), 10)
	}
	return "local"
}

// enabled reports whether a line of this level is seen at all. Where a line
// needs strings made of octets it is asked first.
func (s *session) enabled(level slog.Level) bool { return s.server.Log.Enabled(noContext, level) }

// logAccepted is the first line of a message's life in the log; those of
// spool and deliver carry the same id.
func (s *session) logAccepted(c *loop.Conn) {
	if !s.enabled(slog.LevelInfo) {
		return
	}
	e := &s.t.envelope
	s.log(c, slog.LevelInfo, "accepted",
		slog.String("id", s.t.id.String()),
		slog.String("from", string(e.ReturnPath)),
		slog.Int("recipients", len(e.Recipients)),
		slog.Int64("octets", s.engine.Body().Octets),
		slog.String("with", s.engine.Protocol()),
	)
}

func (s *session) logNotStored(c *loop.Conn, err error) {
	level := slog.LevelError
	if errors.Is(err, spool.ErrFull) || errors.Is(err, spool.ErrEnvelope) {
		level = slog.LevelWarn
	}
	s.log(c, level, "message not stored", slog.String("id", s.t.id.String()), slog.Any("error", err))
}

func (s *session) logRefused(c *loop.Conn, why, what string) {
	s.log(c, slog.LevelInfo, "refused", slog.String("why", why), slog.String("address", what))
}

func (s *session) logRecipient(c *loop.Conn, address []byte, v route.Verdict) {
	if !s.enabled(slog.LevelInfo) {
		return
	}
	why := v.Reason
	if why == "" {
		why = v.Text
	}
	s.log(c, slog.LevelInfo, "recipient refused",
		slog.String("from", string(s.t.envelope.ReturnPath)), slog.String("to", string(address)),
		slog.Int("code", v.Code), slog.String("why", why))
}

func (s *session) logLogin(c *loop.Conn, mechanism string) {
	s.log(c, slog.LevelInfo, "smtp login", slog.String("mechanism", mechanism))
}

// logLoginRefused logs what the client must not know.
func (s *session) logLoginRefused(c *loop.Conn, err error) {
	level := slog.LevelInfo
	var failure *auth.Error
	if !errors.As(err, &failure) || failure.Class == auth.Temporary {
		level = slog.LevelWarn
	}
	user := ""
	if s.identity.exchange != nil {
		user = s.identity.exchange.User()
	}
	s.log(c, level, "smtp login refused", slog.String("user", user), slog.Any("error", err))
}

func (s *session) logForwarded(c *loop.Conn, said *proto.Client) {
	s.log(c, slog.LevelInfo, "forwarded for", slog.String("name", string(said.Name)), slog.String("addr", string(said.Addr)),
		slog.String("forwarded_helo", string(said.Helo)), slog.String("ident", string(said.Ident)))
}

func (s *session) logEnd(c *loop.Conn, why string) {
	s.log(c, slog.LevelDebug, "smtp connection ended", slog.String("why", why))
}
