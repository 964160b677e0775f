package smtp

import "testing"

func TestClassesHaveTheMembersOfTheRFC(t *testing.T) {
	for _, c := range []struct {
		name string
		c    class
		n    int
		in   string
		out  string
	}{
		{"alpha", alpha, 52, "azAZ", "@[`{0"},
		{"digit", digit, 10, "09", "/:a"},
		{"atext", atext, 26*2 + 10 + 19, "a0!#-/=?^_`{|}~", "\"(),.:;<>@[\\] \x7f"},
		{"qtext", qtext, 95 - 2, " !~(", "\"\\\t\x7f"},
		{"graphic", graphic, 95, " ~\"\\", "\x1f\x7f"},
		{"dcontent", dcontent, 94 - 3, "!:^~", "[\\] "},
		{"value", value, 93, "!<>~", "= \x7f"},
		{"xchar", xchar, 92, "!*,<>~", "+= "},
		{"ldh", ldh, 63, "aZ0-", "_."},
		{"label", label, 64, "aZ0-_", ". "},
		{"control", control, 33, "\x00\t\r\n\x1f\x7f", " \x80"},
		{"high", high, 128, "\x80\xff", "\x7f"},
	} {
		n := 0
		for b := range 256 {
			if c.c.has(byte(b)) {
				n++
			}
		}
		if n != c.n {
			t.Errorf("%s has %d members, not %d", c.name, n, c.n)
		}
		for i := range len(c.in) {
			if !c.c.has(c.in[i]) {
				t.Errorf("%q is not in %s", c.in[i], c.name)
			}
		}
		for i := range len(c.out) {
			if c.c.has(c.out[i]) {
				t.Errorf("%q is in %s", c.out[i], c.name)
			}
		}
	}
}

func TestEqualFoldFoldsASCIIOnly(t *testing.T) {
	if !EqualFold("azAZ09[{", []byte("AZaz09[{")) {
		t.Error("letters of another case are not equal")
	}
	for _, other := range []string{"az", "azAZ09[[", "bzAZ09[{", "\xc1zAZ09[{"} {
		if EqualFold("azAZ09[{", other) {
			t.Errorf("%q is equal", other)
		}
	}
}

func TestIsGraphic(t *testing.T) {
	for text, want := range map[string]bool{"a!~": true, "": true, "a b": false, " ": false, "a\x7f": false, "\x1f": false, "\x80": false} {
		if IsGraphic([]byte(text)) != want {
			t.Errorf("%q is not %v", text, want)
		}
	}
}
