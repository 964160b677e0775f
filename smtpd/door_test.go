package smtpd

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"barid/auth"
	"barid/internal/dialog"
	"barid/internal/loop"
	"barid/internal/route"
	"barid/internal/tlsconf"
	"barid/internal/vfs"
	"barid/internal/vfs/crash"
	"barid/smtpd/proto"
	"barid/spool"
)

const patienceOfTests = 30 * time.Second

// house is a whole mail server up to the mailboxes: loop, accounts alice
// "wonderland" and bob "builder" at example.test, maps, and a spool whose
// agent keeps what it is given. The spool is on a disk in memory unless a test
// wants another.
type house struct {
	t      testing.TB
	dir    string    // of accounts, maps and certificates
	disk   *crash.FS // of the spool; nil when it is on another
	spool  *spool.Spool
	post   *postman
	door   *server
	guests *guests
	log    *logBook
	plain  net.Addr // with STARTTLS
	tls    net.Addr // TLS from the start
	roots  *tls.Config
	clock  chan time.Time // of the loop; nil: the real one
	loop   *loop.Loop
	opts   loop.ListenOptions
}

// settings change what newHouse makes.
type settings struct {
	auth   auth.Options
	route  route.Options
	spool  spool.Options
	door   Options
	loop   loop.Options
	listen loop.ListenOptions
	clock  chan time.Time
}

func newHouse(t testing.TB, change func(*settings)) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), disk: crash.New(1), log: &logBook{}, guests: &guests{}}
	h.write("passwd", "alice@example.test:{PLAIN}wonderland\nbob@example.test:{PLAIN}builder\n")
	log := slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	h.post = newPostman()
	s := &settings{
		auth:  auth.Options{File: h.path("passwd"), FS: vfs.Disk{}, Lockout: auth.Lockout{FailuresMax: -1, DelayMax: -1}},
		route: route.Options{Domains: []string{"example.test"}, Hostname: "mx.example.test", Separators: "+", Postmaster: "alice@example.test"},
		spool: spool.Options{
			FS: h.disk, Dir: "/spool", SegmentSize: 256 << 10, SpillSize: 32 << 10, ReserveBytes: 1,
			Agents: map[string]spool.Agent{"local": h.post, "smtp": h.post, "lmtp": h.post, "discard": h.post, "expanded": h.post}, Workers: 2,
			Log: slog.New(slog.DiscardHandler),
		},
		door: Options{Engine: proto.Options{Hostname: "mx.example.test", Offer: proto.Everything, Reports: true, TLS: proto.TLSOffered}, Log: log},
	}
	s.loop.Log = log
	s.listen.Patience = Patience(5*time.Minute, 3*time.Minute)
	if change != nil {
		change(s)
	}
	h.furnish(s)
	return h
}

// furnish makes everything that the settings ask for.
func (h *house) furnish(s *settings) {
	if disk, ok := s.spool.FS.(*crash.FS); !ok || disk != h.disk {
		h.disk = nil
	}
	accounts, err := auth.Open(s.auth)
	must(h.t, err)
	if s.door.Engine.Mode == proto.Submission {
		s.door.Auth = accounts
	}
	s.route.Account = func(name []byte) (string, bool) {
		a, ok := accounts.Lookup(name)
		return a.Name, ok
	}
	s.door.Router, err = route.New(s.route)
	must(h.t, err)
	h.spool, err = spool.Open(s.spool)
	must(h.t, err)
	h.t.Cleanup(func() { _ = h.spool.Close(context.Background()) })
	h.post.accepted = func() int { return int(h.spool.Stats().Accepted) }
	s.door.Spool = h.spool
	s.door.Certificates, h.roots = h.certificates()
	h.door = newServer(s.door)
	h.clock, s.loop.Clock = s.clock, s.clock
	h.loop, err = loop.New(s.loop)
	must(h.t, err)
	h.t.Cleanup(func() { h.loop.Close() })
	h.opts = s.listen
	h.opts.New = h.guests.enter(h.door)
	h.opts.TLS = s.door.Certificates.Config(tlsconf.Use{})
	h.plain = h.listenTCP(h.opts)
	implicit := h.opts
	implicit.Implicit = true
	h.tls = h.listenTCP(implicit)
}

func (h *house) path(name string) string { return filepath.Join(h.dir, name) }

func (h *house) write(name, text string) {
	h.t.Helper()
	writeFile(h.t, h.path(name), text)
}

func writeFile(t testing.TB, name, text string) {
	t.Helper()
	must(t, os.WriteFile(name, []byte(text), 0o600))
}

func (h *house) listenTCP(o loop.ListenOptions) net.Addr {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(h.t, err)
	return h.listen(ln, o)
}

func (h *house) listen(ln net.Listener, o loop.ListenOptions) net.Addr {
	addr := ln.Addr()
	_, err := h.loop.Listen(ln, o)
	must(h.t, err)
	return addr
}

// selfSigned is made once: a key takes longer than most of these tests.
var selfSigned = sync.OnceValues(func() (certPEM, keyPEM []byte) {
	certPEM, keyPEM, err := tlsconf.SelfSigned("localhost")
	if err != nil {
		panic(err)
	}
	return certPEM, keyPEM
})

// certificates gives the server's, and the client that trusts them.
func (h *house) certificates() (*tlsconf.Store, *tls.Config) {
	h.t.Helper()
	certPEM, keyPEM := selfSigned()
	h.write("cert.pem", string(certPEM))
	h.write("key.pem", string(keyPEM))
	store, err := tlsconf.Open([]tlsconf.Pair{{CertFile: h.path("cert.pem"), KeyFile: h.path("key.pem")}})
	must(h.t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	return store, &tls.Config{RootCAs: roots, ServerName: "localhost"}
}

// shutdown ends the loop as the program does; the channel tells when it is
// done.
func (h *house) shutdown() <-chan error {
	done := make(chan error, 1)
	go func() { done <- h.loop.Shutdown(h.t.Context()) }()
	return done
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// logBook keeps what was logged.
type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// guests watches the sessions of a door from outside.
type guests struct {
	mu      sync.Mutex
	changed sync.Cond
	all     []*guest
}

// guest is one session, and how it was left by its last method.
type guest struct {
	*session
	of     *guests
	state  guestState
	memory *transaction // the last that it was lent
}

type guestState struct {
	steps, used       int // calls, and octets that they consumed
	queuedMax         int // octets of replies that were ever left unsent
	namesMax          int // octets of memory for names that it ever had
	wait              loop.Wait
	lent, taken, gone bool // holds a transaction; and a writer; is closed
}

func (g *guests) enter(door *server) func(*loop.Conn) loop.Session {
	g.changed.L = &g.mu
	return func(*loop.Conn) loop.Session {
		g.mu.Lock()
		defer g.mu.Unlock()
		one := &guest{session: &session{server: door}, of: g}
		g.all = append(g.all, one)
		return one
	}
}

func (g *guest) Open(c *loop.Conn) loop.Wait {
	w := g.session.Open(c)
	g.note(0, w)
	return w
}

func (g *guest) Step(c *loop.Conn, in []byte) (int, loop.Wait) {
	n, w := g.session.Step(c, in)
	g.note(n, w)
	g.of.mu.Lock()
	g.state.queuedMax = max(g.state.queuedMax, c.Queued())
	g.of.mu.Unlock()
	return n, w
}

func (g *guest) Close(c *loop.Conn, why error) {
	g.session.Close(c, why)
	g.note(0, loop.WaitClose)
	g.of.mu.Lock()
	g.state.gone = true
	g.state.taken = g.memory != nil && g.memory.writer != nil
	g.of.changed.Broadcast()
	g.of.mu.Unlock()
}

// note looks at the session while nobody runs it.
func (g *guest) note(used int, w loop.Wait) {
	g.of.mu.Lock()
	defer g.of.mu.Unlock()
	if g.t != nil {
		g.memory = g.t
		g.state.namesMax = max(g.state.namesMax, cap(g.t.names))
	}
	g.state.steps++
	g.state.used += used
	g.state.wait, g.state.lent = w, g.t != nil
	g.state.taken = g.t != nil && g.t.writer != nil
	g.of.changed.Broadcast()
}

// wait returns when the session of the nth connection is as wanted.
func (g *guests) wait(n int, wanted func(guestState) bool) guestState {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.all) <= n || !wanted(g.all[n].state) {
		g.changed.Wait()
	}
	return g.all[n].state
}

// waitGone returns when all sessions are closed, and says how many there were.
func (g *guests) waitGone() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, one := range g.all {
		for !one.state.gone {
			g.changed.Wait()
		}
	}
	return len(g.all)
}

// client is one connection, for tests that are not dialogues.
type client struct {
	t    testing.TB
	conn *dialog.Net
	raw  net.Conn
}

// dial connects and reads the greeting.
func (h *house) dial() *client {
	h.t.Helper()
	c := h.connect(h.plain)
	c.want("220 mx.example.test *")
	return c
}

// connect only connects.
func (h *house) connect(to net.Addr) *client {
	h.t.Helper()
	raw, err := net.Dial(to.Network(), to.String())
	must(h.t, err)
	h.t.Cleanup(func() { raw.Close() })
	return &client{t: h.t, conn: dialog.NewNet(raw, h.roots, patienceOfTests), raw: raw}
}

// connectTLS connects to the port with TLS from the start, and shakes hands.
func (h *house) connectTLS() *client {
	h.t.Helper()
	c := h.connect(h.tls)
	must(h.t, c.conn.StartTLS())
	return c
}

// secure connects with TLS from the start and reads the greeting.
func (h *house) secure() *client {
	h.t.Helper()
	c := h.connectTLS()
	c.want("220 mx.example.test *")
	return c
}

// greet dials and says EHLO.
func (h *house) greet() *client {
	h.t.Helper()
	c := h.dial()
	c.hello("EHLO client.example")
	return c
}

// hello sends a command with a reply of many lines and returns them.
func (c *client) hello(command string) (lines []string) {
	c.t.Helper()
	c.send(command)
	for {
		line, err := c.conn.Line()
		if err != nil || !dialog.Match("250?*", strings.Replace(string(line), "-", "?", 1)) && !dialog.Match("250 *", string(line)) {
			c.t.Fatalf("%s: %q, %v", command, line, err)
		}
		lines = append(lines, string(line[4:]))
		if line[3] == ' ' {
			return lines
		}
	}
}

func (c *client) send(lines ...string) {
	c.t.Helper()
	must(c.t, c.conn.Send([]byte(strings.Join(lines, "\r\n")+"\r\n")))
}

func (c *client) sendRaw(text string) {
	c.t.Helper()
	must(c.t, c.conn.Send([]byte(text)))
}

func (c *client) want(patterns ...string) {
	c.t.Helper()
	for _, pattern := range patterns {
		line, err := c.conn.Line()
		if err != nil || !dialog.Match(pattern, string(line)) {
			c.t.Fatalf("want %q, got %q, %v", pattern, line, err)
		}
	}
}

// say sends one command and wants one line.
func (c *client) say(command, pattern string) {
	c.t.Helper()
	c.send(command)
	c.want(pattern)
}

func (c *client) wantEnd() {
	c.t.Helper()
	if line, err := c.conn.Line(); err != io.EOF {
		c.t.Fatalf("want the end, got %q, %v", line, err)
	}
}

// envelope sends MAIL and RCPT, which are accepted.
func (c *client) envelope(from string, to ...string) {
	c.t.Helper()
	c.say("MAIL FROM:<"+from+">", "250 2.1.0 *")
	for _, r := range to {
		c.say("RCPT TO:<"+r+">", "250 2.1.5 *")
	}
}

// data sends DATA and the text, of which the lines end with LF here.
func (c *client) data(text, pattern string) {
	c.t.Helper()
	c.say("DATA", "354 *")
	c.sendRaw(onTheWire(text) + ".\r\n")
	c.want(pattern)
}

func itoa(n int) string { return strconv.Itoa(n) }

// onTheWire is a text as a client sends it.
func onTheWire(text string) string {
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") {
			lines[i] = "." + line
		}
	}
	return strings.ReplaceAll(strings.Join(lines, ""), "\n", "\r\n")
}
