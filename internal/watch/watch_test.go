package watch

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestOneCallerInEachIntervalLooks(t *testing.T) {
	var p Pace
	now := time.Unix(1_700_000_000, 0)
	for i, step := range []struct {
		after time.Duration
		due   bool
	}{{0, true}, {0, false}, {Interval - 1, false}, {1, true}, {Interval, true}, {-time.Hour, true}, {1, false}} {
		now = now.Add(step.after)
		if got := p.Due(now); got != step.due {
			t.Errorf("step %d: due %v, want %v", i, got, step.due)
		}
	}
}

func TestStampNoticesAFileOfTheSameSizeAndTime(t *testing.T) {
	dir := t.TempDir()
	stamp := func(name string) Stamp {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return StampOf(info)
	}
	when := time.Unix(1_700_000_000, 0)
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(dir, name), when, when); err != nil {
			t.Fatal(err)
		}
	}
	before := stamp("a")
	if before != stamp("a") || before == (Stamp{}) {
		t.Error("a file that nobody touched looks different")
	}
	if err := os.Rename(filepath.Join(dir, "b"), filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	if before.Sum() == stamp("a").Sum() || before.Sum() == 0 {
		t.Error("another file in its place has the same sum")
	}
	if before == stamp("a") {
		t.Error("another file in its place looks the same")
	}
}
