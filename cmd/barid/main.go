// Command barid is the whole mail system in one program: it takes mail over
// SMTP, submission and LMTP, keeps it in a durable queue, delivers it into
// Maildirs and hands it out over POP3 and IMAP.
//
// The program is the only place that knows the configuration: every other
// package gets its settings as a small struct. Each subcommand begins in a file
// of its name. The server itself is in
//
//	serve.go       a run of it, from the start to the last signal
//	server.go      its parts, in the order in which they need each other
//	doors.go       which door answers on which socket
//	whoiswho.go    what may change while it runs: accounts, maps, mailboxes
//	reload.go      SIGHUP
//
// and the queue's tools, which a running server answers over its control
// socket and which otherwise open the spool themselves, in
//
//	control.go     the socket: who is heard, a request, the lines of an answer
//	operate.go     what a request does to the spool
//	selection.go   which messages and recipients it is about
//	queue.go       the command: flags to request, answer to paper
//
// and what sendmail leaves for a server that does not run in
//
//	drop.go        the file that it leaves
//	pickup.go      how the server finds it
//	mailroom.go    how it comes into the spool
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// version is set by the build (see the Makefile).
var version = ""

// terminal is what a subcommand sees of its surroundings.
type terminal struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
	signals  <-chan os.Signal // for serve and demo; nil: those that the process gets
}

// complain prints an error the way every subcommand does.
func (t terminal) complain(format string, args ...any) {
	fmt.Fprintf(t.err, "barid: "+format+"\n", args...)
}

// command is one subcommand.
type command struct {
	name, summary string
	run           func(t terminal, args []string) int
}

func commands() []command {
	return []command{
		{"serve", "run the mail server", serve},
		{"demo", "run a mail server to try out: two accounts, high ports, nothing to configure", demo},
		{"check", "read configuration, accounts, maps and certificates, and say what is wrong", check},
		{"config", "print the configuration: all keys, those set (-n), or the defaults (-d)", showConfig},
		{"user", "edit the accounts: add, passwd, del, list", user},
		{"queue", "look at the queue and steer it: list, show, summary, hold, release, requeue, delete, flush", queue},
		{"trace", "tell where mail for an address would go, and why", trace},
		{"dns", "ask the DNS as the server does: MX, A, AAAA, TXT, PTR, SRV, TLSA and more", dns},
		{"sendmail", "send a message as sendmail(1) does; also by the names sendmail, mailq, newaliases", sendmail},
		{"version", "print the version", printVersion},
	}
}

func main() {
	t := terminal{in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv}
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
	switch args[0] {
	case "-h", "-help", "--help", "help":
		return help(t, args[1:])
	case "-version", "--version":
		return printVersion(t, nil)
	}
	return runCommand(t, args[0], args[1:])
}

func runCommand(t terminal, name string, args []string) int {
	var names []string
	for _, c := range commands() {
		if c.name == name {
			return c.run(t, args)
		}
		names = append(names, c.name)
	}
	t.complain("there is no command %q%s; 'barid -h' lists them", name, didYouMean(name, names))
	return exitUsage
}

// help explains the program, or one of its commands.
func help(t terminal, args []string) int {
	if len(args) == 0 {
		usage(t.out)
		return exitOK
	}
	return runCommand(t, args[0], []string{"-h"})
}

func usage(w io.Writer) {
	fmt.Fprint(w, "barid is a mail server: SMTP, submission and LMTP in, a durable queue, Maildir, POP3 and IMAP out.\n\nusage: barid COMMAND [ARGUMENT]...\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-9s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "\n'barid COMMAND -h' explains one. First try: barid demo\n")
}
