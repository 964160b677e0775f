package proto

import (
	"encoding/base64"
	"slices"

	"barid/internal/smtp"
)

// An Exchange is what AskAuth is about: one response of the client.
type Exchange struct {
	Mechanism string // as Options spells it
	Begin     bool   // this is the AUTH command: begin an exchange
	// Response is what the client has sent, decoded. Nil, with Begin: it has
	// sent none, and the mechanism begins with a challenge, perhaps an empty
	// one.
	Response []byte
}

// mechanisms are those that may be used now.
func (s *Session) mechanisms() []string {
	if s.is(secure) {
		return s.opts.MechanismsTLS
	}
	return s.opts.Mechanisms
}

// authCommand is AUTH. (RFC 4954 4)
//
//	auth-command = "AUTH" SP sasl-mech [SP initial-response] *(CRLF [base64]) [CRLF cancel-response] CRLF
//	initial-response = base64 / "="
func (s *Session) authCommand(arg smtp.Text, out []byte) []byte {
	if s.is(authenticated) {
		return s.refuse(out, authTwice)
	}
	mechanism, r := s.mechanism(arg.Word())
	arg.Spaces()
	initial := arg.Word()
	arg.Spaces()
	if r == none && !arg.Empty() {
		r = badArguments
	}
	if r != none {
		return s.refuse(out, r)
	}
	s.t.auth = Exchange{Mechanism: mechanism, Begin: true}
	if string(initial) == "=" {
		s.t.auth.Response = []byte{}
	} else if len(initial) > 0 && !s.decodeResponse(initial) {
		return s.refuse(out, authBase64)
	}
	s.become(authBegun)
	s.ask(AskAuth)
	return out
}

// mechanism finds a mechanism among those that may be used now.
func (s *Session) mechanism(name []byte) (string, refusal) {
	find := func(list []string) int {
		return slices.IndexFunc(list, func(m string) bool { return smtp.EqualFold(m, name) })
	}
	now, later := s.mechanisms(), s.opts.MechanismsTLS
	switch i := find(now); {
	case i >= 0:
		return now[i], none
	case len(later) == 0 && len(now) == 0:
		return "", notOffered
	case !s.is(secure) && (len(now) == 0 || find(later) >= 0):
		return "", authNeedsTLS
	}
	return "", authMechanism
}

// decodeResponse decodes a response into memory of the transaction, which an
// exchange has for itself.
func (s *Session) decodeResponse(line []byte) bool {
	size := base64.StdEncoding.DecodedLen(len(line))
	s.t.arena = slices.Grow(s.t.arena[:0], size)
	n, err := base64.StdEncoding.Decode(s.t.arena[:size], line)
	s.t.auth.Response = s.t.arena[:n:n]
	return err == nil
}

// authLine is a line within an exchange. (RFC 4954 4)
//
//	cancel-response = "*"
func (s *Session) authLine(line smtp.Text, kind lineKind, out []byte) []byte {
	r := none
	switch {
	case kind == lineLong:
		r = authLineTooLong
	case string(line) == "*":
		r = authCancelled
	case kind == lineDirty || !s.decodeResponse(line):
		r = authBase64
	}
	if r != none {
		s.ended = true
		s.endExchange()
		return s.refuse(out, r)
	}
	s.t.auth.Begin = false
	s.ask(AskAuth)
	return out
}

func (s *Session) authAnswered(a Answer, out []byte) []byte {
	if a.Verdict == Challenge {
		out = append(out, "334 "...)
		out = base64.StdEncoding.AppendEncode(out, a.Data)
		return append(out, "\r\n"...)
	}
	s.endExchange()
	if a.Verdict == Accept {
		s.set(authenticated)
	}
	return s.answer(out, a.Verdict == Accept, a.Reply, 235, smtp.Status{2, 7, 0}, "Authentication succeeded")
}

// endExchange forgets what the client has sent: it may be a password.
func (s *Session) endExchange() {
	clear(s.t.arena[:cap(s.t.arena)])
	s.t.reset()
	s.become(authOver)
}
