package message

import (
	"bytes"
	"net/mail"
	"slices"
	"strings"
	"testing"
)

const sample = "Received: from a\n\tby b\nSubject: =?utf-8?q?x?=\n folded\nreceived : again\nnot a field\nX-Empty:\n\nbody: no field\n"

func TestHeaderEndsAtTheFirstEmptyLine(t *testing.T) {
	for msg, want := range map[string]int{
		"":                   0,
		"\n":                 1,
		"\r\nx":              2,
		"A: b\n\nbody":       6,
		"A: b\r\n\r\nbody\n": 8,
		"A: b\nC: d":         9,
		"A: b\n \nC: d\n\n":  13,
		"A: b\r\n\nbody":     7,
	} {
		if n := HeaderLen([]byte(msg)); n != want {
			t.Errorf("%q: %d, want %d", msg, n, want)
		}
	}
}

func TestFieldsAreFoundFoldedAndInAnyCase(t *testing.T) {
	var names []string
	var raw int
	for f := range Fields([]byte(sample)) {
		names = append(names, string(f.Name()))
		raw += len(f.Raw)
	}
	if want := []string{"Received", "Subject", "received", "", "X-Empty"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
	if raw != HeaderLen([]byte(sample))-1 {
		t.Errorf("fields cover %d octets of %d", raw, HeaderLen([]byte(sample)))
	}
	if n := Count([]byte(sample), "RECEIVED"); n != 2 {
		t.Errorf("Received counted %d times", n)
	}
	value, found := Lookup([]byte(sample), "subject")
	if got := string(AppendUnfolded(nil, value)); !found || got != "=?utf-8?q?x?= folded" {
		t.Errorf("Subject is %q", got)
	}
	if value, found := Lookup([]byte(sample), "x-empty"); !found || len(value) != 0 {
		t.Errorf("X-Empty is %q, %v", value, found)
	}
	if _, found := Lookup([]byte(sample), "body"); found {
		t.Error("found a field in the body")
	}
	if _, found := Lookup([]byte(sample), ""); found {
		t.Error("found a field without a name")
	}
}

func FuzzHeaderAgreesWithNetMail(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("A: b\r\nC:d\r\n e\r\n\r\nbody"))
	f.Fuzz(func(t *testing.T, msg []byte) {
		n := HeaderLen(msg)
		if n < 0 || n > len(msg) {
			t.Fatalf("header of %d octets in %d", n, len(msg))
		}
		m, err := mail.ReadMessage(bytes.NewReader(msg))
		if err != nil {
			return
		}
		for name, values := range m.Header {
			if nameLen([]byte(name+":")) != len(name) {
				continue // no valid name, or "name :", which it keeps apart and we do not
			}
			var ours []string
			for f := range Fields(msg[:n]) {
				if f.Is(name) && f.Raw[len(name)] == ':' {
					ours = append(ours, words(string(f.Value())))
				}
			}
			for i, v := range values {
				values[i] = words(v)
			}
			if !slices.Equal(ours, values) {
				t.Fatalf("%q: %q, net/mail says %q", name, ours, values)
			}
		}
	})
}

// words makes all runs of white space equal.
func words(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" \t\r\n", r) }), " ")
}

func BenchmarkHeader(b *testing.B) {
	msg := []byte(strings.Repeat("Received: from mx.example.org (mx.example.org [192.0.2.1])\n\tby mail.example.test with ESMTPS id 1234;\n\tSat, 22 Nov 2025 10:00:00 +0000\n", 10) + "Subject: x\n\n" + strings.Repeat("text\n", 500))
	b.ReportAllocs()
	for b.Loop() {
		Count(msg[:HeaderLen(msg)], "received")
	}
}
