// Package metric counts what happens and writes it in the text form that
// Prometheus reads (exposition format 0.0.4).
//
// Most of what there is to tell is counted where it happens, in the Stats of
// its package. So there is no registry that everything has to be entered in: a
// Page is written from top to bottom by whoever knows the numbers, at the time
// when somebody asks. Only what cannot be had from a count afterwards, how
// values are distributed, has a type of its own: a Histogram. It is observed
// on hot paths, and costs a few atomic additions and no allocation.
//
// A family that is named twice, labels that do not fit their names, or a name
// that is none, are mistakes in the program and panic.
package metric

import (
	"math"
	"sync/atomic"
	"time"
)

// Counter only grows. The zero value is ready; it may be used by any number of
// goroutines.
type Counter struct{ n atomic.Uint64 }

// Add counts n more.
func (c *Counter) Add(n uint64) { c.n.Add(n) }

// Value is the count.
func (c *Counter) Value() uint64 { return c.n.Load() }

// Histogram counts values by size. It may be used by any number of goroutines.
type Histogram struct {
	bounds  []float64
	buckets []atomic.Uint64 // one for each bound, and one for what is above
	sum     atomic.Uint64   // math.Float64bits
}

// NewHistogram makes a histogram with the upper bounds of its buckets,
// ascending; a value on a bound counts as below. What is above the last bound
// is counted too.
func NewHistogram(bounds ...float64) *Histogram {
	for i, b := range bounds {
		if i > 0 && !(b > bounds[i-1]) {
			panic("metric: the bounds of a histogram do not ascend")
		}
	}
	return &Histogram{bounds: bounds, buckets: make([]atomic.Uint64, len(bounds)+1)}
}

// Observe counts a value.
func (h *Histogram) Observe(v float64) {
	i := 0
	for i < len(h.bounds) && v > h.bounds[i] {
		i++ // a handful of bounds: shorter than halving
	}
	h.buckets[i].Add(1)
	for {
		was := h.sum.Load()
		if h.sum.CompareAndSwap(was, math.Float64bits(math.Float64frombits(was)+v)) {
			return
		}
	}
}

// ObserveDuration counts a time, in seconds.
func (h *Histogram) ObserveDuration(d time.Duration) { h.Observe(d.Seconds()) }

// Bounds are the upper bounds of n buckets, each factor times the one before.
func Bounds(first, factor float64, n int) []float64 {
	all := make([]float64, n)
	for i := range all {
		all[i] = first
		first *= factor
	}
	return all
}
