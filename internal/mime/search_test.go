package mime

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime/quotedprintable"
	"strings"
	"testing"

	"barid/internal/message"
)

const searched = `From: =?utf-8?q?K=C3=A4the?= <kaethe@example.org>
Subject: Test of
 =?iso-8859-1?q?Gr=FC=DFe?=
Content-Type: multipart/mixed; boundary=b

preamble
--b
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Die Z=E4hne und der An=
fang
zweite Zeile
--b
Content-Type: text/html; charset=utf-16le
Content-Transfer-Encoding: base64

PABwAD4AMQAwACAArCA8AC8AcAA+AA==
--b
Content-Type: application/octet-stream

nobody reads this
--b
Content-Type: message/rfc822

Subject: inner header

inner body
--b--
`

func TestWhatPeopleReadIsFound(t *testing.T) {
	var s Searcher
	m := structure([]byte(searched))
	for _, c := range []struct {
		text          string
		body, message bool
	}{
		{"", true, true},
		{"ZÄHNE", true, true},
		{"der anfang", true, true},
		{"anfang\r\nzweite", true, true},
		{"10 €", true, true},
		{"nobody reads", false, false},
		{"preamble", false, false},
		{"INNER HEADER", true, true},
		{"inner body", true, true},
		{"käthe", false, true},
		{"test of grüße", false, true},
		{"subject: test", false, true},
		{"octet-stream", false, true},
		{"x-none", false, false},
	} {
		needle := s.AppendNeedle(nil, []byte(c.text))
		if got := s.Body(m, needle); got != c.body {
			t.Errorf("BODY %q: %v", c.text, got)
		}
		if got := s.Message(m, needle); got != c.message {
			t.Errorf("TEXT %q: %v", c.text, got)
		}
	}
	for text, want := range map[string]bool{"KÄTHE <k": true, "example.org": true, "": true, "other": false} {
		if got := s.Field(m.Header(0), []byte("FROM"), s.AppendNeedle(nil, []byte(text))); got != want {
			t.Errorf("FROM %q: %v", text, got)
		}
	}
	if s.Field(m.Header(0), []byte("Cc"), nil) {
		t.Error("there is a Cc field")
	}
}

// FuzzNeedlesAreFoundWhereverTheyAre hides a string in a long part that is
// encoded in any way.
func FuzzNeedlesAreFoundWhereverTheyAre(f *testing.F) {
	f.Add("Nädel", uint16(32760), uint8(0), "utf-8")
	f.Add("needle", uint16(0), uint8(1), "iso-8859-1")
	f.Add("ü", uint16(24570), uint8(2), "")
	var s Searcher
	f.Fuzz(func(t *testing.T, needle string, at uint16, encoding uint8, charset string) {
		needle = strings.ToValidUTF8(strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return 'x'
			}
			return r
		}, needle), "?")
		if strings.ContainsAny(charset, "\r\n\"\\") || charset != "utf-8" && len(s.AppendUTF8(nil, []byte(needle), []byte(charset))) != len(needle) {
			charset = "utf-8"
		}
		if charset != "utf-8" && string(s.AppendUTF8(nil, []byte(needle), []byte(charset))) != needle {
			return
		}
		body := strings.Repeat(".", int(at)) + needle + strings.Repeat(".", 100)
		name := "8bit"
		switch encoding % 3 {
		case 1:
			name, body = "base64", base64.StdEncoding.EncodeToString([]byte(body))
		case 2:
			var b bytes.Buffer
			w := quotedprintable.NewWriter(&b)
			if _, err := w.Write([]byte(body)); err != nil || w.Close() != nil {
				t.Fatal(err)
			}
			name, body = "quoted-printable", b.String()
		}
		m := structure(fmt.Appendf(nil, "Content-Transfer-Encoding: %s\nContent-Type: text/plain; charset=\"%s\"\n\n%s", name, charset, body))
		if !s.Body(m, s.AppendNeedle(nil, []byte(needle))) {
			t.Fatalf("%q in %s of %s is not found at %d", needle, name, charset, at)
		}
	})
}

func benchmarkSearch(b *testing.B, msg []byte) {
	var s Searcher
	var m message.Structure
	needle := s.AppendNeedle(nil, []byte("Needle that is not there"))
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		m.Parse(msg)
		if s.Message(&m, needle) {
			b.Fatal("found")
		}
	}
}

func BenchmarkSearchPlainText(b *testing.B) {
	benchmarkSearch(b, []byte("Subject: x\n\n"+strings.Repeat("Some text that fills a line of sixty characters or so, no more\n", 2000)))
}

func BenchmarkSearchSmallMessage(b *testing.B) {
	benchmarkSearch(b, []byte(searched+strings.Repeat("x", 3000)))
}

func BenchmarkSearchBase64(b *testing.B) {
	benchmarkSearch(b, []byte("Content-Transfer-Encoding: base64\n\n"+strings.Repeat(strings.Repeat("QUJD", 19)+"\n", 2000)))
}

func BenchmarkSearchQuotedLatin1(b *testing.B) {
	benchmarkSearch(b, []byte("Content-Transfer-Encoding: quoted-printable\nContent-Type: text/plain; charset=iso-8859-1\n\n"+strings.Repeat("Some text that =FCses a few encoded characters, =\n", 2000)))
}

func BenchmarkSearchCyrillic(b *testing.B) {
	benchmarkSearch(b, []byte("Subject: x\nContent-Type: text/plain; charset=utf-8\n\n"+strings.Repeat("Съешь ещё этих мягких французских булок, да выпей чаю\n", 2000)))
}
