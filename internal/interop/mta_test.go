//go:build interop

package interop

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Mail goes from each of the other mail servers of the distribution to barid
// and from barid to each of them, and must be what it was.

// mtaRoot is where .ci/run unpacks servers that the distribution does not
// allow beside each other.
const mtaRoot = "/var/lib/barid-interop"

// mta is another mail server: it delivers mail to far.test into a mailbox of
// its own, and hands mail to example.test to the next hop.
type mta struct {
	name    string
	users   []string // that its package would have made
	prepare func(t *testing.T, m *mtaRun)
	command []string
	halt    []string // nil: SIGTERM
	mailbox string   // a file, or a Maildir when it is a directory; in the directory of the run
}

// mtaRun is one that runs.
type mtaRun struct {
	*mta
	dir, addr, nextHop string
	log                *bytes.Buffer
}

var mtas = []*mta{postfix, exim, openSMTPD}

var postfix = &mta{
	name: "postfix", users: []string{"postfix", "nobody"}, mailbox: "mail/box",
	command: []string{"postfix", "-c", "{dir}/conf", "start-fg"},
	halt:    []string{"postfix", "-c", "{dir}/conf", "stop"},
	prepare: func(t *testing.T, m *mtaRun) {
		m.directory(t, "conf", "root")
		m.directory(t, "queue", "root")
		m.directory(t, "data", "postfix")
		m.directory(t, "mail", "nobody")
		m.configure(t, "conf/main.cf")
		m.configure(t, "conf/master.cf")
	},
}

var exim = &mta{
	name: "exim", users: []string{"Debian-exim"}, mailbox: "mail",
	command: []string{mtaRoot + "/usr/sbin/exim4", "-C", "{dir}/exim.conf", "-bdf", "-q1h"},
	prepare: func(t *testing.T, m *mtaRun) {
		m.directory(t, "mail", "Debian-exim")
		m.directory(t, "spool", "Debian-exim")
		m.directory(t, "log", "Debian-exim")
		m.configure(t, "exim.conf")
	},
}

var openSMTPD = &mta{
	name: "opensmtpd", users: []string{"opensmtpd", "opensmtpq"}, mailbox: "mail/box",
	command: []string{mtaRoot + "/usr/sbin/smtpd", "-d", "-f", "{dir}/smtpd.conf"},
	prepare: func(t *testing.T, m *mtaRun) {
		m.directory(t, "mail", "nobody")
		m.configure(t, "smtpd.conf")
	},
}

// asRoot is a command that runs as root.
func asRoot(words ...string) *exec.Cmd {
	if os.Geteuid() != 0 {
		words = append([]string{"sudo", "-n"}, words...)
	}
	return exec.Command(words[0], words[1:]...)
}

func runAsRoot(t *testing.T, words ...string) {
	t.Helper()
	if out, err := asRoot(words...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(words, " "), err, out)
	}
}

// directory makes one that belongs to a user.
func (m *mtaRun) directory(t *testing.T, name, owner string) {
	t.Helper()
	path := filepath.Join(m.dir, name)
	runAsRoot(t, "install", "-d", "-m", "0755", "-o", owner, path)
}

// configure fills in a file of testdata/mta.
func (m *mtaRun) configure(t *testing.T, name string) {
	t.Helper()
	text := m.fill(readFile(t, filepath.Join("testdata", "mta", m.name, filepath.Base(name))))
	mine := file(t, filepath.Base(name), text)
	runAsRoot(t, "install", "-m", "0644", "-o", "root", mine, filepath.Join(m.dir, name))
}

func (m *mtaRun) fill(text string) string {
	host, port, _ := net.SplitHostPort(m.addr)
	_, nextPort, _ := net.SplitHostPort(m.nextHop)
	return strings.NewReplacer("{dir}", m.dir, "{root}", mtaRoot, "{host}", host, "{port}", port, "{nextport}", nextPort).Replace(text)
}

// freeAddr is an address at which nobody listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs it until the end of the test.
func (m *mta) start(t *testing.T, addr, nextHop string) *mtaRun {
	t.Helper()
	for _, name := range m.users {
		if _, err := user.Lookup(name); err != nil {
			t.Fatalf("%v: .ci/run installs what this test needs", err)
		}
	}
	dir, err := os.MkdirTemp("", "barid-"+m.name+"-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { runAsRoot(t, "rm", "-rf", dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r := &mtaRun{mta: m, dir: dir, addr: addr, nextHop: nextHop, log: &bytes.Buffer{}}
	m.prepare(t, r)
	cmd := asRoot(strings.Split(r.fill(strings.Join(m.command, "\x00")), "\x00")...)
	cmd.Stdout, cmd.Stderr = r.log, r.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: .ci/run installs what this test needs", err)
	}
	t.Cleanup(func() { r.stop(t, cmd) })
	r.awaitGreeting(t)
	return r
}

// stop ends it with all its processes.
func (r *mtaRun) stop(t *testing.T, cmd *exec.Cmd) {
	if r.halt != nil {
		runAsRoot(t, strings.Split(r.fill(strings.Join(r.halt, "\x00")), "\x00")...)
	} else {
		runAsRoot(t, "kill", "-TERM", "--", "-"+strconv.Itoa(cmd.Process.Pid))
	}
	_ = cmd.Wait() // it was ended, and says so
	if t.Failed() {
		t.Logf("what %s printed:\n%s", r.name, r.log)
	}
}

func (r *mtaRun) awaitGreeting(t *testing.T) {
	t.Helper()
	pulse := time.NewTicker(20 * time.Millisecond)
	defer pulse.Stop()
	give := time.After(patience)
	for {
		if c, err := smtp.Dial(r.addr); err == nil {
			_ = c.Quit() // it has greeted: that will do
			return
		}
		select {
		case <-pulse.C:
		case <-give:
			t.Fatalf("%s does not greet at %s", r.name, r.addr)
		}
	}
}

// mail is what has arrived in its mailbox, whatever the form.
func (r *mtaRun) mail(t *testing.T) string {
	t.Helper()
	path := filepath.Join(r.dir, r.mta.mailbox)
	out, _ := asRoot("sh", "-c", fmt.Sprintf("cat %[1]s %[1]s/new/* 2>/dev/null", path)).Output() // what is not there yet, comes
	return string(out)
}

// awaitMail waits until a mailbox holds a line.
func awaitMail(t *testing.T, mailbox func() string, line string) string {
	t.Helper()
	pulse := time.NewTicker(50 * time.Millisecond)
	defer pulse.Stop()
	give := time.After(patience)
	for {
		text := mailbox()
		if strings.Contains(text, line) {
			return text
		}
		select {
		case <-pulse.C:
		case <-give:
			t.Fatalf("no %q in the mailbox:\n%s", line, text)
		}
	}
}

// TestMailForOthersArrivesAtTheirServers: barid hands on to each of them.
func TestMailForOthersArrivesAtTheirServers(t *testing.T) {
	for _, m := range mtas {
		t.Run(m.name, func(t *testing.T) {
			r := m.start(t, freeAddr(t), "127.0.0.1:1")
			host, port, _ := net.SplitHostPort(r.addr)
			d := runDemo(t, t.TempDir(), "log.level=debug", "relay.host=["+host+"]:"+port)
			defer d.stop(t)
			sent := letter("bob@example.test", "carol@far.test", "to "+m.name)
			if err := inClear(d.addr(t, "smtp"), "bob@example.test", "carol@far.test", sent); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if t.Failed() {
					d.stop(t)
					t.Logf("what barid logged:\n%s", d.log)
				}
			}()
			awaitMail(t, func() string { return r.mail(t) }, "Subject: to "+m.name)
			whole := strings.ReplaceAll(sent, "\r\n", "\n")
			if got := awaitMail(t, func() string { return r.mail(t) }, lastLine(whole)); !strings.Contains(unescaped(got), bodyOf(whole)) {
				t.Errorf("%s got another text:\n%s\nwant\n%s", m.name, got, whole)
			}
		})
	}
}

// TestOtherServersHandMailToUs: each of them relays to barid.
func TestOtherServersHandMailToUs(t *testing.T) {
	for _, m := range mtas {
		t.Run(m.name, func(t *testing.T) {
			d := runDemo(t, t.TempDir())
			defer d.stop(t)
			r := m.start(t, freeAddr(t), d.addr(t, "smtp"))
			sent := letter("carol@far.test", alice, "from "+m.name)
			if err := inClear(r.addr, "carol@far.test", alice, sent); err != nil {
				t.Fatal(err)
			}
			inbox := func() string {
				var all strings.Builder
				for _, text := range d.stored(t, alice) {
					all.WriteString(text)
				}
				return all.String()
			}
			got := awaitMail(t, inbox, "Subject: from "+m.name)
			if whole := strings.ReplaceAll(sent, "\r\n", "\n"); !strings.HasSuffix(got, bodyOf(whole)) {
				t.Errorf("from %s came another text:\n%q\nwant\n%q", m.name, got, whole)
			}
		})
	}
}

// inClear sends a message without TLS: nobody knows the certificate.
func inClear(addr, from, to, message string) error {
	c, err := smtp.Dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := errors.Join(c.Mail(from), c.Rcpt(to)); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, message); err != nil {
		return err
	}
	return errors.Join(w.Close(), c.Quit())
}

// bodyOf is a message without its header.
func bodyOf(message string) string {
	_, body, _ := strings.Cut(message, "\n\n")
	return body
}

// lastLine is the last line of a message that is not empty.
func lastLine(message string) string {
	lines := strings.Split(strings.TrimRight(message, "\n"), "\n")
	return lines[len(lines)-1]
}

// unescaped undoes what mailboxes that are one file do to lines that begin with
// "From ".
func unescaped(mailbox string) string { return strings.ReplaceAll(mailbox, "\n>From ", "\nFrom ") }
