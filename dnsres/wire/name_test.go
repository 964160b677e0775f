package wire

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestNamesHaveOneTextAndOneWireForm(t *testing.T) {
	long := strings.Repeat("a", 63)
	for _, c := range []struct{ text, octets, canonical string }{
		{".", "\x00", "."},
		{"example.org", "\x07example\x03org\x00", "example.org"},
		{"Example.ORG.", "\x07example\x03org\x00", "example.org"},
		{`a\.b.c`, "\x03a.b\x01c\x00", `a\.b.c`},
		{`a\\b`, "\x03a\\b\x00", `a\\b`},
		{`\065\066`, "\x02ab\x00", "ab"},
		{`\000\255\032`, "\x03\x00\xff \x00", `\000\255\032`},
		{`a\@b`, "\x03a@b\x00", "a@b"},
		{"grüße.example", "\x07gr\xc3\xbc\xc3\x9fe\x07example\x00", `gr\195\188\195\159e.example`},
		{"_25._tcp.mx", "\x03_25\x04_tcp\x02mx\x00", "_25._tcp.mx"},
		{"*.x", "\x01*\x01x\x00", "*.x"},
		{long, "\x3f" + long + "\x00", long},
		{strings.Repeat("a.", 127), strings.Repeat("\x01a", 127) + "\x00", strings.Repeat("a.", 126) + "a"},
	} {
		octets, err := AppendName([]byte("before"), c.text)
		if err != nil || string(octets) != "before"+c.octets {
			t.Errorf("%q: octets %q, %v; want %q", c.text, octets, err, c.octets)
			continue
		}
		n, err := NameAt([]byte(c.octets))
		if err != nil || n.String() != c.canonical {
			t.Errorf("%q: text %q, %v; want %q", c.octets, n, err, c.canonical)
		}
		if w := n.AppendWire(nil); string(w) != c.octets || !n.Is(w) {
			t.Errorf("%q: octets again %q", c.octets, w)
		}
	}
}

func TestWhatIsNotANameIsRefused(t *testing.T) {
	long := strings.Repeat("a", 63)
	for text, want := range map[string]error{
		"":                                     ErrName,
		"..":                                   ErrName,
		".a":                                   ErrName,
		"a..b":                                 ErrName,
		"a..":                                  ErrName,
		`a\`:                                   ErrName,
		`a\1`:                                  ErrName,
		`a\12`:                                 ErrName,
		`a\1x2`:                                ErrName,
		`a\256`:                                ErrName,
		long + "a":                             ErrLength,
		long + "a.b":                           ErrLength,
		strings.Repeat("a.", 128):              ErrLength,
		strings.Repeat(long+".", 4):            ErrLength,
		strings.Repeat(long+".", 3) + long[1:]: ErrLength,
		strings.Repeat("a", 100000):            ErrLength,
	} {
		dst := []byte("kept")
		if got, err := AppendName(dst, text); !errors.Is(err, want) || string(got) != "kept" {
			t.Errorf("%.300q: %q, %v; want %v", text, got, err, want)
		}
	}
	if _, err := AppendName(nil, strings.Repeat(long+".", 3)+long[2:]); err != nil {
		t.Errorf("255 octets are too many: %v", err)
	}
}

func TestNamesAreEqualWhateverTheirCase(t *testing.T) {
	n, err := NameAt([]byte("\x07eXamPle\x03ORG\x00"))
	if err != nil {
		t.Fatal(err)
	}
	for octets, want := range map[string]bool{
		"\x07example\x03org\x00":      true,
		"\x07example\x03orh\x00":      false,
		"\x07example\x00":             false,
		"\x07example\x03org\x01a\x00": false,
		"\x07example\x03org":          false,
		"\x08example\x03org\x00":      false,
		"":                            false,
		"\x00":                        false,
	} {
		if n.Is([]byte(octets)) != want {
			t.Errorf("%q: %v", octets, !want)
		}
	}
	// Only ASCII letters have two cases.
	if n, _ := NameAt([]byte("\x02[\xc0\x00")); n.Is([]byte("\x02{\xe0\x00")) {
		t.Error("other octets are folded")
	}
}

func TestMixedCaseIsTheSameName(t *testing.T) {
	name, _ := AppendName(nil, "abcdefgh.zz-09_[`{.xn--azaz")
	random := bytes.Repeat([]byte{0xff}, NameMax/8+1)
	mixed := bytes.Clone(name)
	MixCase(mixed, random)
	if want := "\x08ABCDEFGH\x09ZZ-09_[`{\x08XN--AZAZ\x00"; string(mixed) != want {
		t.Errorf("%q, want %q", mixed, want)
	}
	if n, _ := NameAt(mixed); !n.Is(name) {
		t.Error("another name")
	}
	MixCase(name, make([]byte, NameMax/8+1))
	if string(name) != "\x08abcdefgh\x09zz-09_[`{\x08xn--azaz\x00" {
		t.Errorf("%q", name)
	}
	longest, _ := AppendName(nil, strings.Repeat("a.", 127))
	MixCase(longest, random)
}
