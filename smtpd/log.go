package smtpd

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"

	"barid/auth"
	"barid/internal/loop"
	"barid/internal/route"
	"barid/smtpd/proto"
	"barid/spool"
)

// noContext is for log calls: nothing here has a context to pass on.
var noContext = context.Background()

// enabled reports whether a line of this level is seen at all. Each function
// below asks first: nothing is put together for a line that nobody will see.
func (s *session) enabled(level slog.Level) bool { return s.server.Log.Enabled(noContext, level) }

// log writes a line about the session, with the attributes that every such
// line has.
func (s *session) log(c *loop.Conn, level slog.Level, message string, attrs ...slog.Attr) {
	all := append(make([]slog.Attr, 0, len(attrs)+6),
		slog.Uint64("conn", c.ID()),
		slog.String("remote", s.remote(c)),
	)
	if helo := s.helo(); len(helo) > 0 {
		all = append(all, text("helo", helo))
	}
	if s.tls.active() {
		all = append(all, slog.String("tls", s.tls.versionName()), slog.String("cipher", s.tls.suiteName()))
	}
	if account := s.account(); account != "" {
		all = append(all, slog.String("account", account))
	}
	s.server.Log.LogAttrs(noContext, level, message, append(all, attrs...)...)
}

// text is an attribute of octets that a client sent.
func text(key string, value []byte) slog.Attr {
	return slog.String(key, strings.ToValidUTF8(string(value), "?"))
}

func (s *session) remote(c *loop.Conn) string {
	if a := c.RemoteAddr(); a.IsValid() {
		return a.String()
	}
	if o := s.origin(c); o.local {
		return "uid " + strconv.FormatUint(uint64(o.uid), 10)
	}
	return "unknown"
}

// logAccepted is the first line of a message's life in the log; those of
// spool and deliver carry the same id.
func (s *session) logAccepted(c *loop.Conn) {
	if !s.enabled(slog.LevelInfo) {
		return
	}
	e := &s.t.envelope
	s.log(c, slog.LevelInfo, "accepted",
		slog.String("id", s.t.id.String()),
		text("from", e.ReturnPath),
		slog.Int("recipients", len(e.Recipients)),
		slog.Int64("octets", s.engine.Body().Octets),
		slog.String("with", s.engine.Protocol()),
	)
}

// logNotStored says why a client was told to come back: when the spool has no
// room that is expected to pass, anything else is not.
func (s *session) logNotStored(c *loop.Conn, err error) {
	level := slog.LevelError
	if errors.Is(err, spool.ErrFull) || errors.Is(err, spool.ErrClosed) || errors.Is(err, spool.ErrEnvelope) {
		level = slog.LevelWarn
	}
	if s.enabled(level) {
		s.log(c, level, "message not stored", slog.String("id", s.t.id.String()), text("from", s.t.envelope.ReturnPath), slog.Any("error", err))
	}
}

// logRefused logs what the door refuses by itself; address is nil when it is
// about none.
func (s *session) logRefused(c *loop.Conn, why string, address []byte) {
	if !s.enabled(slog.LevelInfo) {
		return
	}
	attrs := []slog.Attr{slog.String("why", why)}
	if address != nil {
		attrs = append(attrs, text("address", address))
	}
	s.log(c, slog.LevelInfo, "refused", attrs...)
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
		text("from", s.t.envelope.ReturnPath), text("to", address), slog.Int("code", v.Code), slog.String("why", why))
}

func (s *session) logLogin(c *loop.Conn, mechanism string) {
	if s.enabled(slog.LevelInfo) {
		s.log(c, slog.LevelInfo, "smtp login", slog.String("mechanism", mechanism))
	}
}

// logLoginRefused logs what the client must not know.
func (s *session) logLoginRefused(c *loop.Conn, id *identity, err error) {
	level := slog.LevelInfo
	var failure *auth.Error
	if !errors.As(err, &failure) || failure.Class == auth.Temporary {
		level = slog.LevelWarn
	}
	if !s.enabled(level) {
		return
	}
	user := ""
	if id.exchange != nil {
		user = id.exchange.User()
	}
	s.log(c, level, "smtp login refused",
		slog.String("mechanism", s.engine.Auth().Mechanism), text("user", []byte(user)), slog.Any("error", err))
}

// logXClient has the new client among the attributes of every line, and the
// proxy's connection in conn.
func (s *session) logXClient(c *loop.Conn) {
	if s.enabled(slog.LevelDebug) {
		s.log(c, slog.LevelDebug, "client told by proxy")
	}
}

func (s *session) logForwarded(c *loop.Conn, said *proto.Client) {
	if s.enabled(slog.LevelInfo) {
		s.log(c, slog.LevelInfo, "forwarded for", text("name", said.Name), text("addr", said.Addr),
			text("forwarded_helo", said.Helo), text("ident", said.Ident))
	}
}

func (s *session) logEnd(c *loop.Conn, why string) {
	if s.enabled(slog.LevelDebug) {
		s.log(c, slog.LevelDebug, "smtp connection ended", slog.String("why", why))
	}
}
