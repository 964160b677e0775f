package proto

import (
	"bytes"
	"strconv"
)

// capa is CAPA (RFC 2449 section 5). Except for STLS, which RFC 2595 section 4
// wants announced only where it may be given, the list is the same before and
// after the login, as RFC 2449 demands of each of these.
func (s *Session) capa(_, out []byte) []byte {
	o := s.options
	out = append(out, "+OK capability list follows\r\nTOP\r\nUIDL\r\n"...)
	if o.User {
		out = append(out, "USER\r\n"...)
	}
	if len(o.Mechanisms) > 0 {
		out = append(out, "SASL"...)
		for _, m := range o.Mechanisms {
			out = append(out, ' ')
			out = append(out, m...)
		}
		out = append(out, "\r\n"...)
	}
	if o.TLS == TLSOffered && s.state == authorization {
		out = append(out, "STLS\r\n"...)
	}
	out = append(out, "RESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n"...)
	out = appendPolicy(out, o)
	if o.UTF8User {
		out = append(out, "UTF8 USER\r\n"...)
	} else {
		out = append(out, "UTF8\r\n"...)
	}
	out = append(out, "LANG\r\n"...)
	if o.Implementation != "" {
		out = append(out, "IMPLEMENTATION "...)
		out = append(out, o.Implementation...)
		out = append(out, "\r\n"...)
	}
	return append(out, ".\r\n"...)
}

// appendPolicy announces how long messages stay and how often one may log in.
func appendPolicy(out []byte, o *Options) []byte {
	out = append(out, "EXPIRE "...)
	if o.ExpireDays < 0 {
		out = append(out, "NEVER"...)
	} else {
		out = strconv.AppendInt(out, int64(o.ExpireDays), 10)
	}
	out = append(out, "\r\n"...)
	if o.LoginDelaySeconds > 0 {
		out = append(out, "LOGIN-DELAY "...)
		out = strconv.AppendInt(out, int64(o.LoginDelaySeconds), 10)
		out = append(out, "\r\n"...)
	}
	return out
}

// lang is LANG [range] (RFC 6856 section 3). The replies are in English, so
// the list has one line and there is nothing to switch.
func (s *Session) lang(arg, out []byte) []byte {
	switch {
	case len(arg) == 0:
		return append(out, "+OK language listing follows\r\nen English\r\n.\r\n"...)
	case string(arg) == "*" || bytes.EqualFold(arg, []byte("en")):
		return ok(out, "en replies are in English")
	}
	return s.bad(out, "no such language, replies stay in English")
}
