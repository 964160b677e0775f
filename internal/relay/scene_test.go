package relay

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"barid/dnsres"
	"barid/dnsres/dnstest"
	"barid/internal/dialog"
	"barid/internal/vfs/crash"
	"barid/spool"
)

// A scene is a spool that hands its mail to a relay, servers that follow
// scripts, and the DNS that leads to them.
type scene struct {
	t     testing.TB
	o     Options
	dns   *dnstest.Server
	relay *Relay
	fs    *crash.FS
	spool *spool.Spool
	done  chan result
	tls   *tls.Config // of the servers
	port  uint16      // of all servers
	wg    sync.WaitGroup
	// signal gets a word when a script says SIGNAL.
	signal chan struct{}
}

// A result is what became of a recipient.
type result struct {
	to      string
	outcome spool.Outcome
	health  spool.Health
}

// String is a result in one line, as tests compare it.
func (r result) String() string {
	return fmt.Sprintf("%s %s %s: %s", r.to, r.outcome.Kind, r.outcome.Status, r.outcome.Text)
}

// newScene makes a scene whose DNS knows the records. Tests change s.o before
// the first message.
func newScene(t testing.TB, zone string) *scene {
	s := &scene{t: t, dns: dnstest.Start(t, dnstest.Zone(zone)), done: make(chan result, 1000), fs: crash.New(1)}
	s.o = Options{Hostname: "relay.example", Idle: -1}
	s.o.Resolver = dnsres.New(dnsres.Options{Servers: []netip.AddrPort{s.dns.Addr}, ResolvConf: "/nonexistent", Hosts: "/nonexistent", Attempts: 1})
	t.Cleanup(func() {
		if s.spool != nil {
			s.abort()
			s.relay.Close()
			if open, _ := s.relay.pool.count(); open != 0 {
				t.Errorf("%d connections are left", open)
			}
		}
		s.wg.Wait()
	})
	return s
}

// abort closes the spool without waiting for deliveries.
func (s *scene) abort() {
	ctx, stop := context.WithCancel(context.Background())
	stop()
	_ = s.spool.Close(ctx)
}

// patience is how long a server waits for the client before it calls the test
// failed.
const patience = 20 * time.Second

// listen opens a port, the same for all servers, on an address of loopback.
func (s *scene) listen(address string) net.Listener {
	s.t.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", address, s.port))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { l.Close() })
	s.port = l.Addr().(*net.TCPAddr).AddrPort().Port()
	s.o.Port = s.port
	return l
}

// serve plays a server on an address: a script for each connection. Then it
// takes no more.
func (s *scene) serve(address string, scripts ...string) {
	s.t.Helper()
	s.play(s.listen(address), scripts...)
}

func (s *scene) play(l net.Listener, scripts ...string) {
	var parsed []*dialog.Script
	for _, text := range scripts {
		parsed = append(parsed, parse(s.t, text))
	}
	var group sync.WaitGroup
	s.wg.Go(func() {
		defer group.Wait()
		defer l.Close()
		for _, script := range parsed {
			conn, err := l.Accept()
			if err != nil {
				s.t.Errorf("the connection of %s was not made: %v", script.Name, err)
				return
			}
			group.Go(func() { s.script(script, conn) })
		}
	})
}

func parse(t testing.TB, text string) *dialog.Script {
	t.Helper()
	p, err := dialog.Parse("server", text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// serveUnix plays a server on a socket and returns its path.
func (s *scene) serveUnix(scripts ...string) string {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "lmtp")
	l, err := net.Listen("unix", path)
	if err != nil {
		s.t.Fatal(err)
	}
	s.play(l, scripts...)
	return path
}

// nobodyCame fails when there is a connection that nobody has accepted.
func nobodyCame(t testing.TB, l net.Listener) {
	t.Helper()
	_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(10 * time.Millisecond))
	if conn, err := l.Accept(); err == nil {
		conn.Close()
		t.Error("somebody has connected")
	}
}

// script plays one connection. HANG waits until the client gives up.
func (s *scene) script(script *dialog.Script, conn net.Conn) {
	d := &serverConn{dialog.NewNet(conn, nil, patience), conn, s.tls, nil}
	dialog.Serve(s.t, script, d, dialog.Verbs{
		"HANG": func(string, []string) error {
			_, _ = io.Copy(io.Discard, conn)
			return nil
		},
		"SIGNAL": func(string, []string) error {
			s.signal <- struct{}{}
			return nil
		},
		"BADTLS": func(string, []string) error {
			_ = d.StartTLS() // the client may also notice only after it
			_, _ = io.Copy(io.Discard, conn)
			return nil
		},
		"RESUMED": func(want string, _ []string) error {
			if resumed := d.secure.ConnectionState().DidResume; resumed != (want == "yes") {
				return fmt.Errorf("the session was resumed: %v", resumed)
			}
			return nil
		},
		"RESET": func(string, []string) error { return conn.(*net.TCPConn).SetLinger(0) },
	})
}

// serverConn is the server's end of a conversation, with the server's side of
// TLS.
type serverConn struct {
	*dialog.Net
	conn   net.Conn
	config *tls.Config
	secure *tls.Conn
}

func (c *serverConn) StartTLS() error {
	conn := tls.Server(c.conn, c.config)
	_ = conn.SetDeadline(time.Now().Add(patience))
	if err := conn.Handshake(); err != nil {
		return err
	}
	_ = conn.SetDeadline(time.Time{})
	c.Net, c.secure = dialog.NewNet(conn, nil, patience), conn
	return nil
}

// reporter passes on what the relay says.
type reporter struct {
	*Relay
	done chan<- result
}

func (r reporter) Deliver(ctx context.Context, job *spool.Job) {
	r.Relay.Deliver(ctx, job)
	for i := range job.Recipients {
		to := &job.Recipients[i]
		to.Outcome.Text = strings.Clone(to.Outcome.Text)
		r.done <- result{string(to.Address), to.Outcome, job.Health}
	}
}

// start opens the spool and the relay, with the first message.
func (s *scene) start() {
	s.t.Helper()
	if s.relay == nil {
		s.relay = New(s.o)
		s.openSpool(reporter{s.relay, s.done}, 4)
	}
}

func (s *scene) openSpool(agent spool.Agent, workers int) {
	s.t.Helper()
	var err error
	s.spool, err = spool.Open(spool.Options{
		FS: s.fs, Dir: "spool", SpillSize: 32 << 10, SegmentSize: 1 << 20, ReserveBytes: 1, Workers: workers,
		Agents: map[string]spool.Agent{"smtp": agent, "lmtp": agent}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// message is the usual one.
const message1 = "Received: from here\nSubject: test\n\nHello\n"

// commit puts a message into the spool.
func (s *scene) commit(body string, e *spool.Envelope) {
	s.t.Helper()
	s.start()
	w := s.spool.Writer()
	defer w.Release()
	if _, err := w.Begin(); err != nil {
		s.t.Fatal(err)
	}
	if _, err := io.WriteString(w, body); err != nil {
		s.t.Fatal(err)
	}
	if err := w.Commit(e); err != nil {
		s.t.Fatal(err)
	}
}

// to is an envelope for recipients at one destination.
func to(dest string, addresses ...string) *spool.Envelope {
	e := &spool.Envelope{ReturnPath: []byte("sender@client.example")}
	for _, a := range addresses {
		e.Recipients = append(e.Recipients, spool.Recipient{Address: []byte(a), Dest: []byte(dest)})
	}
	return e
}

// send sends the usual message and returns what became of its recipients, by
// their names, with the port of the servers left out.
func (s *scene) send(e *spool.Envelope) []string {
	s.t.Helper()
	return s.sendBody(message1, e)
}

func (s *scene) sendBody(body string, e *spool.Envelope) []string {
	s.t.Helper()
	s.commit(body, e)
	return s.results(len(e.Recipients))
}

func (s *scene) results(n int) (lines []string) {
	for range n {
		lines = append(lines, strings.ReplaceAll((<-s.done).String(), fmt.Sprintf("]:%d", s.port), "]:PORT"))
	}
	slices.Sort(lines)
	return lines
}

// want compares results with patterns, in which * is anything.
func want(t testing.TB, got []string, patterns ...string) {
	t.Helper()
	for i := range max(len(got), len(patterns)) {
		if i >= len(got) || i >= len(patterns) || !dialog.Match(patterns[i], got[i]) {
			t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(patterns, "\n  "))
			return
		}
	}
}

// What well-behaved servers say.
const (
	greeting = "S: 220 mx ESMTP\nC: EHLO relay.example\nS: 250-mx\nS: 250-PIPELINING\nS: 250-8BITMIME\nS: 250 SIZE 10000000\n"
	mailOne  = "C: MAIL FROM:<sender@client.example>*\nC: RCPT TO:<a@example.org>\nC: DATA\nS: 250 2.1.0 Ok\nS: 250 2.1.5 Ok\nS: 354 Go on\n"
	body     = "C: Received: from here\nC: Subject: test\nC:\nC: Hello\nC: .\n"
	accepted = "S: 250 2.0.0 Ok: queued as 1\n"
	bye      = "C: QUIT\nS: 221 Bye\nEND\n"
	whole    = greeting + mailOne + body + accepted + bye
)
