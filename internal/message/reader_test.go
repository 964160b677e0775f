package message

import (
	"bytes"
	"encoding/base64"
	"mime/quotedprintable"
	"strings"
	"testing"
)

func TestLineEndsBecomeCRLF(t *testing.T) {
	for stored, want := range map[string]string{
		"":           "",
		"\n":         "\r\n",
		"\r\n":       "\r\n",
		"a\nb\r\n\n": "a\r\nb\r\n\r\n",
		"a\rb\r":     "a\rb\r",
	} {
		if got := AppendLines(nil, []byte(stored), Range{0, len(stored)}); string(got) != want {
			t.Errorf("%q became %q, want %q", stored, got, want)
		}
	}
}

// FuzzAnyPieceIsWhereTheWholeHasIt reads a message in pieces of any size from
// any octet on, by way of the index and without.
func FuzzAnyPieceIsWhereTheWholeHasIt(f *testing.F) {
	f.Add([]byte("a\n\r\nb\n\n"), uint16(2), uint8(1), uint8(3))
	f.Add(bytes.Repeat([]byte("line\n\n\r\n"), 10), uint16(9), uint8(3), uint8(20))
	f.Fuzz(func(t *testing.T, piece []byte, from uint16, max, cut uint8) {
		msg := bytes.Repeat(piece, 1+3*checkpointOctets/(1+len(piece)))
		r := Range{min(int(cut), len(msg)), len(msg)}
		ranges := []Range{{0, r.Start}, r}
		want := AppendLines(AppendLines(nil, msg, ranges[0]), msg, r)
		var x LineIndex
		x.Reset(msg)
		if got := x.Size(Range{0, len(msg)}); got != int64(len(want)) {
			t.Fatalf("%d octets, want %d", got, len(want))
		}
		start := min(int(from)*7, len(want))
		at, second := x.At(int64(start))
		if x.Octets(at) != int64(start) && (!second || x.Octets(at)+1 != int64(start)) {
			t.Fatalf("octet %d is at %d, %v, which is octet %d", start, at, second, x.Octets(at))
		}
		reader := NewReader(&x, ranges, int64(start))
		got := reader.Append(nil, int(max))
		if end := min(start+int(max), len(want)); !bytes.Equal(got, want[start:end]) {
			t.Fatalf("from %d: %q, want %q", start, got, want[start:end])
		}
		for n := len(got); max > 0; n = len(got) {
			if got = reader.Append(got, int(max)*100+1); len(got) == n {
				break
			}
		}
		if max > 0 && !bytes.Equal(got, want[start:]) {
			t.Fatalf("from %d: %d octets, want %d", start, len(got), len(want)-start)
		}
	})
}

func decoded(body string, e Encoding, piece int) string {
	d := NewDecoder([]byte(body), e)
	var b strings.Builder
	for room := make([]byte, piece); ; {
		n, err := d.Read(room)
		if err != nil {
			return b.String()
		}
		b.Write(room[:n])
	}
}

func TestDecodingIsGenerous(t *testing.T) {
	for _, c := range []struct {
		encoding   Encoding
		body, want string
	}{
		{quotedEncoding, "a=3D=\nb  \n=\n\nc=4=", "a=b\r\n\r\nc=4"},
		{quotedEncoding, "=C3=A4 =x= \t\ny\r\nz", "ä =xy\r\nz"},
		{quotedEncoding, "=0A=0D\n", "\n\r\r\n"},
		{base64Encoding, "QUJD\nREU=\nRg==", "ABCDEF"},
		{base64Encoding, "Q!U\nJ*D\r\nREV\n", "ABCDE"},
		{base64Encoding, "Q", ""},
		{plainEncoding, "a\nb\rc\r\n\r", "a\r\nb\rc\r\n\r"},
		{bogusEncoding, "=3D\n", "=3D\r\n"},
	} {
		for _, piece := range []int{1, 2, 3, 4, 5, 6, 7, 100} {
			if got := decoded(c.body, c.encoding, piece); got != c.want {
				t.Errorf("%q by %d: %q, want %q", c.body, piece, got, c.want)
			}
		}
	}
}

func TestUnknownEncodingIsTold(t *testing.T) {
	for value, want := range map[string]bool{"": true, "8BIT": true, "Base64 (yes)": true, "x-uue": false, "rot13": false} {
		var s Structure
		s.Parse([]byte("Content-Transfer-Encoding: " + value + "\n\nbody\n"))
		if _, known := s.Decode(0); known != want {
			t.Errorf("%q known: %v", value, known)
		}
	}
}

func FuzzDecoderAgreesWithTheStandardLibrary(f *testing.F) {
	f.Add([]byte("any octets\nof two lines \t\n"), uint8(5))
	f.Fuzz(func(t *testing.T, content []byte, piece uint8) {
		w := rewriter{}
		w.base64(content)
		if got := decoded(string(w.dst), base64Encoding, int(piece)+1); got != string(content) {
			t.Fatalf("base64: %q, want %q", got, content)
		}
		if want, err := base64.StdEncoding.DecodeString(string(content)); err == nil {
			if got := decoded(string(content), base64Encoding, int(piece)+1); got != string(want) && !bytes.ContainsAny(content, "=") {
				t.Fatalf("base64 %q: %q, want %q", content, got, want)
			}
		}
		var b bytes.Buffer
		qp := quotedprintable.NewWriter(&b)
		qp.Binary = true
		if _, err := qp.Write(content); err != nil || qp.Close() != nil {
			t.Fatal(err)
		}
		if got := decoded(b.String(), quotedEncoding, int(piece)+1); got != string(content) {
			t.Fatalf("quoted-printable %q: %q, want %q", b.String(), got, content)
		}
		for e := range bogusEncoding + 1 {
			d := NewDecoder(content, e)
			if size, got := d.Size(), decoded(string(content), e, int(piece)+1); size != int64(len(got)) || len(got) > 2*len(content) {
				t.Fatalf("encoding %d of %q: %d octets, but %q", e, content, size, got)
			}
		}
	})
}

func benchmarkDecoder(b *testing.B, body string, e Encoding) {
	room := make([]byte, 32<<10)
	text := []byte(body)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		d := NewDecoder(text, e)
		for n, err := d.Read(room); err == nil && n > 0; n, err = d.Read(room) {
		}
	}
}

func BenchmarkDecodeBase64(b *testing.B) {
	benchmarkDecoder(b, strings.Repeat(strings.Repeat("QUJD", 19)+"\n", 14_000), base64Encoding)
}

func BenchmarkDecodeQuoted(b *testing.B) {
	benchmarkDecoder(b, strings.Repeat("Some text that =C3=BCses a few encoded characters, =\n", 14_000), quotedEncoding)
}

func BenchmarkAppendLines(b *testing.B) {
	msg := []byte(strings.Repeat(strings.Repeat("QUJD", 19)+"\n", 14_000))
	var dst []byte
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendLines(dst[:0], msg, Range{0, len(msg)})
	}
}

func BenchmarkPartialFetchNearTheEnd(b *testing.B) {
	msg := []byte(strings.Repeat(strings.Repeat("QUJD", 19)+"\n", 100_000))
	var x LineIndex
	var dst []byte
	x.Reset(msg)
	size := x.Size(Range{0, len(msg)})
	ranges := make([]Range, 1)
	b.ReportAllocs()
	for b.Loop() {
		ranges[0] = Range{0, len(msg)}
		r := NewReader(&x, ranges, size-100_000)
		dst = r.Append(dst[:0], 65536)
	}
}
