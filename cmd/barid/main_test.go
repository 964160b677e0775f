package main

import (
	"bytes"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// selfVariable makes the test binary be barid, under the name that it holds:
// for tests that need a process of its own.
const selfVariable = "BARID_TEST_SELF"

func TestMain(m *testing.M) {
	if self := os.Getenv(selfVariable); self != "" {
		t := terminal{in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv}
		os.Exit(run(t, self, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// patience is how long a test waits for something that should happen at once.
// It only decides how long a failure takes.
const patience = 30 * time.Second

// await asks again and again until done says true.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	pulse := time.NewTicker(5 * time.Millisecond)
	defer pulse.Stop()
	give := time.After(patience)
	for !done() {
		select {
		case <-pulse.C:
		case <-give:
			t.Fatalf("after %v still waiting for: %s", patience, what)
		}
	}
}

// tempDir is a directory with a short name, since the paths of unix sockets
// are short. Everybody may pass through it.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "barid")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// result is what a command did.
type result struct {
	code     int
	out, err string
}

// barid runs barid in this process.
func barid(in string, args ...string) result { return baridAs("barid", in, args...) }

// baridAs runs it by another name.
func baridAs(self, in string, args ...string) result {
	var out, err bytes.Buffer
	t := terminal{in: strings.NewReader(in), out: &out, err: &err, getenv: func(string) string { return "" }}
	code := run(t, self, args)
	return result{code, out.String(), err.String()}
}

// want checks the exit code and what is said on both outputs together.
func (r result) want(t *testing.T, code int, texts ...string) result {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d instead of %d\nstandard output: %s\nstandard error: %s", r.code, code, r.out, r.err)
	}
	for _, text := range texts {
		if !strings.Contains(r.out+r.err, text) {
			t.Errorf("nothing about %q\nstandard output: %s\nstandard error: %s", text, r.out, r.err)
		}
	}
	return r
}

func TestEveryCommandExplainsItselfOnStandardOutput(t *testing.T) {
	for _, c := range commands() {
		for _, args := range [][]string{{c.name, "-h"}, {c.name, "--help"}, {"help", c.name}} {
			r := barid("", args...)
			if r.code != exitOK || r.err != "" || !strings.HasPrefix(r.out, "usage: barid "+c.name) {
				t.Errorf("%v: exit code %d, standard error %q, standard output:\n%s", args, r.code, r.err, r.out)
			}
			for line := range strings.Lines(r.out) {
				if len(strings.TrimRight(line, "\n")) > 120 {
					t.Errorf("%v: a line of %d characters: %s", args, len(line), line)
				}
			}
		}
	}
	barid("", "-h").want(t, exitOK, "barid demo")
}

func TestMistypedWordsAreAnsweredWithTheNearest(t *testing.T) {
	for _, c := range []struct {
		args []string
		text string
	}{
		{[]string{"severe"}, `"serve"`},
		{[]string{"que"}, `"queue"`},
		{[]string{"xyzzy"}, `'barid -h' lists them`},
		{[]string{"serve", "-C", "x"}, `"-c"`},
		{[]string{"serve", "extra"}, `what is "extra"?`},
		{[]string{"demo", "-dri", "x"}, `"-dir"`},
		{[]string{"user", "ad", "x"}, `"add"`},
		{[]string{"user", "add"}, "whom?"},
		{[]string{"user", "list", "x"}, "no name"},
		{[]string{"user"}, "say add"},
		{[]string{"queue"}, "say list"},
		{[]string{"queue", "lst"}, `"list"`},
		{[]string{"queue", "list", "-state", "deffered"}, `"deferred"`},
		{[]string{"queue", "delete"}, "-all"},
		{[]string{"queue", "delete", "-all", "x"}, "either"},
		{[]string{"queue", "cat"}, "which message?"},
		{[]string{"queue", "list", "0"}, "not ids"},
		{[]string{"config", "-n", "-d"}, "either"},
		{[]string{"version", "x"}, `what is "x"?`},
		{nil, "usage"},
	} {
		r := barid("", c.args...).want(t, exitUsage, c.text)
		if r.out != "" {
			t.Errorf("%v: standard output: %s", c.args, r.out)
		}
	}
}

func TestFlagsMayStandBehindOperands(t *testing.T) {
	for _, c := range []struct{ args, operands []string }{
		{[]string{"-c", "f", "add", "x"}, []string{"add", "x"}},
		{[]string{"add", "-c", "f", "x"}, []string{"add", "x"}},
		{[]string{"add", "x", "-c", "f"}, []string{"add", "x"}},
		{[]string{"add", "-c", "f", "--", "-x"}, []string{"add", "-x"}},
	} {
		o := newOptions("test", "")
		if code, done := o.parse(terminal{out: io.Discard, err: io.Discard}, c.args, -1); done || o.file != "f" || !slices.Equal(o.operands, c.operands) {
			t.Errorf("%v: code %d, file %q, operands %q", c.args, code, o.file, o.operands)
		}
	}
}

func TestVersionIsPrinted(t *testing.T) {
	barid("", "version").want(t, exitOK, "barid ", "linux/")
	barid("", "--version").want(t, exitOK, "barid ")
}

func TestDistanceCountsEdits(t *testing.T) {
	for _, c := range []struct {
		a, b string
		d    int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"serve", "severe", 3}, {"list", "lst", 1}, {"abc", "abd", 1}} {
		if d := distance(c.a, c.b); d != c.d {
			t.Errorf("%q %q: %d instead of %d", c.a, c.b, d, c.d)
		}
	}
}

func TestConfigPrintsWhatItReads(t *testing.T) {
	dir := tempDir(t)
	file := dir + "/barid.conf"
	writeFile(t, file, "hostname = mx.example.test\ndomains = example.test\n")
	barid("", "config", "-c", file, "-n").want(t, exitOK, "hostname = mx.example.test\ndomains = example.test\n")
	barid("", "config", "-c", file, "domains", "hostname").want(t, exitOK, "domains = example.test\nhostname = mx.example.test\n")
	barid("", "config", "-c", file, "-o", "domains=b.test", "domains").want(t, exitOK, "domains = b.test\n")
	barid("", "config", "-c", file, "hostnam").want(t, exitFailure, `"hostname"`)

	writeFile(t, file, "hostnam = x\n")
	barid("", "config", "-c", file).want(t, exitFailure, file+":1", "hostname")
	defaults := barid("", "config", "-c", file, "-d").want(t, exitOK, "smtp.listen = :25")
	writeFile(t, file, defaults.out)
	barid("", "config", "-c", file).want(t, exitOK)
}
