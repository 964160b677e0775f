package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

const tableAbout = `Reads records of "perf peers" and writes them as markdown: for each record the
setting, then a table of medians with the lowest and highest value.`

const tableExamples = `  perf table perf/results/peers-*.json`

func runTable(ctx context.Context, args []string, out io.Writer) error {
	f := newFlags("table", tableAbout, tableExamples)
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() == 0 {
		return errors.New("no records named")
	}
	var records []*trialRecord
	for _, name := range f.Args() {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		record := &trialRecord{}
		if err := json.Unmarshal(data, record); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		records = append(records, record)
	}
	return writeTable(out, records)
}

// writeTable writes records for docs/performance.md.
func writeTable(out io.Writer, records []*trialRecord) error {
	for _, r := range records {
		if _, err := fmt.Fprintf(out, "\n%s\n", r.markdown()); err != nil {
			return err
		}
	}
	return nil
}

// columns of the table, each with the number that it shows of a run.
func columns() []column {
	return []column{
		{"accepted/s", "%.0f", func(r run) float64 { return r.AcceptedPerSecond }},
		{"delivered/s", "%.0f", func(r run) float64 { return r.DeliveredPerSecond }},
		{"server CPU s per 1,000", "%.3f", func(r run) float64 { return r.UserPer1000 + r.SystemPer1000 }},
		{"of it system", "%.3f", func(r run) float64 { return r.SystemPer1000 }},
		{"client CPU s per 1,000", "%.3f", func(r run) float64 { return r.ClientPer1000 }},
		{"disk KiB per message", "%.1f", func(r run) float64 { return r.WrittenKiBPerMsg }},
		{"disk flushes per message", "%.2f", func(r run) float64 { return r.FlushesPerMsg }},
		{"other CPU %", "%.0f", func(r run) float64 { return r.OthersPercent }},
	}
}

type column struct {
	title  string
	format string
	value  func(run) float64
}

// markdown describes the setting and lists one line per server.
func (r *trialRecord) markdown() string {
	load := r.Load
	if r.Relay {
		load = "relayed to smtp-sink, " + load
	}
	text := fmt.Sprintf("%s, %d sessions, %d octets, %d messages per run, %s.\nMachine: %s. Disk: %s.\n\n",
		load, r.Sessions, r.SizeOctets, r.Messages, r.Time, r.Machine, r.Disk)
	head, rule := "| server | runs |", "|---|---|"
	for _, c := range columns() {
		head += " " + c.title + " |"
		rule += "---|"
	}
	text += head + " sync calls per message | peak PSS MiB |\n" + rule + "---|---|\n"
	names := r.peers()
	for _, name := range names {
		text += r.line(name)
	}
	for _, name := range names {
		text += fmt.Sprintf("\n%s (%s): %s.", name, r.Versions[name], r.Durability[name])
	}
	return text + "\n" + r.ratio() + r.share()
}

// peers lists the servers of a record in the order in which they ran.
func (r *trialRecord) peers() []string {
	var names []string
	for _, one := range r.Runs {
		if !slices.Contains(names, one.Peer) {
			names = append(names, one.Peer)
		}
	}
	return names
}

func (r *trialRecord) line(peer string) string {
	runs := r.of(peer)
	text := fmt.Sprintf("| %s | %d |", peer, len(runs))
	for _, c := range columns() {
		middle, low, high := spread(runs, c.value)
		text += fmt.Sprintf(" "+c.format+" ("+c.format+"–"+c.format+") |", middle, low, high)
	}
	syncs := "not counted"
	if n, ok := r.SyncsPerMsg[peer]; ok {
		syncs = fmt.Sprintf("%.3f", n)
	}
	return text + fmt.Sprintf(" %s | %.0f |\n", syncs, r.PeakPSSMiB[peer])
}

func (r *trialRecord) of(peer string) []run {
	return slices.DeleteFunc(slices.Clone(r.Runs), func(one run) bool { return one.Peer != peer })
}

// ratio says how barid's medians stand to Postfix's; nothing unless both ran.
func (r *trialRecord) ratio() string {
	barid, postfix := r.of("barid"), r.of("postfix")
	if len(barid) == 0 || len(postfix) == 0 {
		return ""
	}
	ratio := func(value func(run) float64) float64 {
		a, _, _ := spread(barid, value)
		b, _, _ := spread(postfix, value)
		return a / b
	}
	c := columns()
	return fmt.Sprintf("\nbarid to Postfix: accepted %.1f times, delivered %.1f times, processor time per message 1/%.1f.\n",
		ratio(c[0].value), ratio(c[1].value), 1/ratio(c[2].value))
}

// share says what part of the ceiling barid reaches; nothing unless that was
// measured.
func (r *trialRecord) share() string {
	barid := r.of("barid")
	if len(barid) == 0 || len(r.Ceilings) == 0 {
		return ""
	}
	ceiling, low, high := spread(r.Ceilings, func(rate float64) float64 { return rate })
	reached, _, _ := spread(barid, func(one run) float64 { return one.DeliveredPerSecond })
	into := "a server that keeps nothing"
	if r.Relay {
		into = "smtp-sink, with no server between"
	}
	return fmt.Sprintf("The generator into %s: %.0f (%.0f–%.0f) messages per second; barid reaches %.0f %% of that.\n",
		into, ceiling, low, high, 100*reached/ceiling)
}

// spread is the median, the lowest and the highest value of runs.
func spread[T any](runs []T, value func(T) float64) (middle, low, high float64) {
	values := make([]float64, len(runs))
	for i, r := range runs {
		values[i] = value(r)
	}
	slices.SortFunc(values, cmp.Compare[float64])
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2, values[0], values[n-1]
}
