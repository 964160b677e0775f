package smtpd

import (
	"errors"
	"strings"

	"barid/auth"
	"barid/internal/loop"
	"barid/internal/smtp"
	"barid/smtpd/proto"
)

// identity is what makes a client more than an address. Most sessions have
// none.
type identity struct {
	account  string         // who authenticated, "" for nobody
	exchange *auth.Exchange // of AUTH, under way
	held     []byte         // the reply that waits for a pause to end
	helo     []byte         // the name that XCLIENT gave, nil for none
	name     []byte         // the host name that XCLIENT gave, nil for none
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

// helo is the client's name for itself.
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
	authLockedOut = smtp.Reply{Code: 454, Status: smtp.Status{4, 7, 0}, Text: "Too many failed logins, try again later"}
	authTemporary = smtp.Reply{Code: 454, Status: smtp.Status{4, 7, 0}, Text: "Temporary authentication failure, try again later"}
	authMalformed = smtp.Reply{Code: 501, Status: smtp.Status{5, 5, 2}, Text: "Malformed authentication data"}
	authNeedsTLS  = smtp.Reply{Code: 538, Status: smtp.Status{5, 7, 11}, Text: "Encryption required for this authentication mechanism"}
	authUnknown   = smtp.Reply{Code: 504, Status: smtp.Status{5, 5, 4}, Text: "Authentication mechanism not supported"}
)

// login answers AskAuth with the next step of the mechanism.
func (s *session) login(c *loop.Conn) (loop.Wait, bool) {
	c.Blocking() // password hashes take their time
	id, said := s.identify(), s.engine.Auth()
	challenge, done, err := s.exchangeStep(c, id, said)
	switch {
	case err != nil:
		return s.refuseLogin(c, id, err)
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
	response := said.Response
	if response == nil && !said.Begin {
		response = []byte{} // the engine has none only at the beginning; auth tells the two apart by nil
	}
	return id.exchange.Step(response)
}

// authClient describes the connection for a SASL exchange.
func (s *session) authClient(c *loop.Conn) auth.Client {
	client := auth.Client{Channel: auth.Channel{Remote: c.RemoteAddr().Addr()}}
	if state := c.TLS(); state != nil {
		client.TLS = true
		client.Binding = s.server.Certificates.Binder(state)
	}
	return client
}

// refuseLogin refuses an exchange that failed. The engine is told at once, so
// that what the client has sent is wiped and the memory for it goes back; the
// client reads it after the delay that auth asks for, and nobody else waits.
func (s *session) refuseLogin(c *loop.Conn, id *identity, err error) (loop.Wait, bool) {
	s.logLoginRefused(c, id, err)
	id.exchange = nil
	answer := refuse(authTemporary)
	var failure *auth.Error
	if errors.As(err, &failure) {
		answer = refuse(loginReply(failure.Class))
		if failure.Delay > 0 {
			id.held = s.engine.Answer(answer, nil)
			c.PauseFor(failure.Delay)
			return loop.WaitPause, true
		}
	}
	s.answer(c, answer)
	return 0, false
}

// sayHeld queues the reply that was held back during a pause.
func (s *session) sayHeld(c *loop.Conn) {
	if s.identity != nil && s.identity.held != nil {
		c.SetOut(append(c.Out(), s.identity.held...))
		s.identity.held = nil
	}
}

// loginReply says what a client is told about a class of failure.
func loginReply(class auth.Class) smtp.Reply {
	switch class {
	case auth.Refused:
		return authRefused
	case auth.LockedOut:
		return authLockedOut
	case auth.Malformed:
		return authMalformed
	case auth.NeedsTLS:
		return authNeedsTLS
	case auth.NoMechanism:
		return authUnknown
	}
	return authTemporary
}
