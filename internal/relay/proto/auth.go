package proto

import (
	"encoding/base64"

	"barid/internal/smtp"
)

// authKeyword is the list of mechanisms. (RFC 4954 3)
func (c *Client) authKeyword(args smtp.Text) {
	for {
		args.Spaces()
		name := args.Word()
		switch {
		case len(name) == 0:
			return
		case smtp.EqualFold(name, "PLAIN"):
			c.offered |= AuthPlain &^ c.opts.Ignore
		case smtp.EqualFold(name, "LOGIN"):
			c.offered |= AuthLogin &^ c.opts.Ignore
		}
	}
}

// login appends AUTH. (RFC 4954 4, RFC 4616 2)
//
//	auth-command = "AUTH" SP sasl-mech [SP initial-response]
//	message      = [authzid] UTF8NUL authcid UTF8NUL passwd
func (c *Client) login(out []byte) []byte {
	l := &c.opts.Login
	switch {
	case !c.is(secure) && !l.InClear:
		return c.giveUp(authInClear, out)
	case c.Offers(AuthPlain):
		c.become(plainState)
		out = append(out, "AUTH PLAIN "...)
		return appendBase64(out, "\x00"+l.User+"\x00"+l.Password)
	case c.Offers(AuthLogin):
		c.become(loginState)
		return append(out, "AUTH LOGIN\r\n"...)
	}
	return c.giveUp(authMissing, out)
}

// appendBase64 appends a response and ends the line.
func appendBase64(out []byte, response string) []byte {
	out = base64.StdEncoding.AppendEncode(out, []byte(response))
	return append(out, "\r\n"...)
}

// authAnswered is a reply within an exchange. What a challenge of LOGIN says
// means nothing: the first is for the name and the second for the password.
func (c *Client) authAnswered(out []byte) []byte {
	l := &c.opts.Login
	switch class := c.class(); {
	case class >= 4:
		return c.giveUp(c.said(), out)
	case class == 2 && c.state.in(set(plainState, passwordState)):
		c.become(readyState)
		return out
	case class == 3 && c.state == loginState:
		c.become(userState)
		return appendBase64(out, l.User)
	case class == 3 && c.state == userState:
		c.become(passwordState)
		return appendBase64(out, l.Password)
	}
	c.fail(c.senseless(authBroken))
	return out
}
