package smtpd

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"

	"barid/internal/loop"
	"barid/internal/smtp"
	"barid/smtpd/proto"
)

var badClientAddress = smtp.Reply{Code: 501, Status: smtp.Status{5, 5, 4}, Text: "ADDR is not an address"}

// xclient answers AskXClient: from here on the session is that of another
// client, by the word of a proxy that is trusted to give it. A client whose
// address the proxy does not know keeps that of the proxy, and may not relay by
// it. A login counts
// only when the account exists.
func (s *session) xclient(c *loop.Conn) {
	said := s.engine.Client()
	remote := c.RemoteAddr()
	if len(said.Addr) > 0 {
		a, ok := parseClientAddr(said.Addr, said.Port)
		if !ok {
			s.answer(c, refuse(badClientAddress))
			return
		}
		remote = a
	}
	who := s.identityOf(said)
	c.SetRemoteAddr(remote)
	s.unplaced = len(said.Addr) == 0
	s.answer(c, accept)
	s.begin(c)
	s.identity = who
	s.engine.SetAuthenticated(s.account() != "")
	s.logXClient(c)
}

// identityOf is who XCLIENT says the client is; nil when it says nothing.
func (s *session) identityOf(said *proto.Client) *identity {
	who := identity{helo: cloneFilled(said.Helo), name: cloneFilled(said.Name)}
	if len(said.Login) > 0 && s.server.Auth != nil {
		if account, ok := s.server.Auth.Lookup(said.Login); ok {
			who.account = strings.Clone(account.Name)
		}
	}
	if who.account == "" && who.helo == nil && who.name == nil {
		return nil
	}
	return &who
}

// cloneFilled is a copy of p, nil when p is empty.
func cloneFilled(p []byte) []byte {
	if len(p) == 0 {
		return nil
	}
	return bytes.Clone(p)
}

// xforward answers AskXForward: the attributes of the message's first client
// go into the log, next to what we see ourselves.
func (s *session) xforward(c *loop.Conn) proto.Answer {
	s.logForwarded(c, s.engine.Client())
	return accept
}

// parseClientAddr reads ADDR and PORT of XCLIENT; IPv6 addresses have a
// prefix there. A port that is not known is 0.
func parseClientAddr(addr, port []byte) (netip.AddrPort, bool) {
	text := string(addr)
	const ipv6 = "IPV6:"
	if len(text) > len(ipv6) && strings.EqualFold(text[:len(ipv6)], ipv6) {
		text = text[len(ipv6):]
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.AddrPort{}, false
	}
	n, err := strconv.ParseUint(string(port), 10, 16)
	if err != nil {
		n = 0
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), true
}
