//go:build interop

package interop

import (
	"strconv"
	"strings"
	"testing"
)

// TestSMTPSource lets Postfix's load generator send, one message for each
// connection, with more and more connections at once.
func TestSMTPSource(t *testing.T) {
	for _, sessions := range []int{1, 50, 200} {
		t.Run(strconv.Itoa(sessions), func(t *testing.T) {
			d := startDemo(t, "smtp.connections-per-address-max=1000")
			n := 2*sessions + 50
			client(t, "postfix", "", "smtp-source", "-s", strconv.Itoa(sessions), "-m", strconv.Itoa(n), "-l", "4096",
				"-f", "carol@interop.test", "-t", alice, d.addr(t, "smtp"))
			d.waitCount(t, alice, n)
			ids := map[string]bool{}
			for name, text := range d.stored(t, alice) {
				if len(text) < 4096 {
					t.Errorf("%s has only %d octets", name, len(text))
				}
				_, rest, _ := strings.Cut(strings.ToLower(text), "\nmessage-id:")
				id, _, _ := strings.Cut(rest, "\n")
				ids[id] = true
			}
			if len(ids) != n {
				t.Errorf("%d different messages instead of %d", len(ids), n)
			}
		})
	}
}

func TestSMTPSourceKeepsConnections(t *testing.T) {
	d := startDemo(t)
	client(t, "postfix", "", "smtp-source", "-d", "-s", "10", "-m", "500", "-l", "1000", "-f", "carol@interop.test", "-t", alice, d.addr(t, "smtp"))
	d.waitCount(t, alice, 500)
}

func TestSMTPSourceOverLMTP(t *testing.T) {
	d := startDemo(t)
	client(t, "postfix", "", "smtp-source", "-L", "-s", "10", "-m", "200", "-l", "1000", "-f", "carol@interop.test", "-t", alice, d.addr(t, "lmtp"))
	d.waitCount(t, alice, 200)
}

func TestSwaks(t *testing.T) {
	ways := []struct {
		name, door string
		login      bool
		flags      []string
	}{
		{"plain", "smtp", false, nil},
		{"STARTTLS", "smtp", false, []string{"--tls"}},
		{"TLS on connect and AUTH PLAIN", "submissions", true, []string{"--tls-on-connect", "--auth", "PLAIN"}},
		{"TLS on connect and AUTH LOGIN", "submissions", true, []string{"--tls-on-connect", "--auth", "LOGIN"}},
		{"STARTTLS and AUTH PLAIN", "submission", true, []string{"--tls", "--auth", "PLAIN"}},
		{"STARTTLS and AUTH LOGIN", "submission", true, []string{"--tls", "--auth", "LOGIN"}},
		{"pipelining", "smtp", false, []string{"--pipeline"}},
		{"STARTTLS and AUTH and pipelining", "submission", true, []string{"--tls", "--auth", "PLAIN", "--pipeline"}},
		{"LMTP", "lmtp", false, []string{"--protocol", "LMTP"}},
		{"TLS 1.2", "submissions", true, []string{"--tls-on-connect", "--tls-protocol", "tlsv1_2", "--auth", "PLAIN"}},
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			d := startDemo(t)
			from := "carol@interop.test"
			flags := way.flags
			if way.login {
				from = bob
				flags = append(flags, "--auth-user", bob, "--auth-password", d.password[bob])
			}
			text := letter(from, alice, "swaks "+way.name)
			words := append([]string{"swaks", "--server", d.addr(t, way.door), "--from", from, "--to", alice, "--data", "@" + file(t, "letter", strings.TrimSuffix(text, "\r\n"))}, flags...) // swaks adds the last CRLF itself
			client(t, "swaks", "", words...)
			wantStored(t, d, alice, text)
		})
	}
}

func TestSwaksIsRefused(t *testing.T) {
	d := startDemo(t, "relay.allow=") // or programs of this host may relay
	refuse := func(name, want string, flags ...string) {
		t.Run(name, func(t *testing.T) {
			out, err := tryClient(t, "swaks", "", append([]string{"swaks", "--body", "x"}, flags...)...)
			if err == nil || !strings.Contains(out, want) {
				t.Errorf("want %q and a failure, got %v\n%s", want, err, out)
			}
		})
	}
	smtp, submission := d.addr(t, "smtp"), d.addr(t, "submission")
	refuse("unknown recipient", " 550 ", "--server", smtp, "--from", "a@b.test", "--to", "nobody@example.test")
	refuse("relaying", " 55", "--server", smtp, "--from", "a@b.test", "--to", "someone@elsewhere.test")
	refuse("submission without AUTH", " 530 ", "--server", submission, "--from", bob, "--to", alice)
	refuse("wrong password", " 535 ", "--server", submission, "--tls", "--auth", "PLAIN", "--auth-user", bob, "--auth-password", "wrong", "--from", bob, "--to", alice)
	refuse("another's address", " 55", "--server", submission, "--tls", "--auth", "PLAIN", "--auth-user", bob, "--auth-password", d.password[bob], "--from", alice, "--to", alice)
	if n := d.count(alice); n != 0 {
		t.Errorf("%d refused messages were delivered", n)
	}
}

func TestCurlSends(t *testing.T) {
	ways := []struct {
		name, scheme, door string
		login              bool
		flags              []string
	}{
		{"smtp", "smtp", "smtp", false, nil},
		{"smtp with STARTTLS", "smtp", "smtp", false, []string{"--ssl-reqd"}},
		{"submission and STARTTLS", "smtp", "submission", true, []string{"--ssl-reqd"}},
		{"submission and AUTH PLAIN", "smtp", "submission", true, []string{"--ssl-reqd", "--login-options", "AUTH=PLAIN"}},
		{"submission and initial response", "smtp", "submission", true, []string{"--ssl-reqd", "--sasl-ir"}},
		{"smtps", "smtps", "submissions", true, nil},
		{"smtps and AUTH LOGIN", "smtps", "submissions", true, []string{"--login-options", "AUTH=LOGIN"}},
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			d := startDemo(t)
			from := "carol@interop.test"
			flags := way.flags
			if way.login {
				from = bob
				flags = append(flags, "--user", bob+":"+d.password[bob])
			}
			text := letter(from, alice, "curl "+way.name)
			client(t, "curl", "", append([]string{"curl", "-sS", "--insecure", way.scheme + "://" + d.addr(t, way.door) + "/interop.test",
				"--mail-from", from, "--mail-rcpt", alice, "--upload-file", file(t, "letter", text)}, flags...)...)
			wantStored(t, d, alice, text)
		})
	}
}

func TestMsmtp(t *testing.T) {
	const account = "account default\nhost %HOST%\nport %PORT%\nfrom %FROM%\nuser %USER%\npassword %PASSWORD%\ntls_certcheck off\ntimeout 20\n"
	ways := []struct{ name, door, settings string }{
		{"plain", "smtp", "auth off\ntls off\n"},
		{"STARTTLS", "smtp", "auth off\ntls on\n"},
		{"AUTH PLAIN", "submission", "auth plain\ntls on\n"},
		{"AUTH LOGIN", "submission", "auth login\ntls on\n"},
		{"AUTH SCRAM-SHA-256", "submission", "auth scram-sha-256\ntls on\n"},
		{"AUTH of its choice and TLS on connect", "submissions", "auth on\ntls on\ntls_starttls off\n"},
		{"AUTH SCRAM-SHA-256 and TLS on connect", "submissions", "auth scram-sha-256\ntls on\ntls_starttls off\n"},
		{"LMTP", "lmtp", "protocol lmtp\nauth off\ntls off\n"},
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			d := startDemo(t)
			conf := strings.NewReplacer("%HOST%", d.host(t, way.door), "%PORT%", d.port(t, way.door), "%FROM%", bob, "%USER%", bob,
				"%PASSWORD%", d.password[bob]).Replace(account + way.settings)
			text := letter(bob, alice, "msmtp "+way.name)
			client(t, "msmtp", lf(text), "msmtp", "-C", file(t, "msmtprc", conf), alice)
			wantStored(t, d, alice, text)
		})
	}
}

func TestPythonSmtplib(t *testing.T) {
	ways := []struct {
		how, door string
		login     bool
	}{
		{"plain", "smtp", false},
		{"starttls", "submission", true},
		{"tls", "submissions", true},
		{"lmtp", "lmtp", false},
	}
	for _, way := range ways {
		t.Run(way.how, func(t *testing.T) {
			d := startDemo(t)
			user, password := "", ""
			if way.login {
				user, password = bob, d.password[bob]
			}
			text := letter(bob, alice, "smtplib "+way.how)
			words := []string{"python3", script(t, "smtplib_send.py"), way.how, d.host(t, way.door), d.port(t, way.door), user, password, bob, alice}
			if way.how != "lmtp" { // smtplib reads one reply to a message, whoever it is for
				words = append(words, bob)
			}
			client(t, "python3", text, words...)
			for _, account := range words[8:] {
				wantStored(t, d, account, text)
			}
		})
	}
}
