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
	"syscall"
	"time"
)

const startupAbout = `Starts "barid demo" again and again with free ports on data that it has made
before, and says how long it took from exec to the line "ready" and to the
first greeting, how much memory the process has after two idle seconds, and how
large the binary is. The start that makes the data is not counted: it hashes
the passwords of the accounts, as no later start has to. For the size that
users get, give it a stripped binary (go build -trimpath -ldflags '-s -w').`

const startupExamples = `  perf startup -barid bin/barid
  perf startup -barid bin/barid -times 20`

func runStartup(ctx context.Context, args []string, out io.Writer) (err error) {
	f := newFlags("startup", startupAbout, startupExamples)
	binary := f.String("barid", "bin/barid", "barid `binary`")
	times := f.Int("times", 10, "how often to start it")
	if err := parseFlags(f, args); err != nil {
		return err
	}
	info, err := os.Stat(*binary)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "barid-startup-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if _, err := startOnce(ctx, *binary, dir, 0); err != nil {
		return err
	}
	var starts []start
	for range *times {
		s, err := startOnce(ctx, *binary, dir, 2*time.Second)
		if err != nil {
			return err
		}
		starts = append(starts, s)
	}
	fmt.Fprintf(out, "binary           %.2f MiB\n", float64(info.Size())/(1<<20))
	for _, row := range []struct {
		title string
		value func(start) float64
	}{
		{"ready ms", func(s start) float64 { return milliseconds(s.ready) }},
		{"first greeting ms", func(s start) float64 { return milliseconds(s.greeting) }},
		{"idle PSS MiB", func(s start) float64 { return float64(s.idle.PSS) / (1 << 20) }},
		{"idle RSS MiB", func(s start) float64 { return float64(s.idle.RSS) / (1 << 20) }},
		{"CPU s, 2 s idle", func(s start) float64 { return s.idle.cpu().Seconds() }},
	} {
		middle, low, high := spread(starts, row.value)
		fmt.Fprintf(out, "%-18s %.2f (%.2f–%.2f)\n", row.title, middle, low, high)
	}
	return nil
}

// start is one start of the binary.
type start struct {
	ready    time.Duration // from exec to the line "ready"
	greeting time.Duration // from exec to the greeting of the SMTP port
	idle     usage
}

// startOnce starts the demo on the data in dir, waits for it, lets it idle and
// ends it.
func startOnce(ctx context.Context, binary, dir string, idle time.Duration) (s start, err error) {
	args := []string{"demo", "-dir", dir}
	for _, door := range []string{"smtp", "submission", "submissions", "lmtp", "pop3", "pop3s", "imap", "imaps"} {
		args = append(args, "-o", door+".listen=127.0.0.1:0")
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return s, err
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return s, err
	}
	defer func() {
		// It may have ended already, and with a complaint; what counts was seen.
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}()
	addr, err := waitReady(stdout)
	if err != nil {
		return s, fmt.Errorf("%s: %w", binary, err)
	}
	s.ready = time.Since(begin)
	if err := greeting(addr); err != nil {
		return s, err
	}
	s.greeting = time.Since(begin)
	time.Sleep(idle)
	s.idle, err = usageOfTree(cmd.Process.Pid)
	return s, err
}

// waitReady reads the lines of a demo up to "ready" and returns the address
// from its line "listen smtp ADDRESS".
func waitReady(stdout io.Reader) (addr string, err error) {
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) >= 3 && words[0] == "listen" && words[1] == "smtp" {
			addr = words[2]
		}
		if len(words) == 1 && words[0] == "ready" {
			if _, _, err := net.SplitHostPort(addr); err != nil {
				return "", fmt.Errorf("no line \"listen smtp ADDRESS\": %w", err)
			}
			return addr, nil
		}
	}
	return "", errors.Join(errors.New("ended before it was ready"), lines.Err())
}
