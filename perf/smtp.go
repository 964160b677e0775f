package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"
)

const smtpAbout = `Sends messages of one size to an SMTP or LMTP server over many connections at
once and reports how many were accepted and how long each took, from its MAIL
command (or, with -rate, from the moment it was due) to its last reply.

Every message has a Message-ID and a Subject of its own. Without -rate each
connection sends its next message when the last was answered (closed loop);
with -rate messages fall due at that rate whatever the server does (open loop).
-ceiling first sends the same load to a server that keeps nothing.`

const smtpExamples = `  perf smtp -addr 127.0.0.1:2525 -to alice@example.test -sessions 50 -messages 10000
  perf smtp -addr 127.0.0.1:2525 -to alice@example.test,bob@example.test -per-connection 1 -duration 10s
  perf smtp -addr 127.0.0.1:2525 -to 'user%d@example.test' -numbers 100 -bdat -window 16 -ceiling
  perf smtp -addr 127.0.0.1:2424 -lmtp -to alice@example.test -rcpts 1 -rate 500 -duration 30s
  perf smtp -addr 127.0.0.1:2587 -starttls -user alice@example.test -password secret -from alice@example.test -to bob@example.test`

// smtpPlan is what "perf smtp" was asked to do.
type smtpPlan struct {
	addr          string
	sessions      int
	messages      int           // 0: until the duration is over
	duration      time.Duration // 0: until the messages are sent
	sizeOctets    int
	perConnection int // messages per connection, 0: all
	window        int // BDAT: messages under way on one connection
	bdat          bool
	lockStep      bool
	security      security
	lmtp          bool
	rate          float64 // messages per second, 0: closed loop
	from          string
	to            []string // recipients in turn; %d is replaced by a number below numbers
	numbers       int
	rcpts         int // recipients of one message
	user          string
	password      string
	patience      time.Duration
}

// security says when a connection turns to TLS.
type security int

const (
	plain security = iota
	startTLS
	implicitTLS
)

func runSMTP(ctx context.Context, args []string, out io.Writer) error {
	f := newFlags("smtp", smtpAbout, smtpExamples)
	plan, finish := smtpFlags(f)
	ceiling := f.Bool("ceiling", false, "send the same load to perf null first and report both")
	asJSON := f.Bool("json", false, "report as JSON")
	if err := parseFlags(f, args); err != nil {
		return err
	}
	if err := finish(); err != nil {
		return err
	}
	if *ceiling {
		if err := reportCeiling(ctx, *plan, out, *asJSON); err != nil {
			return err
		}
	}
	report, err := loadSMTP(ctx, plan)
	if err != nil {
		return err
	}
	return report.write(out, plan.addr, *asJSON)
}

// smtpFlags declares the flags of a plan. The returned function is called
// after they are parsed: it checks them and completes the plan.
func smtpFlags(f *flag.FlagSet) (*smtpPlan, func() error) {
	p := &smtpPlan{}
	f.StringVar(&p.addr, "addr", "127.0.0.1:2525", "server `address`, or unix:PATH")
	f.IntVar(&p.sessions, "sessions", 10, "connections at once")
	f.IntVar(&p.messages, "messages", 0, "messages to send, 0: until -duration is over")
	f.DurationVar(&p.duration, "duration", 0, "how long to send, 0: until -messages are sent")
	f.IntVar(&p.sizeOctets, "size", 4096, "size of a message in octets")
	f.IntVar(&p.perConnection, "per-connection", 0, "messages per connection, 0: all")
	f.IntVar(&p.window, "window", 1, "with -bdat: messages under way on one connection")
	f.BoolVar(&p.bdat, "bdat", false, "send with BDAT, else with DATA")
	f.BoolVar(&p.lockStep, "lock-step", false, "wait for each reply, else pipeline")
	useTLS := f.Bool("tls", false, "TLS from the first octet")
	useStartTLS := f.Bool("starttls", false, "turn to TLS with STARTTLS")
	f.BoolVar(&p.lmtp, "lmtp", false, "speak LMTP")
	f.Float64Var(&p.rate, "rate", 0, "messages per second over all connections, 0: as fast as they are answered")
	f.StringVar(&p.from, "from", "sender@perf.test", "envelope sender")
	to := f.String("to", "alice@example.test", "recipients in turn, with commas between; %d becomes a number below -numbers")
	f.IntVar(&p.numbers, "numbers", 1, "how many numbers %d in -to runs through")
	f.IntVar(&p.rcpts, "rcpts", 1, "recipients of each message")
	f.StringVar(&p.user, "user", "", "account for AUTH PLAIN")
	f.StringVar(&p.password, "password", "", "its password")
	f.DurationVar(&p.patience, "patience", time.Minute, "longest wait for a reply")
	return p, func() error {
		p.to = strings.Split(*to, ",")
		if *useTLS {
			p.security = implicitTLS
		}
		if *useStartTLS {
			p.security = startTLS
		}
		return p.check()
	}
}

// check refuses plans that cannot work and sets what was left open.
func (p *smtpPlan) check() error {
	switch {
	case p.sessions < 1:
		return errors.New("-sessions must be at least 1")
	case p.rcpts < 1 || p.rcpts > 1000:
		return errors.New("-rcpts must be 1 to 1000")
	case p.numbers < 1:
		return errors.New("-numbers must be at least 1")
	case p.window < 1 || p.window > 64:
		return errors.New("-window must be 1 to 64: more could fill both directions at once")
	case p.window > 1 && (!p.bdat || p.lockStep):
		return errors.New("-window needs -bdat and no -lock-step: DATA ends a group of commands (RFC 2920 3.1)")
	case p.window > 1 && p.rate > 0:
		return errors.New("-window and -rate exclude each other")
	case p.sizeOctets < smtpSizeMin:
		return fmt.Errorf("-size must be at least %d: the header needs that much", smtpSizeMin)
	case p.messages < 1 && p.duration <= 0:
		p.duration = 10 * time.Second
	}
	return nil
}

// smtpReport is the outcome of a load.
type smtpReport struct {
	Seconds     float64 `json:"seconds"`
	Accepted    uint64  `json:"accepted"`
	Refused     uint64  `json:"refused"`
	Failed      uint64  `json:"failed"` // connections that broke
	Connections uint64  `json:"connections"`
	PerSecond   float64 `json:"accepted_per_second"`
	MiBps       float64 `json:"mib_per_second"`
	Latency     latency `json:"latency"`
	ClientCPU   float64 `json:"client_cpu_s_per_1000"`
	Trouble     string  `json:"trouble,omitempty"` // the first refusal or error
}

// write prints the report for people or for programs.
func (r *smtpReport) write(out io.Writer, title string, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	_, err := fmt.Fprintf(out, `%s
  accepted    %d in %.2f s = %.0f/s, %.1f MiB/s
  refused     %d, failed connections %d of %d
  latency ms  p50 %.2f  p95 %.2f  p99 %.2f  max %.2f
  client CPU  %.4f s per 1,000
`, title, r.Accepted, r.Seconds, r.PerSecond, r.MiBps, r.Refused, r.Failed, r.Connections,
		r.Latency.P50ms, r.Latency.P95ms, r.Latency.P99ms, r.Latency.MaxMs, r.ClientCPU)
	if err == nil && r.Trouble != "" {
		_, err = fmt.Fprintf(out, "  first trouble: %s\n", r.Trouble)
	}
	return err
}

// reportCeiling runs the plan against perf null in a process of its own, so
// that it uses the machine as a server would.
func reportCeiling(ctx context.Context, plan smtpPlan, out io.Writer, asJSON bool) error {
	addr, stop, err := spawnNull(ctx)
	if err != nil {
		return err
	}
	defer stop()
	plan.addr = addr
	if plan.security == implicitTLS {
		plan.security = startTLS
	}
	report, err := loadSMTP(ctx, &plan)
	if err != nil {
		return err
	}
	return report.write(out, "ceiling (perf null)", asJSON)
}

// spawnNull starts this program as "perf null" and returns its address and a
// function that ends it.
func spawnNull(ctx context.Context) (addr string, stop func(), err error) {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "null")
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		// Kill and Wait fail only when it has ended already.
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listen smtp ")
	if err != nil || !ok {
		stop()
		return "", nil, fmt.Errorf("perf null said %q: %w", line, errors.Join(err, net.ErrClosed))
	}
	return addr, stop, nil
}
