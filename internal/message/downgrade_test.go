package message

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"slices"
	"strings"
	"testing"
)

func downgrade(t testing.TB, msg string) string {
	t.Helper()
	got, err := AppendDowngraded([]byte("before"), []byte(msg))
	if err != nil || !bytes.HasPrefix(got, []byte("before")) {
		t.Fatalf("%q: %q, %v", msg, got, err)
	}
	return string(got[len("before"):])
}

func TestMessageWithout8BitIsNotTouched(t *testing.T) {
	const msg = "DKIM-Signature: x\nContent-Transfer-Encoding: 8bit\nContent-Type: text/plain; charset=utf-8\n\nplain = enough  \nFrom here\n.\n"
	if got := downgrade(t, msg); got != msg {
		t.Errorf("got %q", got)
	}
}

func TestTextBecomesQuotedPrintable(t *testing.T) {
	for body, want := range map[string]string{
		"käse\n":                              "k=C3=A4se\n",
		"ä":                                   "=C3=A4",
		"ä \t \nb\t\n":                        "=C3=A4 \t=20\nb=09\n",
		"a=ä\nFrom me\n.\n..\n--\n--b":        "a=3D=C3=A4\n=46rom me\n=2E\n=2E.\n=2D-\n=2D-b",
		"ä\r\nb\rc\n":                         "=C3=A4\nb=0Dc\n",
		"\x00\x7fä":                           "=00=7F=C3=A4",
		"é" + strings.Repeat("a", 70):         "=C3=A9" + strings.Repeat("a", 70),
		"é" + strings.Repeat("a", 71):         "=C3=A9" + strings.Repeat("a", 69) + "=\naa",
		strings.Repeat("ab ", 25) + "--x\xff": strings.Repeat("ab ", 25) + "=\n=2D-x=FF",
		strings.Repeat("x", 75) + "\xff":      strings.Repeat("x", 75) + "=\n=FF",
	} {
		got := downgrade(t, "MIME-Version: 1.0\nContent-Transfer-Encoding: 8bit\n\n"+body)
		if want = "MIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n" + want; got != want {
			t.Errorf("%q became\n%q, want\n%q", body, got, want)
		}
	}
}

func TestMessageWithoutMIMEIsMadeOne(t *testing.T) {
	got := downgrade(t, "Received: x\nSubject: y\n\nä\n")
	if want := "Received: x\nSubject: y\nMIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A4\n"; got != want {
		t.Errorf("got %q", got)
	}
}

func TestWhatIsNoTextBecomesTheShorter(t *testing.T) {
	for body, want := range map[string]string{
		strings.Repeat("\xff", 30): "base64", strings.Repeat("a", 30) + "\xff": "quoted-printable",
	} {
		got := downgrade(t, "Content-Type: image/x\n\n"+body)
		if !strings.Contains(got, "Content-Transfer-Encoding: "+want+"\n\n") {
			t.Errorf("%q became %q", body, got)
		}
	}
	got := downgrade(t, "Content-Type: image/x\n\n\xff\xff\n\xff\xff\r\n\xff\xff")
	if want := base64.StdEncoding.EncodeToString([]byte("\xff\xff\r\n\xff\xff\r\n\xff\xff")); !strings.HasSuffix(got, "\n\n"+want+"\n") {
		t.Errorf("line ends are not CRLF: %q", got)
	}
}

func TestOnlyPartsThatNeedItAreEncoded(t *testing.T) {
	const msg = "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 8bit\n\npräambel\n--b\n\nplain = text\n--b\nContent-Type: message/rfc822\n\nSubject: in\n\nä\n--b\n" +
		"Content-Type: multipart/digest; boundary=c\n\n--c\n\nSubject: digested\n\nö\n--c--\n--b--\népilogue\n"
	const want = "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 7bit\n\npr??ambel\n--b\n\nplain = text\n--b\nContent-Type: message/rfc822\n\nSubject: in\nMIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A4\n--b\n" +
		"Content-Type: multipart/digest; boundary=c\n\n--c\n\nSubject: digested\nMIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n=C3=B6\n--c--\n--b--\n??pilogue\n"
	if got := downgrade(t, msg); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestEncodedPartsThatHold8BitAreMended(t *testing.T) {
	for in, want := range map[string]string{
		"quoted-printable\n\nk=C3=A4se ä =\n =4 \n=\n": "quoted-printable\n\nk=C3=A4se =C3=A4 =\n =3D4\n=\n",
		"base64\n\nQU\xa0JD\n":                         "base64\n\nQUJD\n",
		"8-bit\n\nä":                                   "quoted-printable\n\n=C3=A4",
	} {
		if got := downgrade(t, "Content-Transfer-Encoding: "+in); got != "Content-Transfer-Encoding: "+want {
			t.Errorf("%q became %q", in, got)
		}
	}
}

func TestUTF8MessageWithinIsEncodedAsAWhole(t *testing.T) {
	got := downgrade(t, "Content-Type: message/global\n\nSubject: ä\n\nö")
	if want := "Content-Type: message/global\nMIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\nSubject: =C3=A4\n\n=C3=B6"; got != want {
		t.Errorf("got %q", got)
	}
}

func TestMalformedMultipartIsEncodedAsItStands(t *testing.T) {
	for _, typ := range []string{"multipart/mixed", "multipart/mixed; boundary=never", "multipart/mixed; boundary=" + strings.Repeat("x", boundMax+1), "%%%"} {
		got := downgrade(t, "Content-Type: "+typ+"\n\n--b\n\nä\n--b--\n")
		if !strings.HasSuffix(got, "quoted-printable\n\n=2D-b\n\n=C3=A4\n=2D-b--\n") {
			t.Errorf("%s: %q", typ, got)
		}
	}
}

func TestWhatCannotBeEncodedIsAnError(t *testing.T) {
	deep, many := new(strings.Builder), "Content-Type: multipart/x; boundary=b\n\n"+strings.Repeat("--b\n\n", partsMax)
	for i := range depthMax + 5 {
		fmt.Fprintf(deep, "Content-Type: multipart/mixed; boundary=b%dx\n\n--b%dx\n", i, i)
	}
	for msg, want := range map[string]error{
		"Subject: ä\n\n": ErrHeader8Bit,
		"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Disposition: ä\n\n--b--\n": ErrHeader8Bit,
		"Content-Type: message/rfc822\n\nSubject: ä\n\n":                                      ErrHeader8Bit,
		"Content-Transfer-Encoding: x-uue\n\nä":                                               ErrStructure8Bit,
		"Content-Type: message/partial\n\nä":                                                  ErrStructure8Bit,
		"Content-Type: message/delivery-status\n\nä":                                          ErrStructure8Bit,
		deep.String() + "\nä":                                                                 ErrStructure8Bit,
		many + "ä":                                                                            ErrStructure8Bit,
		strings.Repeat("Content-Type: message/rfc822\n\n", depthMax+1) + "ä":                  ErrStructure8Bit,
	} {
		got, err := AppendDowngraded([]byte("before"), []byte(msg))
		if !errors.Is(err, want) || string(got) != "before" {
			t.Errorf("%.200q: %.200q, %v", msg, got, err)
		}
	}
}

// contents reads the leaves of an entity with the standard library, with LF
// line ends.
func contents(t *testing.T, header textproto.MIMEHeader, body io.Reader) (leaves []string) {
	t.Helper()
	typ, params, _ := mime.ParseMediaType(header.Get("Content-Type"))
	if typ == "message/rfc822" {
		m, err := mail.ReadMessage(body)
		if err != nil {
			t.Fatal(err)
		}
		return contents(t, textproto.MIMEHeader(m.Header), m.Body)
	}
	if boundary := params["boundary"]; boundary != "" {
		for r := multipart.NewReader(body, boundary); ; {
			p, err := r.NextRawPart()
			if err == io.EOF {
				return leaves
			}
			if err != nil {
				t.Fatal(err)
			}
			leaves = append(leaves, contents(t, p.Header, p)...)
		}
	}
	switch header.Get("Content-Transfer-Encoding") {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	}
	leaf, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return []string{strings.ReplaceAll(string(leaf), "\r\n", "\n")}
}

func contentsOf(t *testing.T, msg string) []string {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(msg))
	if err != nil {
		t.Fatal(err)
	}
	return contents(t, textproto.MIMEHeader(m.Header), m.Body)
}

// textTree makes a random MIME entity of lines.
func textTree(rng *rand.Rand, depth int) string {
	switch {
	case depth > 0 && rng.IntN(6) == 0:
		return "Content-Type: message/rfc822\n\n" + textTree(rng, depth-1)
	case depth > 0 && rng.IntN(3) > 0:
		boundary := fmt.Sprintf("x%d", rng.Uint64())
		var b strings.Builder
		fmt.Fprintf(&b, "Content-Type: multipart/mixed;\n boundary=%q\nContent-Transfer-Encoding: 8bit\n\n", boundary)
		for range 1 + rng.IntN(4) {
			fmt.Fprintf(&b, "--%s\n%s\n", boundary, textTree(rng, depth-1))
		}
		return b.String() + "--" + boundary + "--\n"
	}
	body, pieces := new(strings.Builder), []string{"a", "\xe4", "ö", " ", "\t", "=", "\n", "--", "From ", ".", "longer word"}
	for range rng.IntN(300) {
		body.WriteString(pieces[rng.IntN(len(pieces))])
	}
	return []string{"", "Content-Type: image/png\n", "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n"}[rng.IntN(3)] + "\n" + body.String()
}

func TestStandardLibraryReadsBackWhatWasDowngraded(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 1000 {
		msg := "Subject: x\n" + textTree(rng, 4)
		got := downgrade(t, msg)
		checkDowngraded(t, msg, got)
		if before, after := contentsOf(t, msg), contentsOf(t, got); !slices.Equal(before, after) {
			t.Fatalf("%q\nbecame %q\n%q\n%q", msg, got, before, after)
		}
	}
}

// checkDowngraded checks what holds for any message.
func checkDowngraded(t *testing.T, msg, got string) {
	t.Helper()
	if !is7Bit([]byte(got)) {
		t.Fatalf("%q: not 7 bit: %q", msg, got)
	}
	if again := downgrade(t, got); strings.ReplaceAll(got, "\r\n", "\n") != again {
		t.Fatalf("%q: %q became %q", msg, got, again)
	}
	if len(got) > 100+33*len(msg)/10+64*strings.Count(msg, "\n") {
		t.Fatalf("%d octets became %d", len(msg), len(got))
	}
}

func FuzzDowngraded(f *testing.F) {
	f.Add([]byte("Subject: x\n" + textTree(rand.New(rand.NewPCG(1, 1)), 3)))
	f.Add([]byte("Content-Transfer-Encoding: quoted-printable\n\nä=\n="))
	f.Fuzz(func(t *testing.T, msg []byte) {
		kept := bytes.Clone(msg)
		got, err := AppendDowngraded(nil, msg)
		if !bytes.Equal(msg, kept) {
			t.Fatal("the message was changed")
		}
		if err == nil {
			checkDowngraded(t, string(msg), string(got))
		} else if len(got) > 0 || is7Bit(msg) {
			t.Fatalf("%q, %v", got, err)
		}
	})
}

// FuzzDowngradedLeaf holds the content of a part against the standard library.
func FuzzDowngradedLeaf(f *testing.F) {
	f.Add("text/plain", "8bit", "a = ä \nFrom\n")
	f.Add("image/png", "8bit", "\xff\xfe\n")
	f.Add("text/plain", "quoted-printable", "=C3=A4 ä=\n=")
	f.Fuzz(func(t *testing.T, typ, enc, body string) {
		body = strings.ReplaceAll(body, "\r", "")
		if !slices.Contains([]string{"text/plain", "image/png"}, typ) || enc != "8bit" && enc != "quoted-printable" {
			return
		}
		before, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(body)))
		if enc == "8bit" {
			before = []byte(body)
		} else if err != nil {
			return
		}
		msg := "Content-Type: " + typ + "\nContent-Transfer-Encoding: " + enc + "\n\n" + body
		got := downgrade(t, msg)
		for line := range strings.Lines(got[strings.Index(got, "\n\n"):]) {
			if len(strings.TrimSuffix(line, "\n")) > quotedLineMax && !is7Bit([]byte(body)) {
				t.Fatalf("a line of %d characters: %q", len(line), line)
			}
		}
		if after := contentsOf(t, got)[0]; after != string(before) {
			t.Fatalf("%q\nbecame %q\n%q\n%q", msg, got, before, after)
		}
	})
}

func BenchmarkAppendDowngraded(b *testing.B) {
	msg := []byte("Content-Type: text/plain; charset=utf-8\n\n" + strings.Repeat("Grüße aus Köln, und ein wenig mehr Text dazu, damit es eine Zeile wird\n", 1<<12))
	var dst []byte
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		dst, _ = AppendDowngraded(dst[:0], msg)
	}
}
