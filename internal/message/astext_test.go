package message

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"net/textproto"
	"slices"
	"strings"
	"testing"
)

func asText(msg string) string { return string(AppendText(nil, []byte(msg))) }

func TestBinaryPartsBecomeBase64AndTheRestStays(t *testing.T) {
	const msg = "Received: by us\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: binary\r\nMIME-Version: 1.0\r\n\r\npreamble\r\n--b\r\n" +
		"Content-Type: text/plain\r\n\r\nline\r\n.\r\n--b\r\nContent-Type: image/png\r\ncontent-transfer-encoding:\r\n BINARY\r\nX-After: 1\r\n\r\n\x00\r\n\xff\r\r\n--b--\r\nepilogue"
	const want = "Received: by us\nContent-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 8bit\nMIME-Version: 1.0\n\npreamble\n--b\n" +
		"Content-Type: text/plain\n\nline\n.\n--b\nContent-Type: image/png\nContent-Transfer-Encoding: base64\nX-After: 1\n\nAA0K/w0=\n\n--b--\nepilogue"
	if got := asText(msg); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestPartThatOnlyClaimsToBeTextIsEncoded(t *testing.T) {
	for body, encoded := range map[string]bool{
		"one\r\ntwo\r\n": false, "one": false, "": false, "bare\nLF": true, "bare\rCR": true, "N\x00L\r\n": true, "\r": true, "\xe4\xf6\r\n": false,
	} {
		got := asText("Subject: x\r\n\r\n" + body)
		if strings.Contains(got, "Content-Transfer-Encoding: base64\n\n") != encoded {
			t.Errorf("%q became %q", body, got)
		}
		if encoded && !strings.HasSuffix(got, base64.StdEncoding.EncodeToString([]byte(body))+"\n") {
			t.Errorf("%q became %q", body, got)
		}
	}
}

func TestMessageWithinIsEncodedPartByPart(t *testing.T) {
	inner := "Content-Type: application/x\r\nContent-Transfer-Encoding: binary\r\n\r\n\x00\x01"
	got := asText("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: binary\r\n\r\n" + inner)
	want := "Content-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\nContent-Type: application/x\nContent-Transfer-Encoding: base64\n\nAAE=\n"
	if got != want {
		t.Errorf("got %q", got)
	}
}

func TestAlreadyEncodedPartsAreNotTouched(t *testing.T) {
	for _, enc := range []string{"base64", "quoted-printable", "x-unknown"} {
		msg := "Content-Transfer-Encoding: " + enc + "\r\n\r\nQUJD\r\n"
		if got := asText(msg); got != strings.ReplaceAll(msg, "\r\n", "\n") {
			t.Errorf("%q became %q", msg, got)
		}
	}
}

func TestEndlessNestingStaysBounded(t *testing.T) {
	var deep strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	if got := asText(deep.String()); len(got) > deep.Len() {
		t.Errorf("%d octets became %d", deep.Len(), len(got))
	}
	many := "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n", 5*partsMax)
	if got := asText(many); len(got) > len(many) {
		t.Errorf("%d octets became %d", len(many), len(got))
	}
	rfc822 := strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 1000)
	if got := asText(rfc822); len(got) > len(rfc822) {
		t.Errorf("%d octets became %d", len(rfc822), len(got))
	}
}

// tree makes a random MIME entity and the leaf bodies in it.
func tree(rng *rand.Rand, depth int) (entity string, leaves [][]byte) {
	if depth == 0 || rng.IntN(3) == 0 {
		body := make([]byte, rng.IntN(300))
		for i := range body {
			body[i] = "ab\r\n\x00-\xff"[rng.IntN(7)]
		}
		return "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n" + string(body), [][]byte{body}
	}
	boundary := fmt.Sprintf("x%d", rng.Uint64())
	var b strings.Builder
	fmt.Fprintf(&b, "Content-Type: multipart/mixed;\r\n boundary=%q\r\nContent-Transfer-Encoding: binary\r\n\r\n", boundary)
	for range 1 + rng.IntN(4) {
		part, more := tree(rng, depth-1)
		fmt.Fprintf(&b, "--%s\r\n%s\r\n", boundary, part)
		leaves = append(leaves, more...)
	}
	fmt.Fprintf(&b, "--%s--\r\n", boundary)
	return b.String(), leaves
}

// leavesOf reads an entity with the standard library.
func leavesOf(t *testing.T, header textproto.MIMEHeader, body io.Reader) (leaves [][]byte) {
	t.Helper()
	_, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
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
			leaves = append(leaves, leavesOf(t, p.Header, p)...)
		}
	}
	if enc := header.Get("Content-Transfer-Encoding"); enc != "base64" {
		t.Fatalf("a leaf is %q", enc)
	}
	leaf, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, body))
	if err != nil {
		t.Fatal(err)
	}
	return [][]byte{leaf}
}

func TestStandardLibraryReadsBackWhatWasBinary(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		msg, want := tree(rng, 4)
		text := AppendText(nil, []byte(msg))
		if bytes.ContainsAny(text, "\x00\r") {
			t.Fatalf("not text: %q", text)
		}
		body := text[HeaderLen(text):]
		typ, _ := Lookup(text, "Content-Type")
		enc, _ := Lookup(text, "Content-Transfer-Encoding")
		header := textproto.MIMEHeader{"Content-Type": {words(string(typ))}, "Content-Transfer-Encoding": {string(enc)}}
		got := leavesOf(t, header, bytes.NewReader(body))
		if !slices.EqualFunc(got, want, bytes.Equal) {
			t.Fatalf("%q\nbecame %q", msg, text)
		}
	}
}

func FuzzAppendTextIsBounded(f *testing.F) {
	entity, _ := tree(rand.New(rand.NewPCG(3, 4)), 3)
	f.Add([]byte(entity))
	f.Add([]byte("Content-Type: multipart/x; boundary=b\n\n--b\n\n\x00\n--b--"))
	f.Fuzz(func(t *testing.T, msg []byte) {
		kept := bytes.Clone(msg)
		got := AppendText([]byte("before"), msg)
		if !bytes.Equal(msg, kept) || !bytes.HasPrefix(got, []byte("before")) {
			t.Fatal("the message or what stood before was changed")
		}
		parts := 2 + bytes.Count(msg, []byte("--"))
		if len(got) > 6+2*len(msg)+40*parts {
			t.Fatalf("%d octets became %d", len(msg), len(got))
		}
	})
}

func BenchmarkAppendText(b *testing.B) {
	msg := []byte("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: binary\r\n\r\n" + strings.Repeat("\x00\xff\r\n", 1<<16) + "\r\n--b--\r\n")
	var dst []byte
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendText(dst[:0], msg)
	}
}
