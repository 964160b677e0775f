package mime

import (
	"bytes"
	"fmt"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"barid/internal/imap"
	"barid/internal/message"
)

// vectors calls check with each file that matches, and compares what it makes
// of it with the file of the same name that ends in .want.
func vectors(t *testing.T, pattern string, check func(input []byte) string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(names) == 0 {
		t.Fatal(pattern, err)
	}
	for _, name := range names {
		input, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		base := strings.TrimSuffix(name, filepath.Ext(name))
		want, _ := os.ReadFile(base + ".want")
		if got := check(input); got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
			if err := os.WriteFile(base+".got", []byte(got), 0o666); err != nil {
				t.Error(err)
			}
		}
	}
}

func structure(msg []byte) *message.Structure {
	var s message.Structure
	s.Parse(msg)
	return &s
}

func TestEnvelopeOfKnownMessages(t *testing.T) {
	vectors(t, "envelope/*.eml", func(msg []byte) string {
		var b strings.Builder
		for _, utf8 := range []bool{false, true} {
			e := Encoder{UTF8: utf8}
			out := e.AppendEnvelope(nil, msg[:message.HeaderLen(msg)])
			b.WriteString(strings.ReplaceAll(strings.ReplaceAll(string(out), ") (", ")\n ("), ")(", ")\n  (") + "\n")
		}
		return b.String()
	})
}

func TestBodyStructureOfKnownMessages(t *testing.T) {
	vectors(t, "structure/*.eml", func(msg []byte) string {
		var e Encoder
		s := structure(msg)
		body := e.AppendBodyStructure(nil, s, false)
		return string(body) + "\n" + string(e.AppendBodyStructure(nil, s, true)) + "\n"
	})
}

// balanced reports whether parentheses outside of strings are in pairs, and
// that there is nothing else behind the last one.
func balanced(encoded []byte) error {
	depth := 0
	for rest := encoded; len(rest) > 0; {
		switch c := rest[0]; {
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 && len(rest) > 1 || depth < 0 {
				return fmt.Errorf("ends before %q", rest)
			}
		case c == '"' || c == '{':
			t := imap.Text(rest)
			if _, fault := t.String(); fault != "" {
				return fmt.Errorf("%s: %q", fault, rest)
			}
			rest = t
			continue
		case c < ' ' || c >= 0x7f:
			return fmt.Errorf("octet %d outside of a string", c)
		}
		rest = rest[1:]
	}
	if depth != 0 {
		return fmt.Errorf("%d parentheses are open", depth)
	}
	return nil
}

func FuzzWhatIsEncodedIsWellFormed(f *testing.F) {
	for _, pattern := range []string{"testdata/envelope/*.eml", "testdata/structure/*.eml"} {
		names, _ := filepath.Glob(pattern)
		for _, name := range names {
			msg, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(msg, true)
		}
	}
	var s message.Structure
	f.Fuzz(func(t *testing.T, msg []byte, utf8 bool) {
		e := Encoder{UTF8: utf8}
		s.Parse(msg)
		for _, encoded := range [][]byte{
			e.AppendEnvelope(nil, s.Header(0)),
			e.AppendBodyStructure(nil, &s, false), e.AppendBodyStructure(nil, &s, true),
		} {
			if err := balanced(encoded); err != nil {
				t.Fatalf("%q: %v", encoded, err)
			}
		}
	})
}

func TestSectionsOfAMessage(t *testing.T) {
	msg, err := os.ReadFile("testdata/structure/01-nested.eml")
	if err != nil {
		t.Fatal(err)
	}
	s := structure(msg)
	for _, c := range []struct {
		section imap.Section
		want    string // "NIL" is NIL
	}{
		{imap.Section{}, string(msg)},
		{imap.Section{Text: imap.SectionHeader}, string(s.Header(0))},
		{imap.Section{Text: imap.SectionBody}, string(s.Body(0))},
		{imap.Section{Text: imap.SectionHeaderFields, Fields: [][]byte{[]byte("SUBJECT"), []byte("none")}}, "Subject: outer\n folded\n\n"},
		{imap.Section{Text: imap.SectionHeaderFields, Fields: [][]byte{[]byte("none")}}, "\n"},
		{imap.Section{Text: imap.SectionHeaderFieldsNot, Fields: [][]byte{[]byte("content-type")}}, "From: a@example.org\nSubject: outer\n folded\nTo: b@example.org\n\n"},
		{imap.Section{Part: []uint32{1}}, "first"},
		{imap.Section{Part: []uint32{1}, Text: imap.SectionMIME}, "Content-Type: text/plain\n\n"},
		{imap.Section{Part: []uint32{1}, Text: imap.SectionBody}, "NIL"},
		{imap.Section{Part: []uint32{1}, Text: imap.SectionHeader}, "NIL"},
		{imap.Section{Part: []uint32{2}}, "Subject: inner\n\ninner text"},
		{imap.Section{Part: []uint32{2}, Text: imap.SectionMIME}, "Content-Type: message/rfc822\n\n"},
		{imap.Section{Part: []uint32{2}, Text: imap.SectionHeader}, "Subject: inner\n\n"},
		{imap.Section{Part: []uint32{2}, Text: imap.SectionBody}, "inner text"},
		{imap.Section{Part: []uint32{2}, Text: imap.SectionHeaderFieldsNot, Fields: [][]byte{[]byte("subject")}}, "\n"},
		{imap.Section{Part: []uint32{2, 1}}, "inner text"},
		{imap.Section{Part: []uint32{2, 1}, Text: imap.SectionMIME}, "Subject: inner\n\n"},
		{imap.Section{Part: []uint32{2, 2}}, "NIL"},
		{imap.Section{Part: []uint32{3}}, "NIL"},
	} {
		ranges, found := AppendSection(nil, s, &c.section)
		var got []byte
		for _, r := range ranges {
			got = append(got, msg[r.Start:r.End]...)
		}
		if !found {
			got = []byte("NIL")
		}
		if string(got) != c.want {
			t.Errorf("[%s]: %q, want %q", c.section.Append(nil, false), got, c.want)
		}
	}
}

// FuzzAddressesAgreeWithNetMail compares address lists that net/mail takes.
func FuzzAddressesAgreeWithNetMail(f *testing.F) {
	f.Add("Pete(A nice \\) chap) <pete(his account)@silly.test>, joe@example.org")
	f.Add("\"Joe Q. Public\" <john.q.public@example.com>, <boss@nil.test>")
	f.Add("A Group:Ed Jones <joe@a.test>,John <jdoe@one.test>;")
	f.Fuzz(func(t *testing.T, list string) {
		want, err := mail.ParseAddressList(list)
		if err != nil || strings.Contains(list, "=?") {
			return
		}
		var l message.Addresses
		var got []string
		l.Reset([]byte(list))
		for a, ok := l.Next(); ok; a, ok = l.Next() {
			if a.Kind == message.Mailbox {
				got = append(got, string(a.Local)+"@"+string(a.Domain))
			}
		}
		for i, a := range want {
			if i >= len(got) || got[i] != a.Address {
				t.Fatalf("%q: %q, net/mail says %q", list, got, a.Address)
			}
		}
	})
}

func BenchmarkEnvelope(b *testing.B) {
	msg, err := os.ReadFile("testdata/envelope/01-rfc9051.eml")
	if err != nil {
		b.Fatal(err)
	}
	msg = append(bytes.Repeat([]byte("Received: from mx.example.org (mx.example.org [192.0.2.1])\n\tby mail.example.test with ESMTPS id 1234;\n\tSat, 22 Nov 2025 10:00:00 +0000\n"), 5), msg...)
	var e Encoder
	var s message.Structure
	var out []byte
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		s.Parse(msg)
		out = e.AppendEnvelope(out[:0], s.Header(0))
		out = e.AppendBodyStructure(out, &s, true)
	}
}
