package main

import (
	"errors"
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

// flags are the flags of a subcommand, with what its -h prints above them.
type flags struct {
	*flag.FlagSet
	name, help string
	operands   []string // what is no flag, once parsed
}

func newFlags(name, help string) *flags {
	f := &flags{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError), name: name, help: help}
	f.SetOutput(io.Discard)
	return f
}

// parse reads the arguments. Flags may stand before, between and behind the
// operands, of which there may be operandsMax (negative: any number). done
// says that there is nothing left to do, and code is the exit code: help was
// asked for and printed, or something was wrong and was said.
func (f *flags) parse(t terminal, args []string, operandsMax int) (code int, done bool) {
	for {
		if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
			f.printHelp(t.out)
			return exitOK, true
		} else if err != nil {
			t.complain("%s: %v%s; 'barid %s -h' lists the flags", f.name, err, f.suggest(err), f.name)
			return exitUsage, true
		}
		rest := f.Args()
		if taken := len(args) - len(rest); len(rest) == 0 || taken > 0 && args[taken-1] == "--" {
			f.operands = append(f.operands, rest...)
			break
		}
		f.operands, args = append(f.operands, rest[0]), rest[1:]
	}
	if operandsMax >= 0 && len(f.operands) > operandsMax {
		t.complain("%s: what is %q? 'barid %s -h' explains", f.name, f.operands[operandsMax], f.name)
		return exitUsage, true
	}
	return exitOK, false
}

// suggest names the flag that a mistyped one most likely meant.
func (f *flags) suggest(err error) string {
	_, word, ok := strings.Cut(err.Error(), "not defined: -")
	if !ok {
		return ""
	}
	var names []string
	f.VisitAll(func(known *flag.Flag) { names = append(names, "-"+known.Name) })
	return didYouMean("-"+strings.TrimLeft(word, "-"), names)
}

func (f *flags) printHelp(w io.Writer) {
	io.WriteString(w, strings.TrimLeft(f.help, "\n"))
	any := false
	f.VisitAll(func(*flag.Flag) { any = true })
	if any {
		fmt.Fprint(w, "\nflags:\n")
		f.SetOutput(w)
		f.PrintDefaults()
	}
}

// options are the flags of a subcommand that reads the configuration.
type options struct {
	*flags
	file      string
	overrides repeated
}

func newOptions(name, help string) *options {
	o := &options{flags: newFlags(name, help)}
	o.StringVar(&o.file, "c", "", "read the configuration from `FILE` (default "+defaultConfigFile+" where it exists)")
	o.Var(&o.overrides, "o", "set one `key=value` over the file; may be repeated")
	return o
}
