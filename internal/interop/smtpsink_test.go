//go:build interop

package interop

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// dump is Postfix's smtp-sink, which writes each message that it takes into a
// file of its own.
type dump struct{ dir, addr string }

func startDump(t *testing.T) *dump {
	t.Helper()
	s := &dump{shortTempDir(t), freeAddr(t)}
	var as []string
	if os.Geteuid() == 0 { // it will not be root
		as = []string{"-u", "nobody"}
		if err := os.Chmod(s.dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	startDaemon(t, "smtp-sink", append(as, "-d", filepath.Join(s.dir, "m"), s.addr, "100")...)
	if err := (&demo{}).await(func() error {
		conn, err := net.Dial("tcp", s.addr)
		if err != nil {
			return err
		}
		return conn.Close()
	}); err != nil {
		t.Fatal(err)
	}
	return s
}

// mails reads what has come so far. A file is complete when an empty line of
// smtp-sink's own stands at its end.
func (s *dump) mails(t *testing.T) (all []*sunk) {
	t.Helper()
	files, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(s.dir, f.Name()))
		if os.IsNotExist(err) {
			continue // a transaction that came to nothing
		}
		if err != nil {
			t.Fatal(err)
		}
		m := &sunk{}
		for line := range strings.Lines(string(text)) {
			if to, is := strings.CutPrefix(line, "X-Rcpt-Args: "); is {
				m.to = append(m.to, strings.TrimSpace(to))
			}
		}
		var whole bool
		if m.text, whole = strings.CutSuffix(string(text), "\n\n"); whole {
			m.text += "\n"
			all = append(all, m)
		}
	}
	return all
}

// TestKilledRelayLosesNothingOnTheWayToPostfix is TestKilledRelayLosesNothing
// with a next hop that other people have written.
func TestKilledRelayLosesNothingOnTheWayToPostfix(t *testing.T) {
	dir, next := t.TempDir(), startDump(t)
	host, port, _ := net.SplitHostPort(next.addr)
	settings := []string{"relay.host=[" + host + "]:" + port, "queue.retry=1s"}
	ledger := &ledger{domain: "far.test", answered: map[token]bool{}, begun: map[token]bool{}}
	for round := range killRounds {
		d := runDemo(t, dir, settings...)
		ledger.load(t, d, round, 1+rand.IntN(200))
	}
	d := runDemo(t, dir, settings...)
	if err := d.await(func() error {
		if lost := ledger.lostAt(next.mails(t)); lost > 0 {
			return fmt.Errorf("%d messages have not come", lost)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	d.empty(t)
	d.stop(t)
	again := ledger.checkRelayed(t, next.mails(t))
	t.Logf("%d messages answered 250, %d more begun, %d relayed again", len(ledger.answered), len(ledger.begun)-len(ledger.answered), again)
	if t.Failed() {
		t.Logf("the last server's log:\n%s", d.log)
	}
}
