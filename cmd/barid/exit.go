package main

import (
	"errors"
	"fmt"
)

// Exit codes: 0, 1 and 2 as everywhere; the others are those of sysexits(3),
// which cron, git and mail programs look at when they call sendmail.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitSysUsage    = 64 // EX_USAGE
	exitDataErr     = 65 // EX_DATAERR
	exitNoUser      = 67 // EX_NOUSER
	exitUnavailable = 69 // EX_UNAVAILABLE
	exitCantCreate  = 73 // EX_CANTCREAT
	exitIOErr       = 74 // EX_IOERR
	exitTempFail    = 75 // EX_TEMPFAIL
	exitNoPerm      = 77 // EX_NOPERM
	exitConfig      = 78 // EX_CONFIG
)

// exitError is an error that knows its exit code.
type exitError struct {
	code int
	err  error
}

// Error implements error.
func (e *exitError) Error() string { return e.err.Error() }

// Unwrap gives the cause.
func (e *exitError) Unwrap() error { return e.err }

func exitWith(code int, format string, args ...any) error {
	return &exitError{code, fmt.Errorf(format, args...)}
}

// fail prints an error and returns its exit code, otherwise the given one.
func (t terminal) fail(err error, otherwise int) int {
	t.complain("%v", err)
	return exitCode(err, otherwise)
}

func exitCode(err error, otherwise int) int {
	var e *exitError
	if errors.As(err, &e) {
		return e.code
	}
	return otherwise
}
