//go:build interop

package interop

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Mail finds its way by the DNS: named has the zones, unbound asks it and
// verifies what it says, and barid asks unbound.

// world is a zone with domains of every kind below it. In it {port} is the port
// of the mail exchangers, which no record can tell.
const world = `$TTL 300
@ SOA ns hostmaster 1 3600 900 604800 120
@ NS ns
ns A 127.0.0.1
mx1 A 127.0.1.1
mx2 A 127.0.1.2
dead A 127.0.1.9
six AAAA ::1
both A 127.0.1.1
both AAAA ::2
alias CNAME mx1
best MX 10 mx1
best MX 20 mx2
fallback MX 10 dead
fallback MX 20 mx2
busy MX 10 busymx
busy MX 20 mx2
busymx A 127.0.1.3
null MX 0 .
plain A 127.0.1.1
alone A 127.0.1.9
v6 MX 10 six
dual MX 10 both
aliased MX 10 alias
pointing CNAME best
loop MX 10 round
round CNAME roundabout
roundabout CNAME round
nameless MX 10 nobody
self MX 10 mx.example.test.
backup MX 10 mx1
backup MX 20 mx.example.test.
behind MX 10 mx.example.test.
behind MX 20 mx1
text TXT "no mail here"
later MX 10 mx1
`

// nameServers are named and unbound as they run.
type nameServers struct {
	dir            string
	addr           string // of unbound
	named, unbound *daemon
}

// daemon is a program that runs until the test ends.
type daemon struct {
	cmd *exec.Cmd
	out *bytes.Buffer
}

func startDaemon(t *testing.T, name string, words ...string) *daemon {
	t.Helper()
	d := &daemon{exec.Command(serverProgram(t, name), words...), &bytes.Buffer{}}
	d.cmd.Stdout, d.cmd.Stderr = d.out, d.out
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.kill()
		if t.Failed() {
			t.Logf("what %s printed:\n%.5000s", name, d.out)
		}
	})
	return d
}

// kill may be called again.
func (d *daemon) kill() {
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait() // it was killed, and says so
}

// serverProgram finds a program also where only root looks for it.
func serverProgram(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	t.Fatalf("%s is not installed: .ci/run installs what this test needs", name)
	return ""
}

// startNames serves the world, signed, and a zone whose signatures are wrong.
func startNames(t *testing.T) *nameServers {
	t.Helper()
	n := &nameServers{dir: t.TempDir()}
	forged := "$TTL 300\n@ SOA ns hostmaster 1 3600 900 604800 120\n@ NS ns\nns A 127.0.0.1\n@ MX 10 mx\nmx A 127.0.1.1\n"
	anchors := n.sign(t, "world.example", world) + n.sign(t, "forged.example", forged)
	file := filepath.Join(n.dir, "forged.example.signed")
	n.write(t, "forged.example.signed", strings.ReplaceAll(readText(t, file), "127.0.1.1", "127.0.1.2"))
	authority, resolver := freeUDP(t), freeUDP(t)
	n.addr = resolver
	_, authorityPort, _ := net.SplitHostPort(authority)
	_, resolverPort, _ := net.SplitHostPort(resolver)
	n.named = startDaemon(t, "named", "-g", "-c", n.write(t, "named.conf", fmt.Sprintf(`
options { directory %q; pid-file none; session-keyfile none; listen-on port %s { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; dnssec-validation no; };
controls { };
zone "world.example" { type primary; file "world.example.signed"; };
zone "forged.example" { type primary; file "forged.example.signed"; };
`, n.dir, authorityPort)))
	n.write(t, "unbound.conf", fmt.Sprintf(`server:
  interface: 127.0.0.1
  port: %s
  username: ""
  chroot: ""
  directory: %q
  pidfile: ""
  use-syslog: no
  do-ip6: no
  do-not-query-localhost: no
  module-config: "validator iterator"
  ip-ratelimit: 0
  local-zone: "test." nodefault
%sremote-control:
  control-enable: no
stub-zone:
  name: "world.example"
  stub-addr: 127.0.0.1@%[4]s
stub-zone:
  name: "forged.example"
  stub-addr: 127.0.0.1@%[4]s
`, resolverPort, n.dir, anchors, authorityPort))
	n.startUnbound(t)
	return n
}

// startUnbound starts it, for the first time or again, and waits until it
// answers.
func (n *nameServers) startUnbound(t *testing.T) {
	t.Helper()
	n.unbound = startDaemon(t, "unbound", "-d", "-p", "-c", filepath.Join(n.dir, "unbound.conf"))
	if err := (&demo{}).await(func() error {
		out, code := barid(t, "", "dns", "-c", os.DevNull, "-server", n.addr, "-timeout", "1s", "TXT", "text.world.example")
		if code != 0 {
			return errors.New(out)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func (n *nameServers) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(n.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// sign makes a signed zone and returns its key as a trust anchor.
func (n *nameServers) sign(t *testing.T, zone, text string) string {
	t.Helper()
	n.write(t, zone, text)
	for _, words := range [][]string{
		{"dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "-f", "KSK", zone},
		{"dnssec-signzone", "-q", "-S", "-z", "-o", zone, "-f", zone + ".signed", zone},
	} {
		cmd := exec.Command(serverProgram(t, words[0]), words[1:]...)
		cmd.Dir = n.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", words[0], err, out)
		}
	}
	keys, err := filepath.Glob(filepath.Join(n.dir, "K"+zone+".*.key"))
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	for line := range strings.Lines(readText(t, keys[0])) {
		if !strings.HasPrefix(line, ";") {
			return fmt.Sprintf("  trust-anchor: %q\n", strings.TrimSpace(line))
		}
	}
	t.Fatalf("no key in %s", keys[0])
	return ""
}

// freeUDP is an address of this host that is free for UDP and TCP.
func freeUDP(t *testing.T) string {
	t.Helper()
	for range 100 {
		addr := freeAddr(t)
		if c, err := net.ListenPacket("udp", addr); err == nil {
			c.Close()
			return addr
		}
	}
	t.Fatal("no port is free for UDP and TCP")
	return ""
}

// exchangers are mail exchangers at the addresses of the world, all with the
// port that is returned.
func exchangers(t *testing.T) (port string, mx1, mx2, busy, six *station) {
	t.Helper()
	mx1 = startStationAt(t, "tcp", "127.0.1.1:0", &station{})
	_, port, _ = net.SplitHostPort(mx1.addr)
	mx2 = startStationAt(t, "tcp", "127.0.1.2:"+port, &station{})
	busy = startStationAt(t, "tcp", "127.0.1.3:"+port, &station{reply: saying("greeting", "421 4.3.2 too busy")})
	six = startStationAt(t, "tcp", "[::1]:"+port, &station{})
	return port, mx1, mx2, busy, six
}

// TestMailFindsItsWayByTheDNS sends to domains of every kind.
func TestMailFindsItsWayByTheDNS(t *testing.T) {
	names := startNames(t)
	port, mx1, mx2, busy, six := exchangers(t)
	d := relaying(t, nil, "dns.servers="+names.addr, "relay.port="+port, "queue.retry=1h")
	arrive := map[string]*station{
		"best": mx1, "fallback": mx2, "busy": mx2, "plain": mx1, "v6": six, "dual": mx1, "aliased": mx1, "pointing": mx1, "backup": mx1,
	}
	for domain, s := range arrive {
		d.send(t, "<"+alice+">", note(domain), "<carol@"+domain+".world.example>")
		if !s.await(func(mails []*sunk) bool { return hasSubject(mails, domain) }) {
			t.Errorf("mail for %s has not arrived where it should", domain)
		}
	}
	if busy.connections() == 0 {
		t.Error("nobody has asked the better host that was busy")
	}
	d.empty(t)
	fail := map[string]string{
		"null": "5.1.10", "nowhere": "5.1.2", "nameless": "5.4.4", "self": "5.4.6", "behind": "5.4.6", "text": "5.1.2",
	}
	for domain := range fail {
		d.send(t, "<"+alice+">", note(domain), "<carol@"+domain+".world.example>")
	}
	reports := d.awaitReports(t, alice, len(fail))
	for domain, status := range fail {
		r := reports["carol@"+domain+".world.example"]
		if r == nil || r.recipients[0].Get("Status") != status {
			t.Errorf("%s: %+v, want %s", domain, r, status)
		}
	}
	d.empty(t)
	for domain, status := range map[string]string{"alone.world.example": "4.4.1", "loop.world.example": "4.4.3", "forged.example": "4.4.3"} {
		d.send(t, "<"+alice+">", note(domain), "<carol@"+domain+">")
		if reason := d.awaitDeferred(t, "-to", domain); !strings.HasPrefix(reason, status+" ") {
			t.Errorf("%s: %q, want %s", domain, reason, status)
		}
	}
}

func hasSubject(mails []*sunk, subject string) bool {
	for _, m := range mails {
		if strings.Contains(m.text, "\nSubject: "+subject+"\n") {
			return true
		}
	}
	return false
}

// TestMailWaitsForTheDNS stops the resolver and starts it again.
func TestMailWaitsForTheDNS(t *testing.T) {
	names := startNames(t)
	port, mx1, _, _, _ := exchangers(t)
	d := relaying(t, nil, "dns.servers="+names.addr, "relay.port="+port, "dns.timeout=500ms")
	names.unbound.kill()
	d.send(t, "<"+alice+">", note("waits"), "<carol@later.world.example>")
	if reason := d.awaitDeferred(t); !strings.HasPrefix(reason, "4.4.3 ") {
		t.Errorf("without a resolver: %q", reason)
	}
	names.startUnbound(t)
	flushUntil(t, d, func() bool {
		mails, _ := mx1.all()
		return hasSubject(mails, "waits")
	})
	d.empty(t)
	if n := d.count(alice); n != 0 {
		t.Errorf("%d reports", n)
	}
}

// TestBaridDNSShowsWhatIsAuthenticated asks by the command.
func TestBaridDNSShowsWhatIsAuthenticated(t *testing.T) {
	names := startNames(t)
	ask := func(words ...string) (string, int) {
		return barid(t, "", append([]string{"dns", "-c", os.DevNull, "-o", "dns.servers=" + names.addr}, words...)...)
	}
	trusted, code := ask("-o", "dns.trust-ad=yes", "-json", "MX", "best.world.example")
	if code != 0 || !strings.Contains(trusted, `"authenticated":true`) || !strings.Contains(trusted, "mx1.world.example") {
		t.Errorf("%d, %s", code, trusted)
	}
	if out, code := ask("-json", "MX", "best.world.example"); code != 0 || strings.Contains(out, `"authenticated":true`) {
		t.Errorf("not trusted: %d, %s", code, out)
	}
	if out, code := ask("-o", "dns.trust-ad=yes", "A", "mx.forged.example"); code != 75 {
		t.Errorf("forged: %d, %s", code, out)
	}
	if out, code := ask("-o", "dns.trust-ad=yes", "-json", "MX", "nowhere.world.example"); code != 1 || !strings.Contains(out, `"authenticated":true`) {
		t.Errorf("nowhere: %d, %s", code, out)
	}
	begin := time.Now()
	if out, code := ask("A", "loop.world.example", "A", "round.world.example"); code == 0 {
		t.Errorf("a loop: %d, %s", code, out)
	}
	t.Logf("a loop takes %v", time.Since(begin))
}
