// Command barid is the whole mail system in one program: it takes mail over
// SMTP, submission and LMTP, keeps it in a durable queue, delivers it into
// Maildirs and hands it out over POP3.
//
// Each subcommand is one file here. The program is the only place that knows
// the configuration; every other package gets its settings as a small struct
// from server.go.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// version is set by the build (see the Makefile).
var version = "unknown"

// Exit codes: 0, 1 and 2 as everywhere; the others are sysexits(3), which
// cron, git and mail programs look at when they call sendmail.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitSysUsage    = 64 // EX_USAGE
	exitDataErr     = 65 // EX_DATAERR
	exitNoUser      = 67 // EX_NOUSER
	exitUnavailable = 69 // EX_UNAVAILABLE
	exitSoftware    = 70 // EX_SOFTWARE
	exitIOErr       = 74 // EX_IOERR
	exitTempFail    = 75 // EX_TEMPFAIL
	exitNoPerm      = 77 // EX_NOPERM
)

// terminal is what a subcommand sees of its surroundings.
type terminal struct {
	in       io.Reader
	out, err io.Writer
}

// complain prints an error the way every subcommand does.
func (t terminal) complain(format string, args ...any) {
	fmt.Fprintf(t.err, "barid: "+format+"\n", args...)
}

// command is one subcommand.
type command struct {
	name, arguments, summary string
	run                      func(t terminal, args []string) int
}

func commands() []command {
	return []command{
		{"serve", "[-c FILE] [-o key=value]...", "run the mail server", serve},
		{"demo", "[-dir DIR]", "run a mail server to try out: two accounts, high ports, nothing to configure", demo},
		{"check", "[-c FILE]", "read configuration, accounts, maps and certificates, and say what is wrong", check},
		{"config", "[-n|-d] [KEY]...", "print the configuration: all keys, those set (-n), or the defaults (-d)", showConfig},
		{"user", "add|passwd|del|list [NAME]", "edit the accounts", user},
		{"queue", "list|show|cat|hold|release|delete|flush", "look at the queue and steer it", queue},
		{"sendmail", "[-t] [-i] [-f FROM] [TO]...", "send a message as sendmail(1) does; also by the names sendmail, mailq and newaliases", sendmail},
		{"version", "", "print the version", printVersion},
	}
}

func main() {
	t := terminal{os.Stdin, os.Stdout, os.Stderr}
	os.Exit(run(t, filepath.Base(os.Args[0]), os.Args[1:]))
}

// run picks the subcommand, by the program's own name for the three names
// that scripts know from sendmail.
func run(t terminal, self string, args []string) int {
	switch self {
	case "sendmail":
		return sendmail(t, args)
	case "mailq":
		return sendmail(t, append([]string{"-bp"}, args...))
	case "newaliases":
		return sendmail(t, append([]string{"-bi"}, args...))
	}
	if len(args) == 0 {
		usage(t.err)
		return exitUsage
	}
	if slices.Contains([]string{"-h", "-help", "--help", "help"}, args[0]) {
		usage(t.out)
		return exitOK
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return c.run(t, args[1:])
		}
	}
	t.complain("there is no command %q%s; 'barid -h' lists them", args[0], suggestCommand(args[0]))
	return exitUsage
}

func usage(w io.Writer) {
	fmt.Fprint(w, "barid is a mail server: SMTP, submission and LMTP in, a durable queue, Maildir, POP3 out.\n\nusage: barid COMMAND [ARGUMENT]...\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-9s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "\n'barid COMMAND -h' explains one. First try: barid demo\n")
}

// suggestCommand names the command that a mistyped word most likely meant.
func suggestCommand(word string) string {
	for _, c := range commands() {
		if strings.HasPrefix(c.name, word) || strings.HasPrefix(word, c.name) {
			return fmt.Sprintf(" (did you mean %q?)", c.name)
		}
	}
	return ""
}

func printVersion(t terminal, args []string) int {
	if len(args) > 0 {
		fmt.Fprint(t.out, "usage: barid version\n\nPrints the version of this program.\n")
		return exitOK
	}
	fmt.Fprintf(t.out, "barid %s\n", version)
	return exitOK
}
