package proto

import (
	"bytes"
	"encoding/base64"
	"slices"
	"unicode/utf8"
)

// login is what the client has said of itself so far. It is made by USER or
// AUTH and dropped after the answer, so that a session that waits, before the
// login or after, does not carry it.
type login struct {
	name      []byte
	password  []byte // in the input of the Step that asked
	mechanism string // of AUTH; empty for USER
	first     bool   // the AUTH command itself, not a later response
	response  []byte // decoded, its memory used again; nil: none was sent
}

// Credentials is what AskAuth is about: a name and a password, or one step of
// a SASL exchange.
type Credentials struct {
	// Mechanism is the SASL mechanism, spelled as in Options; empty for USER
	// and PASS.
	Mechanism string
	// First marks the beginning of an exchange: an older one that was not
	// finished is void.
	First bool
	// Response is what the client said, decoded; nil when its AUTH command
	// brought no initial response, empty when it brought an empty one.
	Response []byte
	// Name and Password are the arguments of USER and PASS.
	Name, Password []byte
}

// Credentials returns what the client wants to log in with. Valid while
// AskAuth is open and the input of the Step that asked is untouched; the slices
// live until Answer.
func (s *Session) Credentials() Credentials {
	l := s.login
	return Credentials{Mechanism: l.mechanism, First: l.first, Response: l.response, Name: l.name, Password: l.password}
}

func (s *Session) inExchange() bool { return s.login != nil && s.login.mechanism != "" }

// user is USER name (RFC 1939 section 7). Every name is welcome: the password
// decides, and nobody learns which names exist.
func (s *Session) user(arg, out []byte) []byte {
	switch {
	case !s.options.User:
		return s.bad(out, s.noLogin())
	case !s.options.UTF8User && !isASCII(arg), !utf8.Valid(arg):
		return s.bad(out, "not a name")
	}
	s.login = &login{name: bytes.Clone(arg)}
	return ok(out, "name noted, send the password")
}

// pass is PASS string. Spaces belong to the password (RFC 1939 section 7).
func (s *Session) pass(arg, out []byte) []byte {
	switch {
	case !s.options.User:
		return s.bad(out, s.noLogin())
	case s.login == nil:
		return s.bad(out, "USER comes first")
	case !s.options.UTF8User && !isASCII(arg), !utf8.Valid(arg):
		s.login = nil
		return s.bad(out, "not a password")
	}
	s.login.password = arg
	s.next = AskAuth
	return out
}

// noLogin says why there is no way to log in here.
func (s *Session) noLogin() string {
	if s.options.TLS == TLSOffered {
		return "[AUTH] no login without TLS here, send STLS first"
	}
	return "[AUTH] this way to log in is not available"
}

// auth is AUTH mechanism [initial-response] (RFC 5034 section 4). An initial
// response of "=" is an empty one.
func (s *Session) auth(arg, out []byte) []byte {
	name, initial, has := bytes.Cut(arg, []byte{' '})
	i := slices.IndexFunc(s.options.Mechanisms, func(m string) bool { return bytes.EqualFold(name, []byte(m)) })
	switch {
	case len(s.options.Mechanisms) == 0:
		return s.bad(out, s.noLogin())
	case i < 0:
		return s.bad(out, "unknown mechanism, CAPA lists what there is")
	}
	s.login = &login{mechanism: s.options.Mechanisms[i], first: true}
	if string(initial) == "=" {
		initial = nil
	}
	return s.decode(initial, has, out)
}

// response is the client's line in a SASL exchange: base64, or "*" to cancel
// (RFC 5034 section 4).
func (s *Session) response(line, out []byte) []byte {
	s.login.first = false
	if string(line) == "*" {
		s.login = nil
		return s.bad(out, "authentication cancelled")
	}
	return s.decode(line, true, out)
}

// decode takes the response in and asks about it.
func (s *Session) decode(line []byte, has bool, out []byte) []byte {
	if !has {
		s.login.response = nil
		s.next = AskAuth
		return out
	}
	response, err := base64.StdEncoding.Strict().AppendDecode(s.login.response[:0], line)
	if err != nil {
		s.login = nil
		return s.bad(out, "[AUTH] not base64")
	}
	if response == nil {
		response = []byte{}
	}
	s.login.response = response
	s.next = AskAuth
	return out
}

// answerAuth ends a login or one step of it. A challenge without text is "+ "
// (RFC 5034 section 4).
func (s *Session) answerAuth(a Answer, out []byte) []byte {
	if a.Verdict == Challenge {
		out = append(out, "+ "...)
		out = base64.StdEncoding.AppendEncode(out, a.Challenge)
		return append(out, '\r', '\n')
	}
	s.login = nil
	if a.Verdict != Accept {
		s.countError()
		return refuse(out, a.Verdict)
	}
	s.state = transaction
	s.drop = drop{messages: a.Messages, left: a.Messages, octets: a.Octets, total: a.Octets}
	out = append(out, "+OK maildrop has "...)
	out = appendHoldings(out, a.Messages, a.Octets)
	return append(out, '\r', '\n')
}

// stls is STLS (RFC 2595 section 4).
func (s *Session) stls(_, out []byte) []byte {
	switch {
	case s.options.TLS == TLSActive:
		return s.bad(out, "TLS is active already")
	case s.options.TLS == TLSNone:
		return s.bad(out, "no TLS here")
	case s.utf8:
		return s.bad(out, "no STLS after UTF8") // RFC 6856 2.1
	}
	s.next = StartTLS
	return ok(out, "begin TLS negotiation")
}

// utf8Mode is UTF8 (RFC 6856 2.1).
func (s *Session) utf8Mode(_, out []byte) []byte {
	s.utf8 = true
	return ok(out, "UTF-8 mode")
}
