package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"barid/auth"
	"barid/internal/addr"
	"barid/internal/config"
	"barid/internal/relay"
	"barid/internal/route"
	"barid/internal/vfs"
)

const checkHelp = `
usage: barid check [-c FILE] [-o key=value]...

Reads the configuration, the accounts, the maps and the certificates, as the
server would, and says everything that is wrong, with file and line: errors,
with which the server would not start or mail would be refused, and warnings.
It changes nothing and opens no port. Run it as the user that will start the
server.

exit codes: 0 no errors, 1 errors, 2 wrong use
`

// finding is one line of the report.
type finding struct {
	warning bool
	text    string
}

// check is the subcommand.
func check(t terminal, args []string) int {
	o := newOptions("check", checkHelp)
	if code, done := o.parse(t, args, 0); done {
		return code
	}
	cfg, err := o.load()
	if err != nil {
		return report(t, unreadable(err))
	}
	return report(t, findings(cfg, configFile(o.file)))
}

// report prints the findings, errors first, and returns the exit code.
func report(t terminal, all []finding) int {
	slices.SortStableFunc(all, func(a, b finding) int {
		switch {
		case a.warning == b.warning:
			return 0
		case b.warning:
			return -1
		}
		return 1
	})
	count := map[string]int{}
	for _, f := range all {
		kind := "error"
		if f.warning {
			kind = "warning"
		}
		count[kind]++
		fmt.Fprintf(t.out, "%s: %s\n", kind, f.text)
	}
	switch {
	case count["error"] > 0:
		fmt.Fprintf(t.out, "errors: %d, warnings: %d\n", count["error"], count["warning"])
		return exitFailure
	case count["warning"] > 0:
		fmt.Fprintf(t.out, "ok, warnings: %d\n", count["warning"])
	default:
		fmt.Fprintln(t.out, "ok")
	}
	return exitOK
}

// unreadable is the report about a configuration that cannot be read.
func unreadable(err error) (all []finding) {
	var errs config.Errors
	if !errors.As(err, &errs) {
		return []finding{{text: err.Error()}}
	}
	for _, e := range errs {
		all = append(all, finding{text: e.Error()})
	}
	return all
}

// findings looks at everything that the server reads. file is where the
// configuration comes from, "" for no file.
func findings(cfg *config.Config, file string) (all []finding) {
	for _, p := range cfg.Check() {
		all = append(all, finding{p.Warning, p.String()})
	}
	id, err := findIdentity(cfg.User)
	if err != nil {
		all = append(all, finding{text: err.Error()})
	}
	all = append(all, checkDirectories(cfg, id)...)
	all = append(all, checkReadable(cfg, file, id)...)
	all = append(all, checkAccounts(cfg)...)
	all = append(all, checkRelaying(cfg)...)
	return append(all, checkCertificates(cfg)...)
}

// checkRelaying reads the files that say how mail is handed on. The maps that
// say where are looked at with the accounts.
func checkRelaying(cfg *config.Config) (all []finding) {
	_, policies := relay.OpenPolicies(cfg.Relay.Policy, relay.Policy{}, nil)
	_, passwords := relay.OpenPasswords(cfg.Relay.Passwords, nil)
	_, roots := tlsRoots(cfg.Relay.TLSRoots)
	for _, err := range []error{policies, passwords, roots} {
		if err != nil {
			all = append(all, finding{text: err.Error()})
		}
	}
	return all
}

// checkDirectories looks at those that are there; the server makes others.
func checkDirectories(cfg *config.Config, id *identity) (all []finding) {
	for _, d := range directories(cfg) {
		if _, err := (vfs.Disk{}).Stat(d.name); err != nil || !d.ours {
			continue
		}
		if err := id.checkOwner(d.key, d.name); err != nil {
			all = append(all, finding{text: err.Error()})
		}
	}
	return all
}

// checkReadable looks for files that root can read and the server, once it is
// an ordinary user, cannot.
func checkReadable(cfg *config.Config, file string, id *identity) (all []finding) {
	if id == nil {
		return nil // reading them tells
	}
	look := func(name, consequence string, warning bool) {
		if _, err := (vfs.Disk{}).Stat(name); name != "" && err == nil && !id.mayRead(name) {
			all = append(all, finding{warning, fmt.Sprintf("%s: user %s may not read it%s", name, id.name, consequence)})
		}
	}
	look(cfg.Auth.File, "", false)
	for _, name := range []string{cfg.Map.Alias, cfg.Map.Virtual, cfg.Map.Transport, cfg.Relay.RecipientMap, cfg.Relay.SenderMap,
		cfg.Relay.Policy, cfg.Relay.Passwords, cfg.Relay.TLSRoots, cfg.SRS.SecretFile} {
		look(name, "", false)
	}
	look(cfg.SRS.SecretFile, ": senders of forwarded mail stay as they are", true)
	look(file, ": a running server will not follow its changes", true)
	for _, p := range cfg.TLS.Certificates {
		look(p.CertFile, ": when it is renewed, the server has to be restarted", true)
		if p.KeyFile != p.CertFile {
			look(p.KeyFile, ": when it is renewed, the server has to be restarted", true)
		}
	}
	return all
}

// checkAccounts looks at the account file and at the maps that lead to it.
func checkAccounts(cfg *config.Config) (all []finding) {
	if _, err := (vfs.Disk{}).Stat(cfg.Auth.File); errors.Is(err, fs.ErrNotExist) {
		return []finding{{true, cfg.Auth.File + ": there are no accounts yet; make one with 'barid user add NAME'"}}
	}
	problems, err := auth.Check(authOptions(cfg, nil))
	if err != nil {
		return []finding{{text: err.Error()}}
	}
	for _, p := range problems {
		all = append(all, finding{true, fmt.Sprintf("%s:%d: %s: %s", cfg.Auth.File, p.Line, p.User, p.Text)})
	}
	list, err := auth.ListUsers(vfs.Disk{}, cfg.Auth.File)
	if err != nil {
		return append(all, finding{text: err.Error()})
	}
	for _, u := range list {
		all = append(all, checkAccount(cfg, &u)...)
	}
	accounts, err := auth.Open(authOptions(cfg, nil))
	if err != nil {
		return append(all, finding{text: err.Error()})
	}
	for _, p := range route.Check(routeOptions(cfg, accounts, nil)) {
		all = append(all, finding{p.Warning, p.String()})
	}
	return all
}

// checkAccount looks for accounts that no mail can reach.
func checkAccount(cfg *config.Config, u *auth.Listed) (all []finding) {
	where := fmt.Sprintf("%s:%d: %s", cfg.Auth.File, u.Line, u.Name)
	if _, err := cfg.Mailbox.Path(u.Name); err != nil && u.Mail == "" {
		all = append(all, finding{text: where + ": it has no mailbox: " + err.Error()})
	}
	if foreign, ok := foreignDomain(cfg, u.Name); ok {
		all = append(all, finding{true, where + ": it gets no mail: " + foreign + " is not one of domains" + didYouMean(foreign, cfg.Domains)})
	}
	return all
}

// foreignDomain is the domain of an account when it is none of ours.
func foreignDomain(cfg *config.Config, account string) (name string, foreign bool) {
	_, domain, has := addr.Split([]byte(account))
	if !has {
		return "", false
	}
	canonical := func(s string) string {
		c, err := addr.AppendDomain(nil, []byte(s))
		if err != nil {
			return strings.ToLower(s)
		}
		return string(c)
	}
	ours := slices.ContainsFunc(append([]string{cfg.Hostname}, cfg.Domains...), func(d string) bool {
		return canonical(d) == canonical(string(domain))
	})
	return string(domain), !ours
}

func checkCertificates(cfg *config.Config) (all []finding) {
	certs, err := openCertificates(cfg)
	if err != nil {
		return []finding{{text: err.Error()}}
	}
	if certs != nil {
		for _, w := range certs.Warnings() {
			all = append(all, finding{true, w})
		}
	}
	return all
}
