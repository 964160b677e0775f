// Package sasl is the server's side of the SASL mechanisms that mail clients
// use: PLAIN (RFC 4616), LOGIN (never standardised, draft-murchison-sasl-login),
// SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, 7677), and the preparation
// of names and passwords (SASLprep, RFC 4013).
//
// A Session is a value: the client's responses go in, challenges come out,
// and between them it asks its caller questions that only an account
// database can answer. It has no clock, no randomness (the caller hands in
// the nonce) and no I/O, so a conversation can be replayed octet for octet.
//
// Invariants. A response to which the grammar gives no meaning ends the
// exchange; nothing is ever guessed. A session that has ended stays ended.
// Nothing that the client can see depends on whether the account exists: for
// an unknown user the caller hands in fake credentials and the exchange goes
// on to its last step before it fails.
//
// Messages are decoded octets; base 64, the "*" that cancels and the line
// that carries them belong to the protocol around.
package sasl

import "strings"

// The names of the mechanisms as clients and servers write them.
const (
	Plain           = "PLAIN"
	Login           = "LOGIN"
	ScramSHA256     = "SCRAM-SHA-256"
	ScramSHA256Plus = "SCRAM-SHA-256-PLUS"
)

// Next says what a session needs.
type Next uint8

const (
	// Respond: send the challenge and call Step with the client's response.
	Respond Next = iota + 1
	// AskPassword: is Password right for User? Call Verdict.
	AskPassword
	// AskCredentials: call Supply with the credentials of User.
	AskCredentials
	// Done: the client is User.
	Done
	// Refused: the exchange failed. Reason tells the log why; the client is
	// told no more than it is after a wrong password.
	Refused
	// Malformed: the exchange failed because a message broke the grammar.
	Malformed
)

// Options of New.
type Options struct {
	// Nonce is the server's part of SCRAM's nonce: fresh and unguessable,
	// printable ASCII without comma (RFC 5802 5.1), 18 random octets in base
	// 64 for example.
	Nonce string
	// PlusOffered says that this client was offered SCRAM-SHA-256-PLUS: one
	// that claims not to have seen that has been lied to.
	PlusOffered bool
	// Binding gives the channel binding data of a type ("tls-exporter",
	// "tls-unique", "tls-server-end-point"), nil when there is none.
	Binding func(kind string) []byte
}

// Session is one exchange. Make it with New.
type Session struct {
	step     func(s *Session, response []byte) ([]byte, Next)
	user     string
	password []byte
	reason   string
	scram    scram
}

// New begins an exchange of the named mechanism (any case); false when there
// is no such mechanism.
func New(mechanism string, o Options) (Session, bool) {
	for _, m := range [...]struct {
		name string
		step func(*Session, []byte) ([]byte, Next)
	}{
		{Plain, stepPlain},
		{Login, stepLoginUser},
		{ScramSHA256, stepScramFirst},
		{ScramSHA256Plus, stepScramFirst},
	} {
		if strings.EqualFold(m.name, mechanism) {
			return Session{step: m.step, scram: scram{options: o, plus: m.name == ScramSHA256Plus}}, true
		}
	}
	return Session{}, false
}

// messageMax bounds every message of a client, in octets; what RFC 4954 4
// asks a server to accept, decoded.
const messageMax = 9216

// Step takes the client's response, nil when the client sent no initial
// response (an empty one is not nil). The challenge is for Respond only, may
// be empty, and lives until the next call.
func (s *Session) Step(response []byte) (challenge []byte, next Next) {
	if s.step == nil {
		return nil, s.fail(Refused, "exchange is over")
	}
	if len(response) > messageMax {
		return nil, s.fail(Malformed, "message too long")
	}
	return s.step(s, response)
}

// Verdict answers AskPassword and ends the exchange.
func (s *Session) Verdict(right bool) Next {
	asked := s.password != nil
	s.password, s.step = nil, nil
	if !asked || !right {
		return s.fail(Refused, "wrong name or password")
	}
	return Done
}

// User is the name that the client claims, "" before it is known; proven
// only after Done.
func (s *Session) User() string { return s.user }

// Password is what AskPassword asks about. It lives until Verdict.
func (s *Session) Password() []byte { return s.password }

// Reason says for the log why the exchange failed.
func (s *Session) Reason() string { return s.reason }

// fail ends the exchange.
func (s *Session) fail(next Next, reason string) Next {
	s.step, s.password = nil, nil
	if s.reason == "" {
		s.reason = reason
	}
	return next
}
