package main

import (
	"fmt"
	"io"
	"log/slog"

	"barid/auth"
	"barid/internal/config"
	"barid/internal/route"
	"barid/internal/vfs"
	"barid/spool"
)

func spoolOptions(cfg *config.Config, logger *slog.Logger, agents map[string]spool.Agent) spool.Options {
	return spool.Options{
		FS: vfs.Disk{}, Dir: cfg.Spool.Dir,
		SegmentSize: cfg.Spool.SegmentSize, SpillSize: cfg.Spool.SpillSize, ReserveBytes: cfg.Spool.Reserve,
		Schedule: spool.Schedule{Pauses: cfg.Queue.Retry, Lifetime: cfg.Queue.Lifetime},
		Agents:   agents, Workers: deliverers(cfg.Queue.Workers), Log: logger,
	}
}

// stderrOf is where log lines go that have no file: the terminal's error
// output, unless that is the process's own, which package log knows better
// how to treat.
func stderrOf(t terminal) io.Writer { return t.err }

// newaliases checks the aliases file; there is nothing to build.
func newaliases(t terminal, a sendmailArgs) int {
	cfg, err := config.Load(configFile(a.configFile), nil)
	if err != nil {
		return t.fail(err, exitDataErr)
	}
	accounts, err := auth.Open(authOptions(cfg, nil))
	if err != nil {
		return t.fail(err, exitDataErr)
	}
	code := exitOK
	for _, p := range route.Check(routeOptions(cfg, accounts, nil)) {
		fmt.Fprintln(t.err, p.String())
		if !p.Warning {
			code = exitDataErr
		}
	}
	if code == exitOK {
		fmt.Fprintln(t.out, "the maps are read as they are; a running server notices changes by itself")
	}
	return code
}
