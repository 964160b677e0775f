package imap

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// parseSet parses a set with everything offered.
func parseSet(text string) (SeqSet, Fault) {
	var p Parser
	p.Begin([]byte(text), &Dialect{Caps: CapRev2})
	s, fault := p.SeqSet()
	if fault == "" && !p.Empty() {
		fault = "more"
	}
	return s, fault
}

func TestSetsInTheirShortestForm(t *testing.T) {
	for _, c := range []struct {
		in      string
		largest uint32
		want    string
	}{
		{"2,4:7,9,12:*", 15, "2,4:7,9,12:15"}, // RFC 9051 section 9
		{"*:4,5:7", 10, "4:10"},
		{"2:4", 0, "2:4"},
		{"4:2", 0, "2:4"},
		{"3291:*", 3000, "3000:3291"},
		{"*", 7, "7"},
		{"1:*,1:*,1:*", 5, "1:5"},
		{"5,4,3,2,1", 9, "1:5"},
		{"1,1,1,1", 9, "1"},
		{"1:5,2", 9, "1:5"},
		{"4294967295,4294967294", 9, "4294967294:4294967295"},
		{"1:4294967295,7", 9, "1:4294967295"},
		{"$", 9, "$"},
	} {
		s, fault := parseSet(c.in)
		s.Resolve(c.largest)
		if got := string(s.Append(nil)); fault != "" || got != c.want {
			t.Errorf("%s of %d is %s, %s", c.in, c.largest, got, fault)
		}
	}
	for _, bad := range []string{"", "0", "1:", ":1", "1,", ",1", "1:2:3", "4294967296", "1 2", "a", "$,1", "1,$", "01", "1:0", "**"} {
		if s, fault := parseSet(bad); fault == "" {
			t.Errorf("%q is %v", bad, s)
		}
	}
}

// TestSetAgreesWithAList compares with the plainest set there is.
func TestSetAgreesWithAList(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var text []string
		var in [40]bool
		largest := uint32(r.IntN(38) + 1)
		for range r.IntN(6) + 1 {
			a, b := uint32(r.IntN(38)), uint32(r.IntN(38))
			text = append(text, string(Range{a, b}.append(nil)))
			if a == 0 {
				a = largest
			}
			if b == 0 {
				b = largest
			}
			for n := min(a, b); n <= max(a, b); n++ {
				in[n] = true
			}
		}
		s, fault := parseSet(strings.Join(text, ","))
		s.Resolve(largest)
		var want []uint32
		for n, is := range in {
			if s.Contains(uint32(n)) != is {
				t.Fatalf("%v of %d: %d", text, largest, n)
			}
			if is {
				want = append(want, uint32(n))
			}
		}
		if got := slices.Collect(s.All()); fault != "" || !slices.Equal(got, want) || s.Count() != uint64(len(want)) || s.Largest() != want[len(want)-1] {
			t.Fatalf("%v of %d is %v, not %v", text, largest, got, want)
		}
		checkWriters(t, s, want)
	}
}

// checkWriters: sets that are built number by number read the same.
func checkWriters(t *testing.T, s SeqSet, numbers []uint32) {
	t.Helper()
	var w SetWriter
	var added SeqSet
	var out []byte
	for _, n := range numbers {
		out = w.Add(out, n)
		added.Add(n)
	}
	out = w.End(out)
	if want := string(s.Append(nil)); string(out) != want || string(added.Append(nil)) != want || w.Empty() {
		t.Fatalf("%q and %q are not %q", out, added.Append(nil), want)
	}
}

func TestSetWriterKeepsTheOrderOfCopyUID(t *testing.T) {
	var w SetWriter
	var out []byte
	for _, n := range []uint32{5, 6, 3, 4, 9, 8} {
		out = w.Add(out, n)
	}
	if out = w.End(out); string(out) != "5:6,3:4,9,8" {
		t.Fatalf("%s", out)
	}
}

// TestLargestSetIsBounded: a set as large as a command can have is normalized
// at once, whatever its order.
func TestLargestSetIsBounded(t *testing.T) {
	var b []byte
	for n := 30_000; n > 0 && len(b) < 60_000; n -= 2 {
		b = append(strconv.AppendInt(b, int64(n), 10), ',')
	}
	s, fault := parseSet(string(b[:len(b)-1]))
	if s.Resolve(1); fault != "" || len(s.Ranges) > 15_000 {
		t.Fatalf("%d ranges, %s", len(s.Ranges), fault)
	}
	s, fault = parseSet(strings.Repeat("1:*,", 15_000) + "1")
	if s.Resolve(9); fault != "" || len(s.Ranges) != 1 {
		t.Fatalf("%d ranges, %s", len(s.Ranges), fault)
	}
}

func TestDateTimes(t *testing.T) {
	for _, text := range []string{
		`"17-Jul-1996 02:44:25 -0700"`, `" 7-Feb-1994 21:52:25 -0800"`, `"01-Jan-1970 00:00:00 +0000"`, `"31-Dec-1969 23:59:59 +1400"`,
		`"29-Feb-2000 12:00:00 +0530"`, `"31-Dec-9999 00:00:00 +0000"`, `" 1-Jan-0001 12:00:00 +0000"`, `"05-Jun-2024 12:00:00 -0330"`,
	} {
		in := Text(text)
		d, fault := in.DateTime()
		got := string(AppendDateTime(nil, d.Unix, d.ZoneMinutes))
		want := strings.Replace(text, `"0`, `" `, 1)
		if fault != "" || got != want || !in.Empty() || !d.Given {
			t.Errorf("%s is %s, %s", text, got, fault)
		}
		at, err := time.Parse(`"_2-Jan-2006 15:04:05 -0700"`, want)
		if err != nil || at.Unix() != d.Unix {
			t.Errorf("%s is %d, not %d, %v", text, d.Unix, at.Unix(), err)
		}
	}
	for _, bad := range []string{
		`"7-Feb-1994 21:52:25 -0800"`, `"17-Jul-1996 24:44:25 -0700"`, `"17-Jul-1996 02:60:25 -0700"`, `"17-Jul-1996 02:44:25 -0760"`, `"17-Jul-1996"`,
		`"31-Feb-1996 02:44:25 -0700"`, `"17-Xyz-1996 02:44:25 -0700"`, `"17-Jul-1996 02:44:25 0700"`, `"17-Jul-1996  02:44:25 -0700"`, `17-Jul-1996 02:44:25 -0700`, `"17-Jul-1996 02:44:25 -0700`,
	} {
		in := Text(bad)
		if d, fault := in.DateTime(); fault == "" {
			t.Errorf("%s is %v", bad, d)
		}
	}
}

func TestDates(t *testing.T) {
	for text, want := range map[string]string{"1-Feb-1994": "1994-02-01", `"01-FEB-1994"`: "1994-02-01", "31-dec-1969": "1969-12-31", "29-Feb-2000": "2000-02-29"} {
		in := Text(text)
		day, fault := in.Date()
		if got := time.Unix(int64(day)*secondsPerDay, 0).UTC().Format(time.DateOnly); fault != "" || got != want {
			t.Errorf("%s is %s, %s", text, got, fault)
		}
	}
	for _, bad := range []string{"0-Feb-1994", "29-Feb-1900", "1-Feb-94", "1 Feb 1994", `"1-Feb-1994`, "32-Jan-2000", "-1-Jan-2000", ""} {
		in := Text(bad)
		if day, fault := in.Date(); fault == "" {
			t.Errorf("%s is %d", bad, day)
		}
	}
	if DayOf(-1, 0) != -1 || DayOf(-1, 1) != 0 || DayOf(86400, -1) != 0 {
		t.Error("days before 1970 or in other zones are wrong")
	}
}
