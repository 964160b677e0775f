//go:build interop

package interop

import (
	"strings"
	"testing"
	"time"
)

// What only the tests with real clients need of a demo.

// startDemo runs a demo with empty mailboxes until the test ends. Settings are
// of the form key=value.
func startDemo(t *testing.T, settings ...string) *demo {
	t.Helper()
	d := runDemo(t, t.TempDir(), settings...)
	t.Cleanup(func() {
		d.stop(t)
		if t.Failed() {
			t.Logf("the server's log:\n%s", d.log)
		}
	})
	return d
}

func (d *demo) host(t *testing.T, door string) string {
	t.Helper()
	host, _, _ := strings.Cut(d.addr(t, door), ":")
	return host
}

func (d *demo) port(t *testing.T, door string) string {
	t.Helper()
	_, port, _ := strings.Cut(d.addr(t, door), ":")
	return port
}

// waitCount waits until an account has n messages.
func (d *demo) waitCount(t *testing.T, account string, n int) {
	t.Helper()
	pulse := time.NewTicker(5 * time.Millisecond)
	defer pulse.Stop()
	give := time.After(patience)
	for d.count(account) < n {
		select {
		case <-pulse.C:
		case <-give:
			t.Fatalf("%s has %d messages after %v instead of %d", account, d.count(account), patience, n)
		}
	}
	if got := d.count(account); got != n {
		t.Fatalf("%s has %d messages instead of %d", account, got, n)
	}
}
