package smtp

import (
	"bytes"
	"strings"
	"testing"
)

func TestPaths(t *testing.T) {
	for _, c := range []struct{ text, mailbox, rest string }{
		{"<a@b.example>", "a@b.example", ""},
		{"<a@b.example> SIZE=1", "a@b.example", " SIZE=1"},
		{"a@b.example X", "a@b.example", " X"},
		{"<@one.example,@two.example:joe@three.example>", "joe@three.example", ""},
		{`<"joe smith"@b.example>`, `"joe smith"@b.example`, ""},
		{`<"joe"@b.example>`, `joe@b.example`, ""},
		{`<"jo\e\.x"@b.example>`, `joe.x@b.example`, ""},
		{`<"a\"b\\c"@b.example>`, `"a\"b\\c"@b.example`, ""},
		{`<"a>b@c"@b.example>`, `"a>b@c"@b.example`, ""},
		{`<""@b.example>`, `""@b.example`, ""},
		{`<"a..b"@b.example>`, `"a..b"@b.example`, ""},
		{"<a@[127.0.0.1]>", "a@[127.0.0.1]", ""},
		{"<a@[IPv6:::1]>", "a@[IPv6:::1]", ""},
		{"<a@[IPv6:fe80::1:2]>", "a@[IPv6:fe80::1:2]", ""},
		{"<a@[tag:what!ever]>", "a@[tag:what!ever]", ""},
		{"<a+b=c/d@my_pc.example>", "a+b=c/d@my_pc.example", ""},
		{"<jøran@blåbær.example>", "jøran@blåbær.example", ""},
		{`<"jø ran"@example>`, `"jø ran"@example`, ""},
		{"<a@localhost>", "a@localhost", ""},
	} {
		rest := Text(c.text)
		p, ok := rest.ForwardPath()
		if got := string(p.AppendMailbox(nil)); !ok || got != c.mailbox || string(rest) != c.rest {
			t.Errorf("%s: got %s, rest %q, %v", c.text, got, rest, ok)
		}
	}
}

func TestPathsThatAreNone(t *testing.T) {
	for _, text := range []string{
		"", "<", "<>", "<a>", "<a@>", "<@b>", "<a@b", "a b@c", "<a b@c>", "<.a@b>", "<a.@b>", "<a..b@c>", "<a@b..c>", "<a@.b>", "<a@b.>",
		"<a@-b>", "<a@b->", "<a@b c>", "<a@[127.0.0.256]>", "<a@[127.0.0]>", "<a@[IPv6:1]>", "<a@[IPv6:fe80::1%eth0]>", "<a@[::1]>", "<a@[]>", "<a@[tag:]>",
		`<"a@b>`, `<"a"b@c>`, "<\"a\\\x01\"@b>", "<a@\xff>", "<\xc3@b>", "<\xed\xa0\x80@b>", "<@a:>", "<@a,b:c@d>", "<@a c@d>", "<a@b@c>", "<<a@b>>",
		"<" + strings.Repeat("l", LocalPartMax+1) + "@b>", "<a@" + strings.Repeat("d.", 128) + "d>", "<a@" + strings.Repeat("d", 64) + ">", "<a@b\x00>",
	} {
		rest := Text(text)
		if p, ok := rest.ForwardPath(); ok || len(rest) != len(text) {
			t.Errorf("%q was taken as %q, rest %q", text, p.AppendMailbox(nil), rest)
		}
	}
}

func TestNullPathIsAReversePathOnlyAndPostmasterAForwardPathOnly(t *testing.T) {
	rest := Text("<> X")
	if p, ok := rest.ReversePath(); !ok || !p.Null() || string(rest) != " X" {
		t.Error("<> is not a reverse-path")
	}
	rest = Text("<postMaster>")
	if p, ok := rest.ForwardPath(); !ok || string(p.AppendMailbox(nil)) != "postMaster" {
		t.Error("<postMaster> is not a forward-path")
	}
	rest = Text("<Postmaster>")
	if _, ok := rest.ReversePath(); ok {
		t.Error("<Postmaster> is a reverse-path")
	}
}

func TestNonASCIIMailboxIsReported(t *testing.T) {
	for text, want := range map[string]bool{"<a@b>": false, "<ä@b>": true, "<a@ä>": true, `<"ä"@b>`: true} {
		rest := Text(text)
		if p, ok := rest.ReversePath(); !ok || p.NonASCII != want {
			t.Errorf("%s: %v, %v", text, p.NonASCII, ok)
		}
	}
}

func TestSplitMailbox(t *testing.T) {
	for address, want := range map[string]string{"a@b": "a|b", `"a@b"@c`: `"a@b"|c`, "postmaster": "postmaster|", "": "|", `"a@b"`: `"a@b"|`} {
		local, domain := SplitMailbox([]byte(address))
		if got := string(local) + "|" + string(domain); got != want {
			t.Errorf("%s: got %s", address, got)
		}
	}
}

func TestParams(t *testing.T) {
	for _, c := range []struct{ text, keyword, value, rest string }{
		{"SIZE=10 BODY=7BIT", "SIZE", "10", " BODY=7BIT"},
		{"SMTPUTF8", "SMTPUTF8", "", ""},
		{"smtputf8 X", "smtputf8", "", " X"},
		{"ORCPT=rfc822;a=b", "ORCPT", "rfc822;a=b", ""},
		{"X-1=é", "X-1", "é", ""},
	} {
		rest := Text(c.text)
		p, ok := rest.Param()
		if !ok || string(p.Keyword) != c.keyword || string(p.Value) != c.value || string(rest) != c.rest {
			t.Errorf("%s: got %q=%q, rest %q, %v", c.text, p.Keyword, p.Value, rest, ok)
		}
	}
	for _, text := range []string{"", "=1", "SIZE=", "-A=1", "A_B", "A;", "SIZE= 1", "é"} {
		rest := Text(text)
		if _, ok := rest.Param(); ok || len(rest) != len(text) {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestNumbers(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "12 x": 12, "007": 7, "9223372036854775807": 1<<63 - 1, "9223372036854775808": 1<<63 - 1, "99999999999999999999": 1<<63 - 1} {
		rest := Text(text)
		if n, ok := rest.Number(20); !ok || n != want || len(rest) > 0 && string(rest) != " x" {
			t.Errorf("%s: got %d, %v, rest %q", text, n, ok, rest)
		}
	}
	for _, text := range []string{"", "-1", "x", "123456789012345678901"} {
		rest := Text(text)
		if _, ok := rest.Number(20); ok || len(rest) != len(text) {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestXtext(t *testing.T) {
	for text, want := range map[string]string{"": "", "abc": "abc", "a+2Bb+3D": "a+b=", "+20": " "} {
		if !IsXtext([]byte(text)) {
			t.Errorf("%q is not xtext", text)
		}
		if got := string(AppendXtextDecoded(nil, []byte(text))); got != want {
			t.Errorf("%q: got %q", text, got)
		}
	}
	for _, text := range []string{"a+", "a+2", "a+2b", "a b", "a=b", "+00", "+0A", "é", "+GG"} {
		if IsXtext([]byte(text)) {
			t.Errorf("%q is xtext", text)
		}
	}
	var all []byte
	for b := range 256 {
		all = append(all, byte(b))
	}
	if got := AppendXtextDecoded(nil, AppendXtext(nil, all)); !bytes.Equal(got, all) {
		t.Errorf("encoded and decoded: %q", got)
	}
}

func TestDSNValues(t *testing.T) {
	for text, want := range map[string]Notify{"never": NotifyNever, "SUCCESS": NotifySuccess, "failure,Delay": NotifyFailure | NotifyDelay} {
		if n, ok := ParseNotify([]byte(text)); !ok || n != want {
			t.Errorf("NOTIFY=%s: %v, %v", text, n, ok)
		}
	}
	for _, text := range []string{"", "NEVER,SUCCESS", "SUCCESS,", ",SUCCESS", "ALWAYS", "SUCCESS DELAY"} {
		if _, ok := ParseNotify([]byte(text)); ok {
			t.Errorf("NOTIFY=%s was taken", text)
		}
	}
	for text, want := range map[string]Ret{"hdrs": RetHdrs, "FULL": RetFull, "some": RetUnset, "": RetUnset} {
		if r, ok := ParseRet([]byte(text)); r != want || ok != (want != RetUnset) {
			t.Errorf("RET=%s: %v, %v", text, r, ok)
		}
	}
	for text, want := range map[string]bool{"rfc822;a+2Bb@c": true, "rfc822;": true, "utf-8;jøran@x": true, ";a": false, "rfc822": false, "rfc822;a+zz": false, "rfc822;jøran": false} {
		if IsORcpt([]byte(text)) != want {
			t.Errorf("ORCPT=%s is not %v", text, want)
		}
	}
	if IsORcpt([]byte("rfc822;" + strings.Repeat("a", ORcptMax))) {
		t.Error("an ORCPT over 500 characters was taken")
	}
}

func TestWordsAndSpaces(t *testing.T) {
	rest := Text("MAIL  from:x ")
	word := rest.Word()
	p := Param{Keyword: word}
	if !p.Is("mail") || p.Is("mai") || !rest.Spaces() || rest.Spaces() || !rest.Literal("FROM:") || rest.Literal("xx") || string(rest.Word()) != "x" || rest.Empty() {
		t.Errorf("left %q", rest)
	}
}

func TestFindControl(t *testing.T) {
	for line, want := range map[string]int{"": -1, "a \x80~": -1, "a\x00": 1, "\x7f": 0, "ab\tc": 2} {
		if got := FindControl([]byte(line)); got != want {
			t.Errorf("%q: %d", line, got)
		}
	}
}

func TestReplies(t *testing.T) {
	for _, c := range []struct {
		r    Reply
		want string
	}{
		{Reply{250, Status{2, 1, 0}, "Ok", nil}, "250 2.1.0 Ok\r\n"},
		{Reply{354, Status{}, "Go", nil}, "354 Go\r\n"},
		{Reply{250, Status{2, 0, 0}, "queued as ", []byte("id")}, "250 2.0.0 queued as id\r\n"},
		{Reply{550, Status{5, 7, 1}, "no\nnever\n", []byte("x")}, "550-5.7.1 no\r\n550-5.7.1 never\r\n550 5.7.1 x\r\n"},
		{Reply{550, Status{5, 1, 1}, "", []byte("a\r\n250 ok\x00")}, "550 5.1.1 a??250 ok?\r\n"},
		{Reply{Code: 220}, "220 \r\n"},
	} {
		if got := string(c.r.Append(nil)); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	long := Reply{250, Status{2, 0, 0}, strings.Repeat("x", 600), nil}
	if got := long.Append(nil); len(got) != LineMax {
		t.Errorf("a reply line has %d octets", len(got))
	}
}

// FuzzGrammar: no rule consumes what it does not accept, none reads outside
// the line, and a mailbox that was accepted is accepted again as we write it.
func FuzzGrammar(f *testing.F) {
	for _, s := range []string{"<a@b> SIZE=1", `<"a\ b"@[IPv6:::1]>`, "<@a,@b:c@d>", "<Postmaster>", "NOTIFY=SUCCESS,DELAY", "+2B"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		kept := bytes.Clone(line)
		for name, rule := range map[string]func(*Text) bool{
			"path":    func(t *Text) bool { _, ok := t.ForwardPath(); return ok },
			"reverse": func(t *Text) bool { _, ok := t.ReversePath(); return ok },
			"param":   func(t *Text) bool { _, ok := t.Param(); return ok },
			"number":  func(t *Text) bool { _, ok := t.Number(20); return ok },
			"literal": func(t *Text) bool { _, ok := t.addressLiteral(); return ok },
		} {
			rest := Text(line)
			if ok := rule(&rest); !ok && len(rest) != len(line) || !bytes.HasSuffix(line, rest) {
				t.Fatalf("%s on %q left %q, %v", name, line, rest, ok)
			}
		}
		rest := Text(line)
		if p, ok := rest.ForwardPath(); ok {
			written := "<" + string(p.AppendMailbox(nil)) + ">"
			again := Text(written)
			q, ok := again.ForwardPath()
			if !ok || !again.Empty() || "<"+string(q.AppendMailbox(nil))+">" != written || q.NonASCII != p.NonASCII {
				t.Fatalf("%q was written as %s and then read as %q", line, written, q.AppendMailbox(nil))
			}
		}
		IsORcpt(line)
		IsXtext(line)
		ParseNotify(line)
		if !bytes.Equal(kept, line) {
			t.Fatal("the line was changed")
		}
	})
}

func TestNotifyAndRetAreWrittenAsTheyAreRead(t *testing.T) {
	for _, text := range []string{"", "NEVER", "SUCCESS", "FAILURE", "DELAY", "SUCCESS,FAILURE,DELAY", "SUCCESS,DELAY"} {
		n, _ := ParseNotify([]byte(text))
		if got := string(n.Append([]byte("x="))); got != "x="+text {
			t.Errorf("%q: got %q", text, got)
		}
	}
	for _, text := range []string{"", "FULL", "HDRS"} {
		r, _ := ParseRet([]byte(text))
		if r.String() != text {
			t.Errorf("%q: got %q", text, r.String())
		}
	}
}
