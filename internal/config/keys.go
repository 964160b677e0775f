package config

import (
	"log/slog"
	"strings"
	"time"
)

// key is a row of the table.
type key struct {
	name  string
	value value
	def   string // default, in the form of the file
	// derived tells how the default comes about when it is not a text.
	derived string
	doc     string
}

// section is a group of keys under a heading, in the order in which they are
// printed and documented.
type section struct {
	title string
	doc   string
	keys  []key
}

// sections is the table, bound to the fields of c.
func (c *Config) sections() []section {
	return []section{
		c.host(), c.message(), c.smtp(), c.submission(), c.lmtp(), c.pop3(), c.imap(), c.tls(),
		c.auth(), c.trusted(), c.maps(), c.mailbox(), c.spool(), c.dns(), c.relay(), c.reports(),
		c.sockets(), c.metrics(), c.log(),
	}
}

// table is all keys in one list.
func (c *Config) table() []key {
	var all []key
	for _, s := range c.sections() {
		all = append(all, s.keys...)
	}
	return all
}

func (c *Config) host() section {
	return section{"The host", "", []key{
		{"hostname", domain(&c.Hostname, "host name"), "", "the system's name", "The name of this host, fully qualified: in the greeting, in Received and in the answer to HELO. Mail to an address at it is mail to the name before the @ alone."},
		{"domains", domains(&c.Domains), "", "the value of `hostname`", "The domains whose mail is delivered here. The first one completes names that are given without a domain."},
		{"postmaster", name(&c.Postmaster, "account or address"), "", "the first account of `auth.file`", "The account or address of ours that gets mail for postmaster, and with it for abuse and mailer-daemon, unless the maps send it elsewhere."},
		{"user", name(&c.User, "user"), "barid", "", "The user to become when started as root, once the ports are open. Empty is to stay root."},
		{"data.dir", needed{file{&c.Data.Dir, besideFile}}, "/var/lib/barid", "", "The directory of everything that barid writes. Paths below that say so are relative to it; the others are relative to the directory of the configuration file."},
		{"memory.limit", size(&c.Memory.Limit, 0), "0", "", "How much memory the process should keep within; 0 is no limit. Near it memory is reclaimed harder, and half of it is the most that the buffers of connections may take: beyond, connections are closed with a temporary error."},
	}}
}

func (c *Config) message() section {
	m := &c.Message
	return section{"Messages", "Limits that hold at every door.", []key{
		{"message.size-max", size(&m.SizeMax, 0), "50M", "", "The largest message that is taken; 0 is no limit. Announced as SIZE (RFC 1870)."},
		{"message.recipients-max", count(&m.RecipientsMax, 100), "1000", "", "The most recipients that one message may have. RFC 5321 4.5.3.1.8 asks for at least 100. Announced as LIMITS RCPTMAX (RFC 9422)."},
		{"message.received-max", count(&m.ReceivedMax, 1), "100", "", "The most Received lines that a message may have: one with more is in a loop (RFC 5321 6.3) and refused."},
	}}
}

func (c *Config) smtp() section {
	s := &c.SMTP
	keys := []key{
		{"smtp.listen", addresses(&s.Listen), ":25", "", "Where mail from other hosts is taken. `:25` is every address of this host. Empty is nowhere."},
		{"smtp.command-timeout", duration(&s.CommandTimeout, time.Second), "5m", "", "How long to wait for a command (RFC 5321 4.5.3.2.7 says 5 minutes)."},
		{"smtp.body-timeout", duration(&s.BodyTimeout, time.Second), "3m", "", "How long to wait for the next piece of a message (RFC 5321 4.5.3.2.5 says 3 minutes)."},
		{"smtp.greet-delay", duration(&s.GreetDelay, 0), "0s", "", "How long to wait before the greeting. A client that talks before it is greeted is refused; most that do are sending spam."},
		{"smtp.errors-max", count(&s.ErrorsMax, 1), "20", "", "The errors that a connection may make before it is closed."},
		{"smtp.commands-max", count(&s.CommandsMax, 0), "10000", "", "The commands that a connection may give before it is closed; 0 is no limit."},
	}
	return section{"SMTP", "The door for mail from other hosts. Its timeouts and counts hold for submission and LMTP as well.",
		append(keys, limits("smtp", &s.Limits, "5000", "50")...)}
}

// limits are the keys that each protocol has for its connections.
func limits(group string, l *Limits, total, perAddress string) []key {
	return []key{
		{group + ".connections-max", count(&l.ConnectionsMax, 1), total, "", "The most connections at a time."},
		{group + ".connections-per-address-max", count(&l.ConnectionsPerAddressMax, 1), perAddress, "", "The most connections at a time from one address (IPv6: from one /64)."},
	}
}

func (c *Config) submission() section {
	s := &c.Submission
	keys := []key{
		{"submission.listen", addresses(&s.Listen), ":587", "", "Where our users hand in mail (RFC 6409), with STARTTLS. Empty is nowhere."},
		{"submissions.listen", addresses(&s.ListenTLS), "", "`:465` when `tls.cert` is set", "The same with TLS from the start (RFC 8314)."},
	}
	return section{"Submission", "The door for mail from our own users. It takes nothing before a client has authenticated, and from each account only its own addresses. Its limits hold for both of its ports.",
		append(keys, limits("submission", &s.Limits, "5000", "100")...)}
}

func (c *Config) lmtp() section {
	keys := []key{
		{"lmtp.listen", addresses(&c.LMTP.Listen), "", "", "Where mail is taken by LMTP (RFC 2033), with one answer for each recipient. LMTP asks nobody for a password: listen on loopback or on a unix socket only."},
	}
	return section{"LMTP", "The door for mail that a neighbour hands over.",
		append(keys, limits("lmtp", &c.LMTP.Limits, "1000", "1000")...)}
}

func (c *Config) pop3() section {
	p := &c.POP3
	keys := []key{
		{"pop3.listen", addresses(&p.Listen), ":110", "", "Where mailboxes are read by POP3 (RFC 1939), with STLS. Empty is nowhere."},
		{"pop3s.listen", addresses(&p.ListenTLS), "", "`:995` when `tls.cert` is set", "The same with TLS from the start (RFC 8314)."},
		{"pop3.idle-timeout", duration(&p.IdleTimeout, 10*time.Minute), "10m", "", "How long to wait for a command once a user is logged in; RFC 1939 3 allows no less than 10 minutes."},
		{"pop3.auth-timeout", duration(&p.AuthTimeout, time.Second), "1m", "", "How long to wait for a command while nobody is logged in."},
		{"pop3.login-delay", duration(&p.LoginDelay, 0), "0s", "", "How long a user has to wait between two logins. Announced as LOGIN-DELAY (RFC 2449) unless it is 0."},
		{"pop3.expire", days(&p.ExpireDays), "never", "", "What is announced as EXPIRE (RFC 2449): after how many days the site removes messages. Barid itself removes none."},
		{"pop3.mark-seen", boolean(&p.MarkSeen), "no", "", "Whether a message that was retrieved counts as seen."},
	}
	return section{"POP3", "The door to the mailboxes. Its limits hold for both of its ports.",
		append(keys, limits("pop3", &p.Limits, "5000", "100")...)}
}

func (c *Config) imap() section {
	i := &c.IMAP
	keys := []key{
		{"imap.listen", addresses(&i.Listen), ":143", "", "Where mailboxes are read and kept by IMAP (RFC 9051, RFC 3501), with STARTTLS. Empty is nowhere."},
		{"imaps.listen", addresses(&i.ListenTLS), "", "`:993` when `tls.cert` is set", "The same with TLS from the start (RFC 8314)."},
		{"imap.idle-timeout", duration(&i.IdleTimeout, 30*time.Minute), "30m", "", "How long to wait for a command once a user is logged in; RFC 9051 5.4 allows no less than 30 minutes."},
		{"imap.auth-timeout", duration(&i.AuthTimeout, time.Second), "1m", "", "How long a client has for logging in, all in all."},
		{"imap.separator", choice(&i.Separator, "/", "."), "/", "", "What stands between the levels of mailbox names that clients see: `lists/go`. On disk it is a dot in any case."},
	}
	return section{"IMAP", "The door to the mailboxes for those who leave their mail on the server. Its limits hold for both of its ports.",
		append(keys, limits("imap", &i.Limits, "5000", "100")...)}
}

func (c *Config) tls() section {
	return section{"TLS", "Certificates are read again when their files change.", []key{
		{"tls.cert", file{&c.cert, besideFile}, "", "", "The certificate in PEM form, followed by its chain. Clients that ask for a name which no certificate has get this one. Without it there is no TLS."},
		{"tls.key", file{&c.key, besideFile}, "", "the value of `tls.cert`", "Its private key in PEM form."},
		{"tls.certs", pairs{&c.certs}, "", "", "Further certificates with their keys, for other names of this host: `mx.pem:mx.key, pop.pem:pop.key`."},
		{"tls.min-version", choice(&c.TLS.MinVersion, "1.2", "1.3"), "1.2", "", "The lowest version of TLS that is spoken."},
	}}
}

func (c *Config) auth() section {
	a := &c.Auth
	return section{"Accounts", "", []key{
		{"auth.file", needed{file{&a.File, besideFile}}, "users", "", "The accounts, in the form of a passwd-file: `alice@example.test:{ARGON2ID}$argon2id$...`. `barid user` writes it."},
		{"auth.cleartext", choice(&a.Cleartext, "never", "loopback", "always"), "never", "", "Where passwords may be sent without TLS: `loopback` is from this host itself."},
		{"auth.default-domain", domain(&a.DefaultDomain, "domain"), "", "the first of `domains`", "The domain of users who log in without naming one."},
		{"auth.cache-time", duration(&a.CacheTime, 0), "5m", "", "How long a password that was right is remembered, as a keyed hash in memory, so that it need not be hashed in full again; 0 is not at all."},
		{"auth.delay-max", duration(&a.DelayMax, 0), "10s", "", "How long the answer to a failed login is held back at most. The delay grows with the failures of an address."},
		{"auth.failures-max", count(&a.FailuresMax, 0), "10", "", "After how many failed logins an address (IPv6: its /64) is locked out; 0 is never."},
		{"auth.forget-interval", duration(&a.ForgetInterval, time.Second), "1m", "", "One failed login is forgotten in each interval."},
		{"auth.lockout-time", duration(&a.LockoutTime, time.Second), "15m", "", "How long an address stays locked out."},
		{"auth.lockout-exempt", networks(&a.LockoutExempt), "127.0.0.0/8, ::1", "", "Addresses that are never locked out: many users come from there, as from a webmail."},
	}}
}

func (c *Config) trusted() section {
	t := &c.Trusted
	return section{"Trusted neighbours", "Whose word is taken about where a client really is. Empty is nobody's.", []key{
		{"proxy.trusted", networks(&t.Proxy), "", "", "Load balancers, which begin each connection with a PROXY header, version 1 or 2. From these addresses it is demanded, from others refused."},
		{"xclient.trusted", networks(&t.XClient), "", "", "Clients that may use XCLIENT, to speak as another client."},
		{"xforward.trusted", networks(&t.XForward), "", "", "Clients that may use XFORWARD, to have another client in the log."},
	}}
}

func (c *Config) maps() section {
	m := &c.Map
	return section{"Addresses", "`docs/routing.md` tells how an address finds its way. The maps are read again when their files change.", []key{
		{"alias.map", file{&m.Alias, besideFile}, "", "", "Aliases for names in all of our domains, in the form of aliases(5)."},
		{"virtual.map", file{&m.Virtual, besideFile}, "", "", "Aliases for full addresses, and catch-alls for domains, in the form of virtual(5)."},
		{"transport.map", file{&m.Transport, besideFile}, "", "", "Ways for single domains and addresses, in the form of transport(5): `example.org  smtp:[mx.example.org]:2525`, `lmtp:unix:/run/dovecot/lmtp`, `error:5.1.2 we do not write there`, `discard:`, `local:`."},
		{"subaddress.separator", separators(&m.Separators), "+", "", "The characters that divide a name from a tag: with `+`, mail to alice+tag goes to alice. Empty means that there are no tags."},
	}}
}

// separators are a few characters of a local part.
func separators(to *string) value {
	return typed[string]{to, "characters", func(s string) (string, error) {
		if i := strings.IndexFunc(s, notSeparator); i >= 0 {
			return "", &badSeparator{s[i:]}
		}
		return s, nil
	}, same}
}

type badSeparator struct{ text string }

func (e *badSeparator) Error() string {
	return "\"" + e.text[:1] + "\" cannot divide a name from a tag: use some of + - _ = # ~ ! $ % & * ^ | / . without spaces"
}

func notSeparator(r rune) bool { return !strings.ContainsRune("+-_=#~!$%&*^|/.", r) }

func (c *Config) mailbox() section {
	m := &c.Mailbox
	return section{"Mailboxes", "", []key{
		{"mailbox.dir", pattern{file{&m.Dir, inDataDir}}, "mail/%d/%n", "", "The Maildir of an account that has none of its own in `auth.file`: `%u` is the account's name, `%n` the part of it before the @, `%d` the part after it. Relative to `data.dir`."},
		{"quota.default", size(&m.QuotaDefault, 0), "0", "", "How much a mailbox holds, unless `auth.file` says otherwise; 0 is no limit."},
		{"quota.over", choice(&m.QuotaOver, "defer", "reject"), "defer", "", "What a sender hears when a mailbox is full: `defer` (452 4.2.2) lets it try again, `reject` (552 5.2.2) does not."},
	}}
}

func (c *Config) spool() section {
	s, q := &c.Spool, &c.Queue
	return section{"Spool and queue", "The spool keeps what is accepted until it is delivered; the queue says when delivery is tried.", []key{
		{"spool.dir", needed{file{&s.Dir, inDataDir}}, "spool", "", "Where it is. Relative to `data.dir`. On one file system with the mailboxes, large messages are linked into them and not copied."},
		{"spool.segment-size", size(&s.SegmentSize, mega), "16M", "", "The size of a segment of the spool's log."},
		{"spool.spill-size", size(&s.SpillSize, 4*kilo), "128K", "", "A message larger than this gets a file of its own."},
		{"spool.reserve", size(&s.Reserve, 0), "32M", "", "Disk space that no message may use up, kept for the queue's own bookkeeping; a message for which there is no room is put off with 452."},
		{"queue.lifetime", duration(&q.Lifetime, time.Minute), "5d", "", "After how long a message that cannot be delivered is given up (RFC 5321 4.5.4.1 says 4 to 5 days)."},
		{"queue.retry", durations(&q.Retry), "1m, 5m, 15m, 30m, 1h, 2h, 4h", "", "The waits between attempts; the last one repeats."},
		{"queue.workers", count(&q.Workers, 0), "0", "", "Deliveries into mailboxes at a time; 0 is as many as fit the machine."},
	}}
}

func (c *Config) sockets() section {
	s := &c.Socket
	return section{"Sockets", "Unix sockets for the programs of this host.", []key{
		{"control.socket", needed{file{&s.Control, inDataDir}}, "run/control", "", "Where `barid queue` reaches the running server. Relative to `data.dir`."},
		{"sendmail.socket", file{&s.Sendmail, inDataDir}, "run/sendmail", "", "Where `barid sendmail` hands in mail. Relative to `data.dir`; empty is nowhere."},
	}}
}

func (c *Config) log() section {
	l := &c.Log
	return section{"Log", "", []key{
		{"log.level", level(&l.Level), "info", "", "The least level that is logged."},
		{"log.format", choice(&l.Format, "text", "json"), "text", "", "The form of a line: `key=value`, or JSON."},
		{"log.file", file{&l.File, inDataDir}, "", "", "Where to log; empty is standard error. Relative to `data.dir`. Opened again at SIGHUP."},
	}}
}

func level(to *slog.Level) value {
	word := ""
	words := choice(&word, "debug", "info", "warn", "error")
	return typed[slog.Level]{to, words.kind(), func(s string) (slog.Level, error) {
		if err := words.parse(s); err != nil {
			return 0, err
		}
		var l slog.Level
		err := l.UnmarshalText([]byte(word))
		return l, err
	}, func(l slog.Level) string { return strings.ToLower(l.String()) }}
}
