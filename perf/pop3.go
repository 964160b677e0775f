package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

const pop3About = `Logs in to mailboxes over POP3 and asks for STAT, UIDL and every message, again
and again until the time is over. Nothing is deleted. Each mailbox is used by
one connection at a time, as the protocol demands; %d in -user stands for the
number of the connection.`

const pop3Examples = `  perf pop3 -addr 127.0.0.1:2110 -user alice@example.test -password secret -duration 10s
  perf pop3 -addr 127.0.0.1:2110 -user 'user%d@example.test' -password secret -sessions 20 -window 100
  perf pop3 -addr 127.0.0.1:2995 -tls -user alice@example.test -password secret -rounds 1`

// pop3Plan is what "perf pop3" was asked to do.
type pop3Plan struct {
	addr     string
	user     string // with %d for the number of the connection
	password string
	sessions int
	rounds   int // log-ins of each connection, 0: until the duration is over
	duration time.Duration
	window   int // RETR commands under way
	security security
	patience time.Duration
}

func runPOP3(ctx context.Context, args []string, out io.Writer) error {
	f := newFlags("pop3", pop3About, pop3Examples)
	p := &pop3Plan{}
	f.StringVar(&p.addr, "addr", "127.0.0.1:2110", "server `address`")
	f.StringVar(&p.user, "user", "alice@example.test", "account; %d becomes the number of the connection")
	f.StringVar(&p.password, "password", "", "its password")
	f.IntVar(&p.sessions, "sessions", 1, "connections at once")
	f.IntVar(&p.rounds, "rounds", 0, "log-ins of each connection, 0: until -duration is over")
	f.DurationVar(&p.duration, "duration", 10*time.Second, "how long, unless -rounds says how often")
	f.IntVar(&p.window, "window", 1, "RETR commands under way, 1: lock-step")
	f.DurationVar(&p.patience, "patience", time.Minute, "longest wait for a reply")
	useTLS := f.Bool("tls", false, "TLS from the first octet")
	useSTLS := f.Bool("stls", false, "turn to TLS with STLS")
	asJSON := f.Bool("json", false, "report as JSON")
	if err := parseFlags(f, args); err != nil {
		return err
	}
	if p.sessions < 1 || p.window < 1 || p.window > 1000 {
		return errors.New("-sessions must be at least 1, -window 1 to 1000")
	}
	if *useTLS {
		p.security = implicitTLS
	}
	if *useSTLS {
		p.security = startTLS
	}
	report, err := loadPOP3(ctx, p)
	if err != nil {
		return err
	}
	return report.write(out, p.addr, *asJSON)
}

// pop3Tally is what one connection has seen.
type pop3Tally struct {
	Logins   int   `json:"logins"`
	Messages int   `json:"messages"`
	Octets   int64 `json:"octets"`
	login    histogram
	uidl     histogram
	trouble  error
}

// pop3Report is the outcome of a load.
type pop3Report struct {
	pop3Tally
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"messages_per_second"`
	MiBps     float64 `json:"mib_per_second"`
	Login     latency `json:"login_and_stat"`
	UIDL      latency `json:"uidl"`
	ClientCPU float64 `json:"client_cpu_s_per_1000"`
	Trouble   string  `json:"trouble,omitempty"`
}

func (r *pop3Report) write(out io.Writer, title string, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	_, err := fmt.Fprintf(out, `%s
  retrieved  %d messages in %.2f s = %.0f/s, %.1f MiB/s, %d log-ins
  ms         log-in and STAT p50 %.2f p99 %.2f, UIDL p50 %.2f p99 %.2f
  client CPU %.4f s per 1,000
`, title, r.Messages, r.Seconds, r.PerSecond, r.MiBps, r.Logins,
		r.Login.P50ms, r.Login.P99ms, r.UIDL.P50ms, r.UIDL.P99ms, r.ClientCPU)
	if err == nil && r.Trouble != "" {
		_, err = fmt.Fprintf(out, "  first trouble: %s\n", r.Trouble)
	}
	return err
}

// loadPOP3 carries out a plan.
func loadPOP3(ctx context.Context, p *pop3Plan) (*pop3Report, error) {
	before, err := ownCPU()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	tallies := make([]pop3Tally, p.sessions)
	var workers sync.WaitGroup
	for i := range tallies {
		user := strings.ReplaceAll(p.user, "%d", strconv.Itoa(i))
		workers.Go(func() { p.work(ctx, start, user, &tallies[i]) })
	}
	workers.Wait()
	r := &pop3Report{Seconds: time.Since(start).Seconds()}
	after, err := ownCPU()
	if err != nil {
		return nil, err
	}
	for i := range tallies {
		t := &tallies[i]
		r.Logins, r.Messages, r.Octets = r.Logins+t.Logins, r.Messages+t.Messages, r.Octets+t.Octets
		r.login.merge(&t.login)
		r.uidl.merge(&t.uidl)
		if t.trouble != nil && r.Trouble == "" {
			r.Trouble = t.trouble.Error()
		}
	}
	r.Login, r.UIDL = r.login.latency(), r.uidl.latency()
	r.PerSecond = float64(r.Messages) / r.Seconds
	r.MiBps = float64(r.Octets) / r.Seconds / (1 << 20)
	r.ClientCPU = (after - before).Seconds() / float64(max(r.Messages, 1)) * 1000
	return r, nil
}

// work reads one mailbox again and again; it ends at the first error.
func (p *pop3Plan) work(ctx context.Context, start time.Time, user string, t *pop3Tally) {
	for round := 0; ctx.Err() == nil; round++ {
		if p.rounds > 0 && round == p.rounds || p.rounds == 0 && time.Since(start) >= p.duration {
			return
		}
		if t.trouble = p.session(ctx, user, t); t.trouble != nil {
			return
		}
	}
}

// session is one log-in, from greeting to QUIT.
func (p *pop3Plan) session(ctx context.Context, user string, t *pop3Tally) error {
	start := time.Now()
	c, err := p.dial(ctx)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	count, err := c.login(p, user)
	if err != nil {
		return err
	}
	t.Logins++
	t.login.add(time.Since(start))
	start = time.Now()
	if _, err := c.listing("UIDL\r\n"); err != nil {
		return err
	}
	t.uidl.add(time.Since(start))
	for asked, got := 0, 0; got < count; got++ {
		for ; asked < count && asked-got < p.window; asked++ {
			c.retrieve(asked + 1)
		}
		octets, err := c.listing("")
		if err != nil {
			return err
		}
		t.Messages++
		t.Octets += octets
	}
	_, err = c.command("QUIT\r\n")
	return err
}

// pop3Conn is one connection.
type pop3Conn struct {
	conn     net.Conn
	in       *bufio.Reader
	out      []byte
	patience time.Duration
	renewed  time.Time // when the deadline was set last
	err      error     // the first failure to write
}

func (p *pop3Plan) dial(ctx context.Context) (*pop3Conn, error) {
	dialer := net.Dialer{Timeout: p.patience}
	conn, err := dialer.DialContext(ctx, "tcp", p.addr)
	if err != nil {
		return nil, err
	}
	c := &pop3Conn{conn: conn, patience: p.patience}
	if p.security == implicitTLS {
		c.conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	c.in = bufio.NewReaderSize(c.conn, 64<<10)
	if _, err = c.status(); err == nil && p.security == startTLS {
		if _, err = c.command("STLS\r\n"); err == nil {
			c.conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
			c.in.Reset(c.conn)
		}
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

// login authenticates and returns how many messages STAT promises.
func (c *pop3Conn) login(p *pop3Plan, user string) (count int, err error) {
	if _, err := c.command("USER " + user + "\r\n"); err != nil {
		return 0, err
	}
	if _, err := c.command("PASS " + p.password + "\r\n"); err != nil {
		return 0, err
	}
	line, err := c.command("STAT\r\n")
	if err != nil {
		return 0, err
	}
	_, err = fmt.Sscanf(line, "+OK %d", &count)
	return count, err
}

// command sends a command and returns the status line of its reply.
func (c *pop3Conn) command(line string) (string, error) {
	c.out = append(c.out, line...)
	c.flush()
	return c.status()
}

// retrieve adds a RETR command to what will be sent.
func (c *pop3Conn) retrieve(number int) {
	c.out = append(c.out, "RETR "...)
	c.out = strconv.AppendInt(c.out, int64(number), 10)
	c.out = append(c.out, "\r\n"...)
}

// flush sends what has gathered. A failure is kept for the next reply.
func (c *pop3Conn) flush() {
	if len(c.out) == 0 {
		return
	}
	if now := time.Now(); now.Sub(c.renewed) > time.Second {
		c.renewed = now
		c.keep(c.conn.SetDeadline(now.Add(c.patience)))
	}
	_, err := c.conn.Write(c.out)
	c.keep(err)
	c.out = c.out[:0]
}

func (c *pop3Conn) keep(err error) {
	if c.err == nil {
		c.err = err
	}
}

// status reads a status line, which must begin with +OK.
func (c *pop3Conn) status() (string, error) {
	if c.err != nil {
		return "", c.err
	}
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	if !bytes.HasPrefix(line, []byte("+OK")) {
		return "", &refusal{strings.TrimSpace(string(line))}
	}
	return string(line), nil
}

// listing sends a command unless it is empty, and reads a reply of several
// lines up to the one that is a dot (RFC 1939 3). It returns its octets.
func (c *pop3Conn) listing(command string) (octets int64, err error) {
	c.out = append(c.out, command...)
	if c.in.Buffered() == 0 {
		c.flush()
	}
	if _, err := c.status(); err != nil {
		return 0, err
	}
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return octets, err
		}
		if string(line) == ".\r\n" {
			return octets, nil
		}
		octets += int64(len(line))
	}
}
