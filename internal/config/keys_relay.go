package config

import "time"

func (c *Config) dns() section {
	d := &c.DNS
	return section{"Resolver", "How the DNS is asked; `docs/dns.md` tells more, and `barid dns` shows what the server sees.", []key{
		{"dns.servers", servers(&d.Servers), "", "those of `/etc/resolv.conf`", "The recursive name servers that are asked, in this order."},
		{"dns.timeout", duration(&d.Timeout, 0), "0s", "", "How long one server is waited for before the next one is asked; 0 is what `/etc/resolv.conf` says, or 5 seconds."},
		{"dns.cache", size(&d.CacheSize, 0), "4M", "", "Memory for answers; 0 is no cache."},
		{"dns.stale", duration(&d.StaleTime, 0), "1d", "", "How long an answer that has expired may still be used when all servers fail; 0 is not at all."},
		{"dns.trust-ad", boolean(&d.TrustAD), "no", "", "Whether the servers are believed that an answer is authenticated by DNSSEC: they verify it, and nobody is between them and this host. The option trust-ad in `/etc/resolv.conf` says the same for the servers there."},
	}}
}

func (c *Config) relay() section {
	r := &c.Relay
	return section{"Relaying", "Mail for other hosts: who may send it through this one, which way it goes, and how hard others are pressed. `docs/relay.md` tells how. The maps and lists are read again when their files change.",
		append([]key{
			{"relay.allow", networks(&r.Allow), "127.0.0.0/8, ::1", "", "Clients that may send mail to anywhere. Whoever has logged in may do so too; nobody else may."},
			{"relay.domains", relayDomains(&r.Domains), "", "", "Domains of others whose mail is taken from anybody and handed on: this host is a gateway or a backup MX for them. `.example.org` is all domains within example.org, and not itself."},
			{"relay.recipients", file{&r.RecipientMap, besideFile}, "", "", "The addresses that exist in `relay.domains`, one a line: others are refused at the door. Without it everything is taken, and what the next host refuses has to be reported to a sender who may be forged."},
			{"relay.host", nexthop(&r.Host), "", "", "The smarthost that gets all mail for others for which `transport.map` has no other way: `[smtp.example.net]:587`, or without brackets a domain whose MX is looked up. Empty is the MX of each domain."},
			{"relay.sender-map", file{&r.SenderMap, besideFile}, "", "", "Smarthosts by sender, which go before `relay.host`: `user@example.org  [smtp.example.org]:587`, or `@example.org` for a whole domain."},
			{"relay.passwords", file{&r.Passwords, besideFile}, "", "", "Accounts at smarthosts: `[smtp.example.net]:587  user:password`, or for one sender `user@example.org  [smtp.example.net]:587  user:password`. Nobody but the server's user and his group may be able to read it."},
			{"relay.policy", file{&r.Policy, besideFile}, "", "", "What holds for one destination: `example.org  tls=required concurrency=5 rate=10/s`; `docs/relay.md` lists what can be said."},
		}, c.relayPace()...),
	}
}

// relayPace are the keys about connections to other hosts.
func (c *Config) relayPace() []key {
	r := &c.Relay
	return []key{
		{"relay.tls", choice(&r.TLS, "opportunistic", "required", "never"), "opportunistic", "", "Whether mail goes out by TLS: `opportunistic` where the other host offers it, whoever it is; `required` with a certificate that proves its name, or not at all; `never`. `relay.policy` says otherwise for single destinations."},
		{"relay.tls-ca", file{&r.TLSRoots, besideFile}, "", "", "Certificates of the authorities that are believed, in PEM form; empty is those of the system."},
		{"relay.bind", addrs(&r.Bind), "", "", "The addresses of this host that connections are made from, in turn; empty is what the system chooses."},
		{"relay.port", count(&r.Port, 1), "25", "", "The port of the hosts that the DNS names."},
		{"relay.connections-max", count(&r.ConnectionsMax, 1), "100", "", "The most connections to other hosts at a time."},
		{"relay.destination-connections-max", count(&r.DestinationConnectionsMax, 1), "20", "", "The most connections to one destination at a time. It begins with few, and takes more as long as that goes well."},
		{"relay.destination-rate", rate(&r.DestinationRate), "0", "", "The most deliveries to one destination in a time; 0 is no limit."},
		{"relay.connect-timeout", duration(&r.ConnectTimeout, time.Second), "30s", "", "How long an address is given to answer before the next one is tried."},
		{"relay.idle-timeout", duration(&r.IdleTimeout, 0), "5s", "", "How long a connection is kept for the next message to the same destination; 0 is not at all."},
	}
}

func (c *Config) reports() section {
	b, s := &c.Bounce, &c.SRS
	return section{"Reports", "What senders hear about mail that is late or could not be delivered, and how mail that is forwarded finds its way back.", []key{
		{"queue.warn-after", duration(&c.Queue.WarnAfter, 0), "4h", "", "After how long the sender of a message that is still tried is told that it is late; 0 is never."},
		{"bounce.return", choice(&b.Return, "headers", "full"), "headers", "", "How much of a message a report on its failure returns when the sender did not say (RFC 3461 4.3)."},
		{"bounce.size-max", size(&b.SizeMax, 0), "50K", "", "A message that is larger is never returned in full; 0 is no limit."},
		{"bounce.postmaster", name(&b.Postmaster, "address"), "", "", "Who gets reports on failures that no sender can be told of, such as those of reports themselves: `postmaster`, or any address. Empty is nobody: the log has them."},
		{"srs.domain", domain(&s.Domain, "domain"), "", "the first of `domains`", "The domain of the senders of mail that is forwarded to other hosts, which would otherwise be refused there as forged (SRS). Set, and empty, it leaves senders as they are."},
		{"srs.secret", needed{file{&s.SecretFile, inDataDir}}, "srs.secret", "", "The file with the secrets that senders of forwarded mail are signed with, one a line: the first one signs, all are believed. Relative to `data.dir`. The server makes it when it is missing."},
	}}
}

func (c *Config) metrics() section {
	return section{"Metrics", "", []key{
		{"metrics.listen", addresses(&c.Metrics.Listen), "", "", "Where the metrics of `docs/metrics.md` are read by HTTP, at `/metrics`, and at `/healthz` whether the server is well: `127.0.0.1:9125`. Nobody is asked for a password: use loopback, or an address that only your own hosts reach. Empty is nowhere."},
	}}
}
