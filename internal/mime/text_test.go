package mime

import (
	"bytes"
	"mime"
	"strings"
	"testing"
	"unicode/utf8"

	"barid/internal/message"
)

// byLine makes a check of a file of one that is done with each line.
func byLine(check func(line []byte) string) func([]byte) string {
	return func(input []byte) string {
		var b strings.Builder
		for line := range bytes.Lines(input) {
			b.WriteString(check(bytes.TrimSuffix(line, []byte{'\n'})) + "\n")
		}
		return b.String()
	}
}

func TestEncodedWordsAreDecoded(t *testing.T) {
	var text Text
	vectors(t, "words/*.txt", byLine(func(line []byte) string { return string(text.AppendHeader(nil, line)) }))
}

func TestParametersArePutTogether(t *testing.T) {
	var text Text
	vectors(t, "parameter/*.txt", byLine(func(line []byte) string {
		media, _ := message.ParseMediaType(line)
		value, found := text.AppendParameter([]byte(nil), media.Parameters(), "name")
		if !found {
			return "none"
		}
		return string(value)
	}))
}

func FuzzHeaderTextAgreesWithMime(f *testing.F) {
	f.Add("=?utf-8?q?a_=C3=A4?= =?utf-8?b?w6Q=?= plain")
	f.Add("=?iso-8859-1?q?=FC?=\n =?iso-8859-1?q?=FC?=")
	var text Text
	f.Fuzz(func(t *testing.T, value string) {
		got := text.AppendHeader(nil, []byte(value))
		if !utf8.Valid(got) || len(got) > 20*len(value)+3 {
			t.Fatalf("%q became %q", value, got)
		}
		if utf8.ValidString(value) {
			encoded := mime.QEncoding.Encode("utf-8", value)
			if got := text.AppendHeader(nil, []byte(encoded)); encoded != value && !strings.ContainsAny(value, "\t\r\n") && string(got) != value {
				t.Fatalf("%q of %q became %q", encoded, value, got)
			}
			encoded = mime.BEncoding.Encode("utf-8", value)
			if got := text.AppendHeader(nil, []byte(encoded)); encoded != value && !strings.ContainsAny(value, "\t\r\n") && string(got) != value {
				t.Fatalf("%q of %q became %q", encoded, value, got)
			}
		}
	})
}

func FuzzParameterIsBounded(f *testing.F) {
	f.Add("text/plain; name*0*=utf-8''%41; name*1=b; name=c")
	var text Text
	f.Fuzz(func(t *testing.T, value string) {
		media, _ := message.ParseMediaType([]byte(value))
		got, _ := text.AppendParameter(nil, media.Parameters(), "name")
		if !utf8.Valid(got) || len(got) > 4*len(value) {
			t.Fatalf("%q became %q", value, got)
		}
	})
}

func TestFoldedTextsAreEqual(t *testing.T) {
	var f Folder
	for _, equal := range [][]string{
		{"abcdefgh Stuvwxyz {[`@", "ABCDEFGH sTUVWXYZ {[`@"},
		{"Käse", "KÄSE", "ka\u0308se", "KA\u0308SE"},
		{"x²", "X2"},
		{"ПРИВЕТ, мир", "привет, МИР"},
		{"한국", "\u1112\u1161\u11ab\u1100\u116e\u11a8"},
		{"Σς", "σς"},
		{"ｆｕｌｌ", "FULL"},
	} {
		want := f.Append(nil, []byte(equal[0]))
		for _, other := range equal[1:] {
			if got := f.Append(nil, []byte(other)); !bytes.Equal(got, want) {
				t.Errorf("%q is folded to %q, %q to %q", equal[0], want, other, got)
			}
		}
	}
	if got := f.Append(nil, []byte("a\xffb")); string(got) != "A\xffB" {
		t.Errorf("octets that are no UTF-8 became %q", got)
	}
}

func FuzzFoldingIsStable(f *testing.F) {
	f.Add("Käse und ﬁsch, 8 Äpfel")
	var a, b Folder
	f.Fuzz(func(t *testing.T, text string) {
		got := a.Append(nil, []byte(text))
		if again := b.Append(nil, []byte(text)); !bytes.Equal(again, got) {
			t.Fatalf("%q: %q, then %q", text, got, again)
		}
		ascii := strings.Map(func(r rune) rune { return r & 0x7f }, text)
		if got := a.Append(nil, []byte(ascii)); string(got) != strings.ToUpper(ascii) {
			t.Fatalf("%q: %q", ascii, got)
		}
	})
}
