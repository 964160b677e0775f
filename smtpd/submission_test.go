package smtpd

import (
	"encoding/base64"
)

// plain is the response of AUTH PLAIN (RFC 4616).
func plain(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
}

// login connects with TLS and logs in.
func (h *house) login(user, password string) *client {
	h.t.Helper()
	c, _ := h.secure()
	c.hello("EHLO client.example")
	c.say("AUTH PLAIN "+plain(user, password), "235 2.7.0 *")
	return c
}
