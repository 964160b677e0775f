package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// baridPeer is the barid binary under test, doing what postfixPeer does: one
// mailbox in a Maildir, no TLS, the log in a file, each message logged.
type baridPeer struct {
	binary  string
	address string
	dir     string // set by prepare
}

const baridConf = `hostname = barid.test
domains = example.test
data.dir = {dir}/barid
auth.file = {dir}/users
log.file = {dir}/barid.log
user =

smtp.listen = {address}
submission.listen =
pop3.listen =
imap.listen =

# Out of its way: all connections come from one address, and each may carry as
# many messages as there are.
smtp.connections-per-address-max = 5000
smtp.commands-max = 0
`

// baridRelay takes the place of the mailbox: alice's mail is another host's.
const baridRelay = `
domains = elsewhere.test
relay.host = {hop}
`

func (p *baridPeer) name() string { return "barid" }

func (p *baridPeer) durability() string {
	return "spool record synced before 250, in groups; Maildir files and directories synced in bulk before the spool forgets a message"
}

func (p *baridPeer) addr() string { return p.address }

func (p *baridPeer) mailbox() string {
	return filepath.Join(p.dir, "barid", "mail", "example.test", "alice")
}

// version asks the binary.
func (p *baridPeer) version(ctx context.Context) (string, error) {
	return command1(ctx, p.binary, "version")
}

// prepare writes the configuration below dir.
func (p *baridPeer) prepare(ctx context.Context, dir, nextHop string) error {
	p.dir = dir
	conf := baridConf
	if nextHop != "" {
		conf = strings.Replace(conf, "domains = example.test\n", baridRelay, 1)
	}
	fill := strings.NewReplacer("{dir}", dir, "{address}", p.address, "{hop}", bracketed(nextHop))
	if err := os.WriteFile(p.conf(), []byte(fill.Replace(conf)), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "users"), []byte("alice@example.test:{PLAIN}secret\n"), 0o600)
}

func (p *baridPeer) conf() string { return filepath.Join(p.dir, "barid.conf") }

// start is the command that runs barid in the foreground.
func (p *baridPeer) start(ctx context.Context) *exec.Cmd {
	return exec.CommandContext(ctx, p.binary, "serve", "-c", p.conf())
}

// halt: a signal is enough.
func (p *baridPeer) halt(context.Context) *exec.Cmd { return nil }
