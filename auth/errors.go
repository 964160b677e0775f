package auth

import "time"

// Class says what kind of answer a client gets. Within a class every client
// gets the same words, so that an answer never tells which part was wrong.
type Class uint8

const (
	// Refused: the name or the password is wrong, or the account may not log
	// in (here). SMTP 535 5.7.8, POP3 -ERR [AUTH].
	Refused Class = iota + 1
	// LockedOut: too many failures from this address; nothing was checked.
	// SMTP 454 4.7.0 (the door may close with 421 4.7.0), POP3 -ERR [SYS/TEMP].
	LockedOut
	// Temporary: the server cannot check now (overload, unreadable file).
	// SMTP 454 4.7.0, POP3 -ERR [SYS/TEMP].
	Temporary
	// Malformed: the client's response breaks the grammar of the mechanism.
	// SMTP 501 5.5.2, POP3 -ERR.
	Malformed
	// NeedsTLS: the mechanism exists but not without encryption.
	// SMTP 538 5.7.11, POP3 -ERR.
	NeedsTLS
	// NoMechanism: no such mechanism here. SMTP 504 5.5.4, POP3 -ERR.
	NoMechanism
)

// Error is the error of Password, Start and Exchange.Step.
type Error struct {
	Class Class
	// Delay is how long the door lets the client wait for the answer
	// (loop.Conn.PauseFor, then WaitPause); 0 is none.
	Delay time.Duration
	// Detail is for the log and never for the client: it may tell whether
	// the account exists. It never holds a password.
	Detail string
}

// Error is the text for the log.
func (e *Error) Error() string { return "auth: " + e.Detail }

// errBusy is the answer when the gate is full.
func errBusy() error {
	return &Error{Class: Temporary, Detail: "too many logins wait for their password hash"}
}
