package main

import (
	"math"
	"testing"
	"time"
)

func TestEveryDurationFallsIntoTheBucketThatContainsIt(t *testing.T) {
	for _, d := range []time.Duration{0, 1, 31, 32, 33, 63, 64, 1000, 123456789, time.Hour, math.MaxInt64} {
		b := bucketOf(d)
		if bucketEnd(b) < d {
			t.Errorf("%d falls into bucket %d, which ends at %d", d, b, bucketEnd(b))
		}
		if b > 0 && bucketEnd(b-1) >= d {
			t.Errorf("%d falls into bucket %d, but the one before ends at %d", d, b, bucketEnd(b-1))
		}
	}
}

func TestBucketsStayInsideTheArrayAndGrow(t *testing.T) {
	var h histogram
	if last := bucketOf(math.MaxInt64); last >= len(h.buckets) {
		t.Fatalf("the longest duration needs bucket %d of %d", last, len(h.buckets))
	}
	for b := 1; b <= bucketOf(math.MaxInt64); b++ {
		if bucketEnd(b) <= bucketEnd(b-1) {
			t.Fatalf("bucket %d does not end after bucket %d", b, b-1)
		}
	}
}

func TestQuantilesAreWithinOneBucketOfTheTruth(t *testing.T) {
	var a, b histogram
	for i := 1; i <= 5000; i++ {
		a.add(time.Duration(2*i) * time.Microsecond)
		b.add(time.Duration(2*i-1) * time.Microsecond)
	}
	a.merge(&b)
	for _, q := range []float64{0.5, 0.95, 0.99} {
		want := q * 10000
		got := float64(a.quantile(q)) / 1000
		if got < want || got > want*1.04 {
			t.Errorf("quantile %v is %v µs, want %v to %v", q, got, want, want*1.04)
		}
	}
	if a.highest != 10*time.Millisecond || a.count != 10000 {
		t.Errorf("highest %v of %d, want 10ms of 10000", a.highest, a.count)
	}
}

func TestEmptyHistogramHasNoQuantile(t *testing.T) {
	var h histogram
	if got := h.quantile(0.5); got != 0 {
		t.Errorf("quantile of nothing is %v", got)
	}
}
