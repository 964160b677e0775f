//go:build !race

package log

import (
	"context"
	"io"
	"log/slog"
	"testing"
)

func line(l *slog.Logger) {
	l.LogAttrs(context.Background(), slog.LevelInfo, "delivered",
		slog.String("id", "0d3kq1m5a2b4c"), slog.String("account", "alice@example.test"), slog.Int("size", 4096),
		slog.Int("attempt", 1), slog.Bool("last", true))
}

func TestFiveAttributesAllocateNothing(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		l := open(t, Options{Stderr: io.Discard, Format: format})
		logger := l.Logger()
		line(logger)
		l.Flush()
		for range 2000 { // both buffers reach their size
			line(logger)
		}
		if n := testing.AllocsPerRun(1000, func() { line(logger) }); n != 0 {
			t.Errorf("%s: %v allocations a line", format, n)
		}
	}
}

func BenchmarkLine(b *testing.B) {
	for _, format := range []string{"text", "json"} {
		b.Run(format, func(b *testing.B) {
			l, err := Open(Options{Stderr: io.Discard, Format: format})
			if err != nil {
				b.Fatal(err)
			}
			logger := l.Logger()
			b.ReportAllocs()
			for b.Loop() {
				line(logger)
			}
		})
	}
}
