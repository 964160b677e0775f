package interop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestSIGHUPStormUnderLoad has the configuration reread all the time; and a
// signal that ends the server is heard in the middle of it.
func TestSIGHUPStormUnderLoad(t *testing.T) {
	s := besiege(t)
	held := s.attacker(t, "smtp")
	defer held.Close()
	held.hello(t, "smtp")
	for range 300 {
		s.signal(t, syscall.SIGHUP)
		held.want(t, "250", "NOOP\r\n")
	}
	held.Close()
	s.relieve(t, 64*mega)
	for range 3000 {
		s.signal(t, syscall.SIGHUP)
	}
	s.stop(t)
}

func (d *demo) signal(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := d.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// TestBrokenUsersFileLeavesTheOldAccounts breaks it in several ways while the
// server runs, and lets it notice: old accounts stay until there is a good one.
func TestBrokenUsersFileLeavesTheOldAccounts(t *testing.T) {
	s := besiege(t)
	users := filepath.Join(s.dir, "users")
	good, err := os.ReadFile(users)
	if err != nil {
		t.Fatal(err)
	}
	for _, broken := range []string{
		"no colon in this line\n", alice + ":{ARGON2ID}$argon2id$v=19$m=99999999,t=9,p=9$AAAA$AAAA\n",
		alice + ":{PLAIN}x\n" + alice + ":{PLAIN}y\n", "\x00\xff\x00\n", strings.Repeat("x", 1<<20) + "\n",
	} {
		if err := os.WriteFile(users, []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		s.signal(t, syscall.SIGHUP)
		sendSmall(t, s)
		c := s.attacker(t, "pop3")
		c.want(t, "+OK", "")
		c.want(t, "+OK", "USER "+alice+"\r\n")
		if said := c.want(t, "+OK", "PASS wonderland\r\n"); said[0] != '+' {
			t.Errorf("with %.60q", broken)
		}
		c.Close()
	}
	if err := os.Remove(users); err != nil {
		t.Fatal(err)
	}
	s.signal(t, syscall.SIGHUP)
	sendSmall(t, s)
	carol := "carol@example.test"
	if err := os.WriteFile(users, append(good, carol+":{PLAIN}new\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	s.signal(t, syscall.SIGHUP)
	if err := s.await(func() error {
		c := s.attacker(t, "pop3")
		defer c.Close()
		c.want(t, "+OK", "")
		c.want(t, "+OK", "USER "+carol+"\r\n")
		if said := c.want(t, "", "PASS new\r\n"); !strings.HasPrefix(said, "+OK") {
			return fmt.Errorf("carol is not known: %q", said)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	s.relieve(t, 64*mega)
}

// TestSIGTERMUnderLoadLosesNothing ends the server in good order, again and
// again, amid the traffic of several clients; and stops and continues it in
// between, as a debugger or a suspended machine does.
func TestSIGTERMUnderLoadLosesNothing(t *testing.T) {
	dir := t.TempDir()
	ledger := &ledger{answered: map[token]bool{}, begun: map[token]bool{}}
	for round := range 5 {
		d := runDemo(t, dir)
		ledger.loadUntil(t, d, round, 150, func() {
			d.signal(t, syscall.SIGSTOP)
			d.signal(t, syscall.SIGCONT)
			d.stop(t)
		})
	}
	d := runDemo(t, dir)
	awaitAnswered(t, d, ledger)
	d.stop(t)
	for _, account := range []string{alice, bob} {
		ledger.check(t, account, d.stored(t, account))
	}
	if t.Failed() {
		t.Logf("the last server's log:\n%s", d.log)
	}
}

// TestMistakesInTheConfiguration makes one in each file: the message has to
// name the file, the line and the key, and to say what to do.
func TestMistakesInTheConfiguration(t *testing.T) {
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []struct{ line, key, hint string }{
		{"hostnme = mx.example.test", "hostnme", "hostname"},
		{"smtp.lisen = :25", "smtp.lisen", "smtp.listen"},
		{"message_size_limit = 1M", "message_size_limit", "message.size-max"},
		{"message.size-max = 50 megs", "message.size-max", "10M"},
		{"smtp.command-timeout = 5", "smtp.command-timeout", "5m"},
		{"smtp.listen = 25", "smtp.listen", ":25"},
		{"pop3.mark-seen = maybe", "pop3.mark-seen", "yes"},
		{"auth.cleartext = sometimes", "auth.cleartext", "loopback"},
		{"log.level = warning", "log.level", "warn"},
		{"hostname = mx example test", "hostname", ""},
		{"domains = exa_mple!", "domains", ""},
		{"xclient.trusted = 300.1.2.3", "xclient.trusted", ""},
		{"mailbox.dir = mail/%x", "mailbox.dir", "%u"},
		{"subaddress.separator = @", "subaddress.separator", "+"},
		{"queue.retry = soon", "queue.retry", ""},
		{"tls.min-version = 1.1", "tls.min-version", "1.2"},
		{"no equals sign", "", "="},
		{"spool.reserve = -1", "spool.reserve", ""},
	} {
		t.Run(m.line, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "barid.conf")
			if err := os.WriteFile(file, []byte("# a comment\ndata.dir = "+t.TempDir()+"\n"+m.line+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, verb := range []string{"serve", "check", "config"} {
				out, err := exec.Command(path, verb, "-c", file).CombinedOutput()
				if err == nil {
					t.Fatalf("barid %s took it: %s", verb, out)
				}
				for _, want := range []string{file + ":3", m.key, m.hint} {
					if !strings.Contains(string(out), want) {
						t.Errorf("barid %s: no %q in %s", verb, want, out)
					}
				}
				if verb == "check" {
					t.Logf("%s", out)
				}
			}
		})
	}
}
