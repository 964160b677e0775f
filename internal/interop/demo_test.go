package interop

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// workDir is where TestMain lets the binary be built.
const workDirVariable = "BARID_INTEROP_WORK"

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "barid-interop-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Setenv(workDirVariable, dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// binary builds barid once, unless BARID names one.
var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("BARID"); path != "" {
		return path, nil
	}
	path := filepath.Join(os.Getenv(workDirVariable), "barid")
	out, err := exec.Command("go", "build", "-o", path, "barid/cmd/barid").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// demo is a running "barid demo".
type demo struct {
	dir      string
	addrs    map[string]string // door -> address
	password map[string]string // account -> password
	cmd      *exec.Cmd
	ended    chan struct{}
	log      *strings.Builder // complete when ended is closed
}

const (
	alice = "alice@example.test"
	bob   = "bob@example.test"
)

// patience is how long a test waits for something that should happen at once.
// It only decides how long a failure takes.
const patience = 30 * time.Second

// runDemo runs a demo with its data in dir and waits until it is ready.
func runDemo(t *testing.T, dir string, settings ...string) *demo {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return runDemoOf(t, path, dir, settings...)
}

// runDemoOf is runDemo with a program that is to be barid in the end.
func runDemoOf(t *testing.T, path, dir string, settings ...string) *demo {
	t.Helper()
	args := []string{"demo", "-dir", dir}
	for _, door := range []string{"smtp", "submission", "submissions", "lmtp", "pop3", "pop3s", "imap", "imaps"} {
		args = append(args, "-o", door+".listen=127.0.0.1:0")
	}
	for _, s := range settings {
		args = append(args, "-o", s)
	}
	d := &demo{dir: dir, addrs: map[string]string{}, password: map[string]string{}, ended: make(chan struct{}), log: &strings.Builder{}}
	d.cmd = exec.Command(path, args...)
	stdout, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	d.cmd.Stderr = d.cmd.Stdout
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	go func() {
		d.follow(bufio.NewScanner(stdout), ready)
		// How it ended is told by what the tests see of it.
		_ = d.cmd.Wait()
		close(d.ended)
	}()
	select {
	case <-ready:
	case <-d.ended:
		t.Fatalf("the demo ended before it was ready:\n%s", d.log)
	case <-time.After(patience):
		d.stop(t)
		t.Fatalf("the demo is not ready after %v:\n%s", patience, d.log)
	}
	return d
}

// follow reads what the demo prints and closes ready at that line.
func (d *demo) follow(lines *bufio.Scanner, ready chan<- struct{}) {
	isReady := false
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		switch {
		case isReady:
		case len(words) == 1 && words[0] == "ready":
			close(ready)
			isReady = true
		case len(words) >= 3 && words[0] == "listen":
			d.addrs[words[1]] = words[2]
		case len(words) >= 3 && words[0] == "account":
			d.password[words[1]] = words[2]
		}
		fmt.Fprintln(d.log, lines.Text())
	}
}

// addr is the address of a door.
func (d *demo) addr(t *testing.T, door string) string {
	t.Helper()
	if d.addrs[door] == "" {
		t.Fatalf("the demo printed no line \"listen %s ADDRESS\"", door)
	}
	return d.addrs[door]
}

// stop ends the demo as a postmaster would and waits until it has gone.
func (d *demo) stop(t *testing.T) {
	t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	select {
	case <-d.ended:
	case <-time.After(patience):
		t.Errorf("the demo has not ended %v after SIGTERM", patience)
		d.kill()
	}
}

// kill ends the demo as a power cut would, but for what the kernel still
// writes.
func (d *demo) kill() {
	// An error means that it has ended already.
	_ = d.cmd.Process.Kill()
	<-d.ended
}

// maildir finds the Maildir of an account below the demo's directory: the one
// directory with new/ whose path names the account.
func (d *demo) maildir(account string) string {
	local, _, _ := strings.Cut(account, "@")
	found := ""
	// Directories that come and go while it walks are not looked for.
	_ = filepath.WalkDir(d.dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() && e.Name() == "new" && strings.Contains(path, local) && found == "" {
			found = filepath.Dir(path)
		}
		return nil
	})
	return found
}

// stored reads all messages of an account's inbox.
func (d *demo) stored(t *testing.T, account string) map[string]string {
	t.Helper()
	messages := map[string]string{}
	box := d.maildir(account)
	if box == "" {
		return messages
	}
	for _, sub := range []string{"new", "cur"} {
		entries, err := os.ReadDir(filepath.Join(box, sub))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			data, err := os.ReadFile(filepath.Join(box, sub, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			messages[e.Name()] = string(data)
		}
	}
	return messages
}

// count is the number of messages in an account's inbox.
func (d *demo) count(account string) int {
	box, n := d.maildir(account), 0
	for _, sub := range []string{"new", "cur"} {
		// A mailbox that is not there yet has no messages.
		entries, _ := os.ReadDir(filepath.Join(box, sub))
		n += len(entries)
	}
	return n
}
