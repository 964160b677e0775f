package interop

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestHostileMailboxIsReadAndDeliveredInto fills a mailbox with what another
// program, or its owner, could have put there.
func TestHostileMailboxIsReadAndDeliveredInto(t *testing.T) {
	s := besiege(t, "quota.default=1G")
	sendSmall(t, s)
	if err := s.await(func() error { return s.wantCount(alice, 1) }); err != nil {
		t.Fatal(err)
	}
	box := s.maildir(alice)
	secret := filepath.Join(t.TempDir(), "secret")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(secret, []byte("secret\n"), 0o600))
	for _, sub := range []string{"new", "cur"} {
		in := func(name string) string { return filepath.Join(box, sub, name) }
		must(os.Symlink(secret, in("1700000000.M1.link")))
		must(os.Symlink("/dev/zero", in("1700000000.M2.zero")))
		must(os.Symlink(in("1700000000.M3.loop"), in("1700000000.M3.loop")))
		must(syscall.Mkfifo(in("1700000000.M4.fifo"), 0o600))
		must(syscall.Mkfifo(in("1700000000.M4.fifo,S=10,W=10"), 0o600))
		must(os.Mkdir(in("1700000000.M5.directory"), 0o700))
		for i, name := range []string{"1.M1.line\nend", "1.M2.esc\x1b[2J", "1.M3.\xff\xfe", "1.M4,S=99999999999999999999,W=-1", "1.M5,S=1,W=1", ":2,S", "-rf", "%s%n", strings.Repeat("l", 255), "1.M6 with spaces", "1.M7:2,\r\n"} {
			must(os.WriteFile(in(name), fmt.Appendf(nil, "Subject: %d\n\n.\n", i), 0o600))
		}
	}
	must(os.WriteFile(filepath.Join(box, "maildirsize"), []byte("garbage\x00\n-1 -1\n"), 0o600))

	c := s.attacker(t, "pop3")
	defer c.Close()
	c.want(t, "+OK", "")
	c.want(t, "+OK", "USER "+alice+"\r\n")
	c.want(t, "+OK", "PASS wonderland\r\n")
	c.want(t, "+OK", "UIDL\r\n")
	uids := strings.Fields(c.block(t))
	if len(uids) != 2*9 { // what has the same name in new and cur is one message
		t.Errorf("UIDL has %d words: %q", len(uids), uids)
	}
	seen := map[string]bool{}
	for i := 1; i < len(uids); i += 2 {
		if seen[uids[i]] {
			t.Errorf("%s is there twice", uids[i])
		}
		seen[uids[i]] = true
	}
	for i := range len(uids) / 2 {
		c.want(t, "+OK", fmt.Sprintf("LIST %d\r\n", i+1))
		c.want(t, "+OK", fmt.Sprintf("RETR %d\r\n", i+1))
		if text := c.block(t); strings.Contains(text, "secret") {
			t.Errorf("message %d is a file from elsewhere", i+1)
		}
		c.want(t, "+OK", fmt.Sprintf("DELE %d\r\n", i+1))
	}
	c.want(t, "+OK", "QUIT\r\n")
	if text, err := os.ReadFile(secret); err != nil || string(text) != "secret\n" {
		t.Errorf("the file behind the link: %q, %v", text, err)
	}
	sendSmall(t, s)
	if err := s.await(func() error {
		for _, text := range s.regular(t, alice) {
			if strings.Contains(text, "Subject: hostile") {
				return nil
			}
		}
		return errors.New("a new message does not come")
	}); err != nil {
		t.Error(err)
	}
	s.relieve(t, 64*mega)
}

// regular reads the regular files of an inbox.
func (d *demo) regular(t *testing.T, account string) (texts []string) {
	t.Helper()
	for _, sub := range []string{"new", "cur"} {
		entries, err := os.ReadDir(filepath.Join(d.maildir(account), sub))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !e.Type().IsRegular() {
				continue
			}
			text, err := os.ReadFile(filepath.Join(d.maildir(account), sub, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, string(text))
		}
	}
	return texts
}

func (d *demo) wantCount(account string, n int) error {
	if got := d.count(account); got != n {
		return fmt.Errorf("%s has %d messages instead of %d", account, got, n)
	}
	return nil
}

// sendSmall sends one message to alice.
func sendSmall(t *testing.T, s *besieged) {
	t.Helper()
	c := s.attacker(t, "smtp")
	defer c.Close()
	c.hello(t, "smtp")
	c.want(t, "250", "MAIL FROM:<a@b.test>\r\n")
	c.want(t, "250", "RCPT TO:<"+alice+">\r\n")
	c.want(t, "354", "DATA\r\n")
	c.want(t, "250", body(100)+".\r\n")
}

// queue runs barid queue against the running server.
func (d *demo) queue(t *testing.T, words ...string) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	words = append([]string{"queue", "-c", os.DevNull, "-o", "data.dir=" + d.dir}, words...)
	out, err := exec.Command(path, words...).CombinedOutput()
	if err != nil {
		t.Errorf("barid %q: %v\n%s", words, err, out)
	}
	return string(out)
}

// TestUnusableMailboxDefersUntilItIsBack puts a file where the mailbox should
// be: mail for it is taken and waits, and comes when the mailbox is back.
func TestUnusableMailboxDefersUntilItIsBack(t *testing.T) {
	s := besiege(t)
	sendSmall(t, s)
	if err := s.await(func() error { return s.wantCount(alice, 1) }); err != nil {
		t.Fatal(err)
	}
	box := s.maildir(alice)
	if err := errors.Join(os.Rename(box, box+".away"), os.WriteFile(box, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		sendSmall(t, s)
	}
	if err := s.await(func() error {
		if list := s.queue(t, "list", "-state", "deferred"); strings.Count(list, alice) != 3 {
			return fmt.Errorf("not all are deferred: %s", list)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	c := s.attacker(t, "pop3")
	c.want(t, "+OK", "")
	c.want(t, "+OK", "USER "+alice+"\r\n")
	c.want(t, "-ERR", "PASS wonderland\r\n")
	c.Close()
	if err := errors.Join(os.Remove(box), os.Rename(box+".away", box)); err != nil {
		t.Fatal(err)
	}
	s.queue(t, "flush")
	if err := s.await(func() error { return s.wantCount(alice, 4) }); err != nil {
		t.Error(err)
	}
	s.relieve(t, 64*mega)
}

// TestRemovedMailboxIsMadeAgain removes a mailbox that was in use a moment ago,
// and with it that of the neighbour's domain.
func TestRemovedMailboxIsMadeAgain(t *testing.T) {
	s := besiege(t)
	for range 3 {
		sendSmall(t, s)
		if err := s.await(func() error { return s.wantCount(alice, 1) }); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(s.maildir(alice)); err != nil {
			t.Fatal(err)
		}
	}
	s.relieve(t, 64*mega)
}

// TestFullDiskPutsMailOff has a reserve larger than any disk: mail is put off
// with 452, and what there is can be read.
func TestFullDiskPutsMailOff(t *testing.T) {
	dir := t.TempDir()
	knownAccounts(t, dir)
	d := runDemo(t, dir, "spool.reserve=1000000G")
	defer d.stop(t)
	c := d.attacker(t, "smtp")
	defer c.Close()
	c.hello(t, "smtp")
	for range 3 {
		c.want(t, "250", "MAIL FROM:<a@b.test>\r\n")
		c.want(t, "250", "RCPT TO:<"+alice+">\r\n")
		c.want(t, "452", "DATA\r\n")
		c.want(t, "250", "RSET\r\n")
	}
	c.want(t, "250", "MAIL FROM:<a@b.test>\r\n")
	c.want(t, "250", "RCPT TO:<"+alice+">\r\n")
	c.want(t, "452", "BDAT 12 LAST\r\nSubject: x\r\n")
	c.want(t, "250", "NOOP\r\n")
	p := d.attacker(t, "pop3")
	defer p.Close()
	p.want(t, "+OK", "")
	p.want(t, "+OK", "USER "+alice+"\r\n")
	p.want(t, "+OK", "PASS wonderland\r\n")
	p.want(t, "+OK 0 0", "STAT\r\n")
	if n := d.count(alice); n != 0 {
		t.Errorf("%d messages came", n)
	}
}
