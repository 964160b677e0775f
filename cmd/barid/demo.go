package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"barid/internal/config"
	"barid/internal/tlsconf"
	"barid/internal/vfs"
)

const demoHelp = `
usage: barid demo [-dir DIR] [-o key=value]...

Runs a mail server to try out, on 127.0.0.1 and high ports, with the domain
example.test and the accounts alice and bob. Everything lies in a temporary
directory that is removed at the end, or in DIR, which is kept. The lines it
prints can be pasted into another terminal. Ctrl-C ends it.

The line "ready" comes when all ports answer.
`

// demoSettings are the configuration of the demonstration, before -o.
var demoSettings = []string{
	"hostname=mx.example.test",
	"domains=example.test",
	"smtp.listen=127.0.0.1:2525",
	"submission.listen=127.0.0.1:2587",
	"submissions.listen=127.0.0.1:2465",
	"lmtp.listen=127.0.0.1:2424",
	"pop3.listen=127.0.0.1:2110",
	"pop3s.listen=127.0.0.1:2995",
	"auth.cleartext=loopback",
	"smtp.connections-per-address-max=5000",
	"log.level=warn",
	"user=",
}

// demo is the subcommand.
func demo(t terminal, args []string) int {
	o := newOptions(t, "demo", demoHelp)
	dir := o.flags.String("dir", "", "keep the data in `DIR`")
	if code, done := o.parse(t, args); done {
		return code
	}
	if o.flags.NArg() > 0 || o.file != "" {
		t.complain("demo: it takes no file and no arguments; 'barid demo -h' explains")
		return exitUsage
	}
	remove := func() {}
	if *dir == "" {
		made, err := os.MkdirTemp("", "barid-demo-")
		if err != nil {
			return t.fail(err, exitFailure)
		}
		*dir = made
		remove = func() { os.RemoveAll(made) }
	}
	defer remove()
	if err := runDemo(t, *dir, o.overrides); err != nil {
		return t.fail(err, exitFailure)
	}
	return exitOK
}

func runDemo(t terminal, dir string, overrides []string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	settings := slices.Concat(demoSettings, []string{
		"data.dir=" + dir,
		"auth.file=" + filepath.Join(dir, "users"),
		"tls.certs=" + filepath.Join(dir, "cert.pem") + ":" + filepath.Join(dir, "key.pem"),
	}, overrides)
	cfg, err := config.Load("", settings)
	if err != nil {
		return err
	}
	passwords, err := prepareDemo(dir, cfg)
	if err != nil {
		return err
	}
	reload := func() (*config.Config, error) { return config.Load("", settings) }
	return runServer(t, cfg, reload, func(s *server) { announce(t.out, s.endpoints, passwords) })
}

// demoAccount is an account with its password, which only a demonstration
// ever knows.
type demoAccount struct{ name, password string }

// prepareDemo makes what a demonstration needs and is not there yet: a
// certificate and accounts. The passwords of a directory that is kept lie in
// it, in the file passwords.
func prepareDemo(dir string, cfg *config.Config) ([]demoAccount, error) {
	disk := vfs.Disk{}
	if err := disk.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := demoCertificate(dir, cfg.Hostname); err != nil {
		return nil, err
	}
	known, err := vfs.ReadFile(disk, filepath.Join(dir, "passwords"), 64<<10)
	if err == nil {
		return parseDemoAccounts(string(known)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return demoAccounts(dir, cfg)
}

func parseDemoAccounts(text string) []demoAccount {
	var all []demoAccount
	for line := range strings.Lines(text) {
		if name, password, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			all = append(all, demoAccount{name, password})
		}
	}
	return all
}

func demoAccounts(dir string, cfg *config.Config) ([]demoAccount, error) {
	var all []demoAccount
	var text strings.Builder
	for _, local := range []string{"alice", "bob"} {
		a := demoAccount{local + "@" + cfg.Domains[0], strings.ToLower(rand.Text()[:12])}
		if err := addAccount(cfg, a.name, []byte(a.password), true); err != nil {
			return nil, err
		}
		all = append(all, a)
		fmt.Fprintf(&text, "%s %s\n", a.name, a.password)
	}
	return all, vfs.WriteAtomic(vfs.Disk{}, filepath.Join(dir, "passwords"), []byte(text.String()), 0o600)
}

func demoCertificate(dir, host string) error {
	disk := vfs.Disk{}
	if _, err := disk.Stat(filepath.Join(dir, "cert.pem")); err == nil {
		return nil
	}
	cert, key, err := tlsconf.SelfSigned(host, "localhost", "127.0.0.1", "::1")
	if err != nil {
		return err
	}
	if err := vfs.WriteAtomic(disk, filepath.Join(dir, "key.pem"), key, 0o600); err != nil {
		return err
	}
	return vfs.WriteAtomic(disk, filepath.Join(dir, "cert.pem"), cert, 0o644)
}

// announce prints what there is to try. Programs read the lines that begin
// with listen, account and ready.
func announce(w io.Writer, endpoints []endpoint, accounts []demoAccount) {
	at := map[string]string{}
	for _, e := range endpoints {
		address := e.socket.Addr().String()
		at[e.service] = address
		fmt.Fprintf(w, "listen %s %s\n", e.service, address)
	}
	for _, a := range accounts {
		fmt.Fprintf(w, "account %s %s\n", a.name, a.password)
	}
	if len(accounts) == 2 {
		tryLines(w, at, accounts[0], accounts[1])
	}
	fmt.Fprintln(w, "ready")
}

// tryLines prints commands that send a first message and read it.
func tryLines(w io.Writer, at map[string]string, alice, bob demoAccount) {
	host, port, err := net.SplitHostPort(at["submission"])
	if err != nil {
		return // no submission in this demonstration
	}
	fmt.Fprintf(w, `
Paste into another terminal. Send:
  printf 'From: %[2]s\nTo: %[1]s\nSubject: hello\n\nA first letter.\n' | curl -sS --crlf smtp://%[3]s --mail-from %[2]s --mail-rcpt %[1]s -T -
  swaks --server %[4]s --port %[5]s --tls --auth-user %[2]s --auth-password %[6]s --from %[2]s --to %[1]s
Read:
  curl -sS -u %[1]s:%[7]s pop3://%[8]s/
  curl -sS -u %[1]s:%[7]s pop3://%[8]s/1

`, alice.name, bob.name, at["smtp"], host, port, bob.password, alice.password, at["pop3"])
}
