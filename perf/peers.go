package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const peersAbout = `Runs Debian's Postfix and barid in turns (A B A B ...) under the same load, both
delivering to one Maildir on a freshly made disk, and records for each run how
many messages per second were accepted and delivered and what they cost. After
the timed rounds each server has two more that are not timed: in one its memory
is weighed, in the other strace, where it is installed, counts its syncs.

Accepted per second counts until the load generator has ended; delivered per
second until the last message is in the Maildir. A run fails when the Maildir
then does not hold each message exactly once. The processor time is that of
all processes of the server until it has come to rest.

With -relay both relay to smtp-sink instead, which counts what arrives.

The ceiling of each round is measured too: what the load generator gets into
smtp-sink without a server between, or, where mail is delivered, into a server
that says yes to everything and keeps nothing.

Postfix needs root, and so does the disk image. Without root, or with -image 0,
the data is kept on the file system of -dir.`

const peersExamples = `  perf peers -barid bin/barid -rounds 5 -messages 5000
  perf peers -barid bin/barid -load smtp-source-many -sessions 10
  perf peers -barid bin/barid -load perf -messages 20000
  perf peers -relay -load smtp-source-many -messages 20000
  perf peers -only postfix -rounds 3            (barid need not exist)`

// peer is a server that the runner knows how to run.
type peer interface {
	name() string
	durability() string                          // what 250 and delivery promise, in words
	addr() string                                // where it listens for SMTP
	mailbox() string                             // the Maildir of alice@example.test
	version(ctx context.Context) (string, error) // name and version
	// prepare writes configuration and directories. Where nextHop is not
	// empty, mail to example.test goes there; else into the mailbox.
	prepare(ctx context.Context, dir, nextHop string) error
	start(ctx context.Context) *exec.Cmd // runs it in the foreground
	halt(ctx context.Context) *exec.Cmd  // stops it; nil: SIGTERM does
}

// trial is what "perf peers" was asked to do.
type trial struct {
	load      string
	relay     bool
	sessions  int
	size      int
	messages  int
	warmUp    int
	rounds    int
	dir       string
	imageMiB  int
	keepQuiet time.Duration // how long a server may need to come to rest
}

// trialRecord is the file in perf/results.
type trialRecord struct {
	Time        string             `json:"time"`
	Machine     string             `json:"machine"`
	Disk        string             `json:"disk"`
	Load        string             `json:"load"`
	Relay       bool               `json:"relay,omitempty"`
	Ceilings    []float64          `json:"ceiling_per_second,omitempty"` // without a server between, or with one that does nothing
	Sessions    int                `json:"sessions"`
	SizeOctets  int                `json:"size_octets"`
	Messages    int                `json:"messages"`
	Versions    map[string]string  `json:"versions"`
	Durability  map[string]string  `json:"durability"`
	Runs        []run              `json:"runs"`
	PeakPSSMiB  map[string]float64 `json:"peak_pss_mib"`
	SyncsPerMsg map[string]float64 `json:"syncs_per_message"` // system calls; empty without strace
}

func runPeers(ctx context.Context, args []string, out io.Writer) error {
	f := newFlags("peers", peersAbout, peersExamples)
	binary := f.String("barid", "bin/barid", "barid `binary`")
	only := f.String("only", "", "run only `peer` (postfix or barid)")
	t := &trial{keepQuiet: 2 * time.Second}
	f.StringVar(&t.load, "load", "smtp-source", "smtp-source (one message per connection), smtp-source-many, perf (many, pipelined) or perf-one")
	f.BoolVar(&t.relay, "relay", false, "relay to smtp-sink instead of delivering to a mailbox")
	f.IntVar(&t.sessions, "sessions", 50, "connections at once")
	f.IntVar(&t.size, "size", 4096, "size of a message in octets")
	f.IntVar(&t.messages, "messages", 5000, "messages in a run")
	f.IntVar(&t.warmUp, "warm-up", 300, "messages before a run that are not counted")
	f.IntVar(&t.rounds, "rounds", 5, "timed runs of each server")
	f.StringVar(&t.dir, "dir", "", "directory for the disk image or the data (default: a temporary one)")
	f.IntVar(&t.imageMiB, "image", 3072, "size of the disk image in MiB, 0: none")
	results := f.String("results", filepath.Join("perf", "results"), "directory for the record")
	if err := parseFlags(f, args); err != nil {
		return err
	}
	var peers []peer
	for _, p := range []peer{&postfixPeer{address: "127.0.0.1:2501"}, &baridPeer{binary: *binary, address: "127.0.0.1:2502"}} {
		if *only == "" || *only == p.name() {
			peers = append(peers, p)
		}
	}
	if len(peers) == 0 {
		return fmt.Errorf("no peer %q", *only)
	}
	record, err := t.carryOut(ctx, peers, out)
	if err != nil {
		return err
	}
	if err := writeTable(out, []*trialRecord{record}); err != nil {
		return err
	}
	return record.save(*results)
}

// carryOut makes the disk, runs all rounds and removes the disk, also when
// interrupted.
func (t *trial) carryOut(ctx context.Context, peers []peer, out io.Writer) (record *trialRecord, err error) {
	if t.dir == "" {
		if t.dir, err = os.MkdirTemp("", "barid-perf-"); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, os.Remove(t.dir)) }()
	}
	d, err := newDisk(ctx, t.dir, t.imageMiB)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	if record, err = t.newRecord(ctx, peers, d); err != nil {
		return nil, err
	}
	for round := 1; round <= t.rounds; round++ {
		rate, err := t.ceiling(ctx)
		if err != nil {
			return nil, fmt.Errorf("the ceiling: %w", err)
		}
		fmt.Fprintf(out, "ceiling  round %d: %.0f/s\n", round, rate)
		record.Ceilings = append(record.Ceilings, rate)
		for _, p := range peers {
			r, err := t.run(ctx, p, d, purpose{})
			if err != nil {
				return nil, fmt.Errorf("%s, round %d: %w", p.name(), round, err)
			}
			fmt.Fprintf(out, "%-8s round %d: %s\n", p.name(), round, r)
			record.Runs = append(record.Runs, *r)
		}
	}
	for _, p := range peers {
		if err := t.untimed(ctx, p, d, record); err != nil {
			return nil, err
		}
	}
	return record, nil
}

// untimed has a peer run twice more: to weigh its memory, and to count its
// syncs where strace is installed.
func (t *trial) untimed(ctx context.Context, p peer, d *disk, record *trialRecord) error {
	r, err := t.run(ctx, p, d, purpose{weigh: true})
	if err != nil {
		return fmt.Errorf("%s, weighing: %w", p.name(), err)
	}
	record.PeakPSSMiB[p.name()] = r.peakPSSMiB
	if _, err := exec.LookPath("strace"); err != nil {
		return nil
	}
	file := filepath.Join(t.dir, "syncs")
	if _, err := t.run(ctx, p, d, purpose{traceFile: file}); err != nil {
		return fmt.Errorf("%s, tracing: %w", p.name(), err)
	}
	calls, err := readSyncs(file)
	if err != nil {
		return err
	}
	record.SyncsPerMsg[p.name()] = float64(calls) / float64(t.messages+t.warmUp)
	return os.RemoveAll(file)
}

func (t *trial) newRecord(ctx context.Context, peers []peer, d *disk) (*trialRecord, error) {
	record := &trialRecord{
		Time: time.Now().UTC().Format(time.RFC3339), Machine: describeMachine(), Disk: d.words,
		Load: t.load, Relay: t.relay, Sessions: t.sessions, SizeOctets: t.size, Messages: t.messages,
		Versions: map[string]string{}, Durability: map[string]string{}, PeakPSSMiB: map[string]float64{}, SyncsPerMsg: map[string]float64{},
	}
	for _, p := range peers {
		version, err := p.version(ctx)
		if err != nil {
			return nil, err
		}
		record.Versions[p.name()] = version
		record.Durability[p.name()] = p.durability()
	}
	return record, nil
}

// describeMachine names processor, their number and the kernel.
func describeMachine() string {
	model := "unknown processor"
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(data)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	kernel := "unknown kernel"
	if data, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel = "Linux " + strings.TrimSpace(string(data))
	}
	return fmt.Sprintf("%d × %s, %s, %s", runtime.NumCPU(), model, kernel, runtime.GOARCH)
}

// save writes the record into a file named after its time and load.
func (r *trialRecord) save(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	kind := "peers"
	if r.Relay {
		kind = "relay"
	}
	name := fmt.Sprintf("%s-%s-%s-s%d-l%d.json", kind, strings.ReplaceAll(r.Time, ":", ""), r.Load, r.Sessions, r.SizeOctets)
	return os.WriteFile(filepath.Join(dir, name), append(data, '\n'), 0o644)
}
