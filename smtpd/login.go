package smtpd

import (
	"errors"
	"strings"

	"barid/auth"
	"barid/internal/loop"
	"barid/internal/smtp"
	"barid/internal/tlsconf"
	"barid/smtpd/proto"
)

// identity is what makes a client more than an address. Most sessions have
// none.
type identity struct {
	account  string         // who authenticated, "" for nobody
	exchange *auth.Exchange // of AUTH, under way
	helo     []byte         // the name that XCLIENT gave, nil for none
}

// identify returns the session's identity for setting something in it.
func (s *session) identify() *identity {
	if s.identity == nil {
		s.identity = new(identity)
	}
	return s.identity
}

// account is who has authenticated, "" for nobody.
func (s *session) account() string {
	if s.identity == nil {
		return ""
	}
	return s.identity.account
}

// helo is the client's name.
func (s *session) helo() []byte {
	if s.identity != nil && s.identity.helo != nil {
		return s.identity.helo
	}
	return s.engine.Helo()
}

// Replies to AUTH. (RFC 4954 6) What was wrong with a name or a password is
// for the log.
var (
	authRefused   = smtp.Reply{Code: 535, Status: smtp.Status{5, 7, 8}, Text: "Authentication credentials invalid"}
	authTemporary = smtp.Reply{Code: 454, Status: smtp.Status{4, 7, 0}, Text: "Temporary authentication failure"}
	authMalformed = smtp.Reply{Code: 501, Status: smtp.Status{5, 5, 2}, Text: "Malformed authentication data"}
	authNeedsTLS  = smtp.Reply{Code: 538, Status: smtp.Status{5, 7, 11}, Text: "Encryption required for this authentication mechanism"}
	authUnknown   = smtp.Reply{Code: 504, Status: smtp.Status{5, 5, 4}, Text: "Authentication mechanism not supported"}
)

// login answers AskAuth with the next step of the mechanism.
func (s *session) login(c *loop.Conn) (loop.Wait, bool) {
	c.Blocking() // password hashes take their time
	id := s.identify()
	said := s.engine.Auth()
	challenge, done, err := s.exchangeStep(c, id, said)
	switch {
	case err != nil:
		return s.refuseLogin(c, err)
	case !done:
		s.answer(c, proto.Answer{Verdict: proto.Challenge, Data: challenge})
		return 0, false
	}
	id.account = strings.Clone(id.exchange.Account().Name) // the name shares the memory of the account file
	id.exchange = nil
	s.logLogin(c, said.Mechanism)
	s.answer(c, accept)
	return 0, false
}

func (s *session) exchangeStep(c *loop.Conn, id *identity, said *proto.Exchange) (challenge []byte, done bool, err error) {
	if said.Begin {
		id.exchange, err = s.server.Auth.Start(said.Mechanism, s.authClient(c))
		if err != nil {
			return nil, false, err
		}
	}
	return id.exchange.Step(said.Response)
}

// authClient describes the connection for a SASL exchange.
func (s *session) authClient(c *loop.Conn) auth.Client {
	client := auth.Client{Channel: auth.Channel{Remote: c.RemoteAddr().Addr()}}
	if state := c.TLS(); state != nil {
		client.TLS = true
		client.Binding = func(kind string) []byte {
			data, err := tlsconf.Binding(kind, state, s.server.Certificates.Leaf(state))
			if err != nil {
				return nil // this connection has none of that kind
			}
			return data
		}
	}
	return client
}

// refuseLogin answers an exchange that failed, after the delay that auth asks
// for; nobody but this client waits.
func (s *session) refuseLogin(c *loop.Conn, err error) (loop.Wait, bool) {
	s.logLoginRefused(c, err)
	s.identity.exchange = nil
	answer := refuse(authTemporary)
	var failure *auth.Error
	if errors.As(err, &failure) {
		answer = refuse(loginReply(failure.Class))
		if failure.Delay > 0 {
			s.held = &answer
			c.PauseFor(failure.Delay)
			return loop.WaitPause, true
		}
	}
	s.answer(c, answer)
	return 0, false
}

// loginReply says what a client is told about a class of failure.
func loginReply(class auth.Class) smtp.Reply {
	switch class {
	case auth.Refused:
		return authRefused
	case auth.Malformed:
		return authMalformed
	case auth.NeedsTLS:
		return authNeedsTLS
	case auth.NoMechanism:
		return authUnknown
	}
	return authTemporary
}
