package main

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// freePorts make a demonstration listen where nobody does.
func freePorts() (args []string) {
	for _, s := range []string{"smtp", "submission", "submissions", "lmtp", "pop3", "pop3s", "imap", "imaps"} {
		args = append(args, "-o", s+".listen=127.0.0.1:0")
	}
	return args
}

// perform runs a demonstration until its line ready, and returns what it has
// printed and what ends it.
func perform(t *testing.T, args ...string) (lines []string, end func() result) {
	t.Helper()
	reader, writer := io.Pipe()
	signals, ended := make(chan os.Signal, 1), make(chan result, 1)
	var stderr bytes.Buffer
	surroundings := terminal{in: strings.NewReader(""), out: writer, err: &stderr, signals: signals, getenv: func(string) string { return "" }}
	go func() {
		code := run(surroundings, "barid", append([]string{"demo"}, args...))
		writer.Close()
		ended <- result{code: code, err: stderr.String()}
	}()
	var text bytes.Buffer
	for b := make([]byte, 1); !strings.HasSuffix(text.String(), "\nready\n"); {
		if _, err := reader.Read(b); err != nil {
			t.Fatalf("%v after\n%s%s", err, text.String(), (<-ended).err)
		}
		text.Write(b)
	}
	return strings.Split(text.String(), "\n"), func() result {
		signals <- syscall.SIGINT
		return <-ended
	}
}

// fields are those of the lines that begin with a word.
func fields(lines []string, word string) (all [][]string) {
	for _, line := range lines {
		if f := strings.Fields(line); len(f) == 3 && f[0] == word {
			all = append(all, f)
		}
	}
	return all
}

func TestDemoPrintsWhatProgramsAndPeopleNeed(t *testing.T) {
	t.Setenv("TMPDIR", tempDir(t))
	lines, end := perform(t, freePorts()...)
	accounts, listens := fields(lines, "account"), fields(lines, "listen")
	if len(accounts) != 2 || accounts[0][1] != "alice@example.test" || accounts[1][1] != "bob@example.test" || len(accounts[0][2]) < 8 {
		t.Errorf("accounts: %v", accounts)
	}
	var services []string
	for _, l := range listens {
		services = append(services, l[1])
		if network := "tcp"; !strings.HasPrefix(l[2], "/") {
			c, err := net.Dial(network, l[2])
			if err != nil {
				t.Fatalf("%s does not answer after ready: %v", l[1], err)
			}
			c.Close()
		}
	}
	if got := strings.Join(services, " "); got != "smtp submission submissions lmtp pop3 pop3s imap imaps sendmail control" {
		t.Errorf("services: %s", got)
	}
	text := strings.Join(lines, "\n")
	for _, want := range []string{
		"curl -sS --crlf smtp://" + listens[0][2] + " --mail-from bob@example.test --mail-rcpt alice@example.test -T -",
		"swaks --server 127.0.0.1 --port ", "curl -sS -u alice@example.test:" + accounts[0][2] + " pop3://" + listens[4][2] + "/1",
		"imap://" + listens[6][2] + "/INBOX;MAILINDEX=1",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	end().want(t, exitOK)
	if left, _ := filepath.Glob(os.Getenv("TMPDIR") + "/*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestDemoKeepsItsDirectory(t *testing.T) {
	dir := tempDir(t) + "/kept"
	args := append([]string{"-dir", dir}, freePorts()...)
	first, end := perform(t, args...)
	certificate := readFile(t, dir+"/cert.pem")
	end().want(t, exitOK)
	second, end := perform(t, args...)
	end().want(t, exitOK)
	if a, b := fields(first, "account"), fields(second, "account"); len(a) != 2 || a[0][2] != b[0][2] || a[1][2] != b[1][2] {
		t.Errorf("accounts %v became %v", a, b)
	}
	if readFile(t, dir+"/cert.pem") != certificate {
		t.Error("another certificate")
	}
	// A first start that was cut short is made good.
	if err := os.Remove(dir + "/passwords"); err != nil {
		t.Fatal(err)
	}
	third, end := perform(t, args...)
	end().want(t, exitOK)
	if b, c := fields(second, "account"), fields(third, "account"); len(c) != 2 || b[0][2] == c[0][2] {
		t.Errorf("after the loss of the passwords: %v", c)
	}
}

func TestDemoSaysWhichPortIsTaken(t *testing.T) {
	t.Setenv("TMPDIR", tempDir(t))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().String()
	barid("", append(append([]string{"demo"}, freePorts()...), "-o", "pop3.listen="+taken)...).
		want(t, exitFailure, "pop3.listen: "+taken+" is in use", "-o pop3.listen=HOST:PORT")
	if left, _ := filepath.Glob(os.Getenv("TMPDIR") + "/*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	barid("", "demo", "-o", "nonsense=1").want(t, exitFailure, "nonsense")
}

func TestDemoWithFewerDoors(t *testing.T) {
	lines, end := perform(t, append(freePorts(), "-o", "submission.listen=", "-o", "pop3.listen=", "-o", "imap.listen=", "-dir", tempDir(t))...)
	end().want(t, exitOK)
	if text := strings.Join(lines, "\n"); strings.Contains(text, "swaks") || strings.Contains(text, "pop3://") || strings.Contains(text, "imap://") || !strings.Contains(text, "smtp://") {
		t.Errorf("commands for doors that are not there:\n%s", text)
	}
}
