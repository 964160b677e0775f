package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// postfixPeer is Debian's Postfix with directories and a configuration of its
// own, so that it neither needs nor disturbs one that the system runs. It
// needs root: its master process insists on it.
type postfixPeer struct {
	address string // loopback address and port
	dir     string // set by prepare
}

const postfixMain = `# Only what a server needs that delivers to Maildir and what would hold it back.
compatibility_level = 3.6
queue_directory = {dir}/postfix/spool
data_directory = {dir}/postfix/data
daemon_directory = {daemons}
command_directory = /usr/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {dir}/postfix/log/mail.log
maillog_file_prefixes = {dir}/postfix/log
myhostname = postfix.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
biff = no

# No name lookups: barid makes none either.
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_mynetworks, reject

# One mailbox, by virtual(8), without a limit of size.
virtual_mailbox_domains = example.test
virtual_mailbox_base = {dir}/mail
virtual_mailbox_maps = inline:{ alice@example.test=alice/ }
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
virtual_mailbox_limit = 0

# Out of its way: the pause before accepting while deliveries lag (1 s), and as
# many processes and deliveries at once as it finds useful.
in_flow_delay = 0
default_process_limit = 300
virtual_destination_concurrency_limit = {deliveries}
`

// postfixRelay takes the place of the mailbox: all mail goes to one host, over
// as many connections as there may be clients.
const postfixRelay = `
virtual_mailbox_domains =
relayhost = {hop}
smtp_destination_concurrency_limit = 100
smtp_host_lookup = native
smtp_dns_support_level = disabled
disable_dns_lookups = yes
`

// postfixMaster lists the services that this takes: name, type, private,
// unprivileged, chroot, wake-up time, process limit, program.
const postfixMaster = `{port}     inet       n - n - - smtpd
pickup     unix       n - n 60 1 pickup
cleanup    unix       n - n - 0 cleanup
qmgr       unix       n - n 300 1 qmgr
rewrite    unix       - - n - - trivial-rewrite
bounce     unix       - - n - 0 bounce
defer      unix       - - n - 0 bounce
trace      unix       - - n - 0 bounce
flush      unix       n - n 1000? 0 flush
proxymap   unix       - - n - - proxymap
error      unix       - - n - - error
retry      unix       - - n - - error
anvil      unix       - - n - 1 anvil
tlsmgr     unix       - - n 1000? 1 tlsmgr
virtual    unix       - n n - - virtual
smtp       unix       - - n - - smtp
relay      unix       - - n - - smtp
postlog    unix-dgram n - n - 1 postlogd
`

// postfixDeliveries is how many virtual(8) may run at once: the default. Two
// processors are busy with far fewer.
const postfixDeliveries = 20

func (p *postfixPeer) name() string { return "postfix" }

func (p *postfixPeer) durability() string {
	return "queue file synced before 250; Maildir file synced at delivery; directories not synced"
}

func (p *postfixPeer) addr() string { return p.address }

func (p *postfixPeer) mailbox() string { return filepath.Join(p.dir, "mail", "alice") }

// version asks postconf.
func (p *postfixPeer) version(ctx context.Context) (string, error) {
	v, err := command1(ctx, "postconf", "-d", "-h", "mail_version")
	return "Postfix " + v, err
}

// prepare writes the configuration and makes the directories below dir.
func (p *postfixPeer) prepare(ctx context.Context, dir, nextHop string) error {
	p.dir = dir
	daemons, err := command1(ctx, "postconf", "-d", "-h", "daemon_directory")
	if err != nil {
		return fmt.Errorf("is the package postfix installed? %w", err)
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(p.address)
	if err != nil {
		return err
	}
	fill := strings.NewReplacer("{dir}", dir, "{daemons}", daemons, "{port}", port, "{uid}", nobody.Uid,
		"{gid}", nobody.Gid, "{deliveries}", strconv.Itoa(postfixDeliveries), "{hop}", bracketed(nextHop))
	main := postfixMain
	if nextHop != "" {
		main = strings.Replace(main, "virtual_mailbox_domains = example.test\n", "", 1) + postfixRelay
	}
	conf := filepath.Join(dir, "postfix", "conf")
	for _, sub := range []string{conf, filepath.Join(dir, "postfix/spool"), filepath.Join(dir, "postfix/data"), filepath.Join(dir, "postfix/log")} {
		if err := os.MkdirAll(sub, 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(conf, "main.cf"), []byte(fill.Replace(main)), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(conf, "master.cf"), []byte(fill.Replace(postfixMaster)), 0o644); err != nil {
		return err
	}
	return p.own(nobody)
}

// own gives the directories to the users that Postfix works as.
func (p *postfixPeer) own(nobody *user.User) error {
	postfix, err := user.Lookup("postfix")
	if err != nil {
		return err
	}
	if err := chown(filepath.Join(p.dir, "postfix/data"), postfix); err != nil {
		return err
	}
	for _, sub := range []string{"mail", "mail/alice", "mail/alice/new", "mail/alice/cur", "mail/alice/tmp"} {
		dir := filepath.Join(p.dir, sub)
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		if err := chown(dir, nobody); err != nil {
			return err
		}
	}
	return nil
}

func chown(name string, u *user.User) error {
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return err
	}
	return os.Chown(name, uid, gid)
}

// start is the command that runs Postfix in the foreground.
func (p *postfixPeer) start(ctx context.Context) *exec.Cmd {
	return exec.CommandContext(ctx, "postfix", "-c", filepath.Join(p.dir, "postfix/conf"), "start-fg")
}

// halt is the command that stops it: the process that start began is a script,
// which the master process outlives.
func (p *postfixPeer) halt(ctx context.Context) *exec.Cmd {
	return exec.CommandContext(ctx, "postfix", "-c", filepath.Join(p.dir, "postfix/conf"), "stop")
}
