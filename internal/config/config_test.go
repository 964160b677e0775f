package config

import (
	"bytes"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func read(text string, overrides ...string) (*Config, error) {
	return parse(input{"barid.conf", []byte(text), overrides, "/etc/barid", "Mail.Example.Test"})
}

func good(t *testing.T, text string, overrides ...string) *Config {
	t.Helper()
	c, err := read(text, overrides...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNothingNeedsToBeSet(t *testing.T) {
	c := good(t, "")
	if c.Hostname != "mail.example.test" || !reflect.DeepEqual(c.Domains, []string{"mail.example.test"}) || c.Auth.DefaultDomain != "mail.example.test" {
		t.Errorf("names: %q %q %q", c.Hostname, c.Domains, c.Auth.DefaultDomain)
	}
	if c.Data.Dir != "/var/lib/barid" || c.Spool.Dir != "/var/lib/barid/spool" || c.Auth.File != "/etc/barid/users" {
		t.Errorf("paths: %q %q %q", c.Data.Dir, c.Spool.Dir, c.Auth.File)
	}
	if !reflect.DeepEqual(c.SMTP.Listen, []Address{{"tcp", ":25"}}) || c.Submission.ListenTLS != nil {
		t.Errorf("listeners: %v %v", c.SMTP.Listen, c.Submission.ListenTLS)
	}
	for _, p := range c.Check() {
		if !p.Warning {
			t.Errorf("the defaults are wrong: %s", p)
		}
	}
}

func TestEveryTypeIsRead(t *testing.T) {
	c := good(t, `
hostname = MX.Example.Test.   # our name
domains = example.test,
	example.org  münchen.example
  # a comment between
	example.net
message.size-max=10m
smtp.listen = 0.0.0.0:25, [::]:25 localhost:2525, unix:/run/x
smtp.greet-delay = 1h30m
queue.retry = 5m 1h, 1d
proxy.trusted = 10.0.0.0/8, 192.0.2.1, 2001:db8::/32
pop3.mark-seen = yes
pop3.expire = 30d
log.level = DEBUG
log.format = json
tls.cert = c.pem
tls.key = /k.pem
tls.certs = d.pem:d.key
tls.min-version = 1.3
log.file = "a # b"
data.dir = data
mailbox.dir = m/%u
`)
	for _, x := range []struct{ got, want any }{
		{c.Hostname, "mx.example.test"},
		{c.Domains, []string{"example.test", "example.org", "münchen.example", "example.net"}},
		{c.Message.SizeMax, int64(10 << 20)},
		{c.SMTP.Listen, []Address{{"tcp4", "0.0.0.0:25"}, {"tcp6", "[::]:25"}, {"tcp", "localhost:2525"}, {"unix", "/run/x"}}},
		{c.SMTP.GreetDelay, 90 * time.Minute},
		{c.Queue.Retry, []time.Duration{5 * time.Minute, time.Hour, 24 * time.Hour}},
		{c.Trusted.Proxy.Contains(netip.MustParseAddr("::ffff:10.1.2.3")), true},
		{c.Trusted.Proxy.Contains(netip.MustParseAddr("192.0.2.2")), false},
		{c.POP3.MarkSeen, true}, {c.POP3.ExpireDays, 30}, {c.Log.Level, slog.LevelDebug}, {c.Log.Format, "json"},
		{c.TLS.Certificates, []Pair{{"/etc/barid/c.pem", "/k.pem"}, {"/etc/barid/d.pem", "/etc/barid/d.key"}}},
		{c.TLS.MinVersion, "1.3"},
		{c.Log.File, "/etc/barid/data/a # b"},
		{c.Mailbox.Dir, "/etc/barid/data/m/%u"},
		{c.Submission.ListenTLS, []Address{{"tcp", ":465"}}}, {c.POP3.ListenTLS, []Address{{"tcp", ":995"}}},
		{c.IMAP.Listen, []Address{{"tcp", ":143"}}}, {c.IMAP.ListenTLS, []Address{{"tcp", ":993"}}}, {c.IMAP.Separator, "/"}, {c.IMAP.IdleTimeout, 30 * time.Minute},
	} {
		if !reflect.DeepEqual(x.got, x.want) {
			t.Errorf("got %v, want %v", x.got, x.want)
		}
	}
}

func TestOverridesGoBeforeTheFileAndLaterOnesBeforeEarlier(t *testing.T) {
	c := good(t, "hostname = a.test\nmessage.size-max = 1M\n", "hostname=b.test", "hostname = c.test")
	if c.Hostname != "c.test" || c.Message.SizeMax != 1<<20 {
		t.Errorf("%q %d", c.Hostname, c.Message.SizeMax)
	}
}

func TestAllErrorsAreReportedWithPlaceAndSuggestion(t *testing.T) {
	_, err := read(`  orphan
smtp.lisen = :25
hostname = a b
domains = a@b
message.size-max = ten
pop3.idle-timeout = 30s
smtp.greet-delay = 5
log.level = inof
log.level = info
just words
smtp.listen = 25
proxy.trusted = 10.0.0.1/8
myhostname = x
mailbox.dir = mail/%x
mailbox.dir2 = x
tls.certs = :x
log.file = "a"b"
queue.workers = -1
subaddress.separator = "+ "
data.dir =
errors-max = 1
lmtp.listen = unix:x
bad = `+"\xff\n", "smtp.errors_max=1", "nonsense", "domains=a\nb", "pop3.mark-seen=maybe")
	want := `barid.conf:1: white space at the start of a line continues the line before, and there is none
barid.conf:2: smtp.lisen: unknown key; did you mean smtp.listen?
barid.conf:3: hostname: "a b" is not the name of a host or domain
barid.conf:4: domains: "a@b" is an address, not a domain
barid.conf:5: message.size-max: "ten" is not a size: write bytes as 500, 64K, 10M or 2G
barid.conf:6: pop3.idle-timeout: 30s is less than 10m
barid.conf:7: smtp.greet-delay: "5": write durations as 30s, 5m, 1h30m or 5d
barid.conf:8: log.level: "inof" is not one of debug, info, warn, error; did you mean info?
barid.conf:9: log.level: set before, in line 8
barid.conf:10: "just words" is not key = value
barid.conf:11: smtp.listen: "25" is not host:port; did you mean :25?
barid.conf:12: proxy.trusted: 10.0.0.1/8 has bits set beyond its mask; did you mean 10.0.0.0/8?
barid.conf:13: myhostname: unknown key; did you mean hostname?
barid.conf:14: mailbox.dir: %x is not one of %u (account), %n (local part), %d (domain), %%
barid.conf:15: mailbox.dir2: unknown key; did you mean mailbox.dir?
barid.conf:16: tls.certs: ":x" is not certificate:key, two names of files
barid.conf:17: log.file: a value in quotes ends with a quote, and has none within
barid.conf:18: queue.workers: -1 is less than 0
barid.conf:19: subaddress.separator: " " cannot divide a name from a tag: use some of + - _ = # ~ ! $ % & * ^ | / . without spaces
barid.conf:20: data.dir: needs a value (path)
barid.conf:21: errors-max: unknown key; did you mean smtp.errors-max?
barid.conf:22: lmtp.listen: "unix:x": a unix socket is written unix:/absolute/path
barid.conf:23: not UTF-8 text
-o: smtp.errors_max: unknown key; did you mean smtp.errors-max?
-o: "nonsense" is not key = value
-o: "domains=a\nb" is not one line of UTF-8 text
-o: pop3.mark-seen: "maybe" is neither yes nor no`
	var errs Errors
	if !errors.As(err, &errs) {
		t.Fatalf("%v", err)
	}
	got, wanted := strings.Split(err.Error(), "\n"), strings.Split(want, "\n")
	for i := range max(len(got), len(wanted)) {
		g, w := "", ""
		if i < len(got) {
			g = got[i]
		}
		if i < len(wanted) {
			w = wanted[i]
		}
		if g != w {
			t.Errorf("got  %s\nwant %s", g, w)
		}
	}
}

func TestWhatIsPrintedReadsBackTheSame(t *testing.T) {
	text := "hostname = a.test\ntls.cert = x.pem\npop3.expire = 3d\nlog.file = \" odd #name\"\nsmtp.body-timeout = 1d2h3m4s5ms\n" +
		"spool.segment-size = 3000001\nqueue.lifetime = 10d\nlockout = 1\n"
	text = strings.ReplaceAll(text, "lockout = 1\n", "auth.lockout-exempt =\n")
	for _, choice := range []Choice{All, Set} {
		first := good(t, text)
		var out bytes.Buffer
		if err := first.Print(&out, choice); err != nil {
			t.Fatal(err)
		}
		second := good(t, out.String())
		if changed := Changed(first, second); len(changed) > 0 {
			t.Errorf("choice %d: %v changed in\n%s", choice, changed, out.String())
		}
		if !reflect.DeepEqual(first.TLS, second.TLS) {
			t.Errorf("certificates %v became %v", first.TLS, second.TLS)
		}
	}
}

func TestPrintSetShowsOnlyWhatWasSet(t *testing.T) {
	var out bytes.Buffer
	if err := good(t, "message.size-max = 1024K\n", "log.level=warn").Print(&out, Set); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "message.size-max = 1M\nlog.level = warn\n" {
		t.Errorf("%q", got)
	}
}

func TestPrintDefaultsIgnoresWhatWasSet(t *testing.T) {
	var a, b bytes.Buffer
	if err := errors.Join(good(t, "message.size-max = 1K\n").Print(&a, Defaults), good(t, "").Print(&b, Defaults)); err != nil {
		t.Fatal(err)
	}
	if a.String() != b.String() || !strings.Contains(a.String(), "\n# The name of this host, fully qualified: in the greeting, in Received and in\n# the answer to HELO. Mail to an address at it is mail to the name before the\n# @ alone.\nhostname = # the system's name\n") {
		t.Errorf("%s", a.String())
	}
	good(t, b.String())
}

func TestChangedNamesWhatDiffers(t *testing.T) {
	got := Changed(good(t, "log.level = info\n"), good(t, "log.level = warn\nalias.map = a\n"))
	if !reflect.DeepEqual(got, []string{"alias.map", "log.level"}) {
		t.Errorf("%v", got)
	}
}

func TestCheckFindsWhatDoesNotGoTogether(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"hostname = box\n", "barid.conf:1: hostname: \"box\" is not fully qualified: other servers may refuse mail from it"},
		{"submission.listen = :25\n", "barid.conf:1: submission.listen: :25 is taken by smtp.listen (:25)"},
		{"smtp.listen = 0.0.0.0:25, 127.0.0.1:25\n", "barid.conf:1: smtp.listen: 127.0.0.1:25 is taken by smtp.listen (0.0.0.0:25)"},
		{"control.socket = s\nsendmail.socket = s\n", "barid.conf:2: sendmail.socket: unix:/var/lib/barid/s is taken by control.socket (unix:/var/lib/barid/s)"},
		{"pop3s.listen = :995\n", "barid.conf:1: pop3s.listen: needs a certificate: set tls.cert and tls.key"},
		{"tls.key = k\n", "barid.conf:1: tls.key: is of no use without tls.cert"},
		{"", "pop3.listen: nobody can log in without TLS while auth.cleartext is never: set tls.cert and tls.key"},
		{"lmtp.listen = :24\n", "barid.conf:1: lmtp.listen: :24 may be reached by strangers, and LMTP asks nobody for a password"},
		{"auth.cleartext = always\n", "barid.conf:1: auth.cleartext: passwords can be read by everyone on the way: set tls.cert, and loopback or never here"},
		{"spool.spill-size = 1G\n", "barid.conf:1: spool.spill-size: 1G is more than an eighth of spool.segment-size, 16M"},
		{"queue.retry = 0\n", "barid.conf:1: queue.retry: a wait of 0 would never let the server rest"},
		{"queue.retry =\n", "barid.conf:1: queue.retry: there must be at least one wait"},
		{"queue.retry = 1w\n", "barid.conf:1: queue.retry: 1w is beyond queue.lifetime, 5d"},
		{"quota.default = 1M\n", "barid.conf:1: quota.default: 1M is less than message.size-max: some messages that are taken fit no mailbox"},
		{"domains = a.test a.test\n", "barid.conf:1: domains: a.test is there twice"},
		{"data.dir = /" + strings.Repeat("x", 100) + "\n", "control.socket: unix:/" + strings.Repeat("x", 100) + "/run/control is longer than the 107 bytes that a unix socket's path may have"},
	} {
		var got []string
		for _, p := range good(t, c.text).Check() {
			if p.String() == c.want {
				got = nil
				break
			}
			got = append(got, p.String())
		}
		if got != nil {
			t.Errorf("%q: want %s, got\n%s", c.text, c.want, strings.Join(got, "\n"))
		}
	}
}

func TestAddressesThatGoTogetherAreNotReported(t *testing.T) {
	for _, text := range []string{"smtp.listen = 0.0.0.0:25, [::]:25\n", "smtp.listen = 127.0.0.1:0\nlmtp.listen = 127.0.0.1:0\n", "smtp.listen = 127.0.0.1:25 127.0.0.2:25\n"} {
		for _, p := range good(t, text).Check() {
			if strings.Contains(p.Text, "taken") {
				t.Errorf("%q: %s", text, p)
			}
		}
	}
}

func TestMailboxPathNeverLeavesItsPlace(t *testing.T) {
	m := Mailbox{Dir: "/mail/%d/%n"}
	for account, want := range map[string]string{
		"alice@example.test": "/mail/example.test/alice", "alice": "/mail/alice", "a@b@c": "/mail/c/a@b",
	} {
		if got, err := m.Path(account); err != nil || got != want {
			t.Errorf("%s: %q, %v", account, got, err)
		}
	}
	for _, account := range []string{"", "..", "../x@d", "a/b@d", "x@..", "x@a/../..", "a\x00@d", ".@d"} {
		if got, err := m.Path(account); err == nil {
			t.Errorf("%q: %q", account, got)
		}
	}
}

func TestLoadReadsAFileAndPathsStartBesideIt(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "barid.conf")
	if err := os.WriteFile(name, []byte("alias.map = aliases\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(name, []string{"hostname=a.test"})
	if err != nil || c.Map.Alias != filepath.Join(dir, "aliases") || c.Hostname != "a.test" {
		t.Errorf("%v, %v", c, err)
	}
	if _, err := Load(filepath.Join(dir, "none"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Load("", nil); err != nil {
		t.Errorf("no file: %v", err)
	}
}

func TestSizesAndDurationsNeitherOverflowNorLoseAnything(t *testing.T) {
	for _, s := range []string{"8388608T", "99999999999999999999", "1K2", "K", "-1", "", "1.5M", "0x10"} {
		if n, err := parseSize(s); err == nil {
			t.Errorf("size %q is %d", s, n)
		}
	}
	for _, s := range []string{"99999999w", "9223372036854775807s", "1", "1y", "s", "-1s", "1.5h", "", "1h 30m", "15250w15250w"} {
		if d, err := parseDuration(s); err == nil {
			t.Errorf("duration %q is %s", s, d)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("hostname = a.test # x\n\tb\n")
	f.Add("log.file = \" #\"\ntls.certs = a:b c\nmailbox.dir=%u%%\n")
	f.Add("smtp.listen = [::1]:25, unix:/x\nproxy.trusted = ::/0\nqueue.retry=1w2d3ms")
	f.Fuzz(func(t *testing.T, text string) {
		first, err := read(text)
		if err != nil {
			var errs Errors
			if !errors.As(err, &errs) || len(errs) == 0 {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		first.Check()
		var out bytes.Buffer
		if err := first.Print(&out, All); err != nil {
			t.Fatal(err)
		}
		second, err := read(out.String())
		if err != nil {
			t.Fatalf("%q is printed as %q: %v", text, out.String(), err)
		}
		if changed := Changed(first, second); len(changed) > 0 {
			t.Fatalf("%q is printed as %q, which differs in %v", text, out.String(), changed)
		}
	})
}

func TestEmptyOverrideTakesBackAnEarlierOne(t *testing.T) {
	c, err := Load("", []string{"hostname=a.example", "domains=b.example", "tls.cert=/c", "tls.key=/k", "submissions.listen=:1465",
		"domains=", "tls.cert=", "tls.key=", "submissions.listen="})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Domains, []string{"a.example"}) || len(c.TLS.Certificates) != 0 || len(c.Submission.ListenTLS) != 0 {
		t.Errorf("%q, %v, %v", c.Domains, c.TLS.Certificates, c.Submission.ListenTLS)
	}
	for _, p := range c.Check() {
		if strings.Contains(p.Text, "tls.cert,") {
			t.Error(p)
		}
	}
}
