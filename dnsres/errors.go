package dnsres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"

	"barid/dnsres/wire"
)

// The classes of errors: each *Error is one of them, for errors.Is.
var (
	// ErrNotFound: the name does not exist, or cannot exist. Permanent.
	ErrNotFound = errors.New("no such name")
	// ErrNoData: the name exists and has no record of this type. Permanent.
	ErrNoData = errors.New("no record of this type")
	// ErrTemporary: nobody could say. Try again later.
	ErrTemporary = errors.New("no answer")
	// ErrMalformed: the servers answer with what cannot be used: broken
	// messages, aliases in a circle. Somebody has to mend it; until he has,
	// it is temporary for mail.
	ErrMalformed = errors.New("unusable answer")
)

// Error tells why a lookup has no records.
type Error struct {
	Name   string // canonical, or as it was asked when it is no name
	Type   wire.Type
	Class  error          // ErrNotFound, ErrNoData, ErrTemporary or ErrMalformed
	Detail string         // what happened, for the log; "" when Class says all
	Server netip.AddrPort // who said so, or did not; the zero value when nobody was asked

	cause    error // a context's error
	answered bool  // the server's word: no use to ask it again
}

// Error is a text for the log: example.org MX: no answer: timed out (192.0.2.53:53).
func (e *Error) Error() string {
	s := fmt.Sprintf("%s %v: %v", e.Name, e.Type, e.Class)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Server.IsValid() {
		s += " (" + e.Server.String() + ")"
	}
	return s
}

// Unwrap gives the class, and the context's error where the asker gave up.
func (e *Error) Unwrap() []error {
	if e.cause != nil {
		return []error{e.Class, e.cause}
	}
	return []error{e.Class}
}

// Temporary reports whether an error may go away by itself, or by somebody's
// mending: everything but ErrNotFound and ErrNoData.
func Temporary(err error) bool {
	return err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrNoData)
}

// gaveUp is the error of an asker whose context ended.
func gaveUp(ctx context.Context, q question) *Error {
	cause := ctx.Err()
	if cause == nil { // a moment early
		cause = context.DeadlineExceeded
	}
	return &Error{Name: q.text(), Type: q.Type, Class: ErrTemporary, Detail: cause.Error(), cause: cause}
}

// damage is a reply that cannot be used.
type damage struct{ cause error }

// Error says what is wrong with it.
func (d *damage) Error() string { return d.cause.Error() }

// brokenOff says in our words that a connection ended too early.
func brokenOff(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the connection was closed before the reply was complete")
	}
	return err
}

// failure makes the error of an exchange out of what went wrong.
func (x *exchange) failure(err error) *Error {
	e := &Error{Class: ErrTemporary, Detail: err.Error(), Server: x.s.addr}
	var unreached net.Error
	switch {
	case errors.As(err, new(*damage)):
		e.Class, e.answered = ErrMalformed, true
	case errors.As(err, &unreached) && unreached.Timeout():
		e.Detail = "no reply in time"
	}
	return e
}
