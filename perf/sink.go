package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"
)

// sink is Postfix's smtp-sink: it takes mail and throws it away, and says how
// many messages it has had.
type sink struct {
	addr     string
	cmd      *exec.Cmd
	messages atomic.Int64
	ended    chan struct{}
}

const sinkAddr = "127.0.0.1:2503"

// startSink starts smtp-sink and waits until it greets.
func startSink(addr string) (*sink, error) {
	args := []string{"-c"}
	if os.Geteuid() == 0 { // it insists on being nobody
		args = append(args, "-u", "nobody")
	}
	s := &sink{addr: addr, cmd: exec.Command("smtp-sink", append(args, addr, "1000")...), ended: make(chan struct{})}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("is the package postfix installed? %w", err)
	}
	go s.count(out)
	for end := time.Now().Add(5 * time.Second); ; {
		err := greeting(addr)
		if err == nil {
			return s, nil
		}
		if time.Now().After(end) {
			return nil, errors.Join(fmt.Errorf("smtp-sink on %s: %w", addr, err), s.close())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// count reads the running counter: "sess=%5d quit=%5d mesg=%5d" and a carriage
// return, again and again.
func (s *sink) count(out io.Reader) {
	defer close(s.ended)
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\r')
		if err != nil {
			return
		}
		var n int64
		if _, text, ok := strings.Cut(line, "mesg="); ok {
			if _, err := fmt.Sscan(strings.TrimRight(text, "\r"), &n); err == nil {
				s.messages.Store(n)
			}
		}
	}
}

// begin implements arrivals.
func (s *sink) begin(ctx context.Context, _ string, warmUp int) error {
	_, err := s.waitFor(ctx, warmUp, patience)
	return err
}

// waitFor implements arrivals.
func (s *sink) waitFor(ctx context.Context, want int, patience time.Duration) (time.Time, error) {
	pulse := time.NewTicker(mailCountEvery)
	defer pulse.Stop()
	last, progress := s.messages.Load(), time.Now()
	for s.messages.Load() < int64(want) {
		select {
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		case <-s.ended:
			return time.Time{}, errors.New("smtp-sink has ended")
		case now := <-pulse.C:
			if n := s.messages.Load(); n != last {
				last, progress = n, now
			}
		}
		if time.Since(progress) > patience {
			return time.Time{}, fmt.Errorf("only %d of %d messages arrived at smtp-sink", last, want)
		}
	}
	return time.Now(), nil
}

func (s *sink) all() (int, error) { return int(s.messages.Load()), nil }

// close ends smtp-sink.
func (s *sink) close() error {
	err := s.cmd.Process.Kill()
	<-s.ended
	_ = s.cmd.Wait() // it was killed, and says so
	return err
}

// destination is where messages end in this trial: it counts them there, and
// says to which address they are relayed, if they are.
func (t *trial) destination() (arrivals, string, error) {
	if !t.relay {
		return &mailboxArrivals{}, "", nil
	}
	s, err := startSink(sinkAddr)
	return s, sinkAddr, err
}

// ceiling is how many messages per second the generator gets rid of when
// nothing is done with them: what no server can surpass in this trial.
func (t *trial) ceiling(ctx context.Context) (perSecond float64, err error) {
	if t.relay {
		return t.intoSink(ctx)
	}
	null, err := startNull("127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, null.listener.Close()) }()
	begin := time.Now()
	_, err = t.send(ctx, null.listener.Addr().String(), t.messages)
	return float64(t.messages) / time.Since(begin).Seconds(), err
}

// intoSink is the rate into smtp-sink with no server between.
func (t *trial) intoSink(ctx context.Context) (perSecond float64, err error) {
	s, err := startSink(sinkAddr)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	begin := time.Now()
	if _, err := t.send(ctx, sinkAddr, t.messages); err != nil {
		return 0, err
	}
	end, err := s.waitFor(ctx, t.messages, patience)
	return float64(t.messages) / end.Sub(begin).Seconds(), err
}

// bracketed is an address as a relay host that is not to be looked up.
func bracketed(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return "[" + host + "]:" + port
}
