//go:build interop

package interop

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// client runs a program with input and returns what it printed, errors
// included. A program that is missing, fails or hangs fails the test.
func client(t *testing.T, debianPackage, input string, words ...string) string {
	t.Helper()
	out, err := tryClient(t, debianPackage, input, words...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(words, " "), err, out)
	}
	return out
}

// tryClient is client for a program that may fail.
func tryClient(t *testing.T, debianPackage, input string, words ...string) (string, error) {
	t.Helper()
	if list := readFile(t, "packages.txt"); !strings.Contains("\n"+list, "\n"+debianPackage+"\n") {
		t.Fatalf("packages.txt does not name %s", debianPackage)
	}
	if _, err := exec.LookPath(words[0]); err != nil {
		t.Fatalf("%s is not installed: apt-get install %s", words[0], debianPackage)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	home := t.TempDir()
	cmd.Dir = home
	cmd.Env = append(os.Environ(), "HOME="+home, "FETCHMAILHOME="+home, "LC_ALL=C.UTF-8", "TERM=xterm")
	cmd.Stdin = strings.NewReader(input)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// file writes a file that only its owner may read, as several clients demand
// of files with passwords, and returns its name.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// letter is a message with CRLF that is hard to carry: lines that begin with
// dots or "From ", white space at line ends, octets above 127, a line as long as
// SMTP allows, empty lines at the end. Some clients interpret backslashes and
// per cent signs in what they send; it has none.
func letter(from, to, subject string) string {
	return strings.Join([]string{
		"From: Sender <" + from + ">",
		"To: Receiver <" + to + ">",
		"Subject: " + subject,
		"Date: Tue, 17 Nov 2026 10:20:30 +0100",
		"Message-ID: <" + strings.ReplaceAll(subject, " ", ".") + "@interop.test>",
		"MIME-Version: 1.0",
		"Content-Type: text/plain; charset=utf-8",
		"Content-Transfer-Encoding: 8bit",
		"X-Folded: first",
		"\tsecond",
		"",
		"Grüße aus der Post: البريد",
		".",
		"..two dots",
		".one dot and a word",
		"From here on a line that looks like an mbox separator",
		"trailing spaces   ",
		"trailing tab\t",
		strings.Repeat("x", 990),
		"",
		"the last lines are empty",
		"",
		"",
	}, "\r\n") + "\r\n"
}

// small is a letter of 7-bit text in short lines, for clients that change
// anything else.
func small(from, to, subject string) string {
	return fmt.Sprintf("From: <%s>\r\nTo: <%s>\r\nSubject: %s\r\nDate: Tue, 17 Nov 2026 10:20:30 +0100\r\nMessage-ID: <%s@interop.test>\r\n\r\nOne line.\r\n.\r\n..\r\nThe end.\r\n",
		from, to, subject, strings.ReplaceAll(subject, " ", "."))
}

// lf is text with LF line ends, as it is stored.
func lf(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }

// wantStored waits for the only message of an account and demands that it is
// what was sent, behind the lines that the server put in front.
func wantStored(t *testing.T, d *demo, account, sent string) string {
	t.Helper()
	d.waitCount(t, account, 1)
	for _, got := range d.stored(t, account) {
		wantBehindTrace(t, got, lf(sent))
		return got
	}
	t.Fatal("the message has gone")
	return ""
}

// wantBehindTrace demands that got is sent with trace headers before it.
func wantBehindTrace(t *testing.T, got, sent string) {
	t.Helper()
	trace, ok := strings.CutSuffix(got, sent)
	if !ok {
		tail := max(0, len(got)-len(sent))
		t.Fatalf("the message changed on its way: %d octets were sent, what came has %d\nends of both: sent %q\ncame %q\nthe whole: %.3000q",
			len(sent), len(got), sent[max(0, len(sent)-80):], got[max(tail, len(got)-80):], got)
	}
	for _, name := range []string{"Return-Path:", "Delivered-To:", "Received:"} {
		if !strings.Contains("\n"+trace, "\n"+name) {
			t.Errorf("no %s in front of the message: %q", name, trace)
		}
	}
}

// deposit puts a message into an account's mailbox over LMTP.
func deposit(t *testing.T, d *demo, account, text string) {
	t.Helper()
	before := d.count(account)
	sendLMTP(t, d.addr(t, "lmtp"), account, text)
	d.waitCount(t, account, before+1)
}
