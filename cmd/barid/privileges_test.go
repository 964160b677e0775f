package main

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	osuser "os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// ordinary is whom a server becomes in these tests: nobody when the tests run
// as root, and otherwise who runs them.
func ordinary(t *testing.T) *osuser.User {
	t.Helper()
	u, err := osuser.Current()
	if err == nil && u.Uid == "0" {
		u, err = osuser.Lookup("nobody")
	}
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// child is a server in a process of its own.
type child struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

// spawn starts one and waits for a line with the text.
func spawn(t *testing.T, until string, args ...string) *child {
	t.Helper()
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), selfVariable+"=barid", "GORACE=atexit_sleep_ms=0")
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = c.Stdout
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	p := &child{c, bufio.NewScanner(out)}
	t.Cleanup(func() { _ = c.Process.Kill() }) // it has ended, as a rule
	p.until(t, until)
	return p
}

// until reads lines up to one with the text, and returns it.
func (p *child) until(t *testing.T, text string) string {
	t.Helper()
	var seen strings.Builder
	for p.lines.Scan() {
		if strings.Contains(p.lines.Text(), text) {
			return p.lines.Text()
		}
		fmt.Fprintln(&seen, p.lines.Text())
	}
	t.Fatalf("no line with %q in\n%s", text, seen.String())
	return ""
}

func (p *child) end(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	for p.lines.Scan() {
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestServerBecomesTheUserInEveryThread(t *testing.T) {
	u := ordinary(t)
	s := newScene(t, "user = "+u.Username, "lmtp.listen = unix:"+tempDir(t)+"/lmtp")
	if err := os.Chown(s.dir+"/users", atoi(t, u.Uid), atoi(t, u.Gid)); err != nil {
		t.Fatal(err)
	}
	p := spawn(t, "msg=started", "serve", "-c", s.conf)
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", p.cmd.Process.Pid))
	if err != nil || len(tasks) == 0 {
		t.Fatal(tasks, err)
	}
	want := "Uid:\t" + strings.Join([]string{u.Uid, u.Uid, u.Uid, u.Uid}, "\t") + "\n"
	for _, task := range tasks {
		status, err := os.ReadFile(task)
		if err == nil && !strings.Contains(string(status), want) {
			t.Errorf("%s has no %q:\n%s", task, want, status)
		}
	}
	// It still can deliver, and answers who is root.
	s.sendmail("To: alice\n\nx\n", "-t").want(t, exitOK)
	await(t, "delivery", func() bool { return s.queue("list").out == "no messages\n" })
	p.end(t, syscall.SIGTERM)
	everything(t, s.dir+"/data", func(name string, st *syscall.Stat_t) {
		if int(st.Uid) != atoi(t, u.Uid) {
			t.Errorf("%s belongs to user %d", name, st.Uid)
		}
	})
	letters, err := filepath.Glob(s.dir + "/data/mail/example.test/alice/new/*")
	if err != nil || len(letters) != 1 {
		t.Errorf("letters: %v %v", letters, err)
	}
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// everything visits all files below a directory.
func everything(t *testing.T, dir string, visit func(name string, st *syscall.Stat_t)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		visit(name, info.Sys().(*syscall.Stat_t))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestCommandsOfRootLeaveTheSpoolToTheUser(t *testing.T) {
	u := ordinary(t)
	s := newScene(t, "user = "+u.Username)
	if err := os.Chown(s.dir+"/users", atoi(t, u.Uid), atoi(t, u.Gid)); err != nil {
		t.Fatal(err)
	}
	spawn(t, "msg=started", "serve", "-c", s.conf).end(t, syscall.SIGTERM)
	// In processes of their own, since they give up root.
	c := exec.Command(os.Args[0], "-C", s.conf, "alice")
	c.Env = append(os.Environ(), selfVariable+"=sendmail", "GORACE=atexit_sleep_ms=0")
	c.Stdin = strings.NewReader("Subject: x\n\ny\n")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	spawn(t, "local:alice@example.test", "queue", "-c", s.conf, "list", "-json").end(t, 0)
	everything(t, s.dir+"/data/spool", func(name string, st *syscall.Stat_t) {
		if int(st.Uid) != atoi(t, u.Uid) {
			t.Errorf("%s belongs to user %d", name, st.Uid)
		}
	})
	p := spawn(t, "msg=started", "serve", "-c", s.conf)
	await(t, "delivery", func() bool { return s.queue("list").out == "no messages\n" })
	p.end(t, syscall.SIGINT)
	letters, _ := filepath.Glob(s.dir + "/data/mail/example.test/alice/new/*")
	if len(letters) != 1 {
		t.Fatalf("letters: %v", letters)
	}
	if text := readFile(t, letters[0]); !strings.Contains(text, fmt.Sprintf(" (uid %d)\n", os.Getuid())) {
		t.Errorf("the Received field does not name the sender %d:\n%s", os.Getuid(), text)
	}
}

func TestDirectoryOfAnotherUserIsRefused(t *testing.T) {
	dir := tempDir(t)
	other := &identity{name: "somebody", uid: os.Geteuid() + 1}
	err := other.checkOwner("data.dir", dir)
	if err == nil || !strings.Contains(err.Error(), "data.dir: "+dir+" belongs to user ") || !strings.Contains(err.Error(), "chown") {
		t.Errorf("%v", err)
	}
	if err := (*identity)(nil).checkOwner("data.dir", dir); err != nil {
		t.Errorf("the owner is refused: %v", err)
	}
}

func TestUserThatIsNotThere(t *testing.T) {
	id, err := findIdentity("no-such-user-here")
	if os.Geteuid() == 0 && (err == nil || !strings.Contains(err.Error(), "useradd")) {
		t.Errorf("root: %v", err)
	}
	if os.Geteuid() != 0 && (id != nil || err != nil) {
		t.Errorf("an ordinary user stays: %v %v", id, err)
	}
	if id, err := findIdentity(""); id != nil || err != nil {
		t.Errorf("no user wanted: %v %v", id, err)
	}
}

func TestWhatAUserMayRead(t *testing.T) {
	dir := tempDir(t)
	file := dir + "/file"
	writeFile(t, file, "x")
	if err := os.Mkdir(dir+"/closed", 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir+"/closed/file", "x")
	if err := os.Chmod(dir+"/closed/file", 0o644); err != nil {
		t.Fatal(err)
	}
	owner := &identity{name: "owner", uid: os.Geteuid(), gid: os.Getegid()}
	other := &identity{name: "other", uid: os.Geteuid() + 1, gid: os.Getegid() + 1}
	member := &identity{name: "member", uid: os.Geteuid() + 1, gid: os.Getegid() + 1, groups: []int{os.Getegid()}}
	for _, c := range []struct {
		id   *identity
		perm os.FileMode
		may  bool
	}{{owner, 0o600, true}, {other, 0o640, false}, {other, 0o644, true}, {member, 0o640, true}, {member, 0o604, false}, {nil, 0o600, true}} {
		if err := os.Chmod(file, c.perm); err != nil {
			t.Fatal(err)
		}
		if may := c.id.mayRead(file); may != c.may {
			t.Errorf("%+v, mode %o: %v", c.id, c.perm, may)
		}
	}
	if other.mayRead(dir + "/closed/file") {
		t.Error("a closed directory is passed")
	}
	if other.mayRead(dir+"/missing") || (*identity)(nil).mayRead(dir+"/missing") {
		t.Error("a missing file is readable")
	}
}
