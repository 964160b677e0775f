package interop

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Attacks on the real binary, and bad luck. While each of them runs, a
// neighbour sends and reads mail and must not notice; afterwards the server
// has as many descriptors as before, no more memory than it may have, and
// nothing of what came to nothing lies on its disk.

const mega = 1 << 20

// besieged is a demo under attack, with its neighbour.
type besieged struct {
	*demo
	neighbour *neighbour
	base      int // descriptors before the attack
}

// besiege runs a demo whose limits on connections are out of the way, and a
// neighbour. Accounts are those of knownAccounts.
func besiege(t *testing.T, settings ...string) *besieged {
	t.Helper()
	dir := t.TempDir()
	knownAccounts(t, dir)
	return besiegeIn(t, dir, settings...)
}

// besiegeIn is besiege with the accounts that are in a directory, or those
// that the demo makes.
func besiegeIn(t *testing.T, dir string, settings ...string) *besieged {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return besiegeOf(t, path, dir, settings...)
}

// besiegeOf is besiegeIn with a program that is to be barid in the end.
func besiegeOf(t *testing.T, path, dir string, settings ...string) *besieged {
	t.Helper()
	all := []string{"smtp.errors-max=1000000", "smtp.commands-max=0"}
	for _, door := range []string{"smtp", "submission", "lmtp", "pop3", "imap"} {
		all = append(all, door+".connections-max=20000", door+".connections-per-address-max=10000")
	}
	s := &besieged{demo: runDemoOf(t, path, dir, append(all, settings...)...)}
	t.Cleanup(func() {
		s.stop(t)
		if strings.Contains(s.log.String(), "panic") || strings.Contains(s.log.String(), "DATA RACE") {
			t.Error("the server panicked, or raced")
		}
		if t.Failed() {
			t.Logf("the server's log:\n%.20000s", s.log)
		}
	})
	s.neighbour = s.newNeighbour(t)
	s.neighbour.round() // everything has been done once
	s.base = s.descriptors(t)
	s.neighbour.start()
	return s
}

// relieve ends the attack: the neighbour must have got all of its mail, the
// memory must not have been over rssMax at any time, and the server must come
// back to the descriptors that it had.
func (s *besieged) relieve(t *testing.T, rssMax int64) {
	t.Helper()
	s.neighbour.end()
	if peak := s.status(t, "VmHWM"); peak > rssMax {
		t.Errorf("the server had up to %d MiB of memory, which is over %d", peak/mega, rssMax/mega)
	} else {
		t.Logf("memory: at most %d MiB; the neighbour made %d rounds", peak/mega, s.neighbour.rounds)
	}
	// A connection of the neighbour may be there or not, and a segment.
	if err := s.await(func() error {
		if now := s.descriptors(t); now > s.base+4 {
			return fmt.Errorf("the server has %d descriptors, and had %d before the attack", now, s.base)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	s.nothingLeft(t)
}

// nothingLeft demands that no body lies in the spool without a message.
func (s *besieged) nothingLeft(t *testing.T) {
	t.Helper()
	if err := s.await(func() error {
		left, err := filepath.Glob(filepath.Join(s.dir, "spool", "spill", "*"))
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("left in the spool: %q", left)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// status reads a line of /proc/PID/status, in octets.
func (d *demo) status(t *testing.T, key string) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) >= 2 && words[0] == key+":" {
			n, err := strconv.ParseInt(words[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatalf("no %s in %s", key, text)
	return 0
}

// descriptors counts the open files of the server.
func (d *demo) descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", d.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// neighbour is a client that behaves: it sends to bob, reads bob's mailbox and
// deletes what it has read. Nobody else does anything with that mailbox.
type neighbour struct {
	t      *testing.T
	demo   *demo
	rounds int // complete ones
	sent   int
	read   map[string]bool
	stop   chan struct{}
	done   sync.WaitGroup
}

func (d *demo) newNeighbour(t *testing.T) *neighbour {
	t.Helper()
	return &neighbour{t: t, demo: d, read: map[string]bool{}, stop: make(chan struct{})}
}

// start lets it work until end.
func (n *neighbour) start() {
	n.done.Go(func() {
		for !n.t.Failed() {
			select {
			case <-n.stop:
				return
			default:
				n.round()
			}
		}
	})
}

// end waits for its round, and demands that all of its mail has come.
func (n *neighbour) end() {
	n.t.Helper()
	close(n.stop)
	n.done.Wait()
	for give := time.Now().Add(patience); len(n.read) < n.sent && !n.t.Failed() && time.Now().Before(give); {
		n.fetch()
	}
	if len(n.read) != n.sent {
		n.t.Errorf("the neighbour sent %d messages and read %d", n.sent, len(n.read))
	}
}

// round sends a few messages over one connection and reads what is there.
func (n *neighbour) round() {
	c, err := dialFrom(n.demo.addrs["smtp"], "127.0.0.1")
	if err != nil {
		n.t.Errorf("the neighbour cannot connect: %v", err)
		return
	}
	defer c.Close()
	c.want(n.t, "220", "")
	c.want(n.t, "250", "EHLO neighbour.test\r\n")
	for range 3 {
		n.sent++
		c.want(n.t, "250", "MAIL FROM:<neighbour@elsewhere.test>\r\n")
		c.want(n.t, "250", "RCPT TO:<"+bob+">\r\n")
		c.want(n.t, "354", "DATA\r\n")
		c.want(n.t, "250", neighbourly(n.sent)+".\r\n")
	}
	c.want(n.t, "221", "QUIT\r\n")
	n.fetch()
	n.rounds++
}

// neighbourly is the text of a message.
func neighbourly(number int) string {
	return fmt.Sprintf("Subject: number %d\r\n\r\n", number) + strings.Repeat("All is well here.\r\n", 50)
}

// fetch reads and deletes what is in bob's mailbox.
func (n *neighbour) fetch() {
	c, err := dialFrom(n.demo.addrs["pop3"], "127.0.0.1")
	if err != nil {
		n.t.Errorf("the neighbour cannot connect: %v", err)
		return
	}
	defer c.Close()
	c.want(n.t, "+OK", "")
	c.want(n.t, "+OK", "USER "+bob+"\r\n")
	c.want(n.t, "+OK", "PASS "+n.demo.password[bob]+"\r\n")
	words := strings.Fields(c.want(n.t, "+OK", "STAT\r\n"))
	if len(words) < 3 {
		return
	}
	count, _ := strconv.Atoi(words[1])
	for i := 1; i <= count && !n.t.Failed(); i++ {
		c.want(n.t, "+OK", fmt.Sprintf("RETR %d\r\n", i))
		n.keep(c.block(n.t))
		c.want(n.t, "+OK", fmt.Sprintf("DELE %d\r\n", i))
	}
	c.want(n.t, "+OK", "QUIT\r\n")
}

// keep looks at a message that came.
func (n *neighbour) keep(text string) {
	for i := n.sent; i > 0; i-- {
		if !strings.HasSuffix(text, neighbourly(i)) {
			continue
		}
		if n.read[strconv.Itoa(i)] {
			n.t.Errorf("the neighbour got message %d twice", i)
		}
		n.read[strconv.Itoa(i)] = true
		return
	}
	n.t.Errorf("the neighbour never sent %.300q", text)
}

// caller is a client's end of a connection.
type caller struct {
	net.Conn
	in *bufio.Reader
}

// dialFrom connects from an address of this host.
func dialFrom(addr, from string) (*caller, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}
	conn, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &caller{conn, bufio.NewReader(conn)}, nil
}

// attacker connects from an address that is not the neighbour's.
func (d *demo) attacker(t *testing.T, door string) *caller {
	t.Helper()
	c, err := dialFrom(d.addr(t, door), "127.0.0.66")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// want sends words and demands a reply that begins with code; it returns its
// last line.
func (c *caller) want(t *testing.T, code, words string) string {
	t.Helper()
	_, sendErr := io.WriteString(c, words)
	got, err := c.reply()
	if err != nil || !strings.HasPrefix(got, code) {
		t.Errorf("%.100q: want %s, got %q, %v, %v", words, code, got, err, sendErr)
	}
	return got
}

// reply reads a reply and returns its last line.
func (c *caller) reply() (string, error) {
	for {
		line, err := c.in.ReadString('\n')
		if err != nil || len(line) < 4 || line[3] != '-' || line[0] == '+' || line[0] == '-' {
			return line, err
		}
	}
}

// block reads a multi-line reply of POP3 up to its end, without the dots.
func (c *caller) block(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			t.Errorf("amid a reply: %v", err)
			return b.String()
		}
		if line == ".\r\n" {
			return b.String()
		}
		b.WriteString(strings.TrimPrefix(line, "."))
	}
}

// wantEnd demands that the server has closed, after whatever it has to say,
// which is returned.
func (c *caller) wantEnd(t *testing.T) string {
	t.Helper()
	rest, err := io.ReadAll(c.in)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the server has not closed; it said %.200q", rest)
	}
	return string(rest)
}

// reset closes without a good-bye: the server's kernel gets a RST.
func (c *caller) reset() {
	// Errors mean that there is no connection any more.
	_ = c.Conn.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// atOnce calls f for 0 to n-1, width of them at a time.
func atOnce(n, width int, f func(i int)) {
	var all sync.WaitGroup
	next := make(chan int)
	for range width {
		all.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
}
