package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// run is what one server did in one round.
type run struct {
	Peer               string  `json:"peer"`
	AcceptedPerSecond  float64 `json:"accepted_per_second"`
	DeliveredPerSecond float64 `json:"delivered_per_second"`
	UserPer1000        float64 `json:"server_user_s_per_1000"`
	SystemPer1000      float64 `json:"server_system_s_per_1000"`
	ClientPer1000      float64 `json:"client_cpu_s_per_1000"`
	OthersPercent      float64 `json:"others_cpu_percent"` // of the machine, neither server nor client
	WrittenKiBPerMsg   float64 `json:"disk_written_kib_per_message"`
	FlushesPerMsg      float64 `json:"disk_flushes_per_message"`
	peakPSSMiB         float64
}

func (r *run) String() string {
	return fmt.Sprintf("accepted %.0f/s, delivered %.0f/s, server CPU %.3f s per 1,000 (user %.3f, system %.3f), client %.3f, others %.0f %%, disk %.1f KiB and %.2f flushes per message",
		r.AcceptedPerSecond, r.DeliveredPerSecond, r.UserPer1000+r.SystemPer1000, r.UserPer1000, r.SystemPer1000,
		r.ClientPer1000, r.OthersPercent, r.WrittenKiBPerMsg, r.FlushesPerMsg)
}

// purpose says what a run is for. Reading the memory maps of a hundred
// processes disturbs them, and tracing them more so; a run that is timed does
// neither.
type purpose struct {
	weigh     bool
	traceFile string // where strace counts syncs; empty: no tracing
}

// run starts the peer on a fresh disk, warms it up, loads it and stops it.
func (t *trial) run(ctx context.Context, p peer, d *disk, why purpose) (r *run, err error) {
	if err := d.fresh(ctx); err != nil {
		return nil, err
	}
	count, nextHop, err := t.destination()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, count.close()) }()
	if err := p.prepare(ctx, d.dir, nextHop); err != nil {
		return nil, err
	}
	cmd := p.start(ctx)
	if why.traceFile != "" {
		cmd = traced(ctx, cmd, why.traceFile)
	}
	s, err := startServer(ctx, cmd, p.name(), d.dir, p.addr())
	if err != nil {
		return nil, err
	}
	defer func() {
		// Also after an interrupt, which has ended ctx, the server is stopped.
		err = errors.Join(err, s.stop(p.halt(context.WithoutCancel(ctx))))
	}()
	if err := t.warm(ctx, p, count); err != nil {
		return nil, err
	}
	if !why.weigh {
		return t.measure(ctx, p, d, s, count)
	}
	peak := weigh(s)
	r, err = t.measure(ctx, p, d, s, count)
	if highest := peak(); err == nil {
		r.peakPSSMiB = highest
	}
	return r, err
}

// patience is how long no message may arrive before a run is given up.
const patience = 30 * time.Second

// warm sends the first messages, which make the server start its processes
// and its mailbox, and waits until they have arrived.
func (t *trial) warm(ctx context.Context, p peer, count arrivals) error {
	if _, err := t.send(ctx, p.addr(), t.warmUp); err != nil {
		return fmt.Errorf("warm-up: %w", err)
	}
	if err := count.begin(ctx, p.mailbox(), t.warmUp); err != nil {
		return fmt.Errorf("warm-up: %w", err)
	}
	return nil
}

// mark is what the counters say at one moment.
type mark struct {
	at           time.Time
	user, system time.Duration
	machine      time.Duration
	disk         diskCount
}

func takeMark(s *server, d *disk) (m mark, err error) {
	m.at = time.Now()
	if m.user, m.system, err = s.cpu(); err != nil {
		return m, err
	}
	if m.machine, err = machineCPU(); err != nil {
		return m, err
	}
	m.disk, err = d.count()
	return m, err
}

// measure sends the messages and waits until all have arrived and the server
// has come to rest.
func (t *trial) measure(ctx context.Context, p peer, d *disk, s *server, count arrivals) (*run, error) {
	before, err := takeMark(s, d)
	if err != nil {
		return nil, err
	}
	type end struct {
		at  time.Time
		err error
	}
	delivered := make(chan end, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	want := t.warmUp + t.messages
	go func() {
		at, err := count.waitFor(ctx, want, patience)
		delivered <- end{at, err}
	}()
	client, err := t.send(ctx, p.addr(), t.messages)
	accepted := time.Now()
	if err != nil {
		cancel()
		<-delivered
		return nil, err
	}
	last := <-delivered
	if last.err != nil {
		return nil, last.err
	}
	time.Sleep(t.keepQuiet)
	after, err := takeMark(s, d)
	if err != nil {
		return nil, err
	}
	if n, err := count.all(); err != nil || n != want {
		return nil, errors.Join(fmt.Errorf("%d messages arrived instead of %d", n, want), err)
	}
	return t.newRun(p, before, after, accepted, last.at, client), nil
}

func (t *trial) newRun(p peer, before, after mark, accepted, delivered time.Time, client time.Duration) *run {
	n := float64(t.messages)
	user, system := after.user-before.user, after.system-before.system
	machine := after.machine - before.machine
	disk := after.disk.since(before.disk)
	return &run{
		Peer:               p.name(),
		AcceptedPerSecond:  n / accepted.Sub(before.at).Seconds(),
		DeliveredPerSecond: n / delivered.Sub(before.at).Seconds(),
		UserPer1000:        user.Seconds() / n * 1000,
		SystemPer1000:      system.Seconds() / n * 1000,
		ClientPer1000:      client.Seconds() / n * 1000,
		OthersPercent:      100 * (machine - user - system - client).Seconds() / (after.at.Sub(before.at).Seconds() * float64(runtime.NumCPU())),
		WrittenKiBPerMsg:   float64(disk.writtenOctets) / 1024 / n,
		FlushesPerMsg:      float64(disk.flushes) / n,
	}
}

// send sends n messages in the way of the trial and returns the processor
// time that the client needed.
func (t *trial) send(ctx context.Context, addr string, n int) (time.Duration, error) {
	const to = "alice@example.test"
	if strings.HasPrefix(t.load, "perf") {
		plan := &smtpPlan{addr: addr, sessions: t.sessions, messages: n, sizeOctets: t.size, window: 1,
			from: "sender@perf.test", to: []string{to}, numbers: 1, rcpts: 1, patience: time.Minute}
		if t.load == "perf-one" {
			plan.perConnection = 1
		}
		report, err := loadSMTP(ctx, plan)
		if err == nil && report.Accepted != uint64(n) {
			err = fmt.Errorf("%d of %d messages accepted: %s", report.Accepted, n, report.Trouble)
		}
		if err != nil {
			return 0, err
		}
		return time.Duration(report.ClientCPU / 1000 * float64(n) * float64(time.Second)), nil
	}
	args := []string{"-s", strconv.Itoa(t.sessions), "-l", strconv.Itoa(t.size), "-m", strconv.Itoa(n), "-f", "sender@perf.test", "-t", to}
	if t.load == "smtp-source-many" {
		args = append(args, "-d")
	}
	cmd := exec.CommandContext(ctx, "smtp-source", append(args, addr)...)
	if words, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("smtp-source: %w: %s", err, words)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// weigh samples the memory of the server until the returned function is
// called, which returns the highest sum in MiB.
func weigh(s *server) (peak func() float64) {
	stop, done := make(chan struct{}), make(chan int64)
	go func() {
		var highest int64
		pulse := time.NewTicker(100 * time.Millisecond)
		defer pulse.Stop()
		for {
			select {
			case <-stop:
				done <- highest
				return
			case <-pulse.C:
			}
			if u, err := s.usage(); err == nil {
				highest = max(highest, u.PSS)
			}
		}
	}()
	return func() float64 {
		close(stop)
		return float64(<-done) / (1 << 20)
	}
}

// machineCPU is the time that all processors together were busy.
func machineCPU() (time.Duration, error) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	return parseMachineCPU(string(data))
}

// parseMachineCPU adds up the first line of /proc/stat without the times of
// idling and waiting for disks (fields 4 and 5), and without those of guests,
// which are counted in the others already.
func parseMachineCPU(stat string) (time.Duration, error) {
	line, _, _ := strings.Cut(stat, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, fmt.Errorf("no processor times in %q", line)
	}
	var busy time.Duration
	for i, field := range fields[1:9] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		if i != 3 && i != 4 {
			busy += time.Duration(n) * tick
		}
	}
	return busy, nil
}
