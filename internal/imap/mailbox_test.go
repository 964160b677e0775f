package imap

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// names have one spelling each in modified UTF-7.
var utf7Names = map[string]string{
	"~peter/mail/台北/日本語": "~peter/mail/&U,BTFw-/&ZeVnLIqe-", // RFC 3501 5.1.3
	"R&D":                "R&-D",
	"&":                  "&-",
	"&&":                 "&-&-",
	"é&é":                "&AOk-&-&AOk-",
	"Entwürfe":           "Entw&APw-rfe",
	"😀":                  "&2D3eAA-",
	"a😀é":                "a&2D3eAADp-",
	"":                   "",
	"\u007f":             "&AH8-",
}

func TestNamesBothWays(t *testing.T) {
	for name, encoded := range utf7Names {
		if got := string(AppendUTF7(nil, []byte(name))); got != encoded {
			t.Errorf("%q became %q", name, got)
		}
		if got, ok := AppendFromUTF7(nil, []byte(encoded)); !ok || string(got) != name {
			t.Errorf("%q became %q, %v", encoded, got, ok)
		}
	}
}

func TestNamesThatNoEncoderMakes(t *testing.T) {
	for _, bad := range []string{
		"&", "&Jjo!", "&U,BTFw-&ZeVnLIqe-", "&AGE-", "&2D0-", "&3gA-", "&AOl-", "&AOkA-", "&A-", "&AOk", "&2D0A6Q-", "&/-", "&AOk=-",
	} {
		if got, ok := AppendFromUTF7(nil, []byte(bad)); ok {
			t.Errorf("%q became %q", bad, got)
		}
	}
}

func FuzzNamesHaveOneSpelling(f *testing.F) {
	for name, encoded := range utf7Names {
		f.Add(name)
		f.Add(encoded)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if utf8.ValidString(text) {
			encoded := AppendUTF7(nil, []byte(text))
			if got, ok := AppendFromUTF7(nil, encoded); !ok || string(got) != text {
				t.Fatalf("%q became %q and then %q, %v", text, encoded, got, ok)
			}
		}
		name, ok := AppendFromUTF7(nil, []byte(text))
		if ok && isASCII([]byte(text)) && printable([]byte(text)) {
			if got := string(AppendUTF7(nil, name)); got != text {
				t.Fatalf("%q is %q, which is %q", text, name, got)
			}
		}
	})
}

func parseName(text string, on Enabled) (string, Fault) {
	var p Parser
	p.Begin([]byte(text), &Dialect{Caps: CapRev2, Enabled: on, Separator: '/'})
	name, fault := p.Mailbox()
	return string(name), fault
}

func TestMailboxNames(t *testing.T) {
	for in, want := range map[string]string{
		"inbox": "INBOX", `"InBox"`: "INBOX", "inbox/Sub": "INBOX/Sub", "inboxes": "inboxes", "x/inbox": "x/inbox", "inbox.sub": "inbox.sub",
		"&AOk-": "é", `"é"`: "é", "a&-b": "a&b", "../../etc": "../../etc", "a]": "a]",
	} {
		if got, fault := parseName(in, 0); fault != "" || got != want {
			t.Errorf("%s is %q, %s", in, got, fault)
		}
	}
	if got, fault := parseName("&AOk-", EnabledUTF8); fault != "" || got != "&AOk-" {
		t.Errorf("with UTF-8 an ampersand is one: %q, %s", got, fault)
	}
	for in, want := range map[string]Fault{
		"&AOk": NameNotUTF7, `"` + strings.Repeat("x", nameMax+1) + `"`: NameTooLong, "&AAE-": NameNotPrintable, "\"a\x01\"": NameNotPrintable,
		"\"\u2028\"": NameNotPrintable, "\"\u0085\"": NameNotPrintable, "{1}\r\n\xff": NameNotUTF8,
	} {
		if got, fault := parseName(in, 0); fault != want {
			t.Errorf("%q is %q, %q", in, got, fault)
		}
	}
}

func TestMailboxNamesAsTheClientUnderstandsThem(t *testing.T) {
	for name, want := range map[string][2]string{
		"INBOX": {"INBOX", "INBOX"}, "a b": {`"a b"`, `"a b"`}, "é": {"&AOk-", `"é"`}, "R&D": {"R&-D", "R&D"}, "": {`""`, `""`}, "nil": {`"nil"`, `"nil"`},
		"a*": {`"a*"`, `"a*"`}, `a"b\`: {`"a\"b\\"`, `"a\"b\\"`},
	} {
		if got := string(AppendMailbox(nil, []byte(name), false)); got != want[0] {
			t.Errorf("%q is %s", name, got)
		}
		if got := string(AppendMailbox(nil, []byte(name), true)); got != want[1] {
			t.Errorf("%q with UTF-8 is %s", name, got)
		}
	}
}

// plainMatch follows one way after the other.
func plainMatch(pattern, name string, separator byte) bool {
	if pattern == "" {
		return name == ""
	}
	switch pattern[0] {
	case '*', '%':
		for i := 0; ; i++ {
			if plainMatch(pattern[1:], name[i:], separator) {
				return true
			}
			if i == len(name) || pattern[0] == '%' && name[i] == separator {
				return false
			}
		}
	}
	return name != "" && name[0] == pattern[0] && plainMatch(pattern[1:], name[1:], separator)
}

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "a/b", true}, {"%", "a/b", false}, {"%", "a", true}, {"a/%", "a/b", true}, {"a/%", "a/b/c", false}, {"%/b", "a/b", true},
		{"", "", true}, {"", "a", false}, {"a*b*c", "aXbYc", true}, {"a*b*c", "aXc", false}, {"%%", "ab", true}, {"*%", "a/b", true},
		{"INBOX", "INBOX", true}, {"INBOX", "inbox", false}, {"a%c%", "abc/", false},
	} {
		if got := MatchPattern([]byte(c.pattern), []byte(c.name), '/'); got != c.want {
			t.Errorf("%q and %q: %v", c.pattern, c.name, got)
		}
	}
}

// TestPatternsThatBacktrackEnd would not end in the life of a server that
// tried one way after the other.
func TestPatternsThatBacktrackEnd(t *testing.T) {
	name := []byte(strings.Repeat("a", 1000))
	if MatchPattern([]byte(strings.Repeat("*a", 500)+"b"), name, '/') || MatchPattern([]byte(strings.Repeat("%a*", 300)+"b"), name, '/') {
		t.Fatal("they do not match")
	}
	if MatchPattern([]byte(strings.Repeat("*", PatternMax+1)), name, '/') {
		t.Fatal("a pattern that is too long fits nothing")
	}
}

func FuzzPatternsAgreeWithThePlainWay(f *testing.F) {
	f.Add("a%b*/", "aab/x/")
	f.Add("%%*%/%", "a/b/c")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(name) > 20 || len(pattern) > 10 {
			return
		}
		if got, want := MatchPattern([]byte(pattern), []byte(name), '/'), plainMatch(pattern, name, '/'); got != want {
			t.Fatalf("%q and %q: %v", pattern, name, got)
		}
	})
}
