package sasl

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestPrepareExamplesOfRFC4013(t *testing.T) {
	for _, test := range []struct {
		in, want string
		ok       bool
	}{
		{"I\u00adX", "IX", true},
		{"user", "user", true},
		{"USER", "USER", true},
		{"\u00aa", "a", true},
		{"\u2168", "IX", true},
		{"\u0007", "", false},
		{"\u0627\u0031", "", false},
		// Not in the RFC's list.
		{"\u0627\u0031\u0628", "\u0627\u0031\u0628", true},
		{"\u0627a\u0628", "", false},
		{"a\u00a0b", "a b", true},
		{"a\u0308", "ä", true},
		{"\ufb01", "fi", true},
		{"\u1100\u1161\u11a8", "각", true},
		{"", "", false},
		{"\u00ad", "", false},
		{"\xff", "", false},
		{"\ue000", "", false},
		{"\U0001f511", "", false}, // unknown to Unicode 3.2
		{"a\x7f", "", false},
	} {
		got, ok := Prepare(test.in)
		if ok != test.ok || ok && got != test.want {
			t.Errorf("%q: %q %v, want %q %v", test.in, got, ok, test.want, test.ok)
		}
		if p := Prepared(test.in); !ok && p != test.in {
			t.Errorf("%q: taken as %q", test.in, p)
		}
	}
}

func TestNormalizeAgreesWithUnicode32(t *testing.T) {
	text, err := os.ReadFile("testdata/nfkc.txt")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for line := range strings.Lines(string(text)) {
		if line[0] == '#' {
			continue
		}
		in, want, _ := strings.Cut(strings.TrimSpace(line), ";")
		if got := normalize(codePoints(t, in)); string(got) != string(codePoints(t, want)) {
			t.Errorf("%s: %X, want %s", in, got, want)
		}
		count++
	}
	if count < 5000 {
		t.Errorf("only %d vectors", count)
	}
}

func codePoints(t *testing.T, s string) (out []rune) {
	for _, f := range strings.Fields(s) {
		n, err := strconv.ParseUint(f, 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, rune(n))
	}
	return out
}

func TestTablesAreAscending(t *testing.T) {
	for name, table := range map[string]runeRanges{
		"mappedToNothing": mappedToNothing, "otherSpaces": otherSpaces, "prohibited": prohibited,
		"rightToLeft": rightToLeft, "leftToRight": leftToRight, "unassigned": unassigned,
	} {
		last := rune(-1)
		for _, r := range table {
			if r[0] <= last || r[1] < r[0] {
				t.Errorf("%s: %X after %X", name, r, last)
			}
			last = r[1]
		}
	}
	for name, lines := range map[string]string{"decompositions": decompositions, "compositions": compositions} {
		last := ""
		for line := range strings.Lines(lines) {
			if line <= last {
				t.Errorf("%s: %q after %q", name, line, last)
			}
			last = line
		}
	}
}

// What is prepared stays as it is when it is prepared again.
func FuzzPrepare(f *testing.F) {
	for _, s := range []string{"user", "I\u00adX", "\u0627\u0031", "a\u0308\u0323", "\u1100\u1161\u11a8", "\ufdfa", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once, ok := Prepare(s)
		if !ok {
			return
		}
		if twice, ok := Prepare(once); !ok || twice != once {
			t.Errorf("%q -> %q -> %q %v", s, once, twice, ok)
		}
	})
}
