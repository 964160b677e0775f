package config

import (
	"bytes"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestKeysForRelayingAreRead(t *testing.T) {
	c := good(t, `
dns.servers = 192.0.2.1, 192.0.2.2:5353 [2001:db8::1]:53 2001:db8::2
dns.trust-ad = yes
transport.map = transport
relay.allow = 192.0.2.0/24
relay.domains = Example.ORG example.net .Within.example
relay.host = [Smtp.Example.NET]:587
relay.passwords = passwords
relay.destination-rate = 600/m
relay.bind = 192.0.2.7, 2001:db8::7
srs.secret = keys/srs
metrics.listen = 127.0.0.1:9125
`)
	for _, x := range []struct{ got, want any }{
		{c.DNS.Servers, []netip.AddrPort{
			netip.MustParseAddrPort("192.0.2.1:53"), netip.MustParseAddrPort("192.0.2.2:5353"),
			netip.MustParseAddrPort("[2001:db8::1]:53"), netip.MustParseAddrPort("[2001:db8::2]:53"),
		}},
		{c.DNS.TrustAD, true}, {c.DNS.CacheSize, int64(4 << 20)}, {c.DNS.StaleTime, 24 * time.Hour},
		{c.Map.Transport, "/etc/barid/transport"},
		{c.Relay.Allow.Contains(netip.MustParseAddr("192.0.2.9")), true},
		{c.Relay.Allow.Contains(netip.MustParseAddr("127.0.0.1")), false},
		{c.Relay.Domains, []string{"example.org", "example.net", ".within.example"}},
		{c.Relay.Host, "[smtp.example.net]:587"}, {c.Relay.Passwords, "/etc/barid/passwords"},
		{c.Relay.DestinationRate.Interval(), 100 * time.Millisecond},
		{c.Relay.Bind, []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7")}},
		{c.Relay.TLS, "opportunistic"}, {c.Relay.Port, 25},
		{c.Queue.WarnAfter, 4 * time.Hour}, {c.Bounce, Bounce{"headers", 50 << 10, ""}},
		{c.SRS, SRS{"mail.example.test", "/var/lib/barid/keys/srs"}},
		{c.Metrics.Listen, []Address{{"tcp4", "127.0.0.1:9125"}}},
	} {
		if !reflect.DeepEqual(x.got, x.want) {
			t.Errorf("got %v, want %v", x.got, x.want)
		}
	}
}

func TestNobodyMayRelayFromElsewhereByDefault(t *testing.T) {
	c := good(t, "")
	for _, ip := range []string{"10.0.0.1", "192.168.1.1", "192.0.2.1", "fe80::1", "2001:db8::1", "::ffff:8.8.8.8"} {
		if c.Relay.Allow.Contains(netip.MustParseAddr(ip)) {
			t.Errorf("%s may relay", ip)
		}
	}
	if len(c.Relay.Domains) > 0 || c.Relay.Host != "" || c.Metrics.Listen != nil {
		t.Errorf("%+v %+v", c.Relay, c.Metrics)
	}
}

func TestNextHopsAreHostsOrDomains(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		"Example.ORG":           "example.org",
		"example.org.:2525":     "example.org:2525",
		"[mx.example.org]":      "[mx.example.org]",
		"[192.0.2.1]:587":       "[192.0.2.1]:587",
		"[2001:DB8::1]":         "[2001:db8::1]",
		"[ipv6:2001:db8::1]:25": "[2001:db8::1]:25",
		"münchen.example":       "münchen.example",
	} {
		if got, err := parseNexthop(in); err != nil || got != want {
			t.Errorf("%q: %q %v", in, got, err)
		}
	}
	for in, want := range map[string]string{
		"192.0.2.1":          "did you mean [192.0.2.1]?",
		"192.0.2.1:25":       "did you mean [192.0.2.1]:25?",
		"2001:db8::1":        "did you mean [2001:db8::1]?",
		"[mx.example.org":    "not closed",
		"mx.example.org:0":   "port number",
		"mx.example.org:":    "port number",
		"[mx.example.org]25": "port number",
		"[]":                 "not the name",
		"[a b]":              "not the name",
		":25":                "not the name",
		"user@example.org":   "an address, not a domain",
		"[fe80::1%eth0]":     "not the name",
	} {
		if got, err := parseNexthop(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q %v", in, got, err)
		}
	}
}

func TestRatesAreCountsInATime(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"0": 0, "10/s": 100 * time.Millisecond, "600/m": 100 * time.Millisecond, "1/h": time.Hour, "24/d": time.Hour,
	} {
		r, err := parseRate(in)
		if err != nil || r.Interval() != want || r.String() != in {
			t.Errorf("%s: %v %v %v", in, r, r.Interval(), err)
		}
	}
	for _, in := range []string{"", "10", "10/", "/s", "-1/s", "0/s", "10/ms", "1.5/s", "10/s/s", "99999999999/s"} {
		if r, err := parseRate(in); err == nil {
			t.Errorf("%q is read as %v", in, r)
		}
	}
}

func TestSRSIsOffWhereItsDomainIsEmpty(t *testing.T) {
	c := good(t, "srs.domain =\n")
	if c.SRS.Domain != "" {
		t.Errorf("%q", c.SRS.Domain)
	}
	var out bytes.Buffer
	if err := c.Print(&out, All); err != nil {
		t.Fatal(err)
	}
	if again := good(t, out.String()); again.SRS.Domain != "" {
		t.Errorf("printed and read again it is %q", again.SRS.Domain)
	}
}

func TestCheckFindsOpenRelaysAndMapsThatNothingAsks(t *testing.T) {
	for text, want := range map[string]string{
		"relay.allow = 0.0.0.0/0\n":                  "relay.allow: 0.0.0.0/0 is the whole internet",
		"relay.allow = ::/0\n":                       "relay.allow: ::/0 is the whole internet",
		"relay.allow = 128.0.0.0/1\n":                "relay.allow: 128.0.0.0/1 is so much",
		"relay.recipients = x\n":                     "of no use without relay.domains",
		"domains = a.test\nrelay.domains = a.test\n": "either delivered here or handed on",
		"metrics.listen = :9125\n":                   "may be reached by strangers",
		"smtp.listen = :9\nmetrics.listen = :9\n":    "metrics.listen: :9 is taken by smtp.listen",
		"relay.tls = never\nrelay.passwords = x\n":   "passwords can be read",
		"relay.connections-max = 5\n":                "more than relay.connections-max",
		"queue.lifetime = 2h\nqueue.retry = 1h\n":    "nobody is warned",
	} {
		var all []string
		for _, p := range good(t, text).Check() {
			all = append(all, p.String())
		}
		if !strings.Contains(strings.Join(all, "\n"), want) {
			t.Errorf("%q: %q", text, all)
		}
	}
}
