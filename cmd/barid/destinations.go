package main

import (
	"cmp"
	"fmt"
	"slices"

	"barid/spool"
)

// destination is where recipients go together, and how that is.
type destination struct {
	Key      string `json:"destination"`
	Ready    int    `json:"ready"`
	Running  int    `json:"running"`
	Deferred int    `json:"deferred"`
	Held     int    `json:"held"`
	Failed   int    `json:"failed"`
	Reason   string `json:"reason,omitempty"`
}

// listDestinations puts the destinations of what is selected, those with most
// to do first.
func listDestinations(o *operator, s *selection, put func(*answer) error) (count int, err error) {
	known, pulse := map[string]*destination{}, newPulse(put)
	for sum, err := range s.all(o.spool) {
		if err != nil {
			continue // nobody knows where it goes
		}
		for i := range sum.Recipients {
			if s.chooses(sum, i) {
				count++
				countDestination(known, string(sum.Envelope.Recipients[i].Dest), &sum.Recipients[i])
			}
		}
		if err := pulse.beat(count); err != nil {
			return count, err
		}
	}
	sorted := make([]*destination, 0, len(known))
	for _, d := range known {
		sorted = append(sorted, d)
	}
	slices.SortFunc(sorted, func(a, b *destination) int {
		return cmp.Or(b.waiting()-a.waiting(), cmp.Compare(a.Key, b.Key))
	})
	for _, d := range sorted {
		if err := put(&answer{Destination: d}); err != nil {
			return 0, err
		}
	}
	return len(sorted), nil
}

func (d *destination) waiting() int { return d.Ready + d.Running + d.Deferred }

func countDestination(known map[string]*destination, key string, status *spool.RecipientStatus) {
	d := known[key]
	if d == nil {
		d = &destination{Key: shown([]byte(key))}
		known[key] = d
	}
	switch status.State {
	case spool.StateReady:
		d.Ready++
	case spool.StateRunning:
		d.Running++
	case spool.StateDeferred:
		d.Deferred++
		d.Reason = status.Last.Text
	case spool.StateHeld:
		d.Held++
	case spool.StateFailed:
		d.Failed++
	}
}

// destinationTable prints a line per destination.
type destinationTable struct{ begun bool }

func (t *destinationTable) end(dst []byte, count int) []byte {
	if count == 0 {
		return append(dst, "no messages\n"...)
	}
	return dst
}

func (t *destinationTable) line(dst []byte, a *answer) []byte {
	d := a.Destination
	if d == nil {
		return dst
	}
	if !t.begun {
		t.begun = true
		dst = fmt.Appendf(dst, "%7s %7s %8s %7s %7s  %s\n", "READY", "RUNNING", "DEFERRED", "HELD", "FAILED", "DESTINATION (REASON)")
	}
	dst = fmt.Appendf(dst, "%7d %7d %8d %7d %7d  %s", d.Ready, d.Running, d.Deferred, d.Held, d.Failed, d.Key)
	if d.Reason != "" {
		dst = fmt.Appendf(dst, " (%s)", d.Reason)
	}
	return append(dst, '\n')
}
