package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

const sendmailHelp = `usage: barid sendmail [FLAG]... [RECIPIENT]...
       sendmail [FLAG]... [RECIPIENT]...
       mailq
       newaliases

Reads a message from the standard input and hands it to the mail server, as
sendmail(1) does. Symbolic links named sendmail, mailq and newaliases to this
program make it the system's sendmail.

  -t        take recipients from To, Cc and Bcc, besides those given; Bcc is removed
  -i, -oi   a line with a single dot does not end the message
  -f FROM   envelope sender ("" or "<>" for none); -r is the same
  -F NAME   full name for a From field that has to be added
  -bm       send a message (the default)
  -bs       speak SMTP on standard input and output
  -bp       list the queue, as mailq
  -bi       check the aliases file, as newaliases
  -q        try to deliver everything that waits in the queue now
  -C FILE   configuration file
  -v, -n, -m, -U, -G, -A, -B, -h, -L, -N, -O, -R, -V, -X, -o... are accepted for scripts

exit codes (sysexits): 0 accepted, 64 wrong use, 65 message unreadable,
67 recipient refused, 69 refused by the server, 75 try again later
`

// sendmailFlags says which flag letters take an argument (attached or as the
// next word), as sendmail programs agree.
const sendmailFlags = "A:B:C:F:GL:N:O:R:UV:X:b:f:h:imno:r:tv"

// sendmailArgs is a parsed sendmail command line.
type sendmailArgs struct {
	mode         string // the letter of -b: m, s, p, i; or q for -q
	fromHeaders  bool   // -t
	dotIsText    bool   // -i
	sender       string // -f
	senderGiven  bool
	fullName     string // -F
	configFile   string // -C
	recipients   []string
	helpWasAsked bool
}

// parseSendmail reads a command line in the manner of getopt(3), which
// package flag does not: -oi is -o with the argument i, -it is -i -t.
func parseSendmail(args []string) (sendmailArgs, error) {
	a := sendmailArgs{mode: "m"}
	for len(args) > 0 {
		word := args[0]
		args = args[1:]
		switch {
		case word == "--":
			a.recipients = append(a.recipients, args...)
			return a, nil
		case word == "-help" || word == "--help" || word == "-h" && len(args) == 0:
			a.helpWasAsked = true
			return a, nil
		case len(word) < 2 || word[0] != '-':
			a.recipients = append(a.recipients, word)
		default:
			rest, err := a.flags(word[1:], args)
			if err != nil {
				return a, err
			}
			args = rest
		}
	}
	return a, nil
}

// flags applies one word of flag letters and returns the words that follow.
func (a *sendmailArgs) flags(letters string, next []string) ([]string, error) {
	for letters != "" {
		letter := letters[0]
		letters = letters[1:]
		if letter == 'q' { // its argument, an interval, can only be attached
			a.mode = "q"
			return next, nil
		}
		i := strings.IndexByte(sendmailFlags, letter)
		if i < 0 || letter == ':' {
			return next, fmt.Errorf("there is no flag -%c", letter)
		}
		if i+1 == len(sendmailFlags) || sendmailFlags[i+1] != ':' {
			a.set(letter, "")
			continue
		}
		if letters == "" {
			if len(next) == 0 {
				return next, fmt.Errorf("-%c needs an argument", letter)
			}
			letters, next = next[0], next[1:]
		}
		return next, a.setArgument(letter, letters)
	}
	return next, nil
}

func (a *sendmailArgs) set(letter byte, _ string) {
	switch letter {
	case 't':
		a.fromHeaders = true
	case 'i':
		a.dotIsText = true
	}
}

func (a *sendmailArgs) setArgument(letter byte, value string) error {
	switch letter {
	case 'b':
		if !strings.Contains("m s p i", value) {
			return fmt.Errorf("-b%s is not supported: there are -bm, -bs, -bp and -bi", value)
		}
		a.mode = value
	case 'f', 'r':
		a.sender, a.senderGiven = strings.TrimSuffix(strings.TrimPrefix(value, "<"), ">"), true
	case 'F':
		a.fullName = value
	case 'C':
		a.configFile = value
	case 'o':
		a.dotIsText = a.dotIsText || value == "i"
	}
	return nil
}

// sendmail is the subcommand.
func sendmail(t terminal, args []string) int {
	a, err := parseSendmail(args)
	if err != nil {
		t.complain("sendmail: %v; 'barid sendmail -h' lists the flags", err)
		return exitSysUsage
	}
	if a.helpWasAsked {
		io.WriteString(t.out, sendmailHelp)
		return exitOK
	}
	switch a.mode {
	case "s":
		return speakSMTP(t, a)
	case "p":
		return queue(t, append(configFlag(a), "list", "-mailq"))
	case "q":
		return queue(t, append(configFlag(a), "flush", "-quiet"))
	case "i":
		return newaliases(t, a)
	}
	return sendMessage(t, a)
}

func configFlag(a sendmailArgs) []string {
	if a.configFile == "" {
		return nil
	}
	return []string{"-c", a.configFile}
}

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
	var e *exitError
	if errors.As(err, &e) {
		return e.code
	}
	return otherwise
}
