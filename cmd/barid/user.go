package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"barid/auth"
	"barid/internal/config"
	"barid/internal/vfs"
)

const userHelp = `
usage: barid user [-c FILE] [-o key=value]... add NAME
       barid user ... passwd NAME
       barid user ... del NAME
       barid user ... list

Edits the accounts, which lie in the file of the key auth.file, in the form of
a passwd-file. A running server notices at once.

add and passwd ask for the password, or read it as one line from the standard
input when that is no terminal. NAME is an address such as alice@example.org,
or a bare name, which then has mail in every domain. del removes the account
and leaves its mail where it is.
`

// user is the subcommand.
func user(t terminal, args []string) int {
	o := newOptions(t, "user", userHelp)
	scram := o.flags.Bool("scram", false, "add, passwd: also store what SCRAM-SHA-256 needs")
	if code, done := o.parse(t, args); done {
		return code
	}
	verb, name := o.flags.Arg(0), o.flags.Arg(1)
	wants := 2
	if verb == "list" {
		wants = 1
	}
	if o.flags.NArg() != wants {
		t.complain("user: say one of add NAME, passwd NAME, del NAME, list; 'barid user -h' explains")
		return exitUsage
	}
	cfg, err := o.load()
	if err != nil {
		return t.fail(err, exitFailure)
	}
	if err := editUser(t, cfg, verb, name, *scram); err != nil {
		return t.fail(err, exitFailure)
	}
	return exitOK
}

func editUser(t terminal, cfg *config.Config, verb, name string, scram bool) error {
	switch verb {
	case "add", "passwd":
		password, err := readPassword(t, name)
		if err != nil {
			return err
		}
		if verb == "add" {
			return addAccount(cfg, name, password, scram)
		}
		return auth.SetPassword(vfs.Disk{}, cfg.Auth.File, name, password, auth.HashOptions{SCRAM: scram})
	case "del":
		return auth.DeleteUser(vfs.Disk{}, cfg.Auth.File, name)
	case "list":
		return listUsers(t, cfg)
	}
	return exitWith(exitUsage, "user: what is %q? say add, passwd, del or list", verb)
}

func addAccount(cfg *config.Config, name string, password []byte, scram bool) error {
	if err := ensureAccountFile(cfg); err != nil {
		return err
	}
	return auth.AddUser(vfs.Disk{}, cfg.Auth.File, auth.NewUser{Name: name}, password, auth.HashOptions{SCRAM: scram})
}

func listUsers(t terminal, cfg *config.Config) error {
	list, err := auth.ListUsers(vfs.Disk{}, cfg.Auth.File)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(t.out)
	for _, u := range list {
		var facts []string
		if u.Scheme == "" {
			facts = append(facts, "no usable password")
		} else {
			facts = append(facts, strings.ToLower(u.Scheme))
		}
		if u.SCRAM {
			facts = append(facts, "scram")
		}
		if u.NoLogin {
			facts = append(facts, "no login")
		}
		if u.AllowNets != "" {
			facts = append(facts, "only from "+u.AllowNets)
		}
		if u.QuotaBytes > 0 {
			facts = append(facts, fmt.Sprintf("quota %d bytes", u.QuotaBytes))
		}
		fmt.Fprintf(out, "%-30s %s\n", u.Name, strings.Join(facts, ", "))
	}
	return out.Flush()
}

// readPassword asks twice at a terminal, and otherwise takes the first line.
func readPassword(t terminal, name string) ([]byte, error) {
	console, err := openConsole(t.in)
	if err != nil {
		line, err := bufio.NewReader(io.LimitReader(t.in, 4096)).ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("reading the password: %w", err)
		}
		return notEmpty(bytes.TrimRight(line, "\r\n"))
	}
	first, err := console.ask(t.err, "Password for "+name+": ")
	if err != nil {
		return nil, err
	}
	second, err := console.ask(t.err, "Again: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, second) {
		return nil, errors.New("the two passwords differ; nothing was changed")
	}
	return notEmpty(first)
}

func notEmpty(password []byte) ([]byte, error) {
	if len(password) == 0 {
		return nil, errors.New("an empty password would let everybody in; nothing was changed")
	}
	return password, nil
}
