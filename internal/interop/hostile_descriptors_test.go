package interop

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fewDescriptors is barid with a low limit of descriptors.
func fewDescriptors(t *testing.T, n int) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "barid")
	if err := os.WriteFile(script, fmt.Appendf(nil, "#!/bin/sh\nulimit -n %d\nexec %s \"$@\"\n", n, path), 0o700); err != nil {
		t.Fatal(err)
	}
	return script
}

// TestRefusedConnectionsDoNotUseUpDescriptors lets one address connect far
// more often than it may, on a server with few descriptors. It sends all the
// time and never closes, so that the server has reason to linger.
func TestRefusedConnectionsDoNotUseUpDescriptors(t *testing.T) {
	dir := t.TempDir()
	knownAccounts(t, dir)
	s := besiegeOf(t, fewDescriptors(t, 256), dir, "smtp.connections-per-address-max=50")
	callers := make([]*caller, 2000)
	atOnce(len(callers), 50, func(i int) {
		callers[i] = s.attacker(t, "smtp")
		io.WriteString(callers[i], "NOOP\r\n")
	})
	for _, c := range callers {
		c.reset()
	}
	s.relieve(t, 64*mega)
}

// TestConnectionsLeaveDescriptorsForFiles opens all connections that the
// server takes, and more: those that it has go on to be served, with their
// files, and the others hear that there are too many.
func TestConnectionsLeaveDescriptorsForFiles(t *testing.T) {
	dir := t.TempDir()
	knownAccounts(t, dir)
	d := runDemoOf(t, fewDescriptors(t, 256), dir, "smtp.connections-per-address-max=10000")
	defer d.stop(t)
	first, reader := d.attacker(t, "smtp"), d.attacker(t, "pop3")
	defer first.Close()
	defer reader.Close()
	first.hello(t, "smtp")
	reader.want(t, "+OK", "")
	refused := 0
	for range 500 {
		c := d.attacker(t, "smtp")
		defer c.Close()
		if said, err := c.reply(); err != nil || said[0] != '2' {
			refused++
			if !strings.HasPrefix(said, "421") {
				t.Errorf("a connection too many heard %q, %v", said, err)
			}
		}
	}
	if refused < 500-256 {
		t.Errorf("with 256 descriptors %d of 500 connections were refused", refused)
	}
	for i := range 3 {
		first.want(t, "250", "MAIL FROM:<a@b.test>\r\n")
		first.want(t, "250", "RCPT TO:<"+alice+">\r\n")
		first.want(t, "354", "DATA\r\n")
		first.want(t, "250", body(300_000)+".\r\n")
		if err := d.await(func() error { return d.wantCount(alice, i+1) }); err != nil {
			t.Error(err)
		}
	}
	reader.want(t, "+OK", "USER "+alice+"\r\n")
	reader.want(t, "+OK", "PASS wonderland\r\n")
	reader.want(t, "+OK", "RETR 1\r\n")
	reader.block(t)
	reader.want(t, "+OK", "QUIT\r\n")
}
