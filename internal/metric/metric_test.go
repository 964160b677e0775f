package metric

import (
	"math"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestPageIsInTheFormThatPrometheusReads(t *testing.T) {
	h := NewHistogram(0.1, 1)
	for _, d := range []time.Duration{50 * time.Millisecond, 100 * time.Millisecond, time.Second / 2, 3 * time.Second} {
		h.ObserveDuration(d)
	}
	var c Counter
	c.Add(1 << 40)
	var p Page
	p.Counter("mail_total", "Mail.", c.Value())
	p.Gauge("load", "a \\ and\na line end", 0.25)
	f := p.Family(KindGauge, "queue", "Queue.", "state", "destination")
	f.Sample(3, "ready", "a\"b\\c\nd\xff")
	f.Sample(math.Inf(1), "late", "")
	p.Histogram("wait_seconds", "Wait.", h)
	want := `# HELP mail_total Mail.
# TYPE mail_total counter
mail_total 1099511627776
# HELP load a \\ and\na line end
# TYPE load gauge
load 0.25
# HELP queue Queue.
# TYPE queue gauge
queue{state="ready",destination="a\"b\\c\nd` + "\ufffd" + `"} 3
queue{state="late",destination=""} +Inf
# HELP wait_seconds Wait.
# TYPE wait_seconds histogram
wait_seconds_bucket{le="0.1"} 2
wait_seconds_bucket{le="1"} 3
wait_seconds_bucket{le="+Inf"} 4
wait_seconds_sum 3.65
wait_seconds_count 4
`
	if got := string(p.Bytes()); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestNothingIsLostWhenManyObserve(t *testing.T) {
	h := NewHistogram(1)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 1000 {
				h.Observe(float64(i % 3))
			}
		})
	}
	all.Wait()
	var p Page
	p.Histogram("x", "", h)
	for _, want := range []string{"x_bucket{le=\"1\"} 5336\n", "x_sum 7992\n", "x_count 8000\n"} {
		if !strings.Contains(string(p.Bytes()), want) {
			t.Errorf("no %q in\n%s", want, p.Bytes())
		}
	}
}

func TestMistakesInTheProgramDoNotReachThePage(t *testing.T) {
	for name, mistake := range map[string]func(*Page){
		"twice":      func(p *Page) { p.Counter("a", "", 1); p.Gauge("a", "", 1) },
		"bad name":   func(p *Page) { p.Counter("1a", "", 1) },
		"no name":    func(p *Page) { p.Counter("", "", 1) },
		"few labels": func(p *Page) { p.Family(KindGauge, "a", "", "b").Sample(1) },
		"bounds":     func(*Page) { NewHistogram(2, 1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			mistake(new(Page))
		}()
	}
}

func TestBoundsGrowByTheirFactor(t *testing.T) {
	if got := Bounds(1, 4, 3); len(got) != 3 || got[0] != 1 || got[1] != 4 || got[2] != 16 {
		t.Errorf("%v", got)
	}
}

func BenchmarkObserve(b *testing.B) {
	h := NewHistogram(Bounds(0.0001, 4, 12)...)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			h.ObserveDuration(5 * time.Millisecond)
		}
	})
}
