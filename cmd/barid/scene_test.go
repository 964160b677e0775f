package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"barid/internal/config"
)

// scene is a server of the tests with its files: run in this process by
// barid serve, and stopped by a signal that comes over a channel.
type scene struct {
	dir     string
	conf    string // the configuration file
	notices chan string
	signals chan os.Signal
	ended   chan result
	logged  *logBook
}

// logBook is the server's log, which may be read while it is written.
type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
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

// sceneConf is a configuration with free ports, and no way out into the world.
const sceneConf = `hostname = mx.example.test
domains = example.test
user =
data.dir = data
auth.file = users
auth.cleartext = loopback
smtp.listen = 127.0.0.1:0
submission.listen =
submissions.listen =
pop3s.listen =
pop3.listen = 127.0.0.1:0
imaps.listen =
imap.listen = 127.0.0.1:0
dns.servers = 127.0.0.1:1
log.level = debug
`

// newScene writes the files: alice with the password wonderland, and what is
// added to the configuration.
func newScene(t *testing.T, settings ...string) *scene {
	t.Helper()
	dir := tempDir(t)
	s := &scene{dir: dir, conf: dir + "/barid.conf"}
	text := strings.Join(settings, "\n") + "\n"
	for line := range strings.Lines(sceneConf) {
		if key, _, _ := strings.Cut(line, "="); !strings.Contains("\n"+text, "\n"+key) {
			text += line
		}
	}
	writeFile(t, s.conf, text)
	writeFile(t, dir+"/users", "alice@example.test:{PLAIN}wonderland\n")
	return s
}

// start runs the server until the test ends, and returns when it is ready.
func (s *scene) start(t *testing.T) {
	t.Helper()
	s.launch(t)
	if state := s.notice(t); state != "READY=1" {
		t.Fatalf("the first notice is %q", state)
	}
}

// launch begins to run it.
func (s *scene) launch(t *testing.T) {
	t.Helper()
	socket := fmt.Sprintf("%s/notify%d", s.dir, os.Getpid())
	os.Remove(socket)
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	notices, signals, ended, logged := make(chan string, 10), make(chan os.Signal, 4), make(chan result, 1), &logBook{}
	s.notices, s.signals, s.ended, s.logged = notices, signals, ended, logged
	go readNotices(l, notices)
	env := map[string]string{"NOTIFY_SOCKET": socket}
	surroundings := terminal{in: strings.NewReader(""), out: logged, err: logged, getenv: func(name string) string { return env[name] }, signals: signals}
	go func() {
		code := run(surroundings, "barid", []string{"serve", "-c", s.conf})
		newNotifier(socket)(lastNotice) // behind all that the server has said
		ended <- result{code: code, err: logged.String()}
		close(ended)
	}()
	t.Cleanup(func() {
		s.signal(syscall.SIGTERM)
		<-s.ended
		if t.Failed() {
			t.Logf("the server's log:\n%s", s.logged)
		}
	})
}

// lastNotice is what a scene tells itself when its server has ended.
const lastNotice = "END"

// readNotices passes on what the service manager is told.
func readNotices(l *net.UnixConn, notices chan<- string) {
	defer l.Close()
	defer close(notices)
	buffer := make([]byte, 256)
	for {
		n, err := l.Read(buffer)
		if err != nil || string(buffer[:n]) == lastNotice {
			return
		}
		notices <- string(buffer[:n])
	}
}

// notice is the next one.
func (s *scene) notice(t *testing.T) string {
	t.Helper()
	state, ok := <-s.notices
	if !ok {
		t.Fatalf("the server ended: %s", s.logged)
	}
	return state
}

func (s *scene) signal(sig os.Signal) {
	select {
	case s.signals <- sig:
	default: // it has not taken the others yet
	}
}

// reload has the server read everything again.
func (s *scene) reload(t *testing.T) {
	t.Helper()
	s.signal(syscall.SIGHUP)
	if state := s.notice(t); !strings.HasPrefix(state, "RELOADING=1\nMONOTONIC_USEC=") {
		t.Errorf("at reload the manager is told %q", state)
	}
	if state := s.notice(t); state != "READY=1" {
		t.Errorf("after reload the manager is told %q", state)
	}
}

// stop ends the server in order.
func (s *scene) stop(t *testing.T) {
	t.Helper()
	s.signal(syscall.SIGTERM)
	if state := s.notice(t); state != "STOPPING=1" {
		t.Errorf("at the end the manager is told %q", state)
	}
	(<-s.ended).want(t, exitOK)
}

// addr is where a service listens, by the log.
func (s *scene) addr(t *testing.T, service string) string {
	t.Helper()
	before := "msg=listening service=" + service + " address="
	s.awaitLog(t, before)
	_, after, _ := strings.Cut(s.logged.String(), before)
	address, _, _ := strings.Cut(after, "\n")
	return address
}

// refuses runs a server that shall not start.
func (s *scene) refuses(t *testing.T, texts ...string) {
	t.Helper()
	s.launch(t)
	if state, ready := <-s.notices; ready {
		t.Fatalf("it started and said %q", state)
	}
	(<-s.ended).want(t, exitFailure, texts...)
}

// awaitLog waits for a line in the log.
func (s *scene) awaitLog(t *testing.T, text string) {
	t.Helper()
	await(t, "log line with "+text, func() bool { return strings.Contains(s.logged.String(), text) })
}

// config is the scene's configuration.
func (s *scene) config(t *testing.T) *config.Config {
	t.Helper()
	cfg, err := config.Load(s.conf, nil)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func mode(t *testing.T, name string) os.FileMode {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

// queue runs barid queue with the scene's configuration.
func (s *scene) queue(args ...string) result {
	return barid("", append([]string{"queue", "-c", s.conf}, args...)...)
}

// sendmail runs barid sendmail.
func (s *scene) sendmail(in string, args ...string) result {
	return baridAs("sendmail", in, append([]string{"-C", s.conf}, args...)...)
}

// dial connects to a service and reads the greeting.
func (s *scene) dial(t *testing.T, service string) *textproto.Conn {
	t.Helper()
	c, err := textproto.Dial("tcp", s.addr(t, service))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := c.ReadLine(); err != nil {
		t.Fatal(err)
	}
	return c
}

// say gives a command and wants a reply that begins so.
func say(t *testing.T, c *textproto.Conn, line, want string) string {
	t.Helper()
	if err := c.PrintfLine("%s", line); err != nil {
		t.Fatal(err)
	}
	return hear(t, c, want)
}

func readLine(t *testing.T, c *textproto.Conn) string {
	t.Helper()
	line, err := c.ReadLine()
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func hear(t *testing.T, c *textproto.Conn, want string) string {
	t.Helper()
	for {
		reply, err := c.ReadLine()
		if err != nil {
			t.Fatalf("instead of %q: %v", want, err)
		}
		if len(reply) > 3 && reply[3] == '-' && reply[0] != '-' {
			continue // more lines to come
		}
		if !strings.HasPrefix(reply, want) {
			t.Fatalf("%q instead of %q", reply, want)
		}
		return reply
	}
}

// send sends a message by SMTP.
func (s *scene) send(t *testing.T, to, text string) {
	t.Helper()
	c := s.dial(t, "smtp")
	say(t, c, "HELO client.test", "250")
	say(t, c, "MAIL FROM:<sender@client.test>", "250")
	say(t, c, "RCPT TO:<"+to+">", "250")
	say(t, c, "DATA", "354")
	say(t, c, text+"\r\n.", "250 2.0.0 Ok: queued as ")
	say(t, c, "QUIT", "221")
}

// login opens alice's mailbox.
func (s *scene) login(t *testing.T) *textproto.Conn {
	t.Helper()
	c := s.dial(t, "pop3")
	say(t, c, "USER alice@example.test", "+OK")
	say(t, c, "PASS wonderland", "+OK")
	return c
}

// count is the number of messages that alice has.
func (s *scene) count(t *testing.T) (n int) {
	t.Helper()
	c := s.login(t)
	if _, err := fmt.Sscanf(say(t, c, "STAT", "+OK "), "+OK %d", &n); err != nil {
		t.Fatal(err)
	}
	say(t, c, "QUIT", "+OK")
	return n
}

// awaitCount waits until alice has so many messages.
func (s *scene) awaitCount(t *testing.T, n int) {
	t.Helper()
	await(t, fmt.Sprintf("%d messages for alice", n), func() bool { return s.count(t) >= n })
	if got := s.count(t); got != n {
		t.Fatalf("alice has %d messages instead of %d", got, n)
	}
}

// retrieve reads a message by POP3.
func (s *scene) retrieve(t *testing.T, number int) string {
	t.Helper()
	c := s.login(t)
	say(t, c, fmt.Sprintf("RETR %d", number), "+OK")
	text, err := io.ReadAll(bufio.NewReader(c.DotReader()))
	if err != nil {
		t.Fatal(err)
	}
	say(t, c, "QUIT", "+OK")
	return string(text)
}

// block puts a file where alice's mailbox would be, so that mail for her
// waits in the queue, and returns what makes way for it.
func (s *scene) block(t *testing.T) (unblock func()) {
	t.Helper()
	dir := filepath.Join(s.dir, "data/mail/example.test")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir+"/alice", "in the way")
	return func() {
		if err := os.Remove(dir + "/alice"); err != nil {
			t.Fatal(err)
		}
	}
}
