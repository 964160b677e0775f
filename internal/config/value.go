package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// value is the typed place that a key's text goes to.
type value interface {
	parse(text string) error
	// String is the text that parse would take for what is there now.
	String() string
	// kind names the type, for the documentation.
	kind() string
}

// clearer is a value that can go back to what it is before it is set.
type clearer interface{ clear() }

// typed is the value of a type T with its two directions.
type typed[T any] struct {
	to    *T
	what  string
	read  func(string) (T, error)
	write func(T) string
}

func (v typed[T]) parse(text string) error {
	t, err := v.read(text)
	if err != nil {
		return err
	}
	*v.to = t
	return nil
}

func (v typed[T]) clear() {
	var zero T
	*v.to = zero
}

func (v typed[T]) String() string { return v.write(*v.to) }
func (v typed[T]) kind() string   { return v.what }

func same(s string) string { return s }

func name(to *string, what string) value {
	return typed[string]{to, what, func(s string) (string, error) {
		if strings.ContainsAny(s, " \t,") {
			return "", fmt.Errorf("%q is more than one %s", s, what)
		}
		return s, nil
	}, same}
}

func boolean(to *bool) value {
	read := func(s string) (bool, error) {
		switch strings.ToLower(s) {
		case "yes", "true", "on":
			return true, nil
		case "no", "false", "off":
			return false, nil
		}
		return false, fmt.Errorf("%q is neither yes nor no", s)
	}
	write := func(b bool) string {
		if b {
			return "yes"
		}
		return "no"
	}
	return typed[bool]{to, "yes or no", read, write}
}

func count(to *int, least int) value {
	read := func(s string) (int, error) {
		n, err := strconv.ParseInt(s, 10, 32)
		if errors.Is(err, strconv.ErrRange) {
			return 0, fmt.Errorf("%s is too large", s)
		}
		if err != nil {
			return 0, fmt.Errorf("%q is not a whole number", s)
		}
		if int(n) < least {
			return 0, fmt.Errorf("%d is less than %d", n, least)
		}
		return int(n), nil
	}
	return typed[int]{to, "number", read, strconv.Itoa}
}

// choice is one of a few words.
func choice(to *string, words ...string) value {
	read := func(s string) (string, error) {
		lower := strings.ToLower(s)
		for _, w := range words {
			if lower == w {
				return w, nil
			}
		}
		return "", fmt.Errorf("%q is not one of %s%s", s, strings.Join(words, ", "), didYouMean(nearest(lower, words)))
	}
	return typed[string]{to, strings.Join(words, " or "), read, same}
}

// list is any number of T, divided by commas or white space.
func list[T any](to *[]T, what string, read func(string) (T, error), write func(T) string) value {
	return typed[[]T]{to, "list of " + what, func(s string) ([]T, error) {
		var all []T
		for _, item := range items(s) {
			t, err := read(item)
			if err != nil {
				return nil, err
			}
			all = append(all, t)
		}
		return all, nil
	}, func(all []T) string {
		texts := make([]string, len(all))
		for i, t := range all {
			texts[i] = write(t)
		}
		return strings.Join(texts, ", ")
	}}
}

func items(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
}

const (
	kilo = 1 << 10
	mega = 1 << 20
	giga = 1 << 30
	tera = 1 << 40
)

// size is a number of bytes: digits and one of K, M, G, T, powers of 1024.
func size(to *int64, least int64) value {
	read := func(s string) (int64, error) {
		n, err := parseSize(s)
		if err == nil && n < least {
			return 0, fmt.Errorf("%s is less than %s", s, formatSize(least))
		}
		return n, err
	}
	return typed[int64]{to, "size", read, formatSize}
}

func parseSize(s string) (int64, error) {
	unit, digits := int64(1), s
	if len(s) > 1 {
		if i := strings.IndexByte("KMGT", s[len(s)-1]&^0x20); i >= 0 {
			unit, digits = 1<<(10*(i+1)), s[:len(s)-1]
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, fmt.Errorf("%q is not a size: write bytes as 500, 64K, 10M or 2G", s)
	}
	if err != nil || int64(n) > (1<<63-1)/unit {
		return 0, fmt.Errorf("%s is too large", s)
	}
	return int64(n) * unit, nil
}

func formatSize(n int64) string {
	for _, u := range []struct {
		bytes int64
		name  string
	}{{tera, "T"}, {giga, "G"}, {mega, "M"}, {kilo, "K"}} {
		if n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}
