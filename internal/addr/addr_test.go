package addr

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode"
)

func TestOneAddressHasOneCanonicalForm(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"alice@example.test", "alice@example.test"},
		{`"alice"@Example.TEST`, "alice@example.test"},
		{`"al\ice"@example.test.`, "alice@example.test"},
		{"Alice@example.test", "Alice@example.test"},
		{`"a b"@example.test`, `"a b"@example.test`},
		{`"a@b"@example.test`, `"a@b"@example.test`},
		{`"a\"b\\"@example.test`, `"a\"b\\"@example.test`},
		{`"a.b"@example.test`, "a.b@example.test"},
		{`"a..b"@example.test`, `"a..b"@example.test`},
		{`".a"@example.test`, `".a"@example.test`},
		{"alice@MÜNCHEN.example", "alice@xn--mnchen-3ya.example"},
		{"alice@XN--MNCHEN-3YA.example", "alice@xn--mnchen-3ya.example"},
		{"πέτρος@example.test", "πέτρος@example.test"},
		{"a@[192.0.2.1]", "a@[192.0.2.1]"},
		{"a@[ipv6:2001:DB8:0:0::1]", "a@[IPv6:2001:db8::1]"},
		{"a@b", "a@b"},
	} {
		got, err := Append([]byte("x"), []byte(c.in))
		if err != nil || string(got) != "x"+c.want {
			t.Errorf("%s: %q, %v; want %s", c.in, got, err, c.want)
		}
	}
}

func TestMalformedAddressesAreRefusedAndNothingIsAppended(t *testing.T) {
	long := strings.Repeat("a", 64)
	for _, c := range []struct {
		in   string
		want error
	}{
		{"", ErrNoDomain}, {"alice", ErrNoDomain}, {`"a@b"`, ErrNoDomain},
		{"@example.test", ErrLocal}, {".a@x", ErrLocal}, {"a.@x", ErrLocal}, {"a..b@x", ErrLocal}, {"a b@x", ErrLocal},
		{`""@x`, ErrLocal}, {`"a`, ErrNoDomain}, {"a\"b\"@x", ErrLocal}, {"\"a\x00\"@x", ErrLocal}, {"a\xff@x", ErrLocal},
		{"a@", ErrDomain}, {"a@.", ErrDomain}, {"a@x..y", ErrDomain}, {"a@.x", ErrDomain}, {"a@-x", ErrDomain}, {"a@x-", ErrDomain},
		{"a@x_y", ErrDomain}, {"a@x y", ErrDomain}, {"a@x\xff", ErrDomain}, {"a@x。y", ErrDomain}, {"a@☃.example", ErrDomain},
		{"a@[1.2.3]", ErrDomain}, {"a@[2001:db8::1]", ErrDomain}, {"a@[IPv6:192.0.2.1]", ErrDomain}, {"a@[IPv6:fe80::1%eth0]", ErrDomain},
		{"a@[", ErrDomain}, {"a@[]", ErrDomain}, {"a@[1.2.3.4]x", ErrDomain},
		{long + "a@x", ErrLength}, {"a@" + long, ErrLength}, {"a@" + strings.Repeat("a.", 128) + "a", ErrLength},
		{long + "@" + strings.Repeat(strings.Repeat("b", 62)+".", 3) + "c", ErrLength},
	} {
		got, err := Append([]byte("x"), []byte(c.in))
		if !errors.Is(err, c.want) || string(got) != "x" {
			t.Errorf("%q: %q, %v; want %v", c.in, got, err, c.want)
		}
	}
}

func TestLimitsAreReachedExactly(t *testing.T) {
	local := strings.Repeat("a", LocalMax)
	label := strings.Repeat("b", labelMax)
	domain := label + "." + label + "." + strings.Repeat("c", AddressMax-LocalMax-1-2*(labelMax+1))
	if _, err := Append(nil, []byte(local+"@"+domain)); err != nil {
		t.Errorf("address of %d octets: %v", len(local)+1+len(domain), err)
	}
	if _, err := Append(nil, []byte(local+"@"+domain+"c")); !errors.Is(err, ErrLength) {
		t.Errorf("one more: %v", err)
	}
	if _, err := AppendDomain(nil, []byte(strings.Repeat("a.", 127)+"a.")); err != nil {
		t.Errorf("domain of 255 octets and a dot: %v", err)
	}
}

func TestSplitIsAtTheLastAtOutsideOfQuotes(t *testing.T) {
	for _, c := range []struct{ in, local, domain string }{
		{"a@b", "a", "b"}, {"a@b@c", "a@b", "c"}, {`"a@b"@c`, `"a@b"`, "c"}, {`"a\"@b"@c`, `"a\"@b"`, "c"}, {"@", "", ""},
	} {
		local, domain, ok := Split([]byte(c.in))
		if string(local) != c.local || string(domain) != c.domain || !ok {
			t.Errorf("%s: %s %s %v", c.in, local, domain, ok)
		}
	}
}

func TestSubaddressDividesAtTheFirstSeparator(t *testing.T) {
	for _, c := range []struct {
		in, separators, user, detail string
		found                        bool
	}{
		{"alice+tag", "+", "alice", "tag", true},
		{"alice+a+b", "+", "alice", "a+b", true},
		{"alice+", "+", "alice", "", true},
		{"alice-a+b", "+-", "alice", "a+b", true},
		{"+alice", "+", "+alice", "", false},
		{"++x", "+", "+", "x", true},
		{"alice", "+", "alice", "", false},
		{"alice+tag", "", "alice+tag", "", false},
		{"", "+", "", "", false},
	} {
		user, detail, found := Subaddress([]byte(c.in), c.separators)
		if string(user) != c.user || string(detail) != c.detail || found != c.found {
			t.Errorf("%s by %q: %q %q %v", c.in, c.separators, user, detail, found)
		}
	}
}

// Samples of RFC 3492 7.1 and others in common use.
var labels = []struct{ unicode, ascii string }{
	{"münchen", "xn--mnchen-3ya"},
	{"bücher", "xn--bcher-kva"},
	{"ü", "xn--tda"},
	{"faß", "xn--fa-hia"},
	{"他们为什么不说中文", "xn--ihqwcrb4cv8a8dqg056pqjye"},
	{"почемужеонинеговорятпорусски", "xn--b1abfaaepdrnnbgefbadotcwatmq2g4l"},
	{"pročprostěnemluvíčesky", "xn--proprostnemluvesky-uyb24dma41a"},
	{"3年b組金八先生", "xn--3b-ww4c5e180e575a65lsy2b"},
	{"ليهمابتكلموشعربي؟", ""}, // a question mark is no letter
	{"بريد", "xn--ngbof4h"},
}

func TestLabelsTurnBothWays(t *testing.T) {
	for _, c := range labels {
		got, err := AppendDomain(nil, []byte(c.unicode))
		if (err == nil) != (c.ascii != "") || string(got) != c.ascii {
			t.Errorf("%s: %s, %v; want %s", c.unicode, got, err, c.ascii)
		}
		if c.ascii == "" {
			continue
		}
		if got := AppendUnicode(nil, []byte("a."+c.ascii+".test")); string(got) != "a."+c.unicode+".test" {
			t.Errorf("%s: %s", c.ascii, got)
		}
	}
}

func TestMisleadingALabelsAreShownAsTheyAre(t *testing.T) {
	for _, label := range []string{
		"xn--", "xn--a", "xn--99999999", "xn--a-b-", // not decodable, or to nothing
		"xn--mnchen-3Ya",   // not canonical
		"xn--example-",     // nothing but ASCII
		"xn--example.test", // the second label is innocent
	} {
		if got := AppendUnicode(nil, []byte(label)); string(got) != label {
			t.Errorf("%s is shown as %s", label, got)
		}
	}
}

func TestFoldingTwiceChangesNothing(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if once := foldRune(r); foldRune(once) != once {
			t.Errorf("%U folds to %U and then to %U", r, once, foldRune(once))
		}
	}
	if got := AppendFolded(nil, []byte("ÀB\xffİσς")); string(got) != "àb\xffİσς" {
		t.Errorf("%q", got)
	}
}

func FuzzAppend(f *testing.F) {
	for _, s := range []string{"a@b", `"a b"@x.y`, "ü@ü.test", "a@[IPv6:::1]", `"\""@c`, "a@xn--tda."} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, address []byte) {
		once, err := Append(nil, address)
		if err != nil {
			if len(once) != 0 {
				t.Fatalf("%q: appended %q with error %v", address, once, err)
			}
			return
		}
		if len(once) > AddressMax || bytes.ContainsAny(once, "\r\n\x00") {
			t.Fatalf("%q: canonical form %q", address, once)
		}
		twice, err := Append(nil, once)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%q: %q, then %q, %v", address, once, twice, err)
		}
	})
}

func FuzzDomain(f *testing.F) {
	for _, c := range labels {
		f.Add([]byte(c.unicode + ".test"))
		f.Add([]byte(c.ascii))
	}
	f.Fuzz(func(t *testing.T, domain []byte) {
		canonical, err := AppendDomain(nil, domain)
		if err != nil {
			return
		}
		shown := AppendUnicode(nil, canonical)
		again, err := AppendDomain(nil, shown)
		if err != nil || !bytes.Equal(again, canonical) {
			t.Fatalf("%q is %q, shown as %q, which is %q, %v", domain, canonical, shown, again, err)
		}
	})
}

func FuzzLocal(f *testing.F) {
	for _, s := range []string{"alice", "a b", `a"b\`, ".", "é"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, local []byte) {
		content, err := AppendLocal(nil, local)
		if err != nil {
			return
		}
		again, err := AppendLocal(nil, AppendQuoted(nil, content))
		if err != nil || !bytes.Equal(again, content) {
			t.Fatalf("%q holds %q, which quoted holds %q, %v", local, content, again, err)
		}
	})
}
