package proto

import (
	"strconv"

	"barid/internal/smtp"
)

// Greet appends the greeting, 220. It is the first thing on a connection,
// after Reset and, on a port with implicit TLS, Secure.
func (s *Session) Greet(out []byte) []byte {
	out = append(out, "220 "...)
	out = append(out, s.opts.Hostname...)
	if s.opts.Mode == LMTP {
		out = append(out, " LMTP"...)
	} else {
		out = append(out, " ESMTP"...)
	}
	if s.opts.Banner != "" {
		out = append(out, ' ')
		out = append(out, s.opts.Banner...)
	}
	return append(out, "\r\n"...)
}

// hello is HELO. What the client calls itself is kept as it is; whether it
// is true is for the door to ask. (RFC 5321 4.1.1.1)
//
//	helo = "HELO" SP Domain CRLF
func (s *Session) hello(arg smtp.Text, out []byte) []byte {
	if !s.introduce(arg) {
		return s.refuse(out, helloSyntax)
	}
	s.clear(esmtp)
	return ok(out, 250, smtp.Status{}, s.opts.Hostname)
}

// ehlo is EHLO and, in LMTP, LHLO. (RFC 5321 4.1.1.1, RFC 2033 4.1)
//
//	ehlo = "EHLO" SP ( Domain / address-literal ) CRLF
func (s *Session) ehlo(arg smtp.Text, out []byte) []byte {
	if !s.introduce(arg) {
		return s.refuse(out, helloSyntax)
	}
	s.set(esmtp)
	return s.offer(out)
}

// introduce keeps the client's name and begins anew.
func (s *Session) introduce(arg smtp.Text) bool {
	name := arg.Word()
	if len(name) == 0 || len(name) > smtp.DomainMax || !smtp.IsGraphic(name) {
		return false
	}
	s.endTransaction()
	s.helo = append(s.helo[:0], name...)
	s.become(helloed)
	return true
}

// offer appends the reply to EHLO: one line per extension.
func (s *Session) offer(out []byte) []byte {
	o := s.opts
	out = more(out, o.Hostname)
	out = more(out, "PIPELINING")
	out = more(out, "8BITMIME")
	out = append(out, "250-SIZE "...)
	out = strconv.AppendInt(out, o.SizeMax, 10) // 0: no fixed maximum
	out = append(out, "\r\n"...)
	if o.offers(Chunking) {
		out = more(out, "CHUNKING")
		if o.offers(Binary) {
			out = more(out, "BINARYMIME")
		}
	}
	if o.offers(UTF8) {
		out = more(out, "SMTPUTF8")
	}
	if o.offers(DSN) && o.Reports {
		out = more(out, "DSN")
	}
	out = s.offerLimits(out)
	if o.TLS != TLSAbsent && !s.is(secure) {
		out = more(out, "STARTTLS")
	}
	out = s.offerAuth(out)
	if o.Trust&XClient != 0 {
		out = more(out, "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT")
	}
	if o.Trust&XForward != 0 {
		out = more(out, "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE")
	}
	return append(out, "250 ENHANCEDSTATUSCODES\r\n"...)
}

// more appends a line of the reply to EHLO that is not the last.
func more(out []byte, text string) []byte {
	out = append(out, "250-"...)
	out = append(out, text...)
	return append(out, "\r\n"...)
}

// offerLimits appends the limits that there are. (RFC 9422 4)
func (s *Session) offerLimits(out []byte) []byte {
	o := s.opts
	if !o.offers(Limits) || o.MailMax|o.RcptMax|o.RcptDomainMax == 0 {
		return out
	}
	out = append(out, "250-LIMITS"...)
	limit := func(name string, n int) {
		if n > 0 {
			out = append(out, name...)
			out = strconv.AppendInt(out, int64(n), 10)
		}
	}
	limit(" MAILMAX=", o.MailMax)
	limit(" RCPTMAX=", o.RcptMax)
	limit(" RCPTDOMAINMAX=", o.RcptDomainMax)
	return append(out, "\r\n"...)
}

// offerAuth appends the mechanisms that may be used now. (RFC 4954 3)
func (s *Session) offerAuth(out []byte) []byte {
	mechanisms := s.mechanisms()
	if len(mechanisms) == 0 {
		return out
	}
	out = append(out, "250-AUTH"...)
	for _, m := range mechanisms {
		out = append(out, ' ')
		out = append(out, m...)
	}
	return append(out, "\r\n"...)
}

// protocols are the values of WITH in a Received field: a row for each
// dialect, a column for what is true, 1 authenticated and 2 TLS. (RFC 3848,
// RFC 6531 4.3)
var protocols = [...][4]string{
	{"ESMTP", "ESMTPA", "ESMTPS", "ESMTPSA"},
	{"UTF8SMTP", "UTF8SMTPA", "UTF8SMTPS", "UTF8SMTPSA"},
	{"LMTP", "LMTPA", "LMTPS", "LMTPSA"},
	{"UTF8LMTP", "UTF8LMTPA", "UTF8LMTPS", "UTF8LMTPSA"},
}

// Protocol is the name of the protocol in use, for the WITH clause of a
// Received field.
func (s *Session) Protocol() string {
	if !s.is(esmtp) {
		return "SMTP"
	}
	row, column := 0, 0
	if s.t != nil && s.t.Mail.UTF8 {
		row |= 1
	}
	if s.opts.Mode == LMTP {
		row |= 2
	}
	if s.is(authenticated) {
		column |= 1
	}
	if s.is(secure) {
		column |= 2
	}
	return protocols[row][column]
}

// rset is RSET: the transaction is given up. (RFC 5321 4.1.1.5)
func (s *Session) rset(_ smtp.Text, out []byte) []byte {
	s.endTransaction()
	return ok(out, 250, smtp.Status{2, 0, 0}, "Ok")
}

// noop is NOOP, whose argument means nothing. (RFC 5321 4.1.1.9)
func (s *Session) noop(_ smtp.Text, out []byte) []byte {
	return ok(out, 250, smtp.Status{2, 0, 0}, "Ok")
}

// closing follows the domain in the reply to QUIT.
var closing = []byte(" closing the connection")

// quit is QUIT. (RFC 5321 4.1.1.10)
func (s *Session) quit(_ smtp.Text, out []byte) []byte {
	s.become(hungUp)
	bye := smtp.Reply{Code: 221, Status: smtp.Status{2, 0, 0}, Text: s.opts.Hostname, Detail: closing}
	return bye.Append(out)
}

// vrfy is VRFY, answered without looking: who has which mailbox is nobody's
// business, and RCPT says it early enough. (RFC 5321 3.5.3, 7.3)
//
//	vrfy = "VRFY" SP String [ SP "SMTPUTF8" ] CRLF
func (s *Session) vrfy(arg smtp.Text, out []byte) []byte {
	if arg.Empty() {
		return s.refuse(out, vrfySyntax)
	}
	return ok(out, 252, smtp.Status{2, 5, 2}, "Cannot verify, but will accept a message and try")
}

// help is HELP. (RFC 5321 4.1.1.8)
func (s *Session) help(_ smtp.Text, out []byte) []byte {
	return ok(out, 214, smtp.Status{2, 0, 0}, "See RFC 5321; the postmaster helps")
}

// expn is EXPN, which is never offered: who is on a list is nobody's
// business. (RFC 5321 3.5.2, 7.3)
func (s *Session) expn(_ smtp.Text, out []byte) []byte {
	return s.refuse(out, notImplemented)
}

func (s *Session) foreign(_ smtp.Text, out []byte) []byte {
	return s.refuse(out, foreignProtocol)
}

// startTLS is STARTTLS. (RFC 3207 4)
func (s *Session) startTLS(_ smtp.Text, out []byte) []byte {
	switch {
	case s.is(secure):
		return s.refuse(out, tlsTwice)
	case s.opts.TLS == TLSAbsent:
		return s.refuse(out, notOffered)
	}
	s.ask(StartTLS)
	return ok(out, 220, smtp.Status{2, 0, 0}, "Ready to start TLS")
}
