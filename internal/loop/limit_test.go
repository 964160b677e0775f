package loop

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestConnectionsOverALimitGetLastWords(t *testing.T) {
	for name, o := range map[string]ListenOptions{
		"total":       {ConnMax: 2},
		"per address": {ConnPerAddrMax: 2},
	} {
		t.Run(name, func(t *testing.T) {
			o.TooMany = []byte("421 too many\r\n")
			srv := serveTest(t, o)
			a, b := srv.dial(t), srv.dial(t)
			a.want("hello")
			b.want("hello")
			c := srv.dial(t)
			c.want("421 too many")
			c.wantEnd()
			a.Close()
			until(t, func() bool { return srv.ln.Stats().Open == 1 })
			d := srv.dial(t)
			d.want("hello")
			if st := srv.ln.Stats(); st.Accepted != 4 || st.Refused != 1 || st.Open != 2 {
				t.Errorf("statistics %+v", st)
			}
		})
	}
}

// TestRefusedConnectionsDoNotKeepOthersOut has clients over their limit that
// send and never close, so that the loop would linger: they take no more than
// half of what there is.
func TestRefusedConnectionsDoNotKeepOthersOut(t *testing.T) {
	const total = 20
	srv := serveTestLoop(t, Options{ConnMax: total}, ListenOptions{})
	greedy := srv.listen(t, ListenOptions{ConnPerAddrMax: 1, TooMany: []byte("421 too many\r\n")})
	held := dialTo(t, greedy)
	held.want("hello")
	for range 3 * total {
		c := dialTo(t, greedy)
		c.Write([]byte("NOOP\r\n")) // it may be closed by now
	}
	until(t, func() bool { return greedy.Stats().Refused == 3*total })
	until(t, func() bool { srv.mu.Lock(); defer srv.mu.Unlock(); return srv.conns <= total/2 })
	for range total / 4 {
		c := srv.dial(t)
		c.want("hello")
	}
	held.send("one\r\n")
	held.want("one")
}

func TestConnectionsOverTheTotalGetLastWords(t *testing.T) {
	srv := serveTestLoop(t, Options{ConnMax: 2}, ListenOptions{TooMany: []byte("421 too many\r\n")})
	a, b := srv.dial(t), srv.dial(t)
	a.want("hello")
	b.want("hello")
	c := srv.dial(t)
	c.want("421 too many")
	c.wantEnd()
	a.Close()
	until(t, func() bool { return srv.ln.Stats().Open == 1 })
	srv.dial(t).want("hello")
}

func TestConnectionsLeaveDescriptorsForFiles(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if n := connsThatFit(); n <= 0 || uint64(n) >= limit.Cur {
		t.Errorf("%d connections with %d descriptors", n, limit.Cur)
	}
}

func TestIPv6ClientsCountByTheirNetwork(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1":           "192.0.2.1",
		"2001:db8:1:2:3:4::5": "2001:db8:1:2::",
		"fe80::1%eth0":        "fe80::",
	} {
		if got := addrKey(netip.MustParseAddr(addr)); got.String() != want {
			t.Errorf("%s counts as %s, want %s", addr, got, want)
		}
	}
}

func TestOverTheMemoryLimitBegunLinesExpire(t *testing.T) {
	s := newScripted()
	srv := serveTestLoop(t, Options{MemoryMax: 1}, one(s))
	c := srv.dial(t)
	c.want("hello")
	c.send("whole line\r\n")
	c.want("whole line")
	c.send("half a line")
	c.want("expired overload")
	c.wantEnd()
}

// TestOverTheMemoryLimitThoseWhoHoldMuchExpire has sessions hold what their
// clients say, in KiB.
func TestOverTheMemoryLimitThoseWhoHoldMuchExpire(t *testing.T) {
	hold := func(c *Conn, line string) Wait {
		n, err := strconv.Atoi(line)
		if err != nil {
			t.Error(err)
		}
		c.SetHeld(n << 10)
		say(c, "held "+line+"\r\n")
		return WaitInput
	}
	srv := serveTestLoop(t, Options{MemoryMax: 200 << 10}, ListenOptions{New: func(*Conn) Session { return &scripted{line: hold} }})
	holder := func(kib string) *client {
		c := srv.dial(t)
		c.want("hello")
		c.send(kib + "\r\n")
		c.want("held " + kib)
		return c
	}
	oldest, little := holder("150"), holder("16")
	srv.tick(2 * time.Second)
	next := holder("80") // 230 are too many
	oldest.want("expired overload")
	oldest.wantEnd()
	next.send("150\r\n")
	next.want("held 150")
	srv.tick(4 * time.Second)
	greedy := holder("150") // 300 are far too many
	greedy.want("expired overload")
	greedy.wantEnd()
	little.send("1\r\n")
	little.want("held 1")
	next.send("1\r\n")
	next.want("held 1")
	until(t, func() bool { return srv.ln.Stats().Open == 2 && srv.memory.lent.Load() == 0 })
}

func TestOverTheMemoryLimitClientsThatDoNotReadAreClosed(t *testing.T) {
	_, _, s := fillSocket(t, Options{MemoryMax: 32 << 10}, ListenOptions{})
	if err := <-s.closed; !errors.Is(err, ErrOverload) {
		t.Errorf("closed with %v, want ErrOverload", err)
	}
}

func TestShutdownExpiresIdleSessionsAndLetsBusyOnesFinish(t *testing.T) {
	s := &scripted{line: func(c *Conn, line string) Wait {
		c.SetBusy(line == "begin")
		say(c, line+"\r\n")
		return WaitInput
	}}
	srv := serveTest(t, one(s))
	idle, busy := srv.dial(t), srv.dial(t)
	idle.want("hello")
	busy.want("hello")
	busy.send("begin\r\n")
	busy.want("begin")
	ended := make(chan error, 1)
	go func() { ended <- srv.Shutdown(context.Background()) }()
	idle.want("expired shutdown")
	idle.wantEnd()
	idle.Close()
	busy.send("end\r\n")
	busy.want("end", "expired shutdown")
	busy.wantEnd()
	busy.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", srv.ln.Addr().String()); err == nil {
		t.Error("still listening after Shutdown")
	}
}

func TestShutdownClosesTheRestWhenItsTimeIsOver(t *testing.T) {
	s := newScripted()
	s.line = func(c *Conn, line string) Wait {
		c.SetBusy(true)
		say(c, line+"\r\n")
		return WaitInput
	}
	srv := serveTest(t, one(s))
	c := srv.dial(t)
	c.want("hello")
	c.send("begin\r\n")
	c.want("begin")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := srv.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if err := <-s.closed; !errors.Is(err, ErrShutdown) {
		t.Errorf("closed with %v, want ErrShutdown", err)
	}
	c.wantGone()
}

func TestListenerCanBeHandedOver(t *testing.T) {
	srv := serveTest(t, ListenOptions{})
	f, err := srv.ln.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	ln, err := net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	next := serveTest(t, ListenOptions{})
	heir, err := next.Listen(ln, ListenOptions{New: func(*Conn) Session { return &scripted{} }})
	if err != nil {
		t.Fatal(err)
	}
	c := dialTo(t, heir)
	c.want("hello")
}

func TestUnixSocketsTellWhoIsThere(t *testing.T) {
	srv := serveTest(t, ListenOptions{})
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	peer := make(chan Credentials, 1)
	li, err := srv.Listen(ln, ListenOptions{New: func(c *Conn) Session {
		if p, ok := c.Peer(); ok {
			peer <- p
		}
		return &scripted{}
	}, ConnPerAddrMax: 1})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // connections without an address are not counted by address
		c := dialTo(t, li)
		c.want("hello")
		c.send("one\r\n")
		c.want("one")
		if p := <-peer; p.UID != uint32(os.Getuid()) || p.PID != int32(os.Getpid()) {
			t.Errorf("peer %+v", p)
		}
	}
	srv.Close()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("socket is still there: %v", err)
	}
}

// addresses has the session say where its client is.
func addresses(c *Conn) Session {
	return &scripted{open: func(c *Conn) Wait {
		say(c, c.RemoteAddr().String()+" "+c.LocalAddr().String()+"\r\n")
		return WaitInput
	}}
}

func TestProxyHeaderGivesTheAddresses(t *testing.T) {
	srv := serveTest(t, ListenOptions{
		New: addresses, Proxy: netip.Addr.IsLoopback, ConnPerAddrMax: 1, TooMany: []byte("421\r\n"),
	})
	const header = "PROXY TCP4 192.0.2.1 198.51.100.2 12345 25\r\n"
	c := srv.dial(t)
	for _, b := range []byte(header) {
		c.send(string(b))
	}
	c.want("192.0.2.1:12345 198.51.100.2:25")
	same := srv.dial(t)
	same.send(header)
	same.want("421") // counted by the client's address
	other := srv.dial(t)
	other.send("PROXY TCP6 2001:db8::1 2001:db8::2 12345 25\r\nearly\r\n")
	other.want("[2001:db8::1]:12345 [2001:db8::2]:25", "early")
	unknown := srv.dial(t)
	unknown.send("PROXY UNKNOWN\r\n")
	unknown.want(unknown.LocalAddr().String() + " " + unknown.RemoteAddr().String())
}

func TestMissingOrMalformedProxyHeaderCloses(t *testing.T) {
	s := newScripted()
	o := one(s)
	o.Proxy = netip.Addr.IsLoopback
	srv := serveTest(t, o)
	for _, in := range []string{"EHLO x\r\n", "PROXY TCP4 x\r\n", ""} {
		c := srv.dial(t)
		c.send(in)
		if in == "" {
			c.Conn.(*net.TCPConn).CloseWrite()
		}
		c.wantGone()
	}
	if len(s.closed) > 0 {
		t.Error("a session was made")
	}
}

func TestProxyHeaderThatNeverComesExpires(t *testing.T) {
	srv := serveTest(t, ListenOptions{Proxy: netip.Addr.IsLoopback, HandshakeTimeout: 10 * time.Second})
	c := srv.dial(t)
	c.send("PROXY ")
	until(t, func() bool { return srv.memory.lent.Load() > 0 })
	srv.tick(9 * time.Second)
	srv.tick(11 * time.Second)
	c.wantGone()
}

func TestImplicitTLSAfterAProxyHeader(t *testing.T) {
	server, client := testTLS(t)
	srv := serveTest(t, ListenOptions{New: addresses, Proxy: netip.Addr.IsLoopback, TLS: server, Implicit: true})
	c := srv.dial(t)
	c.Conn = &prefixed{c.Conn, "PROXY TCP4 192.0.2.1 198.51.100.2 12345 25\r\n"}
	c.startTLS(client)
	c.want("192.0.2.1:12345 198.51.100.2:25")
}

// prefixed puts something in front of the first Write, in one segment.
type prefixed struct {
	net.Conn
	prefix string
}

func (p *prefixed) Write(b []byte) (int, error) {
	n, err := p.Conn.Write(append([]byte(p.prefix), b...))
	n -= len(p.prefix)
	p.prefix = ""
	return n, err
}

func TestReusedDescriptorGetsNoStaleEvents(t *testing.T) {
	srv := serveTest(t, ListenOptions{})
	for i := range 300 {
		c := srv.dial(t)
		c.want("hello")
		c.send("one\r\n")
		c.want("one")
		if i%2 == 0 {
			c.Conn.(*net.TCPConn).SetLinger(0) // ends with a reset
		}
		c.Close()
	}
	until(t, func() bool { return srv.ln.Stats().Open == 0 })
	l := srv.Loop
	l.mu.Lock()
	old := &Conn{ln: srv.ln, fd: 7000, id: 1}
	l.enter(old)
	l.leave(old)
	young := &Conn{ln: srv.ln, fd: 7000}
	l.enter(young)
	l.events[0] = unix.EpollEvent{Events: unix.EPOLLIN, Fd: 7000, Pad: int32(young.id - 1)}
	l.deliver(1)
	if young.pending != 0 {
		t.Error("an event for the connection before reached the one after")
	}
	l.leave(young)
	l.mu.Unlock()
}

func TestOutOfDescriptorsClientsAreTurnedAwayAndServiceReturns(t *testing.T) {
	srv := serveTest(t, ListenOptions{})
	first := srv.dial(t)
	first.want("hello")
	second, err := net.Dial("tcp", srv.ln.Addr().String()) // its descriptor exists before the shortage
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	io.ReadFull(second, make([]byte, 7))
	srv.reserveMu.Lock()
	reserve := srv.reserve
	srv.reserveMu.Unlock()
	restore := exhaust(t, reserve)
	// A connect needs no descriptor that is not there yet.
	fd := restore.spare
	sa, err := unix.Getsockname(int(srv.ln.conn.fd))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(fd, sa); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 16)
	n, err := unix.Read(fd, buf) // blocking
	if n > 0 {
		t.Errorf("got %q, %v; want a closed connection", buf[:n], err)
	}
	first.send("one\r\n")
	first.want("one")
	restore.end()
	c := srv.dial(t)
	c.want("hello")
}

// shortage is a time without descriptors, but for one socket.
type shortage struct {
	spare   int
	fillers []int
	limit   unix.Rlimit
	t       *testing.T
}

// exhaust lowers the limit of descriptors so that none is free up to the
// given one.
func exhaust(t *testing.T, highest int) *shortage {
	s := &shortage{t: t}
	var err error
	if s.spare, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &s.limit); err != nil {
		t.Fatal(err)
	}
	for fd := 0; fd < highest; {
		if fd, err = unix.Dup(s.spare); err != nil {
			t.Fatal(err)
		}
		s.fillers = append(s.fillers, fd)
	}
	low := s.limit
	low.Cur = uint64(highest) + 1
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.end)
	return s
}

func (s *shortage) end() {
	if s.t == nil {
		return
	}
	unix.Setrlimit(unix.RLIMIT_NOFILE, &s.limit)
	unix.Close(s.spare)
	for _, fd := range s.fillers {
		unix.Close(fd)
	}
	s.t = nil
}

func TestWaitCloseDoesNotLoseTheLastReplyToUnreadInput(t *testing.T) {
	srv := serveTest(t, ListenOptions{})
	for range 20 {
		c := srv.dial(t)
		c.want("hello")
		go io.WriteString(c.Conn, "QUIT\r\n"+strings.Repeat("unread\r\n", 50000))
		c.want("bye")
		c.wantEnd()
	}
}
