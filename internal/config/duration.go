package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// units are those of durations, the largest first.
func units() []unit {
	const day = 24 * time.Hour
	return []unit{{"w", 7 * day}, {"d", day}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}}
}

type unit struct {
	name string
	long time.Duration
}

func duration(to *time.Duration, least time.Duration) value {
	read := func(s string) (time.Duration, error) {
		d, err := parseDuration(s)
		if err == nil && d < least {
			return 0, fmt.Errorf("%s is less than %s", s, formatDuration(least))
		}
		return d, err
	}
	return typed[time.Duration]{to, "duration", read, formatDuration}
}

var (
	errDuration = errors.New("write durations as 30s, 5m, 1h30m or 5d")
	errTooLong  = errors.New("longer than 290 years")
)

// parseDuration reads one or more numbers with their units, or 0.
func parseDuration(s string) (time.Duration, error) {
	if s == "0" {
		return 0, nil
	}
	var total time.Duration
	for rest := s; ; {
		digits := strings.TrimLeft(rest, "0123456789")
		n, err := strconv.ParseInt(rest[:len(rest)-len(digits)], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%q: %w", s, errDuration)
		}
		next := strings.TrimLeft(digits, "abcdefghijklmnopqrstuvwxyz")
		u, ok := unitOf(digits[:len(digits)-len(next)])
		if !ok {
			return 0, fmt.Errorf("%q: %w", s, errDuration)
		}
		if n > int64((math.MaxInt64-total)/u) {
			return 0, fmt.Errorf("%s: %w", s, errTooLong)
		}
		total += time.Duration(n) * u
		if rest = next; rest == "" {
			return total, nil
		}
	}
}

func unitOf(name string) (time.Duration, bool) {
	for _, u := range units() {
		if u.name == name {
			return u.long, true
		}
	}
	return 0, false
}

func formatDuration(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	for _, u := range units() {
		if u.name == "w" && d%u.long != 0 {
			continue // 10d says more than 1w3d
		}
		if n := d / u.long; n > 0 {
			b.WriteString(strconv.FormatInt(int64(n), 10) + u.name)
			d -= n * u.long
		}
	}
	return b.String()
}

func durations(to *[]time.Duration) value {
	return list(to, "durations", parseDuration, formatDuration)
}

// never is the number of days that stands for the word.
const never = -1

// days is a duration of whole days, or "never".
func days(to *int) value {
	const day = 24 * time.Hour
	read := func(s string) (int, error) {
		if strings.EqualFold(s, "never") {
			return never, nil
		}
		d, err := parseDuration(s)
		if err != nil || d%day != 0 || d/day > math.MaxInt32 {
			return 0, fmt.Errorf("%q is neither never nor whole days such as 30d", s)
		}
		return int(d / day), nil
	}
	write := func(n int) string {
		if n == never {
			return "never"
		}
		return strconv.Itoa(n) + "d"
	}
	return typed[int]{to, "days or never", read, write}
}
