package mime

import (
	"strings"
	"testing"
	"unicode/utf8"

	"barid/internal/message"
)

func TestPreviewsAreWhatAPersonReads(t *testing.T) {
	var text Text
	for msg, want := range map[string]string{
		"\n  first\nline \t of\n> quoted\n\ntext\n":                                                                        "first line of text",
		"Content-Transfer-Encoding: quoted-printable\nContent-Type: text/plain; charset=iso-8859-1\n\nK=E4se =\nda":        "Käse da",
		"Content-Type: text/html\n\n<html><head><title>x</title></head><style>p{}</style><p>a&amp;b<!-- no > --><br>c</p>": "a&b c",
		"Content-Type: image/png\n\nPNG":    "",
		"":                                  "",
		"\n" + strings.Repeat("word ", 100): strings.TrimRight(strings.Repeat("word ", 40), " "),
		"\n" + strings.Repeat("ä", 300):     strings.Repeat("ä", 200),
		searched:                            "Die Zähne und der Anfang zweite Zeile",
		"Content-Disposition: attachment\n\nattached": "",
		"Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/html\n\n<b>html</b>\n--b\n\nplain\n--b--": "plain",
	} {
		if got := text.AppendPreview(nil, structure([]byte(msg))); string(got) != want {
			t.Errorf("%q: %q, want %q", msg, got, want)
		}
	}
}

func FuzzPreviewIsShort(f *testing.F) {
	f.Add([]byte(searched))
	f.Add([]byte("Content-Type: text/html\n\n<style>x</sty<!-- >&#x41;&lt;"))
	var text Text
	var m message.Structure
	f.Fuzz(func(t *testing.T, msg []byte) {
		m.Parse(msg)
		got := text.AppendPreview(nil, &m)
		if !utf8.Valid(got) || utf8.RuneCount(got) > 200 || strings.ContainsAny(string(got), "\x00\r\n") {
			t.Fatalf("%q", got)
		}
	})
}
