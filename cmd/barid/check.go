package main

import (
	"errors"
	"fmt"
	"io/fs"

	"barid/auth"
	"barid/internal/config"
	"barid/internal/route"
	"barid/internal/vfs"
)

const checkHelp = `
usage: barid check [-c FILE] [-o key=value]...

Reads the configuration, the accounts, the maps and the certificates, as the
server would, and says what is wrong: errors, with which the server would not
start or mail would be refused, and warnings. Exits with 0 when there are no
errors.
`

// finding is one line of the report.
type finding struct {
	warning bool
	text    string
}

// check is the subcommand.
func check(t terminal, args []string) int {
	o := newOptions(t, "check", checkHelp)
	if code, done := o.parse(t, args); done {
		return code
	}
	cfg, err := o.load()
	if err != nil {
		return t.fail(err, exitFailure)
	}
	code := exitOK
	for _, f := range findings(cfg) {
		kind := "error"
		if f.warning {
			kind = "warning"
		} else {
			code = exitFailure
		}
		fmt.Fprintf(t.out, "%s: %s\n", kind, f.text)
	}
	if code == exitOK {
		fmt.Fprintln(t.out, "ok")
	}
	return code
}

// findings looks at everything that the server reads.
func findings(cfg *config.Config) (all []finding) {
	for _, p := range cfg.Check() {
		where := p.Key
		if p.Where != "" {
			where = p.Where + ": " + p.Key
		}
		all = append(all, finding{p.Warning, where + ": " + p.Text})
	}
	all = append(all, checkAccounts(cfg)...)
	return append(all, checkCertificates(cfg)...)
}

// checkAccounts looks at the account file and at the maps that lead to it.
func checkAccounts(cfg *config.Config) (all []finding) {
	if _, err := (vfs.Disk{}).Stat(cfg.Auth.File); errors.Is(err, fs.ErrNotExist) {
		return []finding{{true, cfg.Auth.File + ": there are no accounts yet; make one with: barid user add NAME"}}
	}
	problems, err := auth.Check(authOptions(cfg, nil))
	if err != nil {
		return []finding{{false, err.Error()}}
	}
	for _, p := range problems {
		all = append(all, finding{true, fmt.Sprintf("%s:%d: %s: %s", cfg.Auth.File, p.Line, p.User, p.Text)})
	}
	accounts, err := auth.Open(authOptions(cfg, nil))
	if err != nil {
		return append(all, finding{false, err.Error()})
	}
	for _, p := range route.Check(routeOptions(cfg, accounts, nil)) {
		all = append(all, finding{p.Warning, p.String()})
	}
	return all
}

func checkCertificates(cfg *config.Config) (all []finding) {
	certs, err := openCertificates(cfg)
	if err != nil {
		return []finding{{false, err.Error()}}
	}
	if certs != nil {
		for _, w := range certs.Warnings() {
			all = append(all, finding{true, w})
		}
	}
	return all
}
