package imapd

import (
	"errors"
	"strings"

	"barid/auth"
	"barid/imapd/proto"
	"barid/internal/imap"
	"barid/internal/loop"
)

// login answers AskAuth: it checks what the client said.
func (s *session) login(c *loop.Conn) (loop.Wait, bool) {
	c.Blocking() // password hashes take their time
	said := s.engine.Credentials()
	account, challenge, done, err := s.authenticate(c, said)
	if err != nil {
		return s.refuseLogin(c, said, err)
	}
	if !done {
		s.answer(c, proto.Answer{Verdict: proto.Challenge, Challenge: challenge})
		return 0, false
	}
	s.exchange = nil
	s.visitor = &visitor{
		account: strings.Clone(account.Name),
		mailbox: s.server.Mailbox(account),
		limits:  limits{octets: account.QuotaBytes, messages: account.QuotaMessages},
	}
	c.SetPatience(patienceCommand)
	s.logLogin(c, said.Mechanism)
	s.answer(c, proto.Answer{})
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

// refuseLogin answers a login that failed, after the delay that auth asks for.
func (s *session) refuseLogin(c *loop.Conn, said proto.Credentials, err error) (loop.Wait, bool) {
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

// unauthenticate ends what a login began: the next user of the connection is
// told nothing of this one (RFC 8437 section 3).
func (s *session) unauthenticate(c *loop.Conn) (imap.Reply, job) {
	s.deselect()
	s.logLogout(c, nil)
	s.visitor = nil
	c.SetPatience(patienceLogin)
	return imap.Reply{}, nil
}
