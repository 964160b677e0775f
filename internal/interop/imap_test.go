//go:build interop

package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"barid/internal/dialog"
)

// TestIMAPDialoguesOnTheBinary plays the dialogues of the engine and of the
// door, each to a server of its own, since they begin with an empty mailbox.
func TestIMAPDialoguesOnTheBinary(t *testing.T) {
	for _, data := range []string{"../../imapd/proto/testdata", "../../imapd/testdata"} {
		scripts, err := dialog.Load(os.DirFS(data), "*.dlg")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range scripts {
			t.Run(s.Name, func(t *testing.T) { playIMAP(t, s, "imap") })
			if s.Setting("auth.cleartext", "never") == "always" && !speaksOfSTLS(s) {
				t.Run(s.Name+"/tls", func(t *testing.T) { playIMAP(t, s, "imaps") })
			}
		}
	}
}

func playIMAP(t *testing.T, s *dialog.Script, door string) {
	dir := t.TempDir()
	knownAccounts(t, dir)
	settings := []string{"auth.failures-max=0", "auth.delay-max=0", "auth.cleartext=never", "hostname=mail.example.test"}
	for _, kv := range s.Settings {
		if strings.Contains(kv[0], ".") {
			settings = append(settings, kv[0]+"="+kv[1])
		}
	}
	fillIMAP(t, filepath.Join(dir, "mail/example.test/alice"), s)
	d := runDemo(t, dir, settings...)
	defer d.stop(t)
	conn := d.dial(t, "imap")
	if door == "imaps" {
		conn = d.overTLS(t, door)
	}
	if s.Setting("recent", "hidden") == "hidden" {
		conn = quiet{conn}
	}
	dialog.Run(t, s, conn, nil)
	if t.Failed() {
		t.Logf("the server's log:\n%s", d.log)
	}
}

// fillIMAP deposits the messages of a script, in order.
func fillIMAP(t *testing.T, box string, s *dialog.Script) {
	t.Helper()
	for _, sub := range []string{"new", "cur", "tmp"} {
		if err := os.MkdirAll(filepath.Join(box, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	at := 1700000000
	for _, kv := range s.Settings {
		if kv[0] != "message" {
			continue
		}
		at++
		name := filepath.Join(box, "new", fmt.Sprintf("%d.M1P1.example", at))
		if err := os.WriteFile(name, []byte(strings.ReplaceAll(kv[1], `\n`, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// quiet leaves out what a store has to say beyond the engine's dialogues.
type quiet struct{ dialog.Conn }

var (
	beyond = regexp.MustCompile(`^\* (\d+ RECENT|OK \[(CLOSED|MAILBOXID|UNSEEN).*|OK \[HIGHESTMODSEQ .*\] the last change)$`)
	recent = regexp.MustCompile(` \\Recent|\\Recent ?`)
)

// Line implements dialog.Conn.
func (q quiet) Line() ([]byte, error) {
	for {
		line, err := q.Conn.Line()
		if err != nil || !beyond.Match(line) {
			return recent.ReplaceAll(line, nil), err
		}
	}
}

func TestCurlOverIMAP(t *testing.T) {
	for name, way := range map[string][]string{
		"STARTTLS":           {"imap", "--ssl-reqd"},
		"TLS":                {"imaps"},
		"TLS and AUTH PLAIN": {"imaps", "--login-options", "AUTH=PLAIN"},
		"TLS and LOGIN":      {"imaps", "--login-options", "AUTH=LOGIN"},
	} {
		t.Run(name, func(t *testing.T) {
			d := startDemo(t)
			first, second := letter("c@interop.test", alice, "first"), letter("c@interop.test", alice, "second")
			deposit(t, d, alice, first)
			deposit(t, d, alice, second)
			curl := func(path string, flags ...string) string {
				words := append([]string{"curl", "-sS", "--insecure", "--user", alice + ":" + d.password[alice], way[0] + "://" + d.addr(t, way[0]) + path}, flags...)
				return client(t, "curl", "", append(words, way[1:]...)...)
			}
			if list := curl("/"); !strings.Contains(list, "INBOX") {
				t.Errorf("LIST: %q", list)
			}
			wantBehindTrace(t, curl("/INBOX;MAILINDEX=1"), first)
			wantBehindTrace(t, curl("/INBOX;UID=2"), second)
			if text := curl("/INBOX;UID=2;SECTION=TEXT"); !strings.HasSuffix(second, "\r\n\r\n"+text) {
				t.Errorf("TEXT: %q", text)
			}
			if found := curl("/INBOX?SUBJECT%20second"); !strings.Contains(found, "* SEARCH 2\r\n") {
				t.Errorf("SEARCH: %q", found)
			}
			curl("/INBOX", "--request", `STORE 1 +FLAGS (\Deleted)`)
			curl("/INBOX", "--request", "EXPUNGE")
			curl("/INBOX", "--upload-file", file(t, "third", first))
			if status := curl("/", "--request", "STATUS INBOX (MESSAGES UIDNEXT)"); !strings.Contains(status, "(MESSAGES 2 UIDNEXT 4)") {
				t.Errorf("STATUS: %q", status)
			}
			if got := curl("/INBOX;UID=3"); got != first {
				t.Errorf("the message that was put there is %q", got)
			}
		})
	}
}

func TestPythonImaplib(t *testing.T) {
	for how, door := range map[string]string{"starttls": "imap", "tls": "imaps"} {
		t.Run(how, func(t *testing.T) {
			d := startDemo(t)
			text := letter("c@interop.test", alice, "imaplib")
			deposit(t, d, alice, text)
			got := client(t, "python3", "", "python3", script(t, "imaplib_use.py"), how, d.host(t, door), d.port(t, door), alice, d.password[alice])
			wantBehindTrace(t, got, text)
		})
	}
}

// TestMuttOverIMAP lets mutt open the mailbox, pipe one of its messages out, and
// move the other into a folder.
func TestMuttOverIMAP(t *testing.T) {
	d := startDemo(t)
	text := letter("c@interop.test", alice, "kept")
	deposit(t, d, alice, text)
	deposit(t, d, alice, small("c@interop.test", alice, "filed"))
	got := filepath.Join(t.TempDir(), "got")
	url := "imaps://" + d.addr(t, "imaps") + "/"
	muttrc := file(t, "muttrc", "set folder="+url+" imap_user=\""+alice+"\" imap_pass=\""+d.password[alice]+"\"\n"+
		"set ssl_verify_host=no ssl_verify_dates=no ssl_force_tls=yes certificate_file=\""+filepath.Join(d.dir, "cert.pem")+"\"\n"+
		"set wait_key=no pipe_decode=no mark_old=no quit=yes delete=yes confirmcreate=no confirmappend=no\n"+
		"push '<search>~s kept<enter><pipe-message>cat > "+got+"<enter><search>~s filed<enter><save-message>=Filed<enter><sync-mailbox><quit>'\n")
	client(t, "bsdutils", "", "script", "--quiet", "--return", "--command", "mutt -n -F "+muttrc+" -f "+url+"INBOX", "/dev/null")
	wantBehindTrace(t, lf(readFile(t, got)), lf(text))
	box := filepath.Join(d.dir, "mail/example.test/alice")
	for _, folder := range []string{".", ".Filed"} {
		if files, err := filepath.Glob(filepath.Join(box, folder, "[cn][ue][rw]", "*")); err != nil || len(files) != 1 {
			t.Errorf("in %s are %q, %v", folder, files, err)
		}
	}
}

func TestFetchmailOverIMAP(t *testing.T) {
	for name, settings := range map[string]string{"imap": "sslproto tls1.2+", "imaps": "ssl"} {
		t.Run(name, func(t *testing.T) {
			d := startDemo(t)
			text := small("c@interop.test", alice, "fetchmail "+name)
			deposit(t, d, alice, text)
			got := filepath.Join(t.TempDir(), "got")
			conf := "poll " + d.host(t, name) + " service " + d.port(t, name) + " protocol imap no dns\n" +
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
