package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"

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
usage: barid config [-c FILE] [-o key=value]... [-n|-d] [KEY]...

Prints the configuration in the form of the file: the keys that are named, or
all, with the value in force, only those that are set (-n), or with their
defaults (-d). What it prints can be read as a configuration file again:

  barid config -d > barid.conf      a file to begin with
  barid config -n                   what makes this server differ
  barid config hostname domains     two keys

docs/config.md tells what each key means. What is wrong with a configuration,
'barid check' tells in full.
`

// showConfig is the subcommand config.
func showConfig(t terminal, args []string) int {
	o := newOptions("config", configHelp)
	set := o.Bool("n", false, "print only the keys that are set")
	defaults := o.Bool("d", false, "print the defaults; the configuration is not read")
	if code, done := o.parse(t, args, -1); done {
		return code
	}
	choice, load := config.All, o.load
	switch {
	case *defaults && *set:
		t.complain("config: either -n or -d")
		return exitUsage
	case *defaults:
		choice, load = config.Defaults, func() (*config.Config, error) { return config.Load("", nil) }
	case *set:
		choice = config.Set
	}
	cfg, err := load()
	if err != nil {
		return t.fail(err, exitFailure)
	}
	text, err := printConfig(cfg, choice, o.operands)
	if err != nil {
		return t.fail(err, exitFailure)
	}
	if _, err := t.out.Write(text); err != nil {
		return t.fail(err, exitFailure)
	}
	return exitOK
}

// printConfig gives the lines of the keys that are named, all when none is.
func printConfig(cfg *config.Config, choice config.Choice, keys []string) ([]byte, error) {
	var text bytes.Buffer
	if err := cfg.Print(&text, choice); err != nil || len(keys) == 0 {
		return text.Bytes(), err
	}
	known := configKeys(cfg)
	var chosen []byte
	for _, key := range keys {
		if !slices.Contains(known, key) {
			return nil, fmt.Errorf("there is no key %q%s", key, didYouMean(key, known))
		}
		for line := range bytes.Lines(text.Bytes()) {
			if name, _, _ := strings.Cut(string(line), " ="); name == key {
				chosen = append(chosen, line...)
			}
		}
	}
	return chosen, nil
}

// configKeys are the names of all keys, in their order.
func configKeys(cfg *config.Config) (names []string) {
	var text bytes.Buffer
	_ = cfg.Print(&text, config.All) // a Buffer takes everything
	for line := range strings.Lines(text.String()) {
		if name, _, ok := strings.Cut(line, " ="); ok && !strings.HasPrefix(line, "#") {
			names = append(names, name)
		}
	}
	return names
}
