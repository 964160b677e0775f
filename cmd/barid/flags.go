package main

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

// repeated collects a flag that may be given several times.
type repeated []string

// String joins the values, for flag's own messages.
func (r *repeated) String() string { return strings.Join(*r, " ") }

// Set adds one value.
func (r *repeated) Set(value string) error {
	*r = append(*r, value)
	return nil
}

// options are the flags that every subcommand with a configuration has.
type options struct {
	flags     *flag.FlagSet
	file      string
	overrides repeated
}

// newOptions makes the flag set of a subcommand; help is printed by -h before
// the list of flags.
func newOptions(t terminal, name, help string) *options {
	o := &options{flags: flag.NewFlagSet("barid "+name, flag.ContinueOnError)}
	o.flags.SetOutput(t.err)
	o.flags.StringVar(&o.file, "c", "", "read the configuration from `FILE` (default "+defaultConfigFile+" where it exists)")
	o.flags.Var(&o.overrides, "o", "set one `key=value` over the file; may be repeated")
	o.flags.Usage = func() { printHelp(o.flags, help) }
	return o
}

// parse reads the arguments; done says that there is nothing left to do and
// code is the exit code (help was asked for, or the flags were wrong).
func (o *options) parse(t terminal, args []string) (code int, done bool) {
	return parseFlags(t, o.flags, args)
}

// parseFlags prints help to the standard output when it was asked for, and to
// the standard error when the flags were wrong.
func parseFlags(t terminal, flags *flag.FlagSet, args []string) (code int, done bool) {
	for _, a := range args {
		if a == "--" {
			break
		}
		if a == "-h" || a == "-help" || a == "--help" {
			flags.SetOutput(t.out)
			flags.Usage()
			return exitOK, true
		}
	}
	help := flags.Usage
	flags.Usage = func() { fmt.Fprintf(t.err, "'%s -h' explains the flags\n", flags.Name()) }
	defer func() { flags.Usage = help }()
	if err := flags.Parse(args); err != nil {
		return exitUsage, true
	}
	return exitOK, false
}

func printHelp(flags *flag.FlagSet, help string) {
	w := flags.Output()
	io.WriteString(w, strings.TrimLeft(help, "\n"))
	fmt.Fprint(w, "\nflags:\n")
	flags.PrintDefaults()
}
