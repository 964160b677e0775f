package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"barid/dnsres/dnstest"
	"barid/dnsres/wire"
)

const dnsZone = `
	example.org 300 SOA ns.example.org hostmaster.example.org 1 2 3 4 60
	example.org 300 MX 10 mx.example.org
	example.org 300 TXT v=spf1 "quoted"
	mx.example.org 300 A 192.0.2.1
	mx.example.org 300 AAAA 2001:db8::1
	www.example.org 200 CNAME mx.example.org
	1.2.0.192.in-addr.arpa 300 PTR mx.example.org
`

// asked runs barid dns against a server that has dnsZone, says that all of it
// is authentic, and fails for names in broken.example.
func asked(t *testing.T, args ...string) result {
	t.Helper()
	known := dnstest.Zone(dnsZone)
	server := dnstest.Start(t, func(q *dnstest.Query) {
		if q.Name == "broken.example" {
			r := dnstest.ReplyTo(q)
			r.RCode, r.Options = wire.ServFail, dnstest.Extended(22, "")
			q.Send(r.Octets())
			return
		}
		known(q)
	})
	var out, err bytes.Buffer
	code := dns(terminal{in: strings.NewReader(""), out: &out, err: &err}, append([]string{"-server", server.Addr.String(), "-timeout", "30s"}, args...))
	return result{code, strings.ReplaceAll(out.String(), server.Addr.String(), "SERVER"), err.String()}
}

func TestDNSShowsWhatTheServerSees(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"MX", "Example.Org."}, exitOK, "example.org 300 MX 10 mx.example.org\n; not authenticated, from SERVER\n"},
		{[]string{"txt", "example.org"}, exitOK, "example.org 300 TXT \"v=spf1 \\\"quoted\\\"\"\n; not authenticated, from SERVER\n"},
		{[]string{"A", "www.example.org"}, exitOK, "mx.example.org 200 A 192.0.2.1\n; www.example.org is an alias for mx.example.org\n; not authenticated, from SERVER\n"},
		{[]string{"192.0.2.1"}, exitOK, "1.2.0.192.in-addr.arpa 300 PTR mx.example.org\n; not authenticated, from SERVER\n"},
		{[]string{"PTR", "192.0.2.1"}, exitOK, "1.2.0.192.in-addr.arpa 300 PTR mx.example.org\n; not authenticated, from SERVER\n"},
		{[]string{"A", "db.localhost"}, exitOK, "db.localhost 0 A 127.0.0.1\n; known here, from the hosts file or by the rules for such names\n"},
		{[]string{"MX", "nobody.example.org"}, exitFailure, "; nobody.example.org MX: no such name (SERVER)\n"},
		{[]string{"MX", "mx.example.org"}, exitFailure, "; mx.example.org MX: no record of this type (SERVER)\n"},
		{[]string{"MX", "broken.example"}, exitTempFail, "; broken.example MX: no answer: SERVFAIL, no reachable authority (SERVER)\n"},
		{[]string{"MX", "a..b"}, exitFailure, "; a..b MX: no such name: not a domain name\n"},
		{[]string{"mx.example.org"}, exitFailure, "; mx.example.org MX: no record of this type (SERVER)\nmx.example.org 300 A 192.0.2.1\n; not authenticated, from SERVER\nmx.example.org 300 AAAA 2001:db8::1\n; not authenticated, from SERVER\n"},
	} {
		if r := asked(t, c.args...); r.code != c.code || r.out != c.want || r.err != "" {
			t.Errorf("%v: exit code %d, standard error %q, standard output:\n%swant exit code %d:\n%s", c.args, r.code, r.err, r.out, c.code, c.want)
		}
	}
}

func TestDNSAsksWhomTheConfigurationNames(t *testing.T) {
	server := dnstest.Start(t, dnstest.Zone(dnsZone))
	conf := tempDir(t) + "/barid.conf"
	writeFile(t, conf, "dns.servers = "+server.Addr.String()+"\ndns.trust-ad = yes\n")
	barid("", "dns", "-c", conf, "MX", "example.org").want(t, exitOK, "example.org 300 MX 10 mx.example.org", server.Addr.String())
	barid("", "dns", "-o", "dns.servers=nowhere", "MX", "example.org").want(t, exitFailure, "dns.servers", "not an address")
}

func TestDNSInJSON(t *testing.T) {
	r := asked(t, "-json", "MX", "example.org", "nobody.example.org")
	r.want(t, exitFailure)
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	if len(lines) != 2 {
		t.Fatal(r.out)
	}
	var found, missing dnsResult
	if err := json.Unmarshal([]byte(lines[0]), &found); err != nil || len(found.Records) != 1 || found.TTL != 300 || found.Server != "SERVER" {
		t.Errorf("%s: %v", lines[0], err)
	}
	if err := json.Unmarshal([]byte(lines[1]), &missing); err != nil || missing.Records == nil || missing.Error == "" || missing.Temporary {
		t.Errorf("%s: %v", lines[1], err)
	}
}

func TestDNSUsedWronglySaysHow(t *testing.T) {
	asked(t).want(t, exitUsage, "which name?")
	asked(t, "AAA", "example.org").want(t, exitUsage, `did you mean "AAAA"`)
	asked(t, "-server", "nobody", "MX", "example.org").want(t, exitUsage, "-server nobody")
	asked(t, "-h").want(t, exitOK, "usage: barid dns")
}
