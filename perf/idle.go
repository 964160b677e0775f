package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const idleAbout = `Opens connections, leaves them idle, and says how much memory of the server each
one takes: the growth of the PSS of its process tree, right after the last one
was opened, after -settle, and again after each has sent one NOOP (-noop) and
-settle has passed. The connections come from many loopback addresses, so that
a limit per address and the number of ports do not matter.

Measure a server that was just started: one that had work before has free
memory in its process already, and connections then seem to cost nothing.

The memory of sockets in the kernel is not part of any process; it is reported
for the whole machine (slab).`

const idleExamples = `  perf idle -addr 127.0.0.1:2525 -pid $(pgrep -x barid) -connections 10000
  perf idle -addr 127.0.0.1:2525 -pid 1234 -starttls -connections 5000
  perf idle -addr 127.0.0.1:2995 -pid 1234 -tls -noop=false      (POP3 knows no NOOP before the log-in)`

// idlePlan is what "perf idle" was asked to do.
type idlePlan struct {
	addr        string
	pid         int
	connections int
	openers     int
	settle      time.Duration
	noop        bool
	security    security
}

// idleReport is the outcome.
type idleReport struct {
	Asked       int       `json:"asked"`
	Opened      int       `json:"opened"`
	Alive       int       `json:"alive"` // at the end
	OpenSeconds float64   `json:"open_seconds"`
	BaseMiB     float64   `json:"base_pss_mib"`
	KiB         []idleKiB `json:"kib_per_connection"`
	IdlePercent float64   `json:"idle_cpu_percent"` // of one processor
	Trouble     string    `json:"trouble,omitempty"`
}

// idleKiB is the memory for each connection at one moment.
type idleKiB struct {
	When string  `json:"when"`
	PSS  float64 `json:"pss"`
	Slab float64 `json:"kernel_slab"`
}

func runIdle(ctx context.Context, args []string, out io.Writer) error {
	f := newFlags("idle", idleAbout, idleExamples)
	p := &idlePlan{}
	f.StringVar(&p.addr, "addr", "127.0.0.1:2525", "server `address`")
	f.IntVar(&p.pid, "pid", 0, "process `id` of the server")
	f.IntVar(&p.connections, "connections", 10000, "connections to open")
	f.IntVar(&p.openers, "openers", 20, "connections being opened at once")
	f.DurationVar(&p.settle, "settle", 5*time.Second, "wait before the second and third weighing")
	f.BoolVar(&p.noop, "noop", true, "weigh again after a NOOP on each connection")
	useTLS := f.Bool("tls", false, "TLS from the first octet")
	useStartTLS := f.Bool("starttls", false, "turn to TLS with STARTTLS, or with STLS when the greeting is POP3's")
	asJSON := f.Bool("json", false, "report as JSON")
	if err := parseFlags(f, args); err != nil {
		return err
	}
	if p.pid <= 0 || p.connections < 1 || p.openers < 1 {
		return errors.New("-pid is needed, -connections and -openers must be positive")
	}
	if *useTLS {
		p.security = implicitTLS
	}
	if *useStartTLS {
		p.security = startTLS
	}
	r, err := p.carryOut(ctx)
	if err != nil {
		return err
	}
	return r.write(out, p.addr, *asJSON)
}

func (r *idleReport) write(out io.Writer, title string, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	fmt.Fprintf(out, "%s\n  opened  %d of %d in %.2f s, alive at the end %d\n  base    %.1f MiB PSS, idle %.1f %% of a processor\n",
		title, r.Opened, r.Asked, r.OpenSeconds, r.Alive, r.BaseMiB, r.IdlePercent)
	for _, k := range r.KiB {
		fmt.Fprintf(out, "  %-16s %.2f KiB PSS per connection (kernel slab of the machine: %.2f)\n", k.When, k.PSS, k.Slab)
	}
	if r.Trouble != "" {
		fmt.Fprintf(out, "  first trouble: %s\n", r.Trouble)
	}
	return nil
}

// raiseFileLimit allows this process to hold n connections.
func raiseFileLimit(n int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	want := uint64(n) + 100
	if limit.Cur >= want {
		return nil
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: want, Max: max(limit.Max, want)}); err != nil {
		return fmt.Errorf("%d connections need more open files than the limit of %d: %w", n, limit.Max, err)
	}
	return nil
}

// carryOut opens the connections and weighs the server.
func (p *idlePlan) carryOut(ctx context.Context) (*idleReport, error) {
	if err := raiseFileLimit(p.connections); err != nil {
		return nil, err
	}
	scale := &idleScale{plan: p}
	if err := scale.tare(); err != nil {
		return nil, err
	}
	r := &idleReport{Asked: p.connections, BaseMiB: float64(scale.pss) / (1 << 20)}
	start := time.Now()
	conns, err := p.open(ctx)
	r.OpenSeconds, r.Opened = time.Since(start).Seconds(), len(conns)
	defer closeAll(conns)
	if err != nil {
		r.Trouble = err.Error()
	}
	if len(conns) == 0 {
		return r, err
	}
	if err := r.weigh(scale, "opened"); err != nil {
		return r, err
	}
	if err := scale.rest(ctx, r); err != nil {
		return r, err
	}
	if err := r.weigh(scale, "settled"); err != nil {
		return r, err
	}
	if p.noop {
		r.Alive = exchangeNoops(conns)
		if err := scale.rest(ctx, r); err != nil {
			return r, err
		}
		return r, r.weigh(scale, "after NOOP")
	}
	r.Alive = countAlive(conns)
	return r, nil
}

func (r *idleReport) weigh(s *idleScale, when string) error {
	pss, slab, err := s.read()
	if err != nil {
		return err
	}
	n := float64(r.Opened) * 1024
	r.KiB = append(r.KiB, idleKiB{when, float64(pss-s.pss) / n, float64(slab-s.slab) / n})
	return nil
}

// idleScale weighs the server, less what it weighed at first.
type idleScale struct {
	plan      *idlePlan
	pss, slab int64
}

// tare takes the weight without connections. One connection is opened and
// closed before, for what the server allocates only once.
func (s *idleScale) tare() error {
	c, err := s.plan.dial(0)
	if err != nil {
		return err
	}
	closeAll([]net.Conn{c})
	time.Sleep(500 * time.Millisecond)
	s.pss, s.slab, err = s.read()
	return err
}

func (s *idleScale) read() (pss, slab int64, err error) {
	u, err := usageOfTree(s.plan.pid)
	if err != nil {
		return 0, 0, err
	}
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, 0, err
	}
	slab, err = parseKeyed(data, "Slab")
	return u.PSS, slab << 10, err
}

// rest waits and notes what processor time the server needs for doing nothing.
func (s *idleScale) rest(ctx context.Context, r *idleReport) error {
	before, err := usageOfTree(s.plan.pid)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(s.plan.settle):
	}
	after, err := usageOfTree(s.plan.pid)
	r.IdlePercent = 100 * (after.cpu() - before.cpu()).Seconds() / s.plan.settle.Seconds()
	return err
}

// open opens all connections, some at once. On trouble it returns those that
// it has.
func (p *idlePlan) open(ctx context.Context) ([]net.Conn, error) {
	var (
		next    atomic.Int64
		openers sync.WaitGroup
		lock    sync.Mutex
		conns   []net.Conn
		trouble error
	)
	for range p.openers {
		openers.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= p.connections {
					return
				}
				c, err := p.dial(i)
				lock.Lock()
				if err != nil && trouble == nil {
					trouble = err
				}
				if err == nil {
					conns = append(conns, c)
				}
				lock.Unlock()
			}
		})
	}
	openers.Wait()
	return conns, errors.Join(trouble, ctx.Err())
}

// perSourceMax is how many connections come from one address.
const perSourceMax = 250

// dial opens the i-th connection, reads the greeting and turns to TLS if that
// is asked for. To a loopback address it comes from one of many of these.
func (p *idlePlan) dial(i int) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 30 * time.Second}
	if strings.HasPrefix(p.addr, "127.") {
		source := i / perSourceMax
		dialer.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 1, byte(source/250), byte(1+source%250))}
	}
	conn, err := dialer.Dial("tcp", p.addr)
	if err != nil {
		return nil, err
	}
	secured, err := p.greet(conn)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secured, nil
}

func (p *idlePlan) greet(conn net.Conn) (net.Conn, error) {
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return nil, err
	}
	if p.security == implicitTLS {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	line, err := readLine(conn)
	if err != nil {
		return nil, err
	}
	if line[0] != '2' && line[0] != '+' {
		return nil, &refusal{line}
	}
	if p.security != startTLS {
		return conn, conn.SetDeadline(time.Time{})
	}
	command := "STARTTLS\r\n"
	if line[0] == '+' {
		command = "STLS\r\n"
	} else if err := exchange(conn, "EHLO perf.test\r\n"); err != nil {
		return nil, err
	}
	if err := exchange(conn, command); err != nil {
		return nil, err
	}
	secured := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	return secured, errors.Join(secured.Handshake(), conn.SetDeadline(time.Time{}))
}

// exchange sends a command and reads its reply, which must be positive.
func exchange(conn net.Conn, command string) error {
	if _, err := io.WriteString(conn, command); err != nil {
		return err
	}
	for {
		line, err := readLine(conn)
		if err != nil {
			return err
		}
		if line[0] != '2' && line[0] != '+' {
			return &refusal{line}
		}
		if line[0] == '+' || line[3] != '-' {
			return nil
		}
	}
}

// readLine reads a line octet by octet, so that no buffer stays behind.
func readLine(conn net.Conn) (string, error) {
	var line []byte
	var one [1]byte
	for len(line) < bufio.MaxScanTokenSize {
		if _, err := io.ReadFull(conn, one[:]); err != nil {
			return "", err
		}
		if one[0] == '\n' {
			break
		}
		line = append(line, one[0])
	}
	if len(line) < 4 {
		return "", fmt.Errorf("reply %q is too short", line)
	}
	return strings.TrimSpace(string(line)), nil
}

// exchangeNoops sends NOOP on each connection and counts those that answer.
func exchangeNoops(conns []net.Conn) int {
	alive := 0
	for _, c := range conns {
		if c.SetDeadline(time.Now().Add(10*time.Second)) == nil && exchange(c, "NOOP\r\n") == nil {
			alive++
		}
	}
	return alive
}

// countAlive counts connections that are still open: where the server has
// closed, a read ends at once instead of timing out.
func countAlive(conns []net.Conn) int {
	alive := 0
	for _, c := range conns {
		var one [1]byte
		if c.SetReadDeadline(time.Now().Add(50*time.Microsecond)) != nil {
			continue
		}
		if _, err := c.Read(one[:]); errors.Is(err, os.ErrDeadlineExceeded) {
			alive++
		}
	}
	return alive
}

// closeAll closes connections; it does not matter whether the server was
// faster.
func closeAll(conns []net.Conn) {
	for _, c := range conns {
		_ = c.Close()
	}
}
