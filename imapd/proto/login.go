package proto

import (
	"encoding/base64"
	"slices"

	"barid/internal/imap"
)

// login is a login under way. It is made by LOGIN or AUTHENTICATE and dropped
// after the answer.
type login struct {
	name, password []byte // in the Command
	mechanism      string // of AUTHENTICATE; empty for LOGIN
	first          bool   // the command itself, not a later response
	response       []byte // decoded, its memory used again; nil: none was sent
}

// Credentials is what AskAuth is about: a name and a password, or one step of
// a SASL exchange.
type Credentials struct {
	// Mechanism is the SASL mechanism, spelled as in Options; empty for LOGIN.
	Mechanism string
	// First marks the beginning of an exchange: an older one that was not
	// finished is void.
	First bool
	// Response is what the client said, decoded; nil when its command brought
	// no initial response, empty when it brought an empty one.
	Response []byte
	// Name and Password are the arguments of LOGIN.
	Name, Password []byte
}

// Credentials returns what the client wants to log in with. Valid while
// AskAuth is open; the slices live until Answer.
func (s *Session) Credentials() Credentials {
	l := s.login
	return Credentials{Mechanism: l.mechanism, First: l.first, Response: l.response, Name: l.name, Password: l.password}
}

// Verdict is the kind of an Answer.
type Verdict uint8

// The verdicts. The words of a refusal are the engine's, so that they betray
// no more than their kind.
const (
	// Accept: the client is who it says.
	Accept Verdict = iota
	// Challenge continues a SASL exchange.
	Challenge
	// RefuseAuth: the credentials are not right, whatever is wrong with them.
	RefuseAuth
	// RefuseMalformed: the response breaks the grammar of the mechanism.
	RefuseMalformed
	// RefuseLimit: the user has too many sessions already.
	RefuseLimit
	// RefuseTemporary: something of ours failed; trying later may help.
	RefuseTemporary
	// RefusePermanent: something of ours is wrong until a person mends it.
	RefusePermanent
)

// refusals are the replies of the verdicts, with the codes of RFC 5530.
var refusals = [...]imap.Reply{
	RefuseAuth:      {Status: imap.NO, Code: imap.CodeAuthenticationFailed, Text: "authentication failed"},
	RefuseMalformed: {Status: imap.BAD, Text: "malformed response"},
	RefuseLimit:     {Status: imap.NO, Code: imap.CodeLimit, Text: "too many sessions, close one first"},
	RefuseTemporary: {Status: imap.NO, Code: imap.CodeUnavailable, Text: "the server has a temporary problem, try again later"},
	RefusePermanent: {Status: imap.NO, Code: imap.CodeContactAdmin, Text: "the server has a problem, tell its postmaster"},
}

// Answer is the door's answer to AskAuth. Its slices are not kept.
type Answer struct {
	Verdict Verdict
	// Challenge is what a SASL exchange says to the client.
	Challenge []byte
}

// Answer resumes the session after AskAuth and appends the reply. An answer to
// a question that was not asked is a programming error and panics.
func (s *Session) Answer(a Answer, out []byte) []byte {
	s.expect(AskAuth)
	s.next = NeedInput
	if a.Verdict == Challenge {
		s.phase = inExchange
		out = append(out, "+ "...)
		out = base64.StdEncoding.AppendEncode(out, a.Challenge)
		return append(out, "\r\n"...)
	}
	s.login, s.phase = nil, inCommand
	if a.Verdict != Accept {
		out = refusals[a.Verdict].Append(out, s.tag)
		return s.countError(out)
	}
	s.become(authenticated)
	s.errors = 0
	out = append(out, s.tag...)
	out = append(out, " OK ["...)
	out = s.appendCapabilities(out)
	return append(out, "] logged in\r\n"...)
}

// login is LOGIN.
//
//	login = "LOGIN" SP userid SP password           ; RFC 9051 section 9
func (c *Command) login() (fault imap.Fault) {
	if fault = c.spacedString(&c.name); fault == "" {
		fault = c.spacedString(&c.password)
	}
	return fault
}

func (s *Session) logIn(out []byte) []byte {
	if !s.options.Login {
		return s.refuse(s.noLogin(), out)
	}
	s.tag = append(s.tag[:0], s.c.Tag...)
	s.login = &login{name: s.c.name, password: s.c.password, first: true}
	s.next = AskAuth
	return out
}

// noLogin says why there is no way to log in here.
func (s *Session) noLogin() imap.Reply {
	text := "this way to log in is not available"
	if s.options.TLS == TLSOffered {
		text = "no login without TLS here, send STARTTLS first"
	}
	return imap.Reply{Status: imap.NO, Code: imap.CodePrivacyRequired, Text: text}
}

// authenticate is AUTHENTICATE.
//
//	authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp]
//	               *(CRLF base64)                   ; RFC 9051 section 9
//	initial-resp = (base64 / "=")
func (c *Command) authenticate() imap.Fault {
	if fault := c.p.SP(); fault != "" {
		return fault
	}
	if c.mechanism = c.p.Keyword(); len(c.mechanism) == 0 {
		return "the name of a mechanism was expected"
	}
	if c.p.Empty() {
		return ""
	}
	if !c.p.Offers(imap.CapSASLIR) {
		return "no initial response is taken here"
	}
	if fault := c.p.SP(); fault != "" {
		return fault
	}
	c.initial = c.p.Base64()
	if len(c.initial) == 0 {
		return "an initial response was expected"
	}
	return ""
}

func (s *Session) authenticate(out []byte) []byte {
	c, o := s.c, s.options
	i := slices.Index(o.Mechanisms, string(c.mechanism))
	switch {
	case len(o.Mechanisms) == 0:
		return s.refuse(s.noLogin(), out)
	case i < 0:
		return s.refuse(imap.Reply{Status: imap.NO, Code: imap.CodeCannot, Text: "unknown mechanism, CAPABILITY lists what there is"}, out)
	}
	s.tag = append(s.tag[:0], c.Tag...)
	s.login = &login{mechanism: o.Mechanisms[i], first: true}
	initial := c.initial
	if string(initial) == "=" {
		initial = initial[:0]
	}
	return s.decode(initial, out)
}

// response is the client's line in a SASL exchange: base64, or "*" to cancel
// (RFC 9051 6.2.2). A line that looks like a literal is neither.
func (s *Session) response(line, out []byte) []byte {
	s.login.first = false
	if string(line) == "*" {
		return s.endExchange("authentication cancelled", out)
	}
	if line == nil {
		line = []byte{}
	}
	return s.decode(line, out)
}

// endExchange gives an exchange up.
func (s *Session) endExchange(text string, out []byte) []byte {
	s.login, s.phase = nil, inCommand
	return s.countError(bad(text).Append(out, s.tag))
}

// decode takes a response in, nil when there was none, and asks about it.
func (s *Session) decode(line, out []byte) []byte {
	l := s.login
	s.phase = inExchange
	if line == nil {
		l.response = nil
		s.next = AskAuth
		return out
	}
	response, err := base64.StdEncoding.Strict().AppendDecode(l.response[:0], line)
	if err != nil {
		return s.endExchange("a response is not base64", out)
	}
	if response == nil {
		response = []byte{}
	}
	l.response = response
	s.next = AskAuth
	return out
}

// startTLS is STARTTLS (RFC 9051 6.2.1).
func (s *Session) startTLS(out []byte) []byte {
	switch s.options.TLS {
	case TLSActive:
		return s.refuse(bad("TLS is active already"), out)
	case TLSNone:
		return s.refuse(bad("no TLS here"), out)
	}
	s.next = StartTLS
	return s.ok(s.c.Tag, "begin TLS negotiation", out)
}

// capability is CAPABILITY (RFC 9051 6.1.1).
func (s *Session) capability(out []byte) []byte {
	out = s.appendCapabilities(append(out, "* "...))
	return s.ok(s.c.Tag, "that is all", append(out, "\r\n"...))
}

// logout is LOGOUT (RFC 9051 6.1.3).
func (s *Session) logout(out []byte) []byte {
	out = s.Hangup("", "bye", out)
	return s.ok(s.c.Tag, "logged out", out)
}

// compress is COMPRESS.
//
//	compress  = "COMPRESS" SP algorithm             ; RFC 4978 section 5
//	algorithm = "DEFLATE"
func (c *Command) compress() imap.Fault {
	if fault := c.p.SP(); fault != "" {
		return fault
	}
	if !c.p.Word("DEFLATE") {
		return "there is no such way to compress"
	}
	return ""
}

func (s *Session) compress(out []byte) []byte {
	if s.compressed {
		r := imap.Reply{Status: imap.NO, Code: imap.CodeCompressionActive, Text: "compression is active already"}
		return r.Append(out, s.c.Tag)
	}
	s.next = Compress
	return s.ok(s.c.Tag, "compression begins", out)
}

// idle is IDLE.
//
//	idle = "IDLE" CRLF "DONE"                       ; RFC 9051 section 9
func (s *Session) idle(out []byte) []byte {
	s.tag = append(s.tag[:0], s.c.Tag...)
	s.phase = inIdle
	return append(out, "+ idling\r\n"...)
}

// endIdle takes what the client says while it idles.
func (s *Session) endIdle(line, out []byte) []byte {
	s.phase = inCommand
	if len(line) == 4 && imap.EqualFold(line, "DONE") {
		return s.ok(s.tag, "no longer idle", out)
	}
	return s.countError(bad("DONE was expected").Append(out, s.tag))
}
