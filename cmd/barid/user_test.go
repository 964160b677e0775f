package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAccountsAreEdited(t *testing.T) {
	s := newScene(t)
	conf := []string{"user", "-c", s.conf}
	edit := func(in string, args ...string) result { return barid(in, append(conf, args...)...) }
	edit("secret\n", "add", "bob@example.test", "-scram").want(t, exitOK)
	edit("secret\n", "add", "BOB@example.test").want(t, exitFailure, "user exists already", "passwd")
	edit("", "add", "carol@example.test").want(t, exitFailure, "empty password")
	edit("x\n", "add", "a/b").want(t, exitFailure)
	edit("secret\n", "add", "dave@example.tst").want(t, exitOK, "not one of domains")
	edit("", "list").want(t, exitOK, "alice@example.test             plain, scram\n", "bob@example.test               argon2id, scram\n")
	edit("other\n", "passwd", "bob@example.test").want(t, exitOK)
	edit("other\n", "passwd", "bbo@example.test").want(t, exitFailure, "no such user", `"bob@example.test"`)
	edit("", "del", "bob@example.test").want(t, exitOK)
	edit("", "del", "bob@example.test").want(t, exitFailure, "no such user")
	if text := readFile(t, s.dir+"/users"); strings.Contains(text, "bob") || !strings.Contains(text, "dave@example.tst:{ARGON2ID}") {
		t.Errorf("the file is\n%s", text)
	}
}

func TestFirstAccountMakesTheFile(t *testing.T) {
	s := newScene(t, "auth.file = deeper/users")
	barid("secret", "user", "-c", s.conf, "add", "bob").want(t, exitOK)
	if perm := mode(t, s.dir+"/deeper/users"); perm != 0o600 {
		t.Errorf("the file has mode %o", perm)
	}
}

func TestRunningServerKnowsANewAccount(t *testing.T) {
	s := newScene(t)
	s.start(t)
	barid("secret\n", "user", "-c", s.conf, "add", "bob@example.test").want(t, exitOK)
	await(t, "bob to be let in", func() bool {
		c := s.dial(t, "pop3")
		defer c.Close()
		say(t, c, "USER bob@example.test", "+OK")
		return c.PrintfLine("PASS secret") == nil && strings.HasPrefix(readLine(t, c), "+OK")
	})
}

func TestFirstAccountIsTheFirstLine(t *testing.T) {
	file := tempDir(t) + "/users"
	for text, want := range map[string]string{
		"# a:b\n\nalice@example.test:{PLAIN}x\nbob:y\n": "alice@example.test",
		"":      "",
		"# x\n": "",
	} {
		writeFile(t, file, text)
		if got := firstAccount(file); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
	if got := firstAccount(file + "x"); got != "" {
		t.Errorf("no file: %q", got)
	}
}

// pty makes a pseudo terminal: the end of a person, and that of a program.
func pty(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

// echoes says whether a terminal shows what is typed.
func echoes(t *testing.T, f *os.File) bool {
	t.Helper()
	mode, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return mode.Lflag&unix.ECHO != 0
}

// typist answers questions at a terminal, and remembers all it has seen.
type typist struct {
	at   io.ReadWriter
	seen bytes.Buffer
}

func (p *typist) answer(question, text string) error {
	for !strings.HasSuffix(p.seen.String(), question) {
		var b [1]byte
		if _, err := p.at.Read(b[:]); err != nil {
			return fmt.Errorf("after %q: %w", p.seen.String(), err)
		}
		p.seen.Write(b[:])
	}
	_, err := io.WriteString(p.at, text)
	return err
}

func TestPasswordIsAskedForWithoutBeingShown(t *testing.T) {
	for name, c := range map[string]struct {
		first, second string
		code          int
	}{
		"the same":  {"wonder land\n", "wonder land\n", exitOK},
		"different": {"wonder land\n", "wonderland\n", exitFailure},
		"empty":     {"\n", "", exitFailure},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			person, program := pty(t)
			p, typed := &typist{at: person}, make(chan error, 1)
			go func() {
				err := p.answer("Password for bob: ", c.first)
				if err == nil && c.second != "" {
					err = p.answer("Again: ", c.second)
				}
				typed <- err
			}()
			var out bytes.Buffer
			surroundings := terminal{in: program, out: &out, err: program, getenv: os.Getenv}
			code := run(surroundings, "barid", []string{"user", "-c", s.conf, "add", "bob"})
			if err := <-typed; err != nil || code != c.code {
				t.Fatalf("exit code %d, typing: %v, seen: %q", code, err, p.seen.String())
			}
			if strings.Contains(p.seen.String(), "wonder") {
				t.Errorf("the password was shown: %q", p.seen.String())
			}
			if !echoes(t, program) {
				t.Error("the terminal was left without echo")
			}
			if made := strings.Contains(readFile(t, s.dir+"/users"), "bob:"); made != (code == exitOK) {
				t.Errorf("exit code %d, account made: %v", code, made)
			}
		})
	}
}

func TestInterruptedQuestionLeavesTheTerminalAsItWas(t *testing.T) {
	s := newScene(t)
	person, program := pty(t)
	c := exec.Command(os.Args[0], "user", "-c", s.conf, "add", "bob")
	c.Env = append(os.Environ(), selfVariable+"=barid", "GORACE=atexit_sleep_ms=0")
	c.Stdin, c.Stdout, c.Stderr = program, program, program
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	p := &typist{at: person}
	if err := p.answer("Password for bob: ", "sec\x03"); err != nil {
		t.Fatal(err)
	}
	err := c.Wait()
	status, ok := c.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || status.Signal() != syscall.SIGINT {
		t.Errorf("it ended with %v", err)
	}
	if !echoes(t, program) {
		t.Error("the terminal was left without echo")
	}
}
