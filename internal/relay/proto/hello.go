package proto

import "barid/internal/smtp"

// greeted is the reply to having connected. (RFC 5321 3.1, RFC 7504)
func (c *Client) greeted(out []byte) []byte {
	switch c.class() {
	case 2:
		return c.hello(out)
	case 3:
		c.fail(c.senseless(wrongReply))
		return out
	}
	return c.giveUp(c.said(), out)
}

// hello appends EHLO or LHLO. What was offered before is forgotten. (RFC 5321
// 4.1.1.1, RFC 2033 4.1)
func (c *Client) hello(out []byte) []byte {
	c.offered, c.limits = 0, limits{}
	c.become(helloState)
	if c.opts.Dialect == LMTP {
		return c.appendHello(out, "LHLO ")
	}
	return c.appendHello(out, "EHLO ")
}

func (c *Client) appendHello(out []byte, verb string) []byte {
	out = append(out, verb...)
	out = append(out, c.opts.Hostname...)
	return append(out, "\r\n"...)
}

// helloAnswered goes on after EHLO. A server that does not know it is asked
// with HELO. (RFC 5321 3.2)
func (c *Client) helloAnswered(out []byte) []byte {
	switch {
	case c.class() == 2:
		return c.secureAndLogin(out)
	case c.class() == 5 && c.reply.Code != 521 && c.opts.Dialect == SMTP:
		c.become(heloState)
		return c.appendHello(out, "HELO ")
	case c.class() == 3:
		c.fail(c.senseless(wrongReply))
		return out
	}
	return c.giveUp(c.said(), out)
}

func (c *Client) heloAnswered(out []byte) []byte {
	switch c.class() {
	case 2:
		return c.secureAndLogin(out)
	case 3:
		c.fail(c.senseless(wrongReply))
		return out
	}
	return c.giveUp(c.said(), out)
}

// secureAndLogin does what has to be done before the first message.
func (c *Client) secureAndLogin(out []byte) []byte {
	clear := !c.is(secure)
	switch {
	case clear && !c.is(noTLS) && c.opts.TLS != TLSNever && c.Offers(STARTTLS):
		c.become(tlsState)
		return append(out, "STARTTLS\r\n"...)
	case clear && c.opts.TLS == TLSRequired:
		return c.giveUp(tlsMissing, out)
	case c.opts.Login.User != "":
		return c.login(out)
	}
	c.become(readyState)
	return out
}

// tlsAnswered is the reply to STARTTLS. When it is a refusal the policy says
// whether to go on. (RFC 3207 4)
func (c *Client) tlsAnswered(out []byte) []byte {
	switch {
	case c.class() == 2:
		c.become(handshakeState)
		return out
	case c.class() == 3:
		c.fail(c.senseless(wrongReply))
		return out
	case c.opts.TLS == TLSRequired:
		return c.giveUp(c.said(), out)
	}
	c.facts |= noTLS
	return c.secureAndLogin(out)
}

// keywords are the extensions that are made use of, by the keyword of EHLO.
var keywords = [...]struct {
	name string
	e    Extension
	args func(c *Client, args smtp.Text)
}{
	{"PIPELINING", Pipelining, nil},
	{"8BITMIME", EightBit, nil},
	{"SIZE", Size, (*Client).sizeKeyword},
	{"CHUNKING", Chunking, nil},
	{"BINARYMIME", Binary, nil},
	{"SMTPUTF8", UTF8, nil},
	{"DSN", DSN, nil},
	{"LIMITS", Limits, (*Client).limitsKeyword},
	{"STARTTLS", STARTTLS, nil},
	{"AUTH", 0, (*Client).authKeyword},
}

// offer takes a line of the reply to EHLO but the first. What is not
// understood is passed over. (RFC 5321 4.1.1.1)
//
//	ehlo-line    = ehlo-keyword *( SP ehlo-param )
//	ehlo-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
func (c *Client) offer(line smtp.Text) {
	if rest := line; rest.Literal("AUTH=") {
		c.authKeyword(rest) // as servers wrote it before it was a standard
		return
	}
	name := line.Word()
	for i := range keywords {
		k := &keywords[i]
		if !smtp.EqualFold(k.name, name) {
			continue
		}
		if k.args != nil && c.opts.Ignore&k.e == 0 {
			k.args(c, line)
		}
		c.offered |= k.e &^ c.opts.Ignore
	}
}

// sizeKeyword is the limit for a message; 0 or nothing is none. (RFC 1870 4)
//
//	size-param ::= [1*DIGIT]
func (c *Client) sizeKeyword(args smtp.Text) {
	args.Spaces()
	if n, ok := args.Number(20); ok {
		c.limits.size = n
	}
}

// limitsKeyword takes the limits that are known and makes sense of. (RFC 9422
// 3)
//
//	ehlo-param = limit-name [ "=" limit-value ]
func (c *Client) limitsKeyword(args smtp.Text) {
	for args.Spaces() && !args.Empty() {
		p := smtp.Text(args.Word())
		switch {
		case p.Literal("MAILMAX="):
			limit(&c.limits.mails, p)
		case p.Literal("RCPTMAX="):
			limit(&c.limits.rcpts, p)
		case p.Literal("RCPTDOMAINMAX="):
			limit(&c.limits.rcptDomains, p)
		}
	}
}

// limit takes the value of a limit. One that is malformed is none. (RFC 9422
// 4)
//
//	value = %x31-39 0*5DIGIT ; 0 is not allowed
func limit(to *int64, value smtp.Text) {
	if n, ok := value.Number(6); ok && value.Empty() {
		*to = n
	}
}
