package dnsres

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"barid/dnsres/dnstest"
	"barid/internal/watch"
)

// TestResolvConfReadsAsTheLibraryReadsIt parses each
// testdata/resolvconf/NN-name.conf and compares with NN-name.want; what came
// instead is written to NN-name.got.
func TestResolvConfReadsAsTheLibraryReadsIt(t *testing.T) {
	names, err := filepath.Glob("testdata/resolvconf/*.conf")
	if err != nil || len(names) == 0 {
		t.Fatal("no vectors", err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		s := parseResolvConf(text)
		got := fmt.Sprintf("servers %v\nsearch %q\ntimeout %v\nattempts %d\nndots %d\nrotate %v, use-vc %v, trust-ad %v\n", s.addrs, s.search, s.timeout, s.attempts, s.ndots, s.rotate, s.useTCP, s.trustAD)
		base := strings.TrimSuffix(name, ".conf")
		want, err := os.ReadFile(base + ".want")
		if err == nil && got == string(want) {
			continue
		}
		t.Errorf("%s reads as\n%swant\n%s", name, got, want)
		if err := os.WriteFile(base+".got", []byte(got), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// noServers makes a resolver that has its servers from resolv.conf.
func noServers(o *Options) { o.Servers = nil }

func TestResolvConfIsReread(t *testing.T) {
	s := play(t, nil, noServers)
	servers := func() (all []string) {
		for _, s := range s.Servers() {
			all = append(all, s.Addr.String())
		}
		return all
	}
	want := func(want ...string) {
		t.Helper()
		if got := servers(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%v, want %v", got, want)
		}
	}
	want("127.0.0.1:53") // there is no file
	s.write("resolv.conf", "nameserver 192.0.2.1\nnameserver 192.0.2.2\n")
	want("127.0.0.1:53") // not looked at yet
	s.clock.pass(watch.Interval)
	want("192.0.2.1:53", "192.0.2.2:53")
	s.servers.current.Load().servers[1].replied(time.Second)
	s.write("resolv.conf", "nameserver 192.0.2.2\nnameserver 2001:db8::1\n")
	s.clock.pass(watch.Interval)
	want("192.0.2.2:53", "[2001:db8::1]:53")
	if s.Servers()[0].RTT != time.Second {
		t.Error("what was known of a server that stays is forgotten")
	}
	s.write("resolv.conf", "nameserver 192.0.2.2\noptions trust-ad\n")
	s.clock.pass(watch.Interval)
	if got := s.Servers(); len(got) != 1 || !got[0].Trusted {
		t.Errorf("%+v", got)
	}
	if err := os.Remove(filepath.Join(s.dir, "resolv.conf")); err != nil {
		t.Fatal(err)
	}
	s.clock.pass(watch.Interval)
	want("127.0.0.1:53")
	// What cannot be read changes nothing.
	s.write("resolv.conf", "nameserver 192.0.2.9\n")
	s.clock.pass(watch.Interval)
	want("192.0.2.9:53")
	os.Remove(filepath.Join(s.dir, "resolv.conf"))
	if err := os.Mkdir(filepath.Join(s.dir, "resolv.conf"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.clock.pass(watch.Interval)
	want("192.0.2.9:53")
}

func TestTrustIsOfTheServersItIsSaidOf(t *testing.T) {
	s := play(t, nil)
	s.write("resolv.conf", "nameserver 192.0.2.1\noptions trust-ad\n")
	if s.Servers()[0].Trusted {
		t.Error("trust-ad of resolv.conf holds for servers that are not from there")
	}
}

func TestHostCompletesWhatTheOperatorWrote(t *testing.T) {
	for _, c := range []struct{ options, name, asked string }{
		{"", "relay", "relay.a.example relay.b.example relay"},
		{"", "relay.", "relay"},
		{"", "relay.corp", "relay.corp relay.corp.a.example relay.corp.b.example"},
		{"options ndots:2", "relay.corp", "relay.corp.a.example relay.corp.b.example relay.corp"},
	} {
		s := play(t, dnstest.Zone(""))
		s.write("resolv.conf", "search a.example b.example\n"+c.options+"\n")
		_, err := s.Host(t.Context(), c.name, V4)
		s.want(ErrNotFound, err)
		var asked []string
		for _, q := range s.server.Asked() {
			asked = append(asked, q.Name)
		}
		if got := strings.Join(asked, " "); got != c.asked {
			t.Errorf("%s %s: asked for %s, want %s", c.name, c.options, got, c.asked)
		}
	}
}

func TestHostTakesTheFirstThatIsThere(t *testing.T) {
	s := play(t, dnstest.Zone("relay.b.example 60 A 192.0.2.1\nrelay 60 A 192.0.2.66"))
	s.write("resolv.conf", "search a.example b.example\n")
	a, err := s.Host(t.Context(), "relay", V4)
	s.want(nil, err)
	if a.Canonical != "relay.b.example" {
		t.Errorf("%+v", a)
	}
	s.wantAsked(2)
	a, err = s.Host(t.Context(), "2001:db8::1", Both)
	s.want(nil, err)
	if fmt.Sprint(a.Records) != "[2001:db8::1]" {
		t.Errorf("%+v", a)
	}
	// Names from the network are never completed.
	_, err = s.Addrs(t.Context(), "relay", V6)
	s.want(ErrNoData, err)
}

func TestHostsFileGoesBeforeTheDNS(t *testing.T) {
	s := play(t, dnstest.Zone(zone))
	s.write("hosts", "# comment\n192.0.2.10\tmx1.example.org MX1 # and more\n192.0.2.11 mx1.example.org\n192.0.2.10 mx1\n::ffff:192.0.2.12 mapped\nfe80::1%eth0 scoped\n127.0.0.5 localhost\nnonsense a\n192.0.2.13 a..b\n\n192.0.2.14")
	for _, c := range []struct {
		name   string
		family Family
		want   string
		err    error
	}{
		{"MX1.Example.org.", V4, "[192.0.2.10 192.0.2.11]", nil},
		{"mx1.example.org", V6, "[]", ErrNoData}, // the DNS has one
		{"mx1.example.org", Both, "[192.0.2.10 192.0.2.11]", nil},
		{"mx1", V4, "[192.0.2.10]", nil},
		{"mapped", V4, "[192.0.2.12]", nil},
		{"scoped", V6, "[fe80::1%eth0]", nil},
		{"localhost", V4, "[127.0.0.5]", nil},
	} {
		a, err := s.Addrs(t.Context(), c.name, c.family)
		s.want(c.err, err)
		if fmt.Sprint(a.Records) != c.want || !a.Expires.IsZero() {
			t.Errorf("%s: %v, want %s", c.name, a.Records, c.want)
		}
	}
	ptr, err := s.PTR(t.Context(), netip.MustParseAddr("::ffff:192.0.2.10"))
	s.want(nil, err)
	if fmt.Sprint(ptr.Records) != "[mx1.example.org mx1]" {
		t.Errorf("%v", ptr.Records)
	}
	s.wantAsked(0)
	mx, err := s.MX(t.Context(), "mx1.example.org")
	s.want(ErrNoData, err)
	if mx.Expires.IsZero() {
		t.Error("for other types the DNS is asked")
	}
	s.write("hosts", "")
	s.clock.pass(watch.Interval)
	a, err := s.Addrs(t.Context(), "mx1.example.org", V6)
	s.want(nil, err)
	if len(a.Records) != 1 {
		t.Errorf("%+v", a)
	}
}

func TestFilesThatStayTheSameAreNotReread(t *testing.T) {
	s := play(t, nil)
	s.write("hosts", "192.0.2.10 mx1\n")
	before := s.hosts.get(s.clock.Now())
	s.clock.pass(watch.Interval)
	if s.hosts.get(s.clock.Now()) != before {
		t.Error("read again")
	}
}
