package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

const watchAbout = `Prints what a process and everything that descends from it use, a line for each
interval: processor time as a share of one processor, memory with shared pages
by their share (PSS) and in full (RSS), and what was written towards the disk.`

const watchExamples = `  perf watch -pid 1234
  perf watch -pid 1234 -every 10s -times 6`

func runWatch(ctx context.Context, args []string, out io.Writer) error {
	f := newFlags("watch", watchAbout, watchExamples)
	pid := f.Int("pid", 0, "process `id` at the top of the tree")
	every := f.Duration("every", time.Second, "interval")
	times := f.Int("times", 0, "lines to print, 0: until interrupted")
	if err := parseFlags(f, args); err != nil {
		return err
	}
	if *pid <= 0 || *every <= 0 {
		return errors.New("-pid and a positive -every are needed")
	}
	last, err := usageOfTree(*pid)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%8s %8s %10s %10s %6s %8s %12s\n", "user %", "system %", "PSS KiB", "RSS KiB", "procs", "threads", "written KiB")
	pulse := time.NewTicker(*every)
	defer pulse.Stop()
	for n := 0; *times == 0 || n < *times; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-pulse.C:
		}
		now, err := usageOfTree(*pid)
		if err != nil {
			return err
		}
		printUsageLine(out, last, now, *every)
		last = now
	}
	return nil
}

func printUsageLine(out io.Writer, last, now usage, every time.Duration) {
	share := func(d time.Duration) float64 { return 100 * d.Seconds() / every.Seconds() }
	fmt.Fprintf(out, "%8.1f %8.1f %10d %10d %6d %8d %12d\n", share(now.User-last.User), share(now.System-last.System),
		now.PSS>>10, now.RSS>>10, now.Processes, now.Threads, (now.Written-last.Written)>>10)
}
