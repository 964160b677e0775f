//go:build interop

package dnsres

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"barid/dnsres/wire"
)

// The zones that named serves. signed is signed, bogus was signed and changed
// afterwards, plain is not signed.
const (
	zoneHead = `$TTL 300
@ SOA ns hostmaster 1 3600 900 604800 120
@ NS ns
ns A 127.0.0.1
`
	signedZone = zoneHead + `
@ MX 20 mx2
@ MX 10 Mx1
@ TXT "v=spf1 " "-all"
mx1 A 192.0.2.1
mx1 A 192.0.2.2
mx1 AAAA 2001:db8::1
www CNAME web
web CNAME mx1
gone CNAME nobody
null MX 0 .
*.wild A 192.0.2.7
a\.b TXT "dot"
_25._tcp.mx1 TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
_submission._tcp SRV 1 2 587 mx1
`
	plainZone = zoneHead + "@ MX 10 mx.signed.example.\nwww CNAME mx1.signed.example.\n"
	bogusZone = zoneHead + "@ MX 10 mx1\nmx1 A 192.0.2.1\n"
)

// bigText is a record set that no UDP message holds.
func bigText() (zone string) {
	for i := range 20 {
		zone += fmt.Sprintf("big TXT \"%02d%s\" \"%s\"\n", i, strings.Repeat("x", 200), strings.Repeat("y", 200))
	}
	return zone
}

// lab is a directory with zones and keys, and the daemons that use it.
type lab struct {
	testing.TB
	dir            string
	named, unbound netip.AddrPort
	stopNamed      func()
	stopUnbound    func()
}

func startLab(t testing.TB) *lab {
	t.Helper()
	l := &lab{TB: t, dir: t.TempDir(), named: freePort(t), unbound: freePort(t)}
	l.write("signed.example", signedZone+bigText())
	l.write("bogus.example", bogusZone)
	l.write("plain.example", plainZone)
	anchors := l.sign("signed.example") + l.sign("bogus.example")
	forged := strings.ReplaceAll(l.read("bogus.example.signed"), "192.0.2.1", "192.0.2.66")
	l.write("bogus.example.signed", forged)
	l.stopNamed = l.start("bind9", "named", "-g", "-c", l.write("named.conf", l.namedConf()))
	l.stopUnbound = l.start("unbound", "unbound", "-d", "-p", "-c", l.write("unbound.conf", l.unboundConf(anchors)))
	l.await(l.named)
	l.await(l.unbound)
	return l
}

func (l *lab) write(name, text string) string {
	path := filepath.Join(l.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		l.Fatal(err)
	}
	return path
}

func (l *lab) read(name string) string {
	text, err := os.ReadFile(filepath.Join(l.dir, name))
	if err != nil {
		l.Fatal(err)
	}
	return string(text)
}

func (l *lab) run(debianPackage, name string, args ...string) string {
	l.Helper()
	cmd := exec.Command(program(l.TB, debianPackage, name), args...)
	cmd.Dir = l.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		l.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// program finds a program also where only root looks for it.
func program(t testing.TB, debianPackage, name string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path
		}
	}
	t.Fatalf("%s is not installed: apt-get install %s", name, debianPackage)
	return ""
}

// sign signs a zone and returns its key as a trust anchor.
func (l *lab) sign(zone string) string {
	l.run("bind9-utils", "dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "-f", "KSK", zone)
	l.run("bind9-utils", "dnssec-signzone", "-q", "-S", "-z", "-o", zone, "-f", zone+".signed", zone)
	keys, err := filepath.Glob(filepath.Join(l.dir, "K"+zone+".*.key"))
	if err != nil || len(keys) != 1 {
		l.Fatal(keys, err)
	}
	key, err := os.ReadFile(keys[0])
	if err != nil {
		l.Fatal(err)
	}
	for line := range strings.Lines(string(key)) {
		if !strings.HasPrefix(line, ";") {
			return fmt.Sprintf("  trust-anchor: %q\n", strings.TrimSpace(line))
		}
	}
	l.Fatal("no key")
	return ""
}

func (l *lab) namedConf() string {
	return fmt.Sprintf(`
options {
  directory %[1]q; pid-file none; session-keyfile none;
  listen-on port %[2]d { 127.0.0.1; }; listen-on-v6 { none; };
  recursion yes; allow-recursion { any; }; dnssec-validation no; empty-zones-enable no;
  forward only; forwarders { 127.0.0.1 port 1; };
};
controls { };
zone "signed.example" { type primary; file "signed.example.signed"; };
zone "bogus.example" { type primary; file "bogus.example.signed"; };
zone "plain.example" { type primary; file "plain.example"; };
`, l.dir, l.named.Port())
}

func (l *lab) unboundConf(anchors string) string {
	conf := fmt.Sprintf(`server:
  interface: 127.0.0.1
  port: %d
  username: ""
  chroot: ""
  directory: %q
  pidfile: ""
  use-syslog: no
  do-ip6: no
  do-not-query-localhost: no
  module-config: "validator iterator"
  ede: yes
  ip-ratelimit: 0
%sremote-control:
  control-enable: no
`, l.unbound.Port(), l.dir, anchors)
	for _, zone := range []string{"signed.example", "bogus.example", "plain.example"} {
		conf += fmt.Sprintf("stub-zone:\n  name: %q\n  stub-addr: 127.0.0.1@%d\n", zone, l.named.Port())
	}
	return conf
}

// start runs a daemon until the test ends or the function is called.
func (l *lab) start(debianPackage, name string, args ...string) (stop func()) {
	l.Helper()
	var out bytes.Buffer
	cmd := exec.Command(program(l.TB, debianPackage, name), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = l.dir, &out, &out
	if err := cmd.Start(); err != nil {
		l.Fatal(err)
	}
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cmd.Process.Kill()
			cmd.Wait()
		}
	}
	l.Cleanup(func() {
		stop()
		if l.Failed() {
			l.Logf("%s: %s", name, out.String())
		}
	})
	return stop
}

// await waits until a server answers.
func (l *lab) await(addr netip.AddrPort) {
	l.Helper()
	for range 200 {
		r := l.resolver(func(o *Options) { o.Servers, o.Timeout = []netip.AddrPort{addr}, 2*time.Second })
		_, err := r.MX(l.Context(), "plain.example")
		if err == nil {
			return
		}
		<-time.After(50 * time.Millisecond)
	}
	l.Fatalf("nobody answers at %v", addr)
}

func (l *lab) resolver(options ...func(*Options)) *Resolver {
	o := Options{ResolvConf: filepath.Join(l.dir, "none"), Hosts: filepath.Join(l.dir, "none"), Timeout: 10 * time.Second, Trusted: true}
	for _, set := range options {
		set(&o)
	}
	return New(o)
}

func asking(addrs ...netip.AddrPort) func(*Options) {
	return func(o *Options) { o.Servers = addrs }
}

func freePort(t testing.TB) netip.AddrPort {
	t.Helper()
	for range 100 {
		c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		addr := c.LocalAddr().(*net.UDPAddr).AddrPort()
		l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(addr))
		c.Close()
		if err == nil {
			l.Close()
			return addr
		}
	}
	t.Fatal("no port is free for both UDP and TCP")
	return netip.AddrPort{}
}

// TestRealServersAnswer asks Debian's named, as the authority and recursive at
// once, and unbound, which verifies what it gets from named.
func TestRealServersAnswer(t *testing.T) {
	l := startLab(t)
	for name, server := range map[string]netip.AddrPort{"named": l.named, "unbound": l.unbound} {
		t.Run(name, func(t *testing.T) {
			r := l.resolver(asking(server))
			wantRecords(t, r)
			if s := r.Servers()[0]; s.NoEDNS || s.FoldsCase || s.Failures > 0 {
				t.Errorf("%+v", s)
			}
			if s := r.Stats(); s.Streams != 1 || s.Strays != 0 {
				t.Errorf("only the big one goes over TCP: %+v", s)
			}
		})
	}
	t.Run("authenticated", func(t *testing.T) { wantAuthenticated(t, l) })
	t.Run("stale", func(t *testing.T) { wantStale(t, l) })
}

func wantRecords(t *testing.T, r *Resolver) {
	for _, c := range []struct {
		name, qtype, want string
		err               error
	}{
		{"Signed.Example.", "MX", "10 mx1.signed.example|20 mx2.signed.example", nil},
		{"signed.example", "TXT", `"v=spf1 -all"`, nil},
		{"signed.example", "NS", "ns.signed.example", nil},
		{"plain.example", "SOA", "ns.plain.example hostmaster.plain.example 1 3600 900 604800 120", nil},
		{"mx1.signed.example", "AAAA", "2001:db8::1", nil},
		{"www.signed.example", "AAAA", "2001:db8::1", nil},
		{"www.signed.example", "CNAME", "web.signed.example", nil},
		{"www.plain.example", "AAAA", "2001:db8::1", nil},
		{"gone.signed.example", "A", "", ErrNotFound},
		{"null.signed.example", "MX", "0 .", nil},
		{"any.wild.signed.example", "A", "192.0.2.7", nil},
		{`a\.b.signed.example`, "TXT", `"dot"`, nil},
		{"_25._tcp.mx1.signed.example", "TLSA", "3 1 1 " + strings.Repeat("0123456789abcdef", 4), nil},
		{"_submission._tcp.signed.example", "SRV", "1 2 587 mx1.signed.example", nil},
		{"nobody.signed.example", "MX", "", ErrNotFound},
		{"mx1.signed.example", "MX", "", ErrNoData},
	} {
		qtype, _ := wire.ParseType(c.qtype)
		a, err := r.Text(t.Context(), c.name, qtype)
		if got := strings.Join(a.Records, "|"); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s %s: %s, %v; want %s", c.name, c.qtype, got, err, c.want)
		}
		if c.err != nil && a.Expires.Before(time.Now()) {
			t.Errorf("%s %s: not kept", c.name, c.qtype)
		}
	}
	big, err := r.TXT(t.Context(), "big.signed.example")
	if len(big.Records) != 20 || err != nil {
		t.Errorf("big: %d records, %v", len(big.Records), err)
	}
}

func wantAuthenticated(t *testing.T, l *lab) {
	r := l.resolver(asking(l.unbound))
	for name, want := range map[string]bool{"signed.example": true, "nobody.signed.example": true, "mx1.signed.example": true, "plain.example": false, "nobody.plain.example": false} {
		if a, err := r.MX(t.Context(), name); a.Authenticated != want || Temporary(err) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	// A chain is as good as its worst link.
	if a, err := r.Addrs(t.Context(), "www.plain.example", V6); a.Authenticated || err != nil {
		t.Errorf("%+v, %v", a, err)
	}
	if a, err := r.Addrs(t.Context(), "www.signed.example", V6); !a.Authenticated || err != nil {
		t.Errorf("%+v, %v", a, err)
	}
	_, err := r.Addrs(t.Context(), "mx1.bogus.example", V4)
	if !errors.Is(err, ErrTemporary) || !strings.Contains(err.Error(), "bogus") {
		t.Errorf("bogus: %v", err)
	}
	untrusted := l.resolver(asking(l.unbound), func(o *Options) { o.Trusted = false })
	if a, err := untrusted.MX(t.Context(), "signed.example"); a.Authenticated || err != nil {
		t.Errorf("not trusted: %+v, %v", a, err)
	}
	if a, err := l.resolver(asking(l.named)).MX(t.Context(), "signed.example"); a.Authenticated || err != nil {
		t.Errorf("named does not verify its own zones: %+v, %v", a, err)
	}
}

// wantStale kills the servers one after the other.
func wantStale(t *testing.T, l *lab) {
	now := &clock{now: time.Now()}
	r := l.resolver(asking(l.unbound, l.named), func(o *Options) { o.Now = now.Now })
	if _, err := r.MX(t.Context(), "signed.example"); err != nil {
		t.Fatal(err)
	}
	l.stopUnbound()
	now.pass(time.Hour)
	if a, err := r.MX(t.Context(), "signed.example"); err != nil || a.Stale {
		t.Errorf("named is still there: %+v, %v", a, err)
	}
	l.stopNamed()
	now.pass(time.Hour)
	if a, err := r.MX(t.Context(), "signed.example"); err != nil || !a.Stale {
		t.Errorf("nobody is there: %+v, %v", a, err)
	}
	if _, err := r.MX(t.Context(), "plain.example"); !errors.Is(err, ErrTemporary) {
		t.Errorf("never asked before: %v", err)
	}
}

// BenchmarkNamed asks named for names that it has, each once.
func BenchmarkNamed(b *testing.B) {
	l := startLab(b)
	r := l.resolver(asking(l.named))
	var n atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := r.Addrs(b.Context(), fmt.Sprintf("n%d.wild.signed.example", n.Add(1)), V4); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "questions/s")
}
