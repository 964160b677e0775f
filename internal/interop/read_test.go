//go:build interop

package interop

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// script is the absolute name of a file in testdata.
func script(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// readFile reads a file that a client has written.
func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestCurlReads(t *testing.T) {
	ways := []struct {
		name, scheme, door string
		flags              []string
	}{
		{"pop3 with STLS", "pop3", "pop3", []string{"--ssl-reqd"}},
		{"pop3s", "pop3s", "pop3s", nil},
		{"pop3s and AUTH PLAIN", "pop3s", "pop3s", []string{"--login-options", "AUTH=PLAIN"}},
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			d := startDemo(t)
			first, second := letter("c@interop.test", alice, "first"), letter("c@interop.test", alice, "second")
			deposit(t, d, alice, first)
			deposit(t, d, alice, second)
			curl := func(path string, flags ...string) string {
				words := append([]string{"curl", "-sS", "--insecure", "--user", alice + ":" + d.password[alice], way.scheme + "://" + d.addr(t, way.door) + path}, flags...)
				return client(t, "curl", "", append(words, way.flags...)...)
			}
			if list := curl("/"); strings.Count(list, "\n") != 2 {
				t.Errorf("LIST: %q", list)
			}
			if uids := strings.Fields(curl("/", "--request", "UIDL")); len(uids) != 4 || uids[1] == uids[3] {
				t.Errorf("UIDL: %q", uids)
			}
			if head := curl("/", "--request", "TOP 1 0"); strings.Contains(head, "Gr") || !strings.Contains(head, "Subject: first") {
				t.Errorf("TOP: %q", head)
			}
			wantBehindTrace(t, curl("/1"), first)
			wantBehindTrace(t, curl("/2"), second)
			curl("/1", "--request", "DELE", "--head")
			if list := curl("/"); strings.Count(list, "\n") != 1 {
				t.Errorf("LIST after DELE: %q", list)
			}
			wantBehindTrace(t, curl("/1"), second)
		})
	}
}

func TestPythonPoplib(t *testing.T) {
	for how, door := range map[string]string{"stls": "pop3", "tls": "pop3s"} {
		t.Run(how, func(t *testing.T) {
			d := startDemo(t)
			text := letter("c@interop.test", alice, "poplib")
			deposit(t, d, alice, text)
			got := client(t, "python3", "", "python3", script(t, "poplib_read.py"), how, d.host(t, door), d.port(t, door), alice, d.password[alice])
			wantBehindTrace(t, got, text)
			if n := d.count(alice); n != 0 {
				t.Errorf("%d messages are left", n)
			}
		})
	}
}

func TestMpop(t *testing.T) {
	const account = "account default\nhost %HOST%\nport %PORT%\nuser %USER%\npassword %PASSWORD%\ntls_certcheck off\ntimeout 20\nreceived_header off\nkeep off\n"
	ways := []struct{ name, door, settings string }{
		{"STLS and USER", "pop3", "tls on\ntls_starttls on\nauth user\n"},
		{"STLS and AUTH PLAIN", "pop3", "tls on\ntls_starttls on\nauth plain\n"},
		{"TLS and AUTH SCRAM-SHA-256", "pop3s", "tls on\ntls_starttls off\nauth scram-sha-256\n"},
		{"TLS and AUTH of its choice", "pop3s", "tls on\ntls_starttls off\nauth on\n"},
		{"TLS and no pipelining", "pop3s", "tls on\ntls_starttls off\nauth on\npipelining off\n"},
		{"TLS and pipelining", "pop3s", "tls on\ntls_starttls off\nauth on\npipelining on\n"},
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			d := startDemo(t)
			text := letter("c@interop.test", alice, "mpop")
			deposit(t, d, alice, text)
			box := t.TempDir()
			for _, sub := range []string{"new", "cur", "tmp"} {
				if err := os.Mkdir(filepath.Join(box, sub), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			conf := strings.NewReplacer("%HOST%", d.host(t, way.door), "%PORT%", d.port(t, way.door), "%USER%", alice,
				"%PASSWORD%", d.password[alice]).Replace(account+way.settings) + "delivery maildir " + box + "\nuidls_file " + filepath.Join(box, "uidls") + "\n"
			client(t, "mpop", "", "mpop", "-C", file(t, "mpoprc", conf))
			names, err := filepath.Glob(filepath.Join(box, "new", "*"))
			if err != nil || len(names) != 1 {
				t.Fatalf("mpop delivered %q, %v", names, err)
			}
			wantBehindTrace(t, readFile(t, names[0]), lf(text))
			if n := d.count(alice); n != 0 {
				t.Errorf("%d messages are left", n)
			}
		})
	}
}

func TestFetchmail(t *testing.T) {
	for name, settings := range map[string]string{"STLS": "sslproto tls1.2+", "TLS": "ssl"} {
		t.Run(name, func(t *testing.T) {
			d := startDemo(t)
			door := "pop3"
			if name == "TLS" {
				door = "pop3s"
			}
			text := small("c@interop.test", alice, "fetchmail "+name)
			deposit(t, d, alice, text)
			got := filepath.Join(t.TempDir(), "got")
			conf := "poll " + d.host(t, door) + " service " + d.port(t, door) + " protocol pop3 uidl no dns\n" +
				"user \"" + alice + "\" password \"" + d.password[alice] + "\" is root here " + settings + " no sslcertck norewrite fetchall no keep\n" +
				"mda \"/bin/sh -c 'cat > " + got + "'\"\n"
			client(t, "fetchmail", "", "fetchmail", "-f", file(t, "fetchmailrc", conf), "--nodetach", "-v", "--nosyslog")
			wantBehindTrace(t, readFile(t, got), lf(text))
			if n := d.count(alice); n != 0 {
				t.Errorf("%d messages are left", n)
			}
		})
	}
}

// TestMuttReadsTheMaildir lets mutt open the mailbox that the server delivers
// into, show how many messages it has, and pipe one of them out.
func TestMuttReadsTheMaildir(t *testing.T) {
	d := startDemo(t)
	text := letter("c@interop.test", alice, "mutt")
	deposit(t, d, alice, text)
	deposit(t, d, alice, small("c@interop.test", alice, "second"))
	got := filepath.Join(t.TempDir(), "got")
	muttrc := file(t, "muttrc", "set folder=/ wait_key=no pipe_decode=no mark_old=no quit=yes status_format=Msgs:%m\n"+
		"push '<search>~s mutt<enter><pipe-message>cat > "+got+"<enter><quit>'\n")
	// mutt wants a terminal; script makes one.
	screen := client(t, "bsdutils", "", "script", "--quiet", "--return", "--command", "mutt -n -F "+muttrc+" -f "+d.maildir(alice), "/dev/null")
	if !strings.Contains(screen, "Msgs:2") {
		t.Errorf("mutt does not show two messages: %q", screen)
	}
	wantBehindTrace(t, readFile(t, got), lf(text))
	if n := d.count(alice); n != 2 {
		t.Errorf("%d messages after mutt has looked at them", n)
	}
}

func TestOpenSSLClient(t *testing.T) {
	d := startDemo(t)
	ways := []struct {
		name, door string
		input      string
		want       string
		flags      []string
	}{
		{"STARTTLS on SMTP", "smtp", "EHLO x.test\nQUIT\n", "250-PIPELINING", []string{"-starttls", "smtp"}},
		{"STARTTLS on submission", "submission", "EHLO x.test\nQUIT\n", "AUTH ", []string{"-starttls", "smtp"}},
		{"STARTTLS on LMTP", "lmtp", "LHLO x.test\nQUIT\n", "PIPELINING", []string{"-starttls", "lmtp"}},
		{"STLS on POP3", "pop3", "CAPA\nQUIT\n", "UIDL", []string{"-starttls", "pop3"}},
		{"TLS on POP3", "pop3s", "CAPA\nQUIT\n", "UIDL", nil},
		{"TLS 1.2", "pop3s", "CAPA\nQUIT\n", "UIDL", []string{"-tls1_2"}},
		{"TLS 1.3", "pop3s", "CAPA\nQUIT\n", "UIDL", []string{"-tls1_3"}},
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			words := append([]string{"openssl", "s_client", "-connect", d.addr(t, way.door), "-quiet", "-crlf"}, way.flags...)
			out := client(t, "openssl", way.input, words...)
			if !strings.Contains(out, way.want) {
				t.Errorf("no %q in %s", way.want, out)
			}
		})
	}
	t.Run("TLS 1.1 is refused", func(t *testing.T) {
		out, err := tryClient(t, "openssl", "", "openssl", "s_client", "-connect", d.addr(t, "pop3s"), "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")
		if err == nil || !strings.Contains(out, "Cipher is (NONE)") {
			t.Errorf("%v: %s", err, out)
		}
	})
}

// TestOpenSSLClientOnImplicitTLS waits for the greeting before it talks, as
// SMTP demands of clients, which a pipe into s_client would not.
func TestOpenSSLClientOnImplicitTLS(t *testing.T) {
	d := startDemo(t)
	cmd := exec.CommandContext(t.Context(), "openssl", "s_client", "-connect", d.addr(t, "submissions"), "-quiet", "-crlf")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("apt-get install openssl: %v", err)
	}
	in := bufio.NewReader(stdout)
	for _, words := range []string{"", "EHLO x.test\n", "NOOP\n", "QUIT\n"} {
		fmt.Fprint(stdin, words)
		if !positive(in) {
			t.Errorf("%q was refused", words)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("openssl: %v", err)
	}
}
