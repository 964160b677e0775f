// Perf loads mail servers and says what they did with the load: how many
// messages they took and delivered, how long each took, and what that cost in
// processor time, memory and bytes written.
//
//	go run ./perf -h
//
// Every subcommand is one file named after it. The generators talk to any
// server, not only to barid: a figure that cannot be held against another
// server's says little. Two rules keep the figures honest:
//
//   - A generator must not be what is measured. "perf smtp -ceiling" runs the
//     same load against a server that throws everything away, so that a figure
//     near the ceiling is recognised as the generator's own.
//   - Latency is counted in buckets of fixed relative width, from the moment a
//     message was due, so that a server which stalls cannot hide the messages
//     that waited for it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// command is one subcommand. run gets the arguments after its name and writes
// its report to out.
type command struct {
	name  string
	brief string
	run   func(ctx context.Context, args []string, out io.Writer) error
}

// commands lists the subcommands in the order in which -h shows them.
func commands() []command {
	return []command{
		{"smtp", "send messages over SMTP or LMTP as fast as asked", runSMTP},
		{"pop3", "log in, list and retrieve whole mailboxes over POP3", runPOP3},
		{"idle", "open many idle connections and weigh what each costs the server", runIdle},
		{"watch", "print what a process tree uses, line by line", runWatch},
		{"startup", "measure start to ready, idle memory and size of the barid binary", runStartup},
		{"peers", "run barid and Postfix in turns under the same load", runPeers},
		{"table", "turn recorded results of peers into a markdown table", runTable},
		{"null", "an SMTP server that accepts everything and keeps nothing", runNull},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := dispatch(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "perf:", err)
		os.Exit(1)
	}
}

// dispatch finds the subcommand and runs it.
func dispatch(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 || args[0] == "-h" || args[0] == "-help" || args[0] == "--help" {
		printUsage(out)
		return nil
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return c.run(ctx, args[1:], out)
		}
	}
	return fmt.Errorf("no subcommand %q; see perf -h", args[0])
}

func printUsage(out io.Writer) {
	fmt.Fprint(out, "usage: perf SUBCOMMAND [flags]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(out, "  %-8s %s\n", c.name, c.brief)
	}
	fmt.Fprint(out, "\nperf SUBCOMMAND -h shows its flags and examples.\n")
}

// newFlags is a flag set whose -h begins with what the subcommand does and
// ends with examples.
func newFlags(name, about, examples string) *flag.FlagSet {
	f := flag.NewFlagSet("perf "+name, flag.ContinueOnError)
	f.Usage = func() {
		fmt.Fprintf(f.Output(), "usage: perf %s [flags]\n\n%s\n\nflags:\n", name, about)
		f.PrintDefaults()
		fmt.Fprintf(f.Output(), "\nexamples:\n%s\n", examples)
	}
	return f
}

// parseFlags parses args and refuses words that are no flags.
func parseFlags(f *flag.FlagSet, args []string) error {
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	return nil
}
