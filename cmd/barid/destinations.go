package main

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"time"

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
	Window   int    `json:"window"` // deliveries at a time, at most
	Health   string `json:"health,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Rests    int64  `json:"rests_until,omitempty"` // seconds since 1970
}

func describeDestination(d *spool.DestinationStatus) *destination {
	to := &destination{
		Key: shown([]byte(d.Key)), Ready: d.Ready, Running: d.Running, Deferred: d.Deferred, Held: d.Held, Failed: d.Failed,
		Window: d.Window, Health: healthName(d.Health), Reason: shown([]byte(d.Reason)),
	}
	if !d.RestsUntil.IsZero() {
		to.Rests = d.RestsUntil.Unix()
	}
	return to
}

// healthName is what an attempt told about a destination, in a word.
func healthName(h spool.Health) string {
	return [...]string{spool.HealthUnknown: "", spool.Healthy: "healthy", spool.Busy: "busy", spool.Dead: "dead"}[h]
}

// destinations yields those that a name names.
func (s *selection) destinations(q *spool.Spool) iter.Seq[spool.DestinationStatus] {
	return func(yield func(spool.DestinationStatus) bool) {
		for d := range q.Destinations() {
			if leadsTo([]byte(d.Key), s.dest) && !yield(d) {
				return
			}
		}
	}
}

// mostWaiting sorts destinations: those with most to do first.
func mostWaiting(a, b spool.DestinationStatus) int {
	waiting := func(d *spool.DestinationStatus) int { return d.Ready + d.Running + d.Deferred }
	return cmp.Or(waiting(&b)-waiting(&a), cmp.Compare(a.Key, b.Key))
}

// listDestinations puts the destinations that -dest names.
func listDestinations(o *operator, s *selection, put func(*answer) error) (count int, err error) {
	all := slices.SortedFunc(s.destinations(o.spool), mostWaiting)
	for i := range all {
		if err := put(&answer{Destination: describeDestination(&all[i])}); err != nil {
			return i, err
		}
	}
	return len(all), nil
}

// destinationTable prints a line per destination.
type destinationTable struct{ begun bool }

func (t *destinationTable) line(dst []byte, a *answer) []byte {
	d := a.Destination
	if d == nil {
		return dst
	}
	if !t.begun {
		t.begun = true
		dst = fmt.Appendf(dst, "%7s %7s %8s %7s %7s %6s %-7s  %s\n", "READY", "RUNNING", "DEFERRED", "HELD", "FAILED", "WINDOW", "HEALTH", "DESTINATION (REASON)")
	}
	dst = fmt.Appendf(dst, "%7d %7d %8d %7d %7d %6d %-7s  %s",
		d.Ready, d.Running, d.Deferred, d.Held, d.Failed, d.Window, cmp.Or(d.Health, "-"), d.Key)
	if d.Rests > 0 {
		dst = fmt.Appendf(dst, ", rests until %s", localTime(d.Rests).Format(time.TimeOnly))
	}
	if d.Reason != "" && d.Health != "healthy" {
		dst = fmt.Appendf(dst, " (%s)", d.Reason)
	}
	return append(dst, '\n')
}

func (t *destinationTable) end(dst []byte, count int) []byte {
	if count == 0 {
		return append(dst, "no messages\n"...)
	}
	return dst
}
