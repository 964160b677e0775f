package maildir

import (
	"bytes"
	"strings"
	"testing"
)

func TestNameSaysWhenWhoWhereAndHowBig(t *testing.T) {
	name := appendKey(nil, 1_763_855_555_012_345, []byte("0c5wq3k7m9rxa"), 0, appendHost(nil, "mx/1:a b"))
	name = appendSizes(name, 4321, 79)
	const want = `1763855555.M012345Q0c5wq3k7m9rxa.mx\0571\072a_b,S=4321,W=4400`
	if string(name) != want {
		t.Errorf("%s, want %s", name, want)
	}
	if again := appendKey(nil, 1e6, []byte("x"), 2, []byte("h")); string(again) != "1.M000000Qx_2.h" {
		t.Errorf("further name %s", again)
	}
	if long := appendHost(nil, strings.Repeat("x", 300)); len(long) != hostMax {
		t.Errorf("host of %d octets", len(long))
	}
}

func TestForeignNamesAreRead(t *testing.T) {
	for _, c := range []struct {
		name          string
		when          int64
		key, base     string
		size, virtual int64
	}{
		{"1204680122.27c448.host", 1204680122e6, "1204680122.27c448.host", "1204680122.27c448.host", -1, -1},
		{"1204680122.M5P6.h,S=10:2,S", 1204680122000005, "1204680122.M5P6.h", "1204680122.M5P6.h,S=10", 10, -1},
		{"1.M1P1.h,W=12,S=10,U=5:2,", 1000001, "1.M1P1.h", "1.M1P1.h,W=12,S=10,U=5", 10, 12},
		{"1.M1,x.h,S=1", 1000001, "1.M1,x.h", "1.M1,x.h,S=1", 1, -1},
		{"msg.abc", 0, "msg.abc", "msg.abc", -1, -1},
		{"5", 5e6, "5", "5", -1, -1},
		{"5x", 0, "5x", "5x", -1, -1},
		{"1.M9999999.h", 1e6, "1.M9999999.h", "1.M9999999.h", -1, -1},
		{"1.h,S=", 1e6, "1.h", "1.h,S=", -1, -1},
		{"1.h,S=12x", 1e6, "1.h", "1.h,S=12x", -1, -1},
		{"1.h,S=99999999999999999999", 1e6, "1.h", "1.h,S=99999999999999999999", -1, -1},
		{"1.h,S=-5", 1e6, "1.h", "1.h,S=-5", -1, -1},
		{":2,S", 0, "", "", -1, -1},
	} {
		base := []byte(c.name)[:baseLen([]byte(c.name))]
		if string(base) != c.base || string(base[:keyLen(base)]) != c.key {
			t.Errorf("%s: base %s, key %s", c.name, base, base[:keyLen(base)])
		}
		if got := arrival([]byte(c.name)); got != c.when {
			t.Errorf("%s: arrived %d, want %d", c.name, got, c.when)
		}
		if s, w := field(base, 'S'), field(base, 'W'); s != c.size || w != c.virtual {
			t.Errorf("%s: S %d W %d", c.name, s, w)
		}
	}
}

func TestSeenFlagStandsInItsPlace(t *testing.T) {
	for name, want := range map[string]string{
		"a":          "a:2,S",
		"a:2,":       "a:2,S",
		"a:2,FT":     "a:2,FST",
		"a:2,RS":     "a:2,RS",
		"a:2,Rab":    "a:2,RSab",
		"a:1,x":      "a:2,S",
		"a,S=1:2,DP": "a,S=1:2,DPS",
	} {
		if got := string(withSeen(nil, []byte(name))); got != want {
			t.Errorf("%s became %s, want %s", name, got, want)
		}
	}
}

func FuzzName(f *testing.F) {
	f.Add([]byte("1763855555.M012345Q0c5wq3k7m9rxa.mx,S=4321,W=4400:2,FS"), int64(1763855555012345))
	f.Add([]byte(",S=:2,"), int64(0))
	f.Fuzz(func(t *testing.T, name []byte, micros int64) {
		base := name[:baseLen(name)]
		key := base[:keyLen(base)]
		if bytes.Contains(key, []byte(",S=")) || bytes.Contains(base, []byte(":")) {
			t.Fatalf("%q: base %q, key %q", name, base, key)
		}
		if s, w := field(base, 'S'), field(base, 'W'); s < -1 || s > sizeMax || w < -1 || w > sizeMax {
			t.Fatalf("%q: S %d W %d", name, s, w)
		}
		if arrival(name) < 0 {
			t.Fatalf("%q arrived %d", name, arrival(name))
		}
		seen := withSeen(nil, name)
		if !isSeen(seen) || !bytes.Equal(seen[:baseLen(seen)], base) {
			t.Fatalf("%q became %q", name, seen)
		}
		if again := withSeen(nil, seen); !bytes.Equal(again, seen) {
			t.Fatalf("%q became %q and then %q", name, seen, again)
		}
		if micros = micros & (1<<49 - 1); true {
			ours := appendKey(nil, micros, []byte("id"), 0, appendHost(nil, string(name)))
			if arrival(ours) != micros || baseLen(ours) != len(ours) || bytes.IndexByte(ours, '/') >= 0 || !plain(string(ours)) {
				t.Fatalf("%q arrived %d, not %d", ours, arrival(ours), micros)
			}
		}
	})
}
