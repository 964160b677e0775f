package main

import (
	"slices"
	"time"

	"barid/internal/metric"
	"barid/spool"
)

// destinationsMax bounds the destinations that are shown one by one: each is a
// time series for whoever watches, for ever. The others are summed up.
const destinationsMax = 20

// recipientStates are the states that destinations count, with their counts.
var recipientStates = [...]struct {
	name  string
	count func(*spool.DestinationStatus) *int
}{
	{"ready", func(d *spool.DestinationStatus) *int { return &d.Ready }},
	{"running", func(d *spool.DestinationStatus) *int { return &d.Running }},
	{"deferred", func(d *spool.DestinationStatus) *int { return &d.Deferred }},
	{"held", func(d *spool.DestinationStatus) *int { return &d.Held }},
	{"failed", func(d *spool.DestinationStatus) *int { return &d.Failed }},
}

// destinationSums is what the queue holds by destination.
type destinationSums struct {
	longest []spool.DestinationStatus // those with most to do, first
	others  spool.DestinationStatus   // the sum of all that are not among them
}

func sumDestinations(q *spool.Spool) *destinationSums {
	s := &destinationSums{others: spool.DestinationStatus{Key: "other"}}
	for d := range q.Destinations() {
		s.longest = append(s.longest, d)
		if len(s.longest) >= 2*destinationsMax {
			s.shorten()
		}
	}
	s.shorten()
	return s
}

// shorten leaves the longest, and adds up the others.
func (s *destinationSums) shorten() {
	slices.SortFunc(s.longest, mostWaiting)
	for len(s.longest) > destinationsMax {
		last := len(s.longest) - 1
		for _, state := range recipientStates {
			*state.count(&s.others) += *state.count(&s.longest[last])
		}
		s.longest = s.longest[:last]
	}
}

func queueMetrics(p *metric.Page, st *spool.Stats, s *destinationSums) {
	p.Gauge("barid_queue_messages", "Messages in the queue.", float64(st.Messages))
	age := 0.0
	if !st.Oldest.IsZero() {
		age = time.Since(st.Oldest).Seconds()
	}
	p.Gauge("barid_queue_oldest_seconds", "How long the oldest message has been there.", age)
	f := p.Family(metric.KindGauge, "barid_queue_recipients", "Their recipients that are not finished; failed are those whose failure is not reported yet.", "state")
	for _, state := range states {
		f.Sample(float64(st.Recipients[state]), state.String())
	}
	f = p.Family(metric.KindGauge, "barid_queue_destination_recipients", "The same for the 20 destinations with most to do, and the sum of all others.", "destination", "state")
	for _, d := range append(s.longest, s.others) {
		for _, state := range recipientStates {
			f.Sample(float64(*state.count(&d)), d.Key, state.name)
		}
	}
	p.Gauge("barid_queue_destinations", "Destinations with recipients in the queue.", float64(st.Destinations))
	p.Gauge("barid_queue_destinations_resting", "Destinations that rest because nobody answered there.", float64(st.Resting))
	p.Gauge("barid_queue_unreported", "Messages that wait for a report to be written.", float64(st.Unreported))
	p.Gauge("barid_queue_deliveries_running", "Jobs under way, each a message to one destination.", float64(st.Running))
	p.Gauge("barid_queue_workers", "Goroutines that deliver.", float64(st.Workers))
}
