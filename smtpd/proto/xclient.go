package proto

import "barid/internal/smtp"

// A Client is what XCLIENT or XFORWARD says about another client. A nil
// attribute was not sent; one that is empty but not nil is [UNAVAILABLE] or
// [TEMPUNAVAIL].
type Client struct {
	Name     []byte // host name
	Addr     []byte // address; IPv6 with the prefix IPV6:
	Port     []byte
	Proto    []byte // SMTP or ESMTP
	Helo     []byte
	Login    []byte // XCLIENT: SASL login name
	DestAddr []byte // XCLIENT: the server's address
	DestPort []byte // XCLIENT
	Ident    []byte // XFORWARD: the message's id at the client
	Source   []byte // XFORWARD: LOCAL or REMOTE
}

// attribute is the place of an attribute, nil when the command has none of
// this name.
func (c *Client) attribute(name []byte, q Next) *[]byte {
	places := [...]struct {
		name  string
		only  Next // AskXClient or AskXForward; NeedInput for both
		place *[]byte
	}{
		{"NAME", NeedInput, &c.Name},
		{"ADDR", NeedInput, &c.Addr},
		{"PORT", NeedInput, &c.Port},
		{"PROTO", NeedInput, &c.Proto},
		{"HELO", NeedInput, &c.Helo},
		{"LOGIN", AskXClient, &c.Login},
		{"DESTADDR", AskXClient, &c.DestAddr},
		{"DESTPORT", AskXClient, &c.DestPort},
		{"IDENT", AskXForward, &c.Ident},
		{"SOURCE", AskXForward, &c.Source},
	}
	for _, p := range places {
		if smtp.EqualFold(p.name, name) && (p.only == NeedInput || p.only == q) {
			return p.place
		}
	}
	return nil
}

// xclient is XCLIENT: a trusted client speaks for another, and the session
// begins anew.
//
//	xclient-command = "XCLIENT" 1*( SP attribute-name "=" attribute-value )
//	attribute-value = xtext
func (s *Session) xclient(arg smtp.Text, out []byte) []byte {
	return s.attributes(XClient, AskXClient, arg, out)
}

// xforward is XFORWARD: a trusted client says where it has the message from.
//
//	xforward-command = "XFORWARD" 1*( SP attribute-name "=" attribute-value )
func (s *Session) xforward(arg smtp.Text, out []byte) []byte {
	return s.attributes(XForward, AskXForward, arg, out)
}

func (s *Session) attributes(needs Trust, q Next, arg smtp.Text, out []byte) []byte {
	if s.opts.Trust&needs == 0 {
		return s.refuse(out, notTrusted)
	}
	if !s.parseAttributes(q, arg) {
		s.t.reset()
		return s.refuse(out, badArguments)
	}
	s.ask(q)
	return out
}

func (s *Session) parseAttributes(q Next, arg smtp.Text) bool {
	for {
		p, good := arg.Param()
		if !good || p.Value == nil {
			return false
		}
		place := s.t.client.attribute(p.Keyword, q)
		if place == nil || *place != nil {
			return false
		}
		*place = s.keepAttribute(p.Value)
		if !arg.Spaces() || arg.Empty() {
			return arg.Empty()
		}
	}
}

// keepAttribute decodes a value. It is a host name, an address or a number:
// nothing with control characters gets through.
func (s *Session) keepAttribute(value []byte) []byte {
	if smtp.EqualFold(value, "[UNAVAILABLE]") || smtp.EqualFold(value, "[TEMPUNAVAIL]") {
		return []byte{}
	}
	start := len(s.t.arena)
	s.t.arena = smtp.AppendXtextDecoded(s.t.arena, value)
	kept := s.t.arena[start:len(s.t.arena):len(s.t.arena)]
	for i, b := range kept {
		if b < ' ' || b >= 127 {
			kept[i] = '?'
		}
	}
	return kept
}

// clientAnswered goes on after XCLIENT with a greeting, as if the other
// client had just connected, and after XFORWARD with 250. The door that
// believes LOGIN calls SetAuthenticated afterwards.
func (s *Session) clientAnswered(asked Next, yes bool, given smtp.Reply, out []byte) []byte {
	s.t.reset()
	if asked == AskXForward {
		return s.answer(out, yes, given, 250, smtp.Status{2, 0, 0}, "Ok")
	}
	if !yes {
		return s.say(out, given)
	}
	s.clear(esmtp | authenticated)
	s.helo = s.helo[:0]
	s.become(greeted)
	if given.Code == 0 {
		return s.Greet(out)
	}
	return given.Append(out)
}
