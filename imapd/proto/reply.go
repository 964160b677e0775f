package proto

import (
	"strconv"

	"barid/internal/imap"
)

// refusal is the reply to a command that was not understood.
func refusal(fault imap.Fault) imap.Reply {
	r := bad(string(fault))
	switch fault {
	case imap.UnknownCharset:
		r = imap.Reply{Status: imap.NO, Code: imap.CodeBadCharset, Args: []byte("(US-ASCII UTF-8)"), Text: string(fault)}
	case imap.UIDRequired:
		r.Code = imap.CodeUIDRequired
	case imap.NameNotUTF7, imap.NameNotUTF8, imap.NameTooLong, imap.NameNotPrintable:
		r.Status, r.Code = imap.NO, imap.CodeCannot
	}
	return r
}

// refuse answers a command that the client should not have sent, or not yet.
func (s *Session) refuse(r imap.Reply, out []byte) []byte {
	out = r.Append(out, s.c.Tag)
	if r.Status == imap.NO && s.state != notAuthenticated {
		return out
	}
	return s.countError(out)
}

// countError closes when there have been too many: a client that does nothing
// else is no mail client.
func (s *Session) countError(out []byte) []byte {
	s.errors++
	if s.options.ErrorsMax > 0 && int(s.errors) >= s.options.ErrorsMax {
		return s.Hangup(imap.CodeClientBug, "too many bad commands", out)
	}
	return out
}

// ok answers a command that the session did by itself.
func (s *Session) ok(tag []byte, text string, out []byte) []byte {
	return imap.Reply{Text: text}.Append(out, tag)
}

// Done ends the command that Run or AskAppend or TakeBody is about, and
// appends its tagged reply. Without a Text the reply has the name of the
// command.
func (s *Session) Done(r imap.Reply, out []byte) []byte {
	c := s.c
	switch {
	case s.next == Run:
	case s.next == AskAppend, s.next == TakeBody:
		if r.Status == imap.OK {
			panic("imapd/proto: OK to a message that has not come")
		}
		return s.refuseAppend(r, out)
	default:
		panic("imapd/proto: Done without a command")
	}
	s.next = NeedInput
	if r.Text == "" {
		r.Text = "done"
	}
	out = r.Append(out, c.Tag)
	s.after(r.Status)
	return out
}

// after moves the session to the state to which a command has led.
func (s *Session) after(status imap.Status) {
	ok := status == imap.OK
	switch s.c.Verb {
	case Select, Examine:
		if ok {
			s.become(selected)
		} else {
			s.become(authenticated) // RFC 9051 6.3.2
		}
	case CloseMailbox, Unselect:
		if ok {
			s.become(authenticated)
		}
	case Unauthenticate:
		if ok { // RFC 8437 section 3
			s.become(notAuthenticated)
			s.enabled, s.errors = 0, 0
		}
	}
}

// appendCapabilities appends what is offered here and now. To a client that
// has not logged in, only what it can use to log in.
func (s *Session) appendCapabilities(out []byte) []byte {
	o := s.options
	out = append(out, "CAPABILITY"...)
	if s.state != notAuthenticated {
		return appendLimit(o.Caps.Append(out), o.AppendMax)
	}
	const early = imap.CapRev1 | imap.CapRev2 | imap.CapSASLIR | imap.CapLiteralPlus | imap.CapLiteralMinus | imap.CapID | imap.CapEnable | imap.CapIdle
	out = (o.Caps & early).Append(out)
	if o.TLS == TLSOffered {
		out = append(out, " STARTTLS"...)
	}
	if !o.Login {
		out = append(out, " LOGINDISABLED"...)
	}
	for _, m := range o.Mechanisms {
		out = append(out, " AUTH="...)
		out = append(out, m...)
	}
	return out
}

// appendLimit appends APPENDLIMIT, if there is a limit (RFC 7889 section 3).
func appendLimit(out []byte, octets int64) []byte {
	if octets <= 0 {
		return out
	}
	return strconv.AppendInt(append(out, " APPENDLIMIT="...), octets, 10)
}
