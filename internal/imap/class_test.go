package imap

import (
	"strings"
	"testing"
)

// TestClassesHoldWhatTheGrammarSays counts each class by the words of RFC 9051
// section 9.
func TestClassesHoldWhatTheGrammarSays(t *testing.T) {
	const atomSpecials = "(){ %*\"\\]"
	for b := range 256 {
		o := byte(b)
		char := b >= 1 && b <= 0x7F
		control := b < 0x20 || b == 0x7F
		atom := char && !control && !strings.ContainsRune(atomSpecials, rune(b))
		want := map[class]bool{
			atomChar:    atom,
			astringChar: atom || b == ']',
			listChar:    atom || b == ']' || b == '%' || b == '*',
			tagChar:     (atom || b == ']') && b != '+',
			quotable:    char && b != '\r' && b != '\n' && b != '"' && b != '\\',
			digit:       '0' <= b && b <= '9',
		}
		for c, is := range want {
			if c.has(o) != is {
				t.Errorf("octet %#x in class %d: %v", b, c, !is)
			}
		}
	}
}

func TestTextConsumesOnlyWhatFits(t *testing.T) {
	text := Text("abc(x)")
	if text.Word("AB") || !text.Word("ABC") || string(text) != "(x)" {
		t.Fatalf("left %q", text)
	}
	if fault := text.SP(); fault == "" || string(text) != "(x)" {
		t.Fatalf("%q left %q", fault, text)
	}
	for _, bad := range []string{"4294967296", "x", "", "99999999999999999999"} {
		n := Text(bad)
		if _, fault := n.Number(); fault == "" || string(n) != bad {
			t.Errorf("%q left %q", bad, n)
		}
	}
}

func TestStrings(t *testing.T) {
	for _, c := range []struct{ in, want, left string }{
		{`"a b" c`, "a b", " c"},
		{`"a\"\\b"x`, `a"\b`, "x"},
		{`""`, "", ""},
		{"{3}\r\na\r\n rest", "a\r\n", " rest"},
		{"{0+}\r\n", "", ""},
		{`"` + "\xc3\xa9" + `"`, "é", ""},
		{`"\\` + "\xc3\xa9" + `"`, `\é`, ""},
	} {
		text := Text(c.in)
		got, fault := text.String()
		if fault != "" || string(got) != c.want || string(text) != c.left || got == nil {
			t.Errorf("%q is %q and %q, %s", c.in, got, text, fault)
		}
	}
}

func TestWhatIsNoString(t *testing.T) {
	for _, bad := range []string{
		"", "x", `"x`, `"x\`, `"\x"`, "\"a\rb\"", "\"a\nb\"", "\"a\x00b\"", "\"\xff\"", "\"\\\\\xff\"", "\"\\\\\r\"",
		"{3}", "{3}\r", "{x}\r\n", "{}\r\n", "{-1}\r\n", "{3\r\nabc", "~{3}\r\nabc", "{3}\r\na\x00c", "{99999999999999999999}\r\n",
	} {
		text := Text(bad)
		if got, fault := text.String(); fault == "" {
			t.Errorf("%q is %q", bad, got)
		}
	}
	text := Text("{5}\r\nabc")
	if _, fault := text.String(); fault != Incomplete {
		t.Errorf("half a literal: %q", fault)
	}
}

func TestLiteralAtEnd(t *testing.T) {
	for line, want := range map[string]Literal{
		"a {5}\r\n":                     {Size: 5, Sync: true},
		"a {5+}\r\n":                    {Size: 5},
		"a ~{5+}\r\n":                   {Size: 5, Binary: true},
		"\"{5}\r\n":                     {Size: 5, Sync: true},
		"{9223372036854775807}\r\n":     {Size: 1<<63 - 1, Sync: true},
		"a {1} {5}\r\n":                 {Size: 5, Sync: true},
		"{{{{{{{{{{{{{{{{{{{{{{{5}\r\n": {Size: 5, Sync: true},
	} {
		if got, found := LiteralAtEnd([]byte(line)); !found || got != want {
			t.Errorf("%q announces %v, %v", line, got, found)
		}
	}
	for _, line := range []string{"\r\n", "{5} \r\n", "5}\r\n", "{5 }\r\n", "{}\r\n", "{+}\r\n", "{5++}\r\n", "{9223372036854775808}\r\n", "{5}\n"} {
		if got, found := LiteralAtEnd([]byte(line)); found {
			t.Errorf("%q announces %v", line, got)
		}
	}
}
