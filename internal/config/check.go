package config

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
)

// Problem is something wrong between keys that are each right alone.
type Problem struct {
	Key     string
	Where   string // "file:line", "-o", or "" for a default
	Text    string
	Warning bool // barid can start all the same
}

// String gives where: key: text.
func (p Problem) String() string {
	s := p.Key + ": " + p.Text
	if p.Where != "" {
		s = p.Where + ": " + s
	}
	return s
}

// checker gathers problems.
type checker struct {
	c        *Config
	problems []Problem
}

func (k *checker) wrong(key, format string, args ...any) { k.add(key, false, format, args) }
func (k *checker) warn(key, format string, args ...any)  { k.add(key, true, format, args) }

func (k *checker) add(key string, warning bool, format string, args []any) {
	where := ""
	if s, set := k.c.set[key]; set {
		where = s.String()
	}
	k.problems = append(k.problems, Problem{key, where, fmt.Sprintf(format, args...), warning})
}

// Check looks for what is wrong between keys. It opens no files.
func (c *Config) Check() []Problem {
	k := &checker{c: c}
	k.names()
	k.listeners()
	k.tls()
	k.cleartext()
	k.openDoors()
	k.relaying()
	k.sizes()
	return k.problems
}

func (k *checker) names() {
	switch name := k.c.Hostname; {
	case checkName(name) != nil:
		k.wrong("hostname", "the system's name %q is no host name: set hostname", name)
	case !strings.Contains(name, "."):
		k.warn("hostname", "%q is not fully qualified: other servers may refuse mail from it", name)
	}
	seen := map[string]bool{}
	for _, d := range k.c.Domains {
		if seen[d] {
			k.warn("domains", "%s is there twice", d)
		}
		seen[d] = true
	}
}

// endpoint is one address to listen on.
type endpoint struct {
	key     string
	address Address
}

func (c *Config) endpoints() (all []endpoint) {
	add := func(key string, addresses ...Address) {
		for _, a := range addresses {
			all = append(all, endpoint{key, a})
		}
	}
	add("smtp.listen", c.SMTP.Listen...)
	add("submission.listen", c.Submission.Listen...)
	add("submissions.listen", c.Submission.ListenTLS...)
	add("lmtp.listen", c.LMTP.Listen...)
	add("pop3.listen", c.POP3.Listen...)
	add("pop3s.listen", c.POP3.ListenTLS...)
	add("imap.listen", c.IMAP.Listen...)
	add("imaps.listen", c.IMAP.ListenTLS...)
	add("metrics.listen", c.Metrics.Listen...)
	add("control.socket", Address{"unix", c.Socket.Control})
	if c.Socket.Sendmail != "" {
		add("sendmail.socket", Address{"unix", c.Socket.Sendmail})
	}
	return all
}

func (k *checker) listeners() {
	all := k.c.endpoints()
	for i, e := range all {
		for _, before := range all[:i] {
			if collide(before.address, e.address) {
				k.wrong(e.key, "%s is taken by %s (%s)", e.address, before.key, before.address)
			}
		}
		if e.address.Network == "unix" && len(e.address.Address) > unixPathMax {
			k.wrong(e.key, "%s is longer than the %d bytes that a unix socket's path may have", e.address, unixPathMax)
		}
	}
}

// unixPathMax is the room in sockaddr_un, less the NUL at its end (unix(7)).
const unixPathMax = 107

// collide reports whether two addresses cannot be bound both.
func collide(a, b Address) bool {
	if a.Network == "unix" || b.Network == "unix" {
		return a.Network == b.Network && filepath.Clean(a.Address) == filepath.Clean(b.Address)
	}
	hostA, portA, _ := net.SplitHostPort(a.Address)
	hostB, portB, _ := net.SplitHostPort(b.Address)
	if portA != portB || portA == "0" {
		return false
	}
	if hostA == hostB || hostA == "" || hostB == "" {
		return true
	}
	wildcard := hostA == "0.0.0.0" || hostB == "0.0.0.0" || hostA == "::" || hostB == "::"
	return wildcard && a.Network == b.Network
}

func (k *checker) tls() {
	c := k.c
	if c.key != "" && c.cert == "" {
		k.wrong("tls.key", "is of no use without tls.cert")
	}
	if len(c.TLS.Certificates) > 0 {
		return
	}
	if len(c.Submission.ListenTLS) > 0 {
		k.wrong("submissions.listen", "needs a certificate: set tls.cert and tls.key")
	}
	if len(c.POP3.ListenTLS) > 0 {
		k.wrong("pop3s.listen", "needs a certificate: set tls.cert and tls.key")
	}
	if len(c.IMAP.ListenTLS) > 0 {
		k.wrong("imaps.listen", "needs a certificate: set tls.cert and tls.key")
	}
}

// cleartext looks for doors at which nobody could log in, and for those at
// which passwords could be overheard.
func (k *checker) cleartext() {
	c := k.c
	if c.Auth.Cleartext == "always" {
		k.warn("auth.cleartext", "passwords can be read by everyone on the way: set tls.cert, and loopback or never here")
	}
	if c.Auth.Cleartext != "never" || len(c.TLS.Certificates) > 0 {
		return
	}
	for _, d := range []struct {
		key    string
		listen []Address
	}{{"submission.listen", c.Submission.Listen}, {"pop3.listen", c.POP3.Listen}, {"imap.listen", c.IMAP.Listen}} {
		if len(d.listen) > 0 {
			k.warn(d.key, "nobody can log in without TLS while auth.cleartext is never: set tls.cert and tls.key")
		}
	}
}

// openDoors looks for LMTP that strangers could reach.
func (k *checker) openDoors() {
	for _, a := range k.c.LMTP.Listen {
		if reachable(a) {
			k.warn("lmtp.listen", "%s may be reached by strangers, and LMTP asks nobody for a password", a)
		}
	}
	for _, a := range k.c.Metrics.Listen {
		if reachable(a) {
			k.warn("metrics.listen", "%s may be reached by strangers, and nobody is asked for a password", a)
		}
	}
}

// reachable reports whether strangers may reach an address.
func reachable(a Address) bool {
	host, _, _ := net.SplitHostPort(a.Address)
	ip := net.ParseIP(host)
	return a.Network != "unix" && host != "localhost" && (ip == nil || !ip.IsLoopback() && !ip.IsPrivate())
}

// relaying looks for ways to become everybody's relay, and for maps that
// nothing asks.
func (k *checker) relaying() {
	r := &k.c.Relay
	for _, n := range r.Allow {
		switch {
		case n.Bits() == 0:
			k.wrong("relay.allow", "%s is the whole internet: spammers would send through this host within hours", n)
		case n.Bits() < 8:
			k.warn("relay.allow", "%s is so much of the internet that spammers will send through this host", n)
		}
	}
	if r.RecipientMap != "" && len(r.Domains) == 0 && k.c.Map.Transport == "" {
		k.warn("relay.recipients", "is of no use without relay.domains or transport.map")
	}
	for _, d := range r.Domains {
		if slices.Contains(k.c.Domains, d) {
			k.wrong("relay.domains", "%s is one of domains as well: its mail is either delivered here or handed on", d)
		}
	}
	if r.Passwords != "" && r.TLS == "never" {
		k.warn("relay.passwords", "passwords can be read by everyone on the way while relay.tls is never")
	}
	if r.DestinationConnectionsMax > r.ConnectionsMax {
		k.warn("relay.destination-connections-max", "%d is more than relay.connections-max, %d", r.DestinationConnectionsMax, r.ConnectionsMax)
	}
	if w := k.c.Queue.WarnAfter; w >= k.c.Queue.Lifetime {
		k.warn("queue.warn-after", "%s is beyond queue.lifetime, %s: nobody is warned", formatDuration(w), formatDuration(k.c.Queue.Lifetime))
	}
}

func (k *checker) sizes() {
	c := k.c
	if c.Spool.SpillSize > c.Spool.SegmentSize/8 {
		k.wrong("spool.spill-size", "%s is more than an eighth of spool.segment-size, %s", formatSize(c.Spool.SpillSize), formatSize(c.Spool.SegmentSize))
	}
	if len(c.Queue.Retry) == 0 {
		k.wrong("queue.retry", "there must be at least one wait")
	}
	for _, d := range c.Queue.Retry {
		if d <= 0 {
			k.wrong("queue.retry", "a wait of 0 would never let the server rest")
		} else if d >= c.Queue.Lifetime {
			k.warn("queue.retry", "%s is beyond queue.lifetime, %s", formatDuration(d), formatDuration(c.Queue.Lifetime))
		}
	}
	if max, quota := c.Message.SizeMax, c.Mailbox.QuotaDefault; quota > 0 && (max == 0 || max > quota) {
		k.warn("quota.default", "%s is less than message.size-max: some messages that are taken fit no mailbox", formatSize(quota))
	}
}
