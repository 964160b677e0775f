package smtpd

import (
	"net/netip"
	"strconv"
	"strings"

	"barid/internal/loop"
	"barid/internal/smtp"
	"barid/smtpd/proto"
)

var badClientAddress = smtp.Reply{Code: 501, Status: smtp.Status{5, 5, 4}, Text: "ADDR is not an address"}

// xclient answers AskXClient: from here on the session is that of another
// client, by the word of a proxy that is trusted to give it. A login counts
// only when the account exists.
func (s *session) xclient(c *loop.Conn) {
	said := s.engine.Client()
	if len(said.Addr) > 0 {
		a, ok := parseClientAddr(said.Addr, said.Port)
		if !ok {
			s.answer(c, refuse(badClientAddress))
			return
		}
		c.SetRemoteAddr(a)
	}
	s.identity = nil
	if len(said.Helo) > 0 {
		s.identify().helo = append([]byte{}, said.Helo...)
	}
	if len(said.Login) > 0 && s.server.Auth != nil {
		if account, ok := s.server.Auth.Lookup(said.Login); ok {
			s.identify().account = strings.Clone(account.Name)
		}
	}
	s.answer(c, accept)
	s.engine.SetAuthenticated(s.account() != "")
}

// xforward answers AskXForward: the attributes of the message's first client
// go into the log, next to what we see ourselves.
func (s *session) xforward(c *loop.Conn) proto.Answer {
	s.logForwarded(c, s.engine.Client())
	return accept
}

// parseClientAddr reads ADDR and PORT of XCLIENT; IPv6 addresses have a
// prefix there.
func parseClientAddr(addr, port []byte) (netip.AddrPort, bool) {
	text := string(addr)
	if len(text) > 5 && strings.EqualFold(text[:5], "IPV6:") {
		text = text[5:]
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.AddrPort{}, false
	}
	n, err := strconv.ParseUint(string(port), 10, 16)
	if err != nil {
		n = 0 // a port that is not known
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), true
}
