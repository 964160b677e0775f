package proto

import "barid/internal/smtp"

// mail is MAIL: all that can be judged without knowing anybody is judged
// here, then the door is asked. (RFC 5321 4.1.1.2)
//
//	mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF
func (s *Session) mail(arg smtp.Text, out []byte) []byte {
	if s.opts.MailMax > 0 && int(s.mails) >= s.opts.MailMax {
		return s.refuse(out, tooManyMails)
	}
	if !arg.Literal("FROM:") {
		return s.refuse(out, mailSyntax)
	}
	arg.Spaces() // a common mistake
	path, good := arg.ReversePath()
	if !good {
		return s.refuse(out, badSender)
	}
	s.t.Mail.ReturnPath = s.t.keepMailbox(path)
	r := s.params(arg, (*Session).mailParam)
	if r == none && path.NonASCII && !s.t.Mail.UTF8 {
		r = senderNotASCII
	}
	if r != none {
		s.t.reset()
		return s.refuse(out, r)
	}
	s.ask(AskMail)
	return out
}

func (s *Session) mailAnswered(yes bool, given smtp.Reply, out []byte) []byte {
	if yes {
		s.mails++
		s.become(mailAccepted)
	} else {
		s.t.reset()
	}
	return s.answer(out, yes, given, 250, smtp.Status{2, 1, 0}, "Ok")
}

// seen is the set of parameters that a command has had.
type seen uint8

const (
	seenSize seen = 1 << iota
	seenBody
	seenUTF8
	seenRet
	seenEnvID
	seenAuth
	seenNotify
	seenORcpt
)

// once notes a parameter and says no when it was there before.
func (s *seen) once(p seen) bool {
	fresh := *s&p == 0
	*s |= p
	return fresh
}

// params reads the parameters of MAIL or RCPT and gives each to take.
// (RFC 5321 4.1.2)
//
//	Mail-parameters = esmtp-param *(SP esmtp-param)
//	Rcpt-parameters = esmtp-param *(SP esmtp-param)
func (s *Session) params(arg smtp.Text, take func(*Session, smtp.Param) (seen, refusal)) refusal {
	var before seen
	for arg.Spaces() && !arg.Empty() {
		p, good := arg.Param()
		if !good {
			return badArguments
		}
		which, r := take(s, p)
		if r == none && !before.once(which) {
			r = parameterTwice
		}
		if r != none {
			return r
		}
	}
	if !arg.Empty() {
		return badArguments
	}
	return none
}

// mailParam takes one parameter of MAIL.
func (s *Session) mailParam(p smtp.Param) (seen, refusal) {
	switch m := &s.t.Mail; {
	case p.Is("SIZE"):
		return seenSize, s.sizeParam(p.Value)
	case p.Is("BODY"):
		return seenBody, s.bodyParam(p.Value)
	case p.Is("SMTPUTF8") && s.opts.offers(UTF8):
		m.UTF8 = true
		return seenUTF8, unless(p.Value == nil)
	case p.Is("RET") && s.opts.offers(DSN):
		var good bool
		m.Ret, good = smtp.ParseRet(p.Value)
		return seenRet, unless(good)
	case p.Is("ENVID") && s.opts.offers(DSN):
		m.EnvID = s.t.keep(p.Value)
		return seenEnvID, unless(len(p.Value) > 0 && len(p.Value) <= smtp.EnvIDMax && smtp.IsXtext(p.Value))
	case p.Is("AUTH") && len(s.mechanisms()) > 0:
		return seenAuth, s.authParam(p.Value)
	}
	return 0, unknownParameter
}

// unless is the refusal of a value that is not good.
func unless(good bool) refusal {
	if good {
		return none
	}
	return badParameter
}

// sizeParam is the value of SIZE. (RFC 1870 3)
//
//	size-value ::= 1*20DIGIT
func (s *Session) sizeParam(value []byte) refusal {
	rest := smtp.Text(value)
	n, good := rest.Number(20)
	if !good || !rest.Empty() {
		return badParameter
	}
	if s.opts.SizeMax > 0 && n > s.opts.SizeMax {
		return tooBig
	}
	s.t.Mail.Size = n
	return none
}

// bodyParam is the value of BODY. (RFC 3030 3)
//
//	body-value ::= "7BIT" / "8BITMIME" / "BINARYMIME"
func (s *Session) bodyParam(value []byte) refusal {
	switch {
	case smtp.EqualFold(value, "7BIT"):
		s.t.Mail.Body = Body7Bit
	case smtp.EqualFold(value, "8BITMIME"):
		s.t.Mail.Body = Body8Bit
	case smtp.EqualFold(value, "BINARYMIME") && s.opts.offers(Chunking) && s.opts.offers(Binary):
		s.t.Mail.Body = BodyBinary
	default:
		return badParameter
	}
	return none
}

// authParam is the value of AUTH: who submitted the message elsewhere.
// (RFC 4954 5)
//
//	"AUTH=" ( xtext of a Mailbox / "<>" )
func (s *Session) authParam(value []byte) refusal {
	start := len(s.t.arena)
	s.t.arena = smtp.AppendXtextDecoded(s.t.arena, value)
	s.t.Mail.Auth = s.t.arena[start:len(s.t.arena):len(s.t.arena)]
	return unless(len(value) > 0 && smtp.IsXtext(value))
}

// rcpt is RCPT. (RFC 5321 4.1.1.3)
//
//	rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" /
//	       Forward-path ) [SP Rcpt-parameters] CRLF
func (s *Session) rcpt(arg smtp.Text, out []byte) []byte {
	if !arg.Literal("TO:") {
		return s.refuse(out, rcptSyntax)
	}
	arg.Spaces()
	path, good := arg.ForwardPath()
	if !good {
		return s.refuse(out, badRecipient)
	}
	s.t.mark = len(s.t.arena)
	s.t.rcpt, s.t.newDomain = Recipient{Address: s.t.keepMailbox(path)}, false
	r := s.params(arg, (*Session).rcptParam)
	switch {
	case r != none:
	case path.NonASCII && !s.t.Mail.UTF8:
		r = recipientNotASCII
	case s.opts.RcptMax > 0 && len(s.t.Recipients) >= s.opts.RcptMax:
		r = tooManyRecipients
	case s.opts.RcptDomainMax > 0 && !s.domainFits(path.Domain):
		r = tooManyDomains
	}
	if r != none {
		s.dropRcpt()
		return s.refuse(out, r)
	}
	s.ask(AskRcpt)
	return out
}

func (s *Session) rcptAnswered(yes bool, given smtp.Reply, out []byte) []byte {
	if yes {
		s.t.Recipients = append(s.t.Recipients, s.t.rcpt)
		if s.t.newDomain {
			s.t.domains++
		}
		s.become(rcptAccepted)
	} else {
		s.dropRcpt()
	}
	return s.answer(out, yes, given, 250, smtp.Status{2, 1, 5}, "Ok")
}

// dropRcpt takes the memory of a refused recipient back, so that a client
// that tries thousands costs no more than one.
func (s *Session) dropRcpt() {
	s.t.arena = s.t.arena[:s.t.mark]
	s.t.rcpt = Recipient{}
}

// domainFits reports whether the domain is among those of the recipients so
// far, or may be one more. (RFC 9422 4.3)
func (s *Session) domainFits(domain []byte) bool {
	for i := range s.t.Recipients {
		if _, d := smtp.SplitMailbox(s.t.Recipients[i].Address); smtp.EqualFold(d, domain) {
			return true
		}
	}
	s.t.newDomain = true
	return s.t.domains < s.opts.RcptDomainMax
}

// rcptParam takes one parameter of RCPT.
func (s *Session) rcptParam(p smtp.Param) (seen, refusal) {
	switch {
	case p.Is("NOTIFY") && s.opts.offers(DSN):
		var good bool
		s.t.rcpt.Notify, good = smtp.ParseNotify(p.Value)
		return seenNotify, unless(good)
	case p.Is("ORCPT") && s.opts.offers(DSN):
		s.t.rcpt.ORcpt = s.t.keep(p.Value)
		return seenORcpt, unless(smtp.IsORcpt(p.Value))
	}
	return 0, unknownParameter
}
