package imapd

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"barid/auth"
	"barid/internal/dialog"
	"barid/internal/loop"
	"barid/internal/vfs"
	"barid/maildir"
)

const patienceOfTests = 30 * time.Second

// house is a whole IMAP server: loop, accounts alice and bob with the password
// "wonderland", and their mailboxes below a directory of its own.
type house struct {
	t     testing.TB
	dir   string
	store *maildir.Store
	log   *logBook
	plain net.Addr // with STARTTLS
	tls   net.Addr // TLS from the start
	roots *tls.Config
	loop  *loop.Loop
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

// settings change what newHouse makes.
type settings struct {
	auth  auth.Options
	door  Options
	fs    vfs.FS        // nil: the disk
	look  time.Duration // how often sessions in IDLE look; 0: as usual
	clock chan time.Time
	wrap  func(func(*loop.Conn) loop.Session) func(*loop.Conn) loop.Session // nil: as it is
}

// storeOfAll is one store for the houses of all tests: a store has an inotify of
// its own, of which a user may have a hundred or so.
var storeOfAll = sync.OnceValue(func() *maildir.Store {
	return maildir.New(maildir.Options{FS: vfs.Disk{}, Host: "mail.example.test"})
})

func newHouse(t testing.TB, change func(*settings)) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), log: &logBook{}}
	log := slog.New(slog.NewTextHandler(h.log, nil))
	accounts := filepath.Join(h.dir, "passwd")
	must(t, os.WriteFile(accounts, []byte("alice@example.test:{PLAIN}wonderland\nbob@example.test:{PLAIN}wonderland\n"), 0o600))
	s := &settings{
		auth: auth.Options{File: accounts, FS: vfs.Disk{}, Cleartext: auth.Always, Lockout: auth.Lockout{FailuresMax: -1, DelayMax: -1}},
		door: Options{Hostname: "mail.example.test", Version: "1", StartTLS: true, MessageMax: 64 << 20, Log: log},
	}
	if change != nil {
		change(s)
	}
	var err error
	s.door.Auth, err = auth.Open(s.auth)
	must(t, err)
	h.store = storeOfAll()
	if s.fs != nil {
		h.store = maildir.New(maildir.Options{FS: s.fs, Host: "mail.example.test"})
	}
	s.door.Mailbox = func(a auth.Account) maildir.Mailbox {
		return h.store.Mailbox(filepath.Join(h.dir, a.Name), maildir.Quota{BytesMax: a.QuotaBytes, MessagesMax: a.QuotaMessages})
	}
	server := newServer(s.door)
	if s.look > 0 {
		server.idlers.every = s.look
	}
	door := server.session
	if s.wrap != nil {
		door = s.wrap(door)
	}
	h.serve(door, loop.Options{Log: log, Clock: s.clock})
	return h
}

func (h *house) serve(door func(*loop.Conn) loop.Session, o loop.Options) {
	l, err := loop.New(o)
	must(h.t, err)
	h.t.Cleanup(func() { l.Close() })
	h.loop = l
	var config *tls.Config
	config, h.roots = certificate(h.t)
	h.plain = h.listen(l, loop.ListenOptions{New: door, TLS: config, Patience: Patience(time.Minute, 0)})
	h.tls = h.listen(l, loop.ListenOptions{New: door, TLS: config, Implicit: true, Patience: Patience(time.Minute, 0)})
}

// shutdown ends the loop as the program does; the channel tells when it is
// done.
func (h *house) shutdown() <-chan error {
	done := make(chan error, 1)
	go func() { done <- h.loop.Shutdown(h.t.Context()) }()
	return done
}

func (h *house) listen(l *loop.Loop, o loop.ListenOptions) net.Addr {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(h.t, err)
	addr := ln.Addr()
	_, err = l.Listen(ln, o)
	must(h.t, err)
	return addr
}

// certificate makes a certificate for localhost, and the client that trusts it.
func certificate(t testing.TB) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	about := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	must(t, err)
	parsed, err := x509.ParseCertificate(der)
	must(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{RootCAs: roots, ServerName: "localhost"}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// deposit puts a message into alice's mailbox, as another program would.
func (h *house) deposit(name, text string) {
	h.t.Helper()
	for _, dir := range []string{"new", "cur", "tmp"} {
		must(h.t, os.MkdirAll(filepath.Join(h.dir, "alice@example.test", dir), 0o700))
	}
	must(h.t, os.WriteFile(filepath.Join(h.dir, "alice@example.test", "new", name), []byte(text), 0o600))
}

// fill deposits n messages, the first one first.
func (h *house) fill(n int, text string) {
	h.t.Helper()
	for i := range n {
		h.deposit(fmt.Sprintf("%d.M1P1.example,S=%d,W=%d", 1700000000+i, len(text), wireSize(text)), text)
	}
}

func wireSize(text string) int {
	return len(text) + strings.Count(text, "\n")
}

// client is one connection, for tests that are not dialogues.
type client struct {
	t    testing.TB
	conn *dialog.Net
	raw  net.Conn
	n    int // of commands
}

func (h *house) dial() *client {
	h.t.Helper()
	raw, err := net.Dial("tcp", h.plain.String())
	must(h.t, err)
	h.t.Cleanup(func() { raw.Close() })
	c := &client{t: h.t, conn: dialog.NewNet(raw, h.roots, patienceOfTests), raw: raw}
	c.want("* OK [CAPABILITY IMAP4rev1 *")
	return c
}

// enter dials and logs alice in.
func (h *house) enter() *client {
	h.t.Helper()
	c := h.dial()
	c.ok("LOGIN alice@example.test wonderland")
	return c
}

// open logs alice in and selects a mailbox.
func (h *house) open(mailbox string) *client {
	h.t.Helper()
	c := h.enter()
	c.ok("SELECT " + mailbox)
	return c
}

func (c *client) send(lines ...string) {
	c.t.Helper()
	must(c.t, c.conn.Send([]byte(strings.Join(lines, "\r\n")+"\r\n")))
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

// do sends a command and returns the untagged responses and the tagged one
// without its tag.
func (c *client) do(command string) (untagged []string, reply string) {
	c.t.Helper()
	c.n++
	tag := fmt.Sprintf("t%d", c.n)
	c.send(tag + " " + command)
	for {
		line, err := c.conn.Line()
		if err != nil {
			c.t.Fatalf("%s: %v", command, err)
		}
		if reply, found := strings.CutPrefix(string(line), tag+" "); found {
			return untagged, reply
		}
		untagged = append(untagged, string(line))
	}
}

// ok sends a command that has to succeed, and checks that the responses with
// the patterns are among those that came.
func (c *client) ok(command string, patterns ...string) []string {
	c.t.Helper()
	untagged, reply := c.do(command)
	if !strings.HasPrefix(reply, "OK ") {
		c.t.Fatalf("%s: %s", command, reply)
	}
	for _, p := range patterns {
		if !slices.ContainsFunc(untagged, func(line string) bool { return dialog.Match(p, line) }) {
			c.t.Fatalf("%s: no %q in %q", command, p, untagged)
		}
	}
	return untagged
}

// exactly is ok with these responses and no others.
func (c *client) exactly(command string, patterns ...string) {
	c.t.Helper()
	untagged := c.ok(command)
	if len(untagged) != len(patterns) {
		c.t.Fatalf("%s: got %q, want %q", command, untagged, patterns)
	}
	for i, p := range patterns {
		if !dialog.Match(p, untagged[i]) {
			c.t.Fatalf("%s: got %q, want %q", command, untagged, patterns)
		}
	}
}

// no sends a command that has to fail with a reply that matches.
func (c *client) no(command, pattern string) {
	c.t.Helper()
	if _, reply := c.do(command); !dialog.Match(pattern, reply) {
		c.t.Fatalf("%s: got %q, want %q", command, reply, pattern)
	}
}

func (c *client) wantEnd() {
	c.t.Helper()
	if line, err := c.conn.Line(); err != io.EOF {
		c.t.Fatalf("want the end, got %q, %v", line, err)
	}
}

// skipTo reads up to a line that matches.
func (c *client) skipTo(pattern string) {
	c.t.Helper()
	for {
		line, err := c.conn.Line()
		if err != nil {
			c.t.Fatalf("want %q: %v", pattern, err)
		}
		if dialog.Match(pattern, string(line)) {
			return
		}
	}
}
