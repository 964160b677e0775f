package loop

import (
	"crypto/tls"
	"log/slog"
)

// LogAttr says which connection a line of the log is about: its number, the
// client's address ("local" on a unix socket), and with TLS version and cipher.
func (c *Conn) LogAttr() slog.Attr {
	remote := "local"
	if a := c.RemoteAddr(); a.IsValid() {
		remote = a.String()
	}
	attrs := []any{"conn", c.ID(), "remote", remote}
	if state := c.TLS(); state != nil {
		attrs = append(attrs, "tls", tls.VersionName(state.Version), "cipher", tls.CipherSuiteName(state.CipherSuite))
	}
	return slog.Group("", attrs...)
}
