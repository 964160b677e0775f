package smtpd

import (
	"testing"

	"barid/internal/smtp"
	"barid/smtpd/proto"
	"barid/spool"
)

func TestWordsOfTheWireAreThoseOfTheSpool(t *testing.T) {
	for from, to := range map[proto.Body]spool.Body{
		proto.Body7Bit: spool.Body7Bit, proto.Body8Bit: spool.Body8Bit, proto.BodyBinary: spool.BodyBinary,
	} {
		if got := bodyOf(from); got != to {
			t.Errorf("body %d became %d", from, got)
		}
	}
	for from, to := range map[smtp.Ret]spool.Ret{0: spool.RetUnset, smtp.RetFull: spool.RetFull, smtp.RetHdrs: spool.RetHeaders} {
		if got := retOf(from); got != to {
			t.Errorf("RET %d became %d", from, got)
		}
	}
	for from, to := range map[smtp.Notify]spool.Notify{
		0: 0, smtp.NotifyNever: spool.NotifyNever, smtp.NotifySuccess: spool.NotifySuccess, smtp.NotifyFailure: spool.NotifyFailure,
		smtp.NotifyDelay: spool.NotifyDelay, smtp.NotifySuccess | smtp.NotifyDelay: spool.NotifySuccess | spool.NotifyDelay,
	} {
		if got := notifyOf(from); got != to {
			t.Errorf("NOTIFY %d became %d", from, got)
		}
	}
}

func TestStatusIsReadWholeOrNotAtAll(t *testing.T) {
	for text, want := range map[string]smtp.Status{
		"5.1.1": {5, 1, 1}, "4.7.25": {4, 7, 25}, "": {}, "x": {}, "5.1.1.1": {}, "5.1.-1": {}, "5 1 1": {},
	} {
		if got := statusOf(text); got != want {
			t.Errorf("%q became %v", text, got)
		}
	}
}
