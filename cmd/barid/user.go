package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"barid/auth"
	"barid/internal/config"
	"barid/internal/vfs"
)

const userHelp = `
usage: barid user [-c FILE] [-o key=value]... add NAME [-scram]
       barid user [-c FILE] [-o key=value]... passwd NAME [-scram]
       barid user [-c FILE] [-o key=value]... del NAME
       barid user [-c FILE] [-o key=value]... list

Edits the accounts, which lie in the file of the key "auth.file" in the form of
a passwd-file (docs/auth.md). A running server notices within a second.

  add     make an account
  passwd  give an account another password
  del     remove an account; its mail stays where it is
  list    the accounts, and how each can log in

NAME is an address such as alice@example.org, or a bare name, which then has
mail in all domains. add and passwd ask for the password twice at a terminal
without showing it, and otherwise read it as one line from the standard input:

  printf '%s\n' "$PASSWORD" | barid user add alice@example.org

Passwords are stored as ARGON2ID hashes; with -scram also what SCRAM-SHA-256
needs, so that a client can log in without sending its password.

exit codes: 0 done, 1 not done, 2 wrong use
`

// user is the subcommand.
func user(t terminal, args []string) int {
	o := newOptions("user", userHelp)
	scram := o.Bool("scram", false, "add, passwd: also store what SCRAM-SHA-256 needs")
	if code, done := o.parse(t, args, 2); done {
		return code
	}
	verb, name := operand(o.operands, 0), operand(o.operands, 1)
	if err := checkUserCommand(verb, name); err != nil {
		return t.fail(err, exitUsage)
	}
	cfg, err := o.load()
	if err != nil {
		return t.fail(err, exitFailure)
	}
	if err := editUser(t, cfg, verb, name, auth.HashOptions{SCRAM: *scram}); err != nil {
		return t.fail(err, exitFailure)
	}
	return exitOK
}

// operand is the one with number i, "" when there are fewer.
func operand(all []string, i int) string {
	if i >= len(all) {
		return ""
	}
	return all[i]
}

func checkUserCommand(verb, name string) error {
	names := []string{"add", "passwd", "del", "list"}
	switch {
	case verb == "":
		return errors.New("user: say add, passwd, del or list; 'barid user -h' explains")
	case !slices.Contains(names, verb):
		return fmt.Errorf("user: there is no command %q%s; 'barid user -h' explains", verb, didYouMean(verb, names))
	case verb == "list" && name != "":
		return errors.New("user list: it takes no name")
	case verb != "list" && name == "":
		return fmt.Errorf("user %s: whom? name the account", verb)
	}
	return nil
}

func editUser(t terminal, cfg *config.Config, verb, name string, o auth.HashOptions) error {
	switch verb {
	case "add":
		return addUser(t, cfg, name, o)
	case "passwd":
		if err := known(cfg, name, true); err != nil {
			return err
		}
		password, err := readPassword(t, name)
		if err != nil {
			return err
		}
		return auth.SetPassword(vfs.Disk{}, cfg.Auth.File, name, password, o)
	case "del":
		return auth.DeleteUser(vfs.Disk{}, cfg.Auth.File, name)
	}
	return listUsers(t, cfg)
}

func addUser(t terminal, cfg *config.Config, name string, o auth.HashOptions) error {
	id, err := findIdentity(cfg.User)
	if err != nil {
		return err
	}
	if err := ensureAccountFile(cfg, id); err != nil {
		return err
	}
	if err := known(cfg, name, false); err != nil {
		return err
	}
	if _, err := cfg.Mailbox.Path(name); err != nil {
		return err
	}
	if domain, foreign := foreignDomain(cfg, name); foreign {
		t.complain("%s is not one of domains: the account can log in, and gets no mail", domain)
	}
	password, err := readPassword(t, name)
	if err != nil {
		return err
	}
	return auth.AddUser(vfs.Disk{}, cfg.Auth.File, auth.NewUser{Name: name}, password, o)
}

// known tells before the password is asked for what the edit would say too.
func known(cfg *config.Config, name string, want bool) error {
	list, err := auth.ListUsers(vfs.Disk{}, cfg.Auth.File)
	if err != nil {
		return err
	}
	var names []string
	for _, u := range list {
		names = append(names, u.Name)
	}
	switch is := slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }); {
	case is && !want:
		return fmt.Errorf("%s: %w; 'barid user passwd %s' gives it another password", name, auth.ErrUserExists, name)
	case !is && want:
		return fmt.Errorf("%s: %w%s", name, auth.ErrNoUser, didYouMean(name, names))
	}
	return nil
}

func listUsers(t terminal, cfg *config.Config) error {
	list, err := auth.ListUsers(vfs.Disk{}, cfg.Auth.File)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(t.out)
	for _, u := range list {
		fmt.Fprintf(out, "%-30s %s\n", u.Name, strings.Join(userFacts(&u), ", "))
	}
	return out.Flush()
}

// userFacts are what a listing tells about an account.
func userFacts(u *auth.Listed) []string {
	facts := []string{"no usable password"}
	if u.Scheme != "" {
		facts[0] = strings.ToLower(u.Scheme)
	}
	for _, f := range []struct {
		is   bool
		text string
	}{
		{u.SCRAM, "scram"},
		{u.NoLogin, "no login"},
		{u.AllowNets != "", "only from " + u.AllowNets},
		{u.QuotaBytes > 0, fmt.Sprintf("quota %d bytes", u.QuotaBytes)},
		{u.QuotaMessages > 0, fmt.Sprintf("quota %d messages", u.QuotaMessages)},
		{u.Mail != "", "mail in " + u.Mail},
	} {
		if f.is {
			facts = append(facts, f.text)
		}
	}
	return facts
}

// passwordMax bounds the line that a password is read from, in bytes.
const passwordMax = 4096

// readPassword asks twice at a terminal, and otherwise takes the first line.
func readPassword(t terminal, name string) ([]byte, error) {
	c, err := openConsole(t.in)
	if err != nil {
		line, err := bufio.NewReader(io.LimitReader(t.in, passwordMax)).ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("reading the password: %w", err)
		}
		return notEmpty(bytes.TrimRight(line, "\r\n"))
	}
	first, err := c.ask(t.err, "Password for "+name+": ")
	if err != nil {
		return nil, err
	}
	if _, err := notEmpty(first); err != nil {
		return nil, err
	}
	second, err := c.ask(t.err, "Again: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, second) {
		return nil, errors.New("the two passwords differ; nothing was changed")
	}
	return first, nil
}

func notEmpty(password []byte) ([]byte, error) {
	if len(password) == 0 {
		return nil, errors.New("an empty password would let everybody in; nothing was changed")
	}
	return password, nil
}
