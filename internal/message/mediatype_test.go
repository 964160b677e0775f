package message

import (
	"mime"
	"strings"
	"testing"
)

func boundaryOf(value string) (string, bool) {
	m, ok := ParseMediaType([]byte(value))
	if !ok {
		return "", false
	}
	b, ok := m.AppendParameter(nil, "boundary")
	return string(b), ok
}

func TestBoundaryIsFoundHoweverItIsWritten(t *testing.T) {
	for value, want := range map[string]string{
		`multipart/mixed; boundary=abc`:                                  "abc",
		`multipart/mixed;boundary="a b;c"`:                               "a b;c",
		"multipart/mixed;\r\n\tcharset=x;\r\n\tBOUNDARY = \"q\\\"x\"":    `q"x`,
		`multipart / mixed (a (nested) \) comment) ; boundary=x (y)`:     "x",
		`multipart/mixed; x="boundary=no"; boundary=yes; boundary=again`: "yes",
		`multipart/mixed; boundary=----=_Part/1?x`:                       "----=_Part/1?x",
		`multipart/mixed; junk; =; boundary=z`:                           "z",
		`multipart/mixed; boundary="open`:                                "open",
		`multipart/mixed; boundary=""`:                                   "",
	} {
		if got, ok := boundaryOf(value); !ok || got != want {
			t.Errorf("%s: %q, %v", value, got, ok)
		}
	}
	for _, value := range []string{"", "multipart", "multipart/", "/mixed; boundary=x", "multipart/mixed", "multipart/mixed; xboundary=1", "(((((", `multipart/mixed "; boundary=x"`} {
		if got, ok := boundaryOf(value); ok {
			t.Errorf("%s: has the boundary %q", value, got)
		}
	}
}

func FuzzMediaTypeAgreesWithMime(f *testing.F) {
	f.Add(`multipart/mixed; boundary="a\"b"; charset=us-ascii`)
	f.Add(`text/plain`)
	f.Fuzz(func(t *testing.T, value string) {
		m, ok := ParseMediaType([]byte(value))
		typ, params, err := mime.ParseMediaType(value)
		if err != nil || strings.ContainsAny(value, "*(\r\n\\\f\v") || !strings.Contains(typ, "/") {
			return // mime has no comments, more white space, and its own opinion of backslashes
		}
		major, minor, _ := strings.Cut(typ, "/")
		if !ok || !m.Is(major, minor) {
			t.Fatalf("%q: %s/%s, %v; mime says %s", value, m.Type, m.Subtype, ok, typ)
		}
		want, has := params["boundary"]
		got, found := m.AppendParameter(nil, "boundary")
		if has != found || string(got) != want {
			t.Fatalf("%q: boundary %q %v, mime says %q %v", value, got, found, want, has)
		}
	})
}
