package smtpd

import (
	"barid/internal/smtp"
	"barid/smtpd/proto"
	"barid/spool"
)

// What the engine read off the wire, in the words of the spool, which knows
// no protocol.

func bodyOf(b proto.Body) spool.Body {
	switch b {
	case proto.Body8Bit:
		return spool.Body8Bit
	case proto.BodyBinary:
		return spool.BodyBinary
	}
	return spool.Body7Bit
}

func retOf(r smtp.Ret) spool.Ret {
	switch r {
	case smtp.RetFull:
		return spool.RetFull
	case smtp.RetHdrs:
		return spool.RetHeaders
	}
	return spool.RetUnset
}

func notifyOf(n smtp.Notify) (to spool.Notify) {
	for _, pair := range [...]struct {
		from smtp.Notify
		to   spool.Notify
	}{
		{smtp.NotifyNever, spool.NotifyNever},
		{smtp.NotifySuccess, spool.NotifySuccess},
		{smtp.NotifyFailure, spool.NotifyFailure},
		{smtp.NotifyDelay, spool.NotifyDelay},
	} {
		if n&pair.from != 0 {
			to |= pair.to
		}
	}
	return to
}

// statusOf reads an enhanced status code of the form 5.1.1; the zero Status
// when it is none. (RFC 3463 2)
func statusOf(text string) (s smtp.Status) {
	part := 0
	for i := range len(text) {
		switch d := text[i]; {
		case d == '.' && part < 2:
			part++
		case '0' <= d && d <= '9':
			s[part] = s[part]*10 + uint16(d-'0')
		default:
			return smtp.Status{}
		}
	}
	return s
}
