package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"barid/auth"
	"barid/internal/config"
	"barid/internal/tlsconf"
	"barid/internal/vfs"
)

const demoHelp = `
usage: barid demo [-dir DIR] [-o key=value]...

Runs a mail server to try out: domain example.test, accounts alice and bob, on
127.0.0.1 with the ports 2525 (smtp), 2587 (submission), 2465 (submissions),
2424 (lmtp), 2110 (pop3), 2995 (pop3s), 2143 (imap) and 2993 (imaps). Everything
lies in a temporary directory that is removed at the end, or in DIR, which is
kept. Ctrl-C ends it.

It prints lines that can be pasted into another terminal, and for programs:

  listen SERVICE ADDRESS      one for each port and socket
  account NAME PASSWORD       one for each account
  ready                       when all ports answer

Any key can be set, for instance when a port is taken:

  barid demo -o smtp.listen=127.0.0.1:3525

exit codes: 0 ended by a signal, 1 could not start, 2 wrong use
`

// demoSettings are the configuration of the demonstration in a directory,
// before -o.
func demoSettings(dir string) []string {
	return []string{
		"hostname=mx.example.test",
		"domains=example.test",
		"smtp.listen=127.0.0.1:2525",
		"submission.listen=127.0.0.1:2587",
		"submissions.listen=127.0.0.1:2465",
		"lmtp.listen=127.0.0.1:2424",
		"pop3.listen=127.0.0.1:2110",
		"pop3s.listen=127.0.0.1:2995",
		"imap.listen=127.0.0.1:2143",
		"imaps.listen=127.0.0.1:2993",
		"auth.cleartext=loopback",
		"smtp.connections-per-address-max=5000",
		"log.level=warn",
		"user=",
		"data.dir=" + dir,
		"auth.file=" + filepath.Join(dir, "users"),
		"tls.cert=" + filepath.Join(dir, "cert.pem"),
		"tls.key=" + filepath.Join(dir, "key.pem"),
	}
}

// demo is the subcommand.
func demo(t terminal, args []string) int {
	f := newFlags("demo", demoHelp)
	dir := f.String("dir", "", "keep the data in `DIR`")
	var overrides repeated
	f.Var(&overrides, "o", "set one `key=value`; may be repeated")
	if code, done := f.parse(t, args, 0); done {
		return code
	}
	if err := runDemo(t, *dir, overrides); err != nil {
		return t.fail(err, exitFailure)
	}
	return exitOK
}

// runDemo runs the demonstration in a directory, "" for a temporary one.
func runDemo(t terminal, dir string, overrides []string) (err error) {
	if dir == "" {
		if dir, err = os.MkdirTemp("", "barid-demo-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	} else if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	settings := slices.Concat(demoSettings(dir), overrides)
	read := func() (*config.Config, error) { return config.Load("", settings) }
	var accounts []demoAccount
	return runServer(t, plan{
		first: func() (cfg *config.Config, err error) {
			if cfg, err = read(); err == nil {
				accounts, err = prepareDemo(dir, cfg)
			}
			return cfg, err
		},
		again: read,
		ready: func(s *server) { announce(t.out, s.endpoints, accounts) },
	})
}

// demoAccount is an account with its password, which only a demonstration
// ever knows.
type demoAccount struct{ name, password string }

// prepareDemo makes what a demonstration needs and is not there yet: a
// certificate and accounts.
func prepareDemo(dir string, cfg *config.Config) ([]demoAccount, error) {
	if err := (vfs.Disk{}).MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := demoCertificate(dir, cfg.Hostname); err != nil {
		return nil, err
	}
	return demoAccounts(dir, cfg)
}

// demoCertificate writes the certificate after its key, so that the one is
// never there without the other.
func demoCertificate(dir, host string) error {
	disk, cert := vfs.Disk{}, filepath.Join(dir, "cert.pem")
	if _, err := disk.Stat(cert); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	certPEM, keyPEM, err := tlsconf.SelfSigned(host, "localhost", "127.0.0.1", "::1")
	if err != nil {
		return err
	}
	if err := vfs.WriteAtomic(disk, filepath.Join(dir, "key.pem"), keyPEM, 0o600); err != nil {
		return err
	}
	return vfs.WriteAtomic(disk, cert, certPEM, 0o644)
}

// demoAccounts makes alice and bob. Their passwords lie in the file passwords,
// written last: without it they are given new ones.
func demoAccounts(dir string, cfg *config.Config) ([]demoAccount, error) {
	file := filepath.Join(dir, "passwords")
	known, err := vfs.ReadFile(vfs.Disk{}, file, 64<<10)
	if err == nil {
		return parseDemoAccounts(string(known)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all []demoAccount
	var text strings.Builder
	for _, local := range []string{"alice", "bob"} {
		a := demoAccount{local + "@" + cfg.Domains[0], strings.ToLower(rand.Text()[:12])}
		if err := a.make(cfg); err != nil {
			return nil, err
		}
		all = append(all, a)
		fmt.Fprintf(&text, "%s %s\n", a.name, a.password)
	}
	return all, vfs.WriteAtomic(vfs.Disk{}, file, []byte(text.String()), 0o600)
}

func (a demoAccount) make(cfg *config.Config) error {
	o := auth.HashOptions{SCRAM: true}
	err := auth.AddUser(vfs.Disk{}, cfg.Auth.File, auth.NewUser{Name: a.name}, []byte(a.password), o)
	if errors.Is(err, auth.ErrUserExists) {
		err = auth.SetPassword(vfs.Disk{}, cfg.Auth.File, a.name, []byte(a.password), o)
	}
	return err
}

func parseDemoAccounts(text string) (all []demoAccount) {
	for line := range strings.Lines(text) {
		if name, password, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			all = append(all, demoAccount{name, password})
		}
	}
	return all
}
