package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"barid/auth"
	"barid/internal/config"
	"barid/internal/route"
)

const sendmailHelp = `usage: barid sendmail [FLAG]... [RECIPIENT]...
       sendmail [FLAG]... [RECIPIENT]...
       mailq
       newaliases

Reads a message from the standard input and hands it to the mail server, as
sendmail(1) does: From, Date and Message-ID are added where they are missing,
Bcc, Return-Path and Content-Length are removed. Names without a domain get the
first of the key "domains". Symbolic links named sendmail, mailq and newaliases
to this program make it the system's sendmail.

The message is on stable storage when it ends with 0: in the queue, or, while the
server does not run, where the server finds it when it starts. A recipient who
is refused only then gets the sender a report.

  -t         take recipients from To, Cc and Bcc (or from Resent-To, ...),
             besides those given
  -i, -oi    a line with a single dot does not end the message
  -f FROM    envelope sender ("" or "<>" for none); -r is the same
  -F NAME    full name for a From field that has to be added
  -N WHEN    reports wanted: never, or some of success,failure,delay
  -R WHAT    what a report returns: full or hdrs
  -V ID      envelope id for reports
  -XV        each recipient gets a copy from a sender of its own, list+user=domain,
             so that a report tells who it is about; -XV-= has other characters
  -bm        send a message (the default)
  -bs        speak SMTP on standard input and output; 75 when no server runs,
             unless for root and the server's user
  -bv        say whether mail to the recipients would be taken; send nothing
  -bp        list the queue, as mailq
  -bi, -I    check the aliases, as newaliases
  -q         try to deliver what is deferred now; -qI ID one message, -qR TEXT
             and -qS TEXT those with TEXT in a recipient's or the sender's address
  -C FILE    configuration file

-A -B -G -L -O -U -X -c -d -e -h -m -n -o... -p -q INTERVAL -v -x and -bh -bH are
accepted for scripts and do nothing.

exit codes (sysexits): 0 accepted, 64 wrong use, 65 message unreadable,
67 no such recipient, 69 refused, 73 no file can be made, 74 input or output
error, 75 try again later, 77 not permitted, 78 configuration broken. When some recipients were
refused, the others have the message.
`

// sendmailFlags says which flag letters take an argument (attached or as the
// next word), as sendmail programs agree.
const sendmailFlags = "A:B:C:F:GIL:N:O:R:UV:X:b:cd:e:f:h:imno:p:r:tvx"

// sendmailArgs is a parsed sendmail command line.
type sendmailArgs struct {
	mode        byte // the letter of -b: m, s, p, i, v; q for -q, h for help, 0 for nothing to do
	fromHeaders bool // -t
	dotIsText   bool // -i
	sender      *string
	fullName    string
	configFile  string
	flush       []string // of barid queue, what -q asks for
	notify      string
	ret         string
	envid       string
	verp        string // the two characters of -XV
	recipients  []string
}

// parseSendmail reads a command line in the manner of getopt(3), which
// package flag does not: -oi is -o with the argument i, -it is -i -t.
func parseSendmail(args []string) (sendmailArgs, error) {
	a := sendmailArgs{mode: 'm'}
	for len(args) > 0 {
		word := args[0]
		args = args[1:]
		switch {
		case word == "--":
			a.recipients = append(a.recipients, args...)
			return a, nil
		case word == "-help" || word == "--help" || word == "-h" && len(args) == 0:
			a.mode = 'h'
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
		if letter == 'q' { // its argument can only be attached, but for -qI ID
			return a.flushFlag(letters, next)
		}
		i := strings.IndexByte(sendmailFlags, letter)
		if i < 0 || letter == ':' {
			return next, fmt.Errorf("there is no flag -%c", letter)
		}
		if i+1 == len(sendmailFlags) || sendmailFlags[i+1] != ':' {
			a.set(letter)
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

// flushFlag applies -q, -qI ID, -qR TEXT, -qS TEXT, and -q INTERVAL, which is for
// daemons of other programs.
func (a *sendmailArgs) flushFlag(rest string, next []string) ([]string, error) {
	a.mode = 'q'
	if rest == "" {
		return next, nil
	}
	kind, value := rest[0], rest[1:]
	filter := map[byte]string{'I': "--", 'R': "-to", 'S': "-from"}[kind]
	if filter == "" {
		a.mode = 0
		return next, nil
	}
	if value == "" {
		if len(next) == 0 {
			return next, fmt.Errorf("-q%c needs an argument", kind)
		}
		value, next = next[0], next[1:]
	}
	a.flush = []string{filter, value}
	return next, nil
}

func (a *sendmailArgs) set(letter byte) {
	switch letter {
	case 't':
		a.fromHeaders = true
	case 'i':
		a.dotIsText = true
	case 'I':
		a.mode = 'i'
	}
}

func (a *sendmailArgs) setArgument(letter byte, value string) error {
	switch letter {
	case 'b':
		return a.setMode(value)
	case 'f', 'r':
		a.sender = &value
	case 'F':
		a.fullName = value
	case 'C':
		a.configFile = value
	case 'N':
		a.notify = value
	case 'R':
		a.ret = value
	case 'V':
		a.envid = value
	case 'o':
		a.dotIsText = a.dotIsText || value == "i"
	case 'X':
		if verp, ok := strings.CutPrefix(value, "V"); ok {
			a.verp = cmp.Or(verp, "+=")
		}
		if a.verp != "" && len(a.verp) != 2 {
			return fmt.Errorf("-X%s: -XV takes two characters", value)
		}
	}
	return nil
}

func (a *sendmailArgs) setMode(value string) error {
	switch value {
	case "m", "s", "p", "i", "v":
		a.mode = value[0]
	case "h", "H": // about a memory of hosts that barid does not have
		a.mode = 0
	case "d", "l", "D":
		return fmt.Errorf("-b%s does not start a server here: 'barid serve' does", value)
	default:
		return fmt.Errorf("-b%s is not supported: there are -bm, -bs, -bv, -bp and -bi", value)
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
	switch a.mode {
	case 0:
		return exitOK
	case 'h':
		io.WriteString(t.out, sendmailHelp)
		return exitOK
	case 'p':
		return queue(t, append(a.configFlag(), "list", "-mailq"))
	case 'q':
		return queue(t, append(append(a.configFlag(), "flush", "-quiet"), a.flush...))
	}
	cfg, err := config.Load(configFile(a.configFile), nil)
	if err != nil {
		return t.fail(err, exitConfig)
	}
	switch a.mode {
	case 's':
		err = speakSMTP(t, cfg)
	case 'i':
		err = newaliases(t, cfg)
	case 'v':
		err = verify(t, cfg, &a)
	default:
		err = sendMessage(t, cfg, &a)
	}
	if err != nil {
		return t.fail(err, exitTempFail)
	}
	return exitOK
}

func (a *sendmailArgs) configFlag() []string {
	if a.configFile == "" {
		return nil
	}
	return []string{"-c", a.configFile}
}

// newaliases checks the maps; there is nothing to build.
func newaliases(t terminal, cfg *config.Config) error {
	accounts, err := auth.Open(authOptions(cfg, nil))
	if err != nil {
		return exitWith(exitDataErr, "%w", err)
	}
	wrong := 0
	for _, p := range route.Check(routeOptions(cfg, accounts, nil)) {
		fmt.Fprintln(t.err, p.String())
		if !p.Warning {
			wrong++
		}
	}
	if wrong > 0 {
		return exitWith(exitDataErr, "errors in the maps: %d", wrong)
	}
	fmt.Fprintln(t.out, "the maps are in order; they are used as they are, and a running server notices changes by itself")
	return nil
}
