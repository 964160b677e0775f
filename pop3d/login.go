package pop3d

import (
	"errors"
	"io/fs"
	"syscall"

	"barid/auth"
	"barid/internal/loop"
	"barid/maildir"
	"barid/pop3d/proto"
)

// login answers AskAuth: it checks what the client said and, when that
// completes a login, opens the mailbox.
func (s *session) login(c *loop.Conn) (loop.Wait, bool) {
	c.Blocking() // password hashes and directories take their time
	said := s.engine.Credentials()
	account, challenge, done, err := s.authenticate(c, said)
	if err != nil {
		return s.refuse(c, said, err)
	}
	if !done {
		s.answer(c, proto.Answer{Verdict: proto.Challenge, Challenge: challenge})
		return 0, false
	}
	s.exchange = nil
	s.answer(c, s.enter(c, account, said.Mechanism))
	return 0, false
}

// authenticate takes one step of any of the ways to log in.
func (s *session) authenticate(c *loop.Conn, said proto.Credentials) (account auth.Account, challenge []byte, done bool, err error) {
	if said.Mechanism == "" {
		account, err = s.server.Auth.Password(said.Name, said.Password, channelOf(c).Remote)
		return account, nil, err == nil, err
	}
	if said.First {
		s.exchange, err = s.server.Auth.Start(said.Mechanism, s.clientOf(c))
		if err != nil {
			return auth.Account{}, nil, false, err
		}
	}
	challenge, done, err = s.exchange.Step(said.Response)
	if done && err == nil {
		account = s.exchange.Account()
	}
	return account, challenge, done, err
}

// refuse answers a login that failed, after the delay that auth asks for.
func (s *session) refuse(c *loop.Conn, said proto.Credentials, err error) (loop.Wait, bool) {
	s.logRefusal(c, said, err)
	s.exchange = nil
	var failure *auth.Error
	if !errors.As(err, &failure) {
		return s.pause(c, proto.RefuseTemporary, 0)
	}
	return s.pause(c, verdictOf(failure.Class), failure.Delay)
}

// verdictOf turns a class of failure into what the client is told.
func verdictOf(class auth.Class) proto.Verdict {
	switch class {
	case auth.LockedOut, auth.Temporary:
		return proto.RefuseTemporary
	case auth.Malformed:
		return proto.RefuseMalformed
	}
	return proto.RefuseAuth
}

// enter opens the mailbox of an account that has proved who it is.
func (s *session) enter(c *loop.Conn, account auth.Account, mechanism string) proto.Answer {
	if !s.server.delays.mayEnter(account.Name, s.server.Now()) {
		s.logTurnedAway(c, account, "login delay", nil)
		return proto.Answer{Verdict: proto.RefuseLoginDelay}
	}
	drop, err := s.server.Mailbox(account).OpenMaildrop()
	if err != nil {
		s.logTurnedAway(c, account, "mailbox", err)
		return proto.Answer{Verdict: mailboxVerdict(err)}
	}
	s.visit = newVisit(account, drop, s.server.Log)
	s.server.delays.entered(s.visit.account, s.server.Now())
	s.logLogin(c, mechanism)
	return proto.Answer{Messages: drop.Len(), Octets: s.visit.octets}
}

// mailboxVerdict says why a mailbox does not open: what only a person can
// mend is permanent.
func mailboxVerdict(err error) proto.Verdict {
	switch {
	case errors.Is(err, maildir.ErrInUse):
		return proto.RefuseInUse
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ELOOP):
		return proto.RefusePermanent
	}
	return proto.RefuseTemporary
}

// channelOf describes the connection for auth.
func channelOf(c *loop.Conn) auth.Channel {
	return auth.Channel{TLS: c.TLS() != nil, Remote: c.RemoteAddr().Addr()}
}

// clientOf describes the connection for a SASL exchange.
func (s *session) clientOf(c *loop.Conn) auth.Client {
	client := auth.Client{Channel: auth.Channel{Remote: c.RemoteAddr().Addr()}}
	if state := c.TLS(); state != nil {
		client.TLS = true
		client.Binding = s.server.Certificates.Binder(state)
	}
	return client
}
