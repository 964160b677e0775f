//go:build interop

package interop

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// Two hosts with addresses of their own, each with barid on port 25, and a
// switch between them where named tells them of each other: network namespaces
// of this machine.

// network is the switch and what is connected to it.
type network struct{ name string }

// newNetwork makes a switch with the addresses 10.77.0.1 and fd77::1.
func newNetwork(t *testing.T) *network {
	t.Helper()
	n := &network{fmt.Sprintf("barid-%d", os.Getpid())}
	n.space(t, "switch")
	n.ip(t, "switch", "link", "add", "switch", "type", "bridge")
	n.address(t, "switch", "switch", 1)
	if out, err := asRoot("ip", "netns", "exec", n.name+"-switch", "tc", "qdisc", "add", "dev", "switch", "root", "netem", "delay", "1ms").CombinedOutput(); err != nil {
		t.Logf("this kernel delays and loses no packets: %s", bytes.TrimSpace(out))
	}
	return n
}

// space makes a network namespace.
func (n *network) space(t *testing.T, name string) {
	t.Helper()
	serverProgram(t, "ip")
	runAsRoot(t, "ip", "netns", "add", n.name+"-"+name)
	t.Cleanup(func() { runAsRoot(t, "ip", "netns", "del", n.name+"-"+name) })
	n.ip(t, name, "link", "set", "lo", "up")
}

func (n *network) ip(t *testing.T, space string, words ...string) {
	t.Helper()
	runAsRoot(t, append([]string{"ip", "-n", n.name + "-" + space}, words...)...)
}

// address gives a device addresses.
func (n *network) address(t *testing.T, space, device string, number int) {
	t.Helper()
	n.ip(t, space, "addr", "add", fmt.Sprintf("10.77.0.%d/24", number), "dev", device)
	n.ip(t, space, "addr", "add", fmt.Sprintf("fd77::%d/64", number), "dev", device, "nodad")
	n.ip(t, space, "link", "set", device, "up")
}

// host connects a host to the switch.
func (n *network) host(t *testing.T, name string, number int) {
	t.Helper()
	n.space(t, name)
	n.ip(t, "switch", "link", "add", "to-"+name, "type", "veth", "peer", "name", "net0", "netns", n.name+"-"+name)
	n.ip(t, "switch", "link", "set", "to-"+name, "master", "switch", "up")
	n.address(t, name, "net0", number)
}

// plug connects a host again, or takes its plug out.
func (n *network) plug(t *testing.T, name, state string) {
	t.Helper()
	n.ip(t, "switch", "link", "set", "to-"+name, state)
}

// in is a command that runs as root at a host.
func (n *network) in(space string, words ...string) *exec.Cmd {
	return asRoot(append([]string{"ip", "netns", "exec", n.name + "-" + space}, words...)...)
}

// serveNames runs named at the switch.
func (n *network) serveNames(t *testing.T) {
	t.Helper()
	dir, conf := t.TempDir(), "options { directory %[1]q; pid-file none; session-keyfile none; listen-on { 10.77.0.1; }; listen-on-v6 { fd77::1; }; recursion no; dnssec-validation no; };\ncontrols { };\n"
	for name, zone := range map[string]string{"a.example": zoneOf(2), "b.example": zoneOf(3)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(zone), 0o644); err != nil {
			t.Fatal(err)
		}
		conf += fmt.Sprintf("zone %q { type primary; file %q; };\n", name, filepath.Join(dir, name))
	}
	n.run(t, n.in("switch", serverProgram(t, "named"), "-g", "-c", written(t, "named.conf", fmt.Sprintf(conf, dir))))
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	if err := (&demo{}).await(func() error {
		for _, server := range []string{"10.77.0.1", "fd77::1"} {
			if out, err := n.in("switch", path, "dns", "-c", os.DevNull, "-server", server, "MX", "a.example", "b.example").CombinedOutput(); err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// zoneOf is a zone in which mail goes to the host with a number: by either
// protocol, by IPv4 only, by IPv6 only, and with b for a backup.
func zoneOf(number int) string {
	return fmt.Sprintf(`$TTL 300
@ SOA ns hostmaster 1 3600 900 604800 120
@ NS ns
@ MX 10 mx
four MX 10 mx4
six MX 10 mx6
backup MX 10 mx
backup MX 20 mx.b.example.
ns A 10.77.0.1
mx A 10.77.0.%[1]d
mx AAAA fd77::%[1]d
mx4 A 10.77.0.%[1]d
mx6 AAAA fd77::%[1]d
`, number)
}

// run runs a command as root until the test ends; it returns what ends it.
func (n *network) run(t *testing.T, cmd *exec.Cmd) (stop func()) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	// Root's signal reaches it, and not only whoever made it root, in a process
	// group of its own.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			runAsRoot(t, "kill", "-TERM", "--", fmt.Sprint(-cmd.Process.Pid))
			_ = cmd.Wait() // it was ended, and says so
		}
	}
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Logf("what %q printed:\n%.10000s", cmd.Args, out.String())
		}
	})
	return stop
}

// mailHost is a host with barid on port 25.
type mailHost struct {
	*demo
	conf  string
	start func()
	stop  func()
}

// serveMail runs barid serve at a host.
func (n *network) serveMail(t *testing.T, name string, more ...string) *mailHost {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	domain := name + ".example"
	h := &mailHost{demo: &demo{dir: shortTempDir(t)}}
	users := written(t, "users", "alice@"+domain+":{PLAIN}wonderland\nbob@"+domain+":{PLAIN}builder\n")
	settings := append([]string{
		"hostname=mx." + domain, "domains=" + domain + ", four." + domain + ", six." + domain + ", backup." + domain,
		"virtual.map=" + written(t, "virtual", strings.NewReplacer("{domain}", domain).Replace("@four.{domain} @{domain}\n@six.{domain} @{domain}\n@backup.{domain} @{domain}\n")),
		"user=" + serverUser(t), "data.dir=" + h.dir, "auth.file=" + users, "smtp.listen=:25", "submission.listen=", "pop3.listen=", "imap.listen=", "queue.retry=1s", "relay.connect-timeout=1s",
	}, more...)
	h.conf = written(t, "barid.conf", strings.Join(settings, "\n")+"\n")
	h.start = func() {
		h.stop = n.run(t, n.in(name, path, "serve", "-c", h.conf))
		if err := h.await(func() error {
			if out, code := barid(t, "", "queue", "-c", h.conf, "list"); code != 0 {
				return fmt.Errorf("%s", out)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	h.start()
	return h
}

// shortTempDir is a directory whose name leaves room for that of a socket.
func shortTempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "barid")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// serverUser is whom a server has to become so that the test can read its
// mailboxes.
func serverUser(t *testing.T) string {
	t.Helper()
	if os.Geteuid() == 0 {
		return ""
	}
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}

// sendmail hands in a message.
func (h *mailHost) sendmail(t *testing.T, from, subject string, to ...string) {
	t.Helper()
	wantBarid(t, "Subject: "+subject+"\n\nWhat is to be said about "+subject+".\n", append([]string{"sendmail", "-C", h.conf, "-f", from}, to...)...)
}

// flush has the queue tried now.
func (h *mailHost) flush(t *testing.T) {
	t.Helper()
	wantBarid(t, "", "queue", "-c", h.conf, "flush", "-quiet")
}

// wantEmpty demands that the queue becomes empty.
func (h *mailHost) wantEmpty(t *testing.T) {
	t.Helper()
	if err := h.await(func() error {
		if left := wantBarid(t, "", "queue", "-c", h.conf, "list"); !strings.Contains(left, "no messages") {
			return fmt.Errorf("the queue holds\n%s", left)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// subjects are those of the messages in a mailbox, each as often as it is
// there.
func (h *mailHost) subjects(t *testing.T, account string) (all []string) {
	t.Helper()
	for _, text := range h.stored(t, account) {
		_, rest, _ := strings.Cut(text, "\nSubject: ")
		subject, _, _ := strings.Cut(rest, "\n")
		if !strings.HasSuffix(text, "What is to be said about "+subject+".\n") {
			t.Errorf("not whole: %q", text)
		}
		all = append(all, subject)
	}
	slices.Sort(all)
	return all
}

// twoHosts are a and b, who know of each other by named alone, which a asks by
// IPv4 and b by IPv6.
func twoHosts(t *testing.T) (n *network, a, b *mailHost) {
	t.Helper()
	n = newNetwork(t)
	n.serveNames(t)
	n.host(t, "a", 2)
	n.host(t, "b", 3)
	a = n.serveMail(t, "a", "dns.servers=10.77.0.1", "alias.map="+written(t, "aliases", "round: round@b.example\n"))
	b = n.serveMail(t, "b", "dns.servers=fd77::1", "relay.domains=backup.a.example", "alias.map="+written(t, "aliases", "moved: nobody@a.example\nround: round@a.example\n"))
	return n, a, b
}

// TestTwoHostsWriteToEachOther sends in both directions by the DNS and port 25,
// by IPv4 and by IPv6; and a report comes back from one to the other.
func TestTwoHostsWriteToEachOther(t *testing.T) {
	_, a, b := twoHosts(t)
	a.sendmail(t, "alice@a.example", "to b", "alice@b.example")
	a.sendmail(t, "alice@a.example", "by IPv4", "alice@four.b.example")
	a.sendmail(t, "alice@a.example", "by IPv6", "alice@six.b.example")
	b.sendmail(t, "bob@b.example", "to a", "bob@a.example")
	b.sendmail(t, "bob@b.example", "by IPv4", "bob@four.a.example")
	b.sendmail(t, "bob@b.example", "by IPv6", "bob@six.a.example")
	for _, h := range []struct {
		*mailHost
		account, other string
	}{{b, "alice@b.example", "to b"}, {a, "bob@a.example", "to a"}} {
		if err := h.await(func() error { return h.wantCount(h.account, 3) }); err != nil {
			t.Error(err)
		}
		if got := h.subjects(t, h.account); !slices.Equal(got, []string{"by IPv4", "by IPv6", h.other}) {
			t.Errorf("%s has %q", h.account, got)
		}
	}
	for _, text := range b.stored(t, "alice@b.example") {
		if strings.Contains(text, "Subject: by IPv6") && !strings.Contains(text, "[IPv6:fd77::2]") ||
			strings.Contains(text, "Subject: by IPv4") && !strings.Contains(text, "[10.77.0.2]") {
			t.Errorf("by which way did it come? %s", text)
		}
	}
	// An alias at b leads to nobody at a, which b learns too late to refuse.
	a.sendmail(t, "alice@a.example", "there and back", "moved@b.example")
	if err := a.await(func() error { return a.wantCount("alice@a.example", 1) }); err != nil {
		t.Error(err)
	}
	for _, text := range a.stored(t, "alice@a.example") {
		r, ok, err := readReport(text)
		if !ok || err != nil {
			t.Fatalf("no report: %v\n%s", err, text)
		}
		f := r.recipients[0]
		if got := r.message.Get("Reporting-MTA"); got != "dns; mx.b.example" || finalRecipient(f) != "moved@b.example" || f.Get("Status") != "5.1.1" || f.Get("Remote-MTA") != "dns; mx.a.example" {
			t.Errorf("the report:\n%s", text)
		}
	}
	a.wantEmpty(t)
	b.wantEmpty(t)
}

// TestMailSurvivesAnUnpluggedCable takes b off the net amid mail from a, several
// times, and once stops both meanwhile.
func TestMailSurvivesAnUnpluggedCable(t *testing.T) {
	n, a, b := twoHosts(t)
	var sent []string
	send := func(count int) {
		for range count {
			subject := fmt.Sprintf("number %03d", len(sent))
			sent = append(sent, subject)
			a.sendmail(t, "alice@a.example", subject, "alice@b.example")
		}
	}
	for range 3 {
		n.plug(t, "b", "down")
		send(10)
		n.plug(t, "b", "up")
		send(10)
	}
	n.plug(t, "b", "down")
	send(10)
	a.stop()
	b.stop()
	n.plug(t, "b", "up")
	a.start()
	b.start()
	if err := a.await(func() error {
		if got := slices.Compact(b.subjects(t, "alice@b.example")); len(got) < len(sent) {
			a.flush(t)
			return fmt.Errorf("%d of %d have arrived", len(got), len(sent))
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	a.wantEmpty(t)
	got := b.subjects(t, "alice@b.example")
	if whole := slices.Compact(slices.Clone(got)); !slices.Equal(whole, sent) {
		t.Errorf("arrived have %q", got)
	}
	t.Logf("%d sent, %d arrived, %d of them twice", len(sent), len(got), len(got)-len(sent))
	if reports := a.count("alice@a.example"); reports != 0 {
		t.Errorf("%d reports about mail that has arrived", reports)
	}
}

// TestMailThatGoesRoundEnds: an alias at a leads to b, and from there back. The
// message goes to and fro until it has been enough; then its sender hears of it,
// once, whichever of the two has refused it.
func TestMailThatGoesRoundEnds(t *testing.T) {
	_, a, b := twoHosts(t)
	a.sendmail(t, "alice@a.example", "round and round", "round@b.example")
	if err := a.await(func() error { return a.wantCount("alice@a.example", 1) }); err != nil {
		t.Error(err)
	}
	a.wantEmpty(t)
	b.wantEmpty(t)
	for _, text := range a.stored(t, "alice@a.example") {
		r, ok, err := readReport(text)
		if !ok || err != nil {
			t.Fatalf("no report: %v\n%s", err, text)
		}
		if status := r.recipients[0].Get("Status"); status != "5.4.6" {
			t.Errorf("the status is %s:\n%s", status, text)
		}
		if hops := strings.Count(r.returned, "Received: "); hops < 50 || hops > 101 {
			t.Errorf("it made %d hops", hops)
		}
	}
	if n := a.count("alice@a.example"); n != 1 {
		t.Errorf("%d reports", n)
	}
}

// TestBackupKeepsMailUntilTheHostIsBack unplugs a and has a stranger send to it:
// b takes what it is the backup for, and nothing else; tries a, and not itself;
// and hands the mail over when a is there again.
func TestBackupKeepsMailUntilTheHostIsBack(t *testing.T) {
	n, a, b := twoHosts(t)
	n.plug(t, "a", "down")
	for to, want := range map[string]int{"alice@backup.a.example": 0, "alice@a.example": 24, "alice@four.a.example": 24} { // 24: no recipient was taken
		cmd := n.in("switch", serverProgram(t, "swaks"), "--server", "10.77.0.3", "--from", "carol@home.example", "--to", to, "--header", "Subject: in need", "--body", "What is to be said about in need.\n")
		if out, err := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != want {
			t.Errorf("%s: %v, want %d\n%s", to, err, want, out)
		}
	}
	if reason := b.awaitDeferred(t); !strings.HasPrefix(reason, "4.4.1 ") || !strings.Contains(reason, "mx.a.example") {
		t.Errorf("the reason is %q", reason)
	}
	n.plug(t, "a", "up")
	if err := b.await(func() error {
		b.flush(t)
		return a.wantCount("alice@a.example", 1)
	}); err != nil {
		t.Error(err)
	}
	for _, text := range a.stored(t, "alice@a.example") {
		if !strings.Contains(text, "\nSubject: in need\n") || !strings.Contains(text, "Received: from mx.b.example ") {
			t.Errorf("arrived has %s", text)
		}
	}
	b.wantEmpty(t)
}
