package main

import (
	"encoding/json"
	"strings"
	"testing"

	"barid/dnsres/dnstest"
)

const traceZone = `
	example.org 300 SOA ns.example.org hostmaster.example.org 1 2 3 4 60
	example.org 300 MX 10 mx1.example.org
	example.org 300 MX 20 mx2.example.org
	mx1.example.org 300 A 192.0.2.1
	mx1.example.org 300 AAAA 2001:db8::1
	plain.example.org 300 A 192.0.2.3
	null.example.org 300 MX 0 .
	smart.example.org 300 A 192.0.2.4
`

// traceScene has maps of all kinds, and a DNS.
func traceScene(t *testing.T) *scene {
	t.Helper()
	server := dnstest.Start(t, dnstest.Zone(traceZone))
	s := newScene(t, "alias.map = aliases", "transport.map = transport", "relay.domains = relayed.example", "relay.recipients = recipients",
		"relay.allow = 192.0.2.0/24", "relay.sender-map = senders", "dns.servers = "+server.Addr.String())
	writeFile(t, s.dir+"/aliases", "# aliases\nsales: alice, away\naway: friend@example.org\n")
	writeFile(t, s.dir+"/transport", "lmtp.example lmtp:unix:/run/lmtp\ngone.example error:5.1.10 it has gone\nlater.example retry:\n")
	writeFile(t, s.dir+"/recipients", "known@relayed.example\n")
	writeFile(t, s.dir+"/senders", "@example.test [smart.example.org]:587\n")
	return s
}

func (s *scene) trace(args ...string) result {
	return barid("", append([]string{"trace", "-c", s.conf}, args...)...)
}

func TestTraceTellsTheWayAndTheHosts(t *testing.T) {
	s := traceScene(t)
	r := s.trace("sales@example.test").want(t, exitOK)
	want := `sales@example.test
  domain           example.test -> ours                              domains
  alias map        sales -> alice, away                              DIR/aliases:2
    account        alice@example.test -> alice@example.test          
    alias map      away -> friend@example.org                        DIR/aliases:3
      next hop     friend@example.org -> smtp:example.org            
  accepted: 250 2.1.5 recipient ok
  => local:alice@example.test for alice@example.test
  => smtp:example.org for friend@example.org
       MX 10 mx1.example.org: 192.0.2.1, 2001:db8::1
       MX 20 mx2.example.org: mx2.example.org A: no such name (SERVER)
`
	if got := columns(strings.ReplaceAll(r.out, s.dir, "DIR")); got != columns(want) && !strings.Contains(got, "mx1.example.org: 2001:db8::1, 192.0.2.1") {
		t.Errorf("%s\nwant\n%s", got, columns(want))
	}
	s.trace("x@plain.example.org").want(t, exitOK, "=> smtp:plain.example.org for x@plain.example.org", "\n       plain.example.org: 192.0.2.3\n")
	s.trace("x@null.example.org").want(t, exitOK, "null MX")
	s.trace("x@[192.0.2.9]").want(t, exitOK, "=> smtp:[192.0.2.9] for x@[192.0.2.9]\n")
	s.trace("-from", "<alice@example.test>", "x@example.org").want(t, exitOK, "sender map", s.dir+"/senders:1",
		"=> smtp:[smart.example.org]:587 for x@example.org", "smart.example.org: 192.0.2.4")
	s.trace("x@lmtp.example").want(t, exitOK, "transport map", s.dir+"/transport:1", "=> lmtp:unix:/run/lmtp for x@lmtp.example\n")
}

// columns makes the width of columns not count, nor who answered.
func columns(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		before, _, _ := strings.Cut(strings.Join(strings.Fields(line), " "), " A: no such name")
		lines = append(lines, before)
	}
	return strings.Join(lines, "\n")
}

func TestTraceSaysWhatAClientMay(t *testing.T) {
	s := traceScene(t)
	s.trace("-n", "-client", "198.51.100.1", "x@example.org").want(t, exitFailure, "not ours, and the sender may not relay", "refused: 550 5.7.1 relay access denied")
	r := s.trace("-n", "-client", "192.0.2.77", "x@example.org").want(t, exitOK, "accepted: 250", "=> smtp:example.org for x@example.org\n")
	if strings.Contains(r.out, "mx1") {
		t.Errorf("the DNS was asked:\n%s", r.out)
	}
	s.trace("-n", "-client", "198.51.100.1", "known@relayed.example").want(t, exitOK, "relay.domains", s.dir+"/recipients:1")
	s.trace("-n", "gone@relayed.example").want(t, exitFailure, "550 5.1.1")
	s.trace("-n", "x@gone.example").want(t, exitFailure, "refused: 550 5.1.10 it has gone", s.dir+"/transport:2")
	s.trace("-n", "x@later.example").want(t, exitTempFail, "deferred: 450 4.4.0")
	s.trace("-n", "alice@example.test", "nobody@example.test").want(t, exitFailure, "accepted", "refused: 550 5.1.1")
	s.trace("-client", "nowhere", "x@example.org").want(t, exitUsage, "write an address")
	s.trace().want(t, exitUsage, "which address?")
	s.trace("-o", "transport.map=missing", "x@example.org").want(t, exitFailure, "missing")
}

func TestTraceInJSON(t *testing.T) {
	s := traceScene(t)
	r := s.trace("-json", "sales@example.test", "nobody@example.test").want(t, exitFailure)
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	if len(lines) != 2 {
		t.Fatal(r.out)
	}
	var sales, nobody traced
	if err := json.Unmarshal([]byte(lines[0]), &sales); err != nil || sales.Verdict != "accepted" || len(sales.Steps) != 5 || len(sales.Targets) != 2 ||
		sales.Targets[0].Account != "alice@example.test" || len(sales.Targets[1].Hosts) != 2 || *sales.Targets[1].Hosts[1].Preference != 20 || !sales.MayRelay {
		t.Errorf("%s: %v", lines[0], err)
	}
	if err := json.Unmarshal([]byte(lines[1]), &nobody); err != nil || nobody.Verdict != "refused" || nobody.Targets == nil || nobody.Status != "5.1.1" {
		t.Errorf("%s: %v", lines[1], err)
	}
}

func TestCheckKnowsTheMapsOfMailForOthers(t *testing.T) {
	s := traceScene(t)
	barid("", "check", "-c", s.conf).want(t, exitOK, "ok\n")
	writeFile(t, s.dir+"/transport", "x.example smtp:[mx.example.test]\ny.example smpt:\n")
	barid("", "check", "-c", s.conf).want(t, exitFailure,
		"error: "+s.dir+"/transport:2: smpt:: ", "warning: "+s.dir+"/transport:1: x.example: smtp:[mx.example.test] is this host")
	other := &identity{name: "somebody", uid: 1, gid: 1}
	var unreadable []string
	for _, f := range checkReadable(s.config(t), s.conf, other) {
		unreadable = append(unreadable, f.text)
	}
	for _, name := range []string{"/transport", "/senders", "/recipients"} {
		if want := s.dir + name + ": user somebody may not read it"; !strings.Contains(strings.Join(unreadable, "\n"), want) {
			t.Errorf("%q are not told %q", unreadable, want)
		}
	}
}

func TestSecretIsMadeOnceAndSignsForwardedMail(t *testing.T) {
	s := newScene(t)
	s.start(t)
	s.stop(t)
	secret := readFile(t, s.dir+"/data/srs.secret")
	if len(strings.TrimSpace(secret)) < 20 {
		t.Errorf("the secret is %q", secret)
	}
	s.start(t)
	s.stop(t)
	if again := readFile(t, s.dir+"/data/srs.secret"); again != secret {
		t.Error("the secret has changed")
	}
	scheme := srsScheme(s.config(t), nil)
	if scheme == nil || scheme.Domain != "example.test" || len(scheme.Secrets) != 1 || string(scheme.Secrets[0]) != strings.TrimSpace(secret) {
		t.Errorf("%+v", scheme)
	}
	writeFile(t, s.dir+"/data/srs.secret", "\n \n")
	if srsScheme(s.config(t), nil) != nil {
		t.Error("an empty secret signs")
	}
}
