package main

import (
	"math/bits"
	"time"
)

// A histogram counts durations in buckets that are 1/32 of their value wide,
// so that every quantile is at most 3.2 % too high, whatever the range. It
// never grows: 32 buckets for each power of two of nanoseconds.
//
// It is not safe for concurrent use: each worker fills its own, and they are
// added up at the end.
type histogram struct {
	buckets [histogramRows * histogramColumns]uint64
	count   uint64
	sum     time.Duration
	highest time.Duration
}

const (
	histogramColumnBits = 5
	histogramColumns    = 1 << histogramColumnBits
	histogramRows       = 64 - histogramColumnBits
)

// bucketOf is the bucket of d: below 32 ns one for each nanosecond; above, the
// row is the position of the highest bit and the column the five bits after it.
func bucketOf(d time.Duration) int {
	v := uint64(max(d, 0))
	if v < histogramColumns {
		return int(v)
	}
	shift := bits.Len64(v) - 1 - histogramColumnBits
	return (shift+1)<<histogramColumnBits + int(v>>shift) - histogramColumns
}

// bucketEnd is the highest duration that falls into a bucket.
func bucketEnd(bucket int) time.Duration {
	if bucket < histogramColumns {
		return time.Duration(bucket)
	}
	shift := bucket>>histogramColumnBits - 1
	column := uint64(bucket&(histogramColumns-1)) + histogramColumns
	return time.Duration((column+1)<<shift - 1)
}

// add counts one duration; negative ones count as zero.
func (h *histogram) add(d time.Duration) {
	h.buckets[bucketOf(d)]++
	h.count++
	h.sum += d
	h.highest = max(h.highest, d)
}

// merge adds everything that other has counted.
func (h *histogram) merge(other *histogram) {
	for i, n := range other.buckets {
		h.buckets[i] += n
	}
	h.count += other.count
	h.sum += other.sum
	h.highest = max(h.highest, other.highest)
}

// quantile is the duration that the share q (0 to 1) of what was counted did
// not exceed; 0 when nothing was counted.
func (h *histogram) quantile(q float64) time.Duration {
	rank := uint64(q * float64(h.count))
	var seen uint64
	for i, n := range h.buckets {
		seen += n
		if seen > rank || (seen == h.count && n > 0) {
			return min(bucketEnd(i), h.highest)
		}
	}
	return 0
}

// latency is what a report says about a histogram, in milliseconds.
type latency struct {
	P50ms float64 `json:"p50_ms"`
	P95ms float64 `json:"p95_ms"`
	P99ms float64 `json:"p99_ms"`
	MaxMs float64 `json:"max_ms"`
}

func (h *histogram) latency() latency {
	return latency{
		P50ms: milliseconds(h.quantile(0.50)),
		P95ms: milliseconds(h.quantile(0.95)),
		P99ms: milliseconds(h.quantile(0.99)),
		MaxMs: milliseconds(h.highest),
	}
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}
