package main

import (
	"os"

	"barid/internal/config"
)

// defaultConfigFile is read when no -c names another one, if it exists.
const defaultConfigFile = "/etc/barid/barid.conf"

// configFile is the file to read: the one asked for, else the default one
// where it exists, else none.
func configFile(asked string) string {
	if asked != "" {
		return asked
	}
	if _, err := os.Stat(defaultConfigFile); err == nil {
		return defaultConfigFile
	}
	return ""
}

// load reads the configuration that the flags ask for.
func (o *options) load() (*config.Config, error) {
	return config.Load(configFile(o.file), o.overrides)
}

const configHelp = `
usage: barid config [-c FILE] [-o key=value]... [-n|-d]

Prints the configuration in the form of the file: every key with the value in
force, only those that are set (-n), or every key with its default (-d), which
is a good start for a file of your own:

  barid config -d > /etc/barid/barid.conf
`

// showConfig is the subcommand config.
func showConfig(t terminal, args []string) int {
	o := newOptions(t, "config", configHelp)
	set := o.flags.Bool("n", false, "print only the keys that are set")
	defaults := o.flags.Bool("d", false, "print every key with its default and what it means")
	if code, done := o.parse(t, args); done {
		return code
	}
	if o.flags.NArg() > 0 {
		t.complain("config: what is %q? 'barid config -h' explains", o.flags.Arg(0))
		return exitUsage
	}
	choice := config.All
	switch {
	case *defaults:
		choice = config.Defaults
	case *set:
		choice = config.Set
	}
	cfg, err := o.load()
	if err != nil {
		return t.fail(err, exitFailure)
	}
	if err := cfg.Print(t.out, choice); err != nil {
		return t.fail(err, exitFailure)
	}
	return exitOK
}
