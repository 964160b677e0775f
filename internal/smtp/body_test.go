package smtp

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// decode gives the pieces to a decoder and returns what came out, what was
// not consumed, and the error.
func decode(framing Framing, pieces ...string) (body, rest string, done bool, err error) {
	var d BodyDecoder
	d.Reset(framing)
	var out []byte
	for i, p := range pieces {
		var n int
		n, out, done, err = d.Decode(out, []byte(p))
		if done || err != nil {
			return string(out), p[n:] + strings.Join(pieces[i+1:], ""), done, err
		}
	}
	return string(out), "", done, err
}

func TestDottedBody(t *testing.T) {
	for _, c := range []struct{ wire, body, rest string }{
		{".\r\n", "", ""},
		{"\r\n.\r\n", "\n", ""},
		{"a\r\n.\r\nQUIT\r\n", "a\n", "QUIT\r\n"},
		{"a\r\n..\r\n.\r\n", "a\n.\n", ""},
		{"..a\r\n.b\r\n...\r\n.\r\n", ".a\nb\n..\n", ""},
		{"a.\r\n.\r\n", "a.\n", ""},
		{"\x00.\r\n.\r\n", "\x00.\n", ""},
		{"\r\n\x00.\r\n.\r\n", "\n\x00.\n", ""},
		{". \r\n.\r\n", " \n", ""},
	} {
		body, rest, done, err := decode(Dotted, c.wire)
		if body != c.body || rest != c.rest || !done || err != nil {
			t.Errorf("%q: got %q, rest %q, done %v, %v", c.wire, body, rest, done, err)
		}
	}
}

// The sequences by which two messages were made of one (SMTP smuggling): for
// no lenient reading of CR and LF is there an end or a line end here.
func TestOnlyCRLFDotCRLFEndsABody(t *testing.T) {
	for _, c := range []struct {
		wire string
		err  error
	}{
		{"a\n.\n", ErrBareLF}, {"a\n.\r\n", ErrBareLF}, {"a\r\n.\n", ErrBareLF}, {"a\r.\r", ErrBareCR}, {"a\r.\r\n", ErrBareCR},
		{"a\r\n.\r", nil}, {"a\r\n.\rx", ErrBareCR}, {"a\r\n.\r\r\n", ErrBareCR}, {"a\n.\r", ErrBareLF}, {"a\r.\n", ErrBareCR},
		{"\n", ErrBareLF}, {".\n", ErrBareLF}, {"\r\r\n", ErrBareCR}, {"a\rb\r\n", ErrBareCR}, {"\r\n\r.\r\n", ErrBareCR},
		{"a\r\n\n.\r\n", ErrBareLF}, {"a\r\n.\r\x00\n", ErrBareCR}, {"a\r\n..\n", ErrBareLF}, {"a\x00\n.\r\n", ErrBareLF},
		{"a\r\n\x00.\r\n", nil}, {"a\r\n. \r\n", nil}, {"a\r\n\v.\r\n", nil}, {"a\xc2\x85.\xc2\x85", nil}, {"a\r\n.\f\r\n", nil},
	} {
		_, _, done, err := decode(Dotted, c.wire)
		if done || !errors.Is(err, c.err) {
			t.Errorf("%q: done %v, error %v, want %v", c.wire, done, err, c.err)
		}
	}
}

func TestCountedBodyHasNoDots(t *testing.T) {
	body, _, done, err := decode(Counted, "a\r\n.\r\n", "..b\r", "\nc")
	if body != "a\n.\n..b\nc" || done || err != nil {
		t.Fatalf("got %q, %v, %v", body, done, err)
	}
	var d BodyDecoder
	d.Reset(Counted)
	d.Decode(nil, []byte("a\r"))
	if d.Complete() {
		t.Fatal("a body that ends with a bare CR was called complete")
	}
}

func TestBinaryBodyIsVerbatim(t *testing.T) {
	all := "\r\n.\r\n\n\r\x00\xff"
	if body, _, done, err := decode(Binary, all, "."); body != all+"." || done || err != nil {
		t.Fatalf("got %q, %v, %v", body, done, err)
	}
}

func TestDecoderCountsSizeLinesAndLongest(t *testing.T) {
	var d BodyDecoder
	for _, p := range []string{"abc\r\n..", "12345\r", "\nx\r\n.\r\nQUIT"} {
		d.Decode(nil, []byte(p))
	}
	if d.Octets != 4+7+2 || d.Lines != 3 || d.Longest != 6 || d.WireSize() != 16 {
		t.Fatalf("octets %d, lines %d, longest %d, wire %d", d.Octets, d.Lines, d.Longest, d.WireSize())
	}
}

// FuzzDecoder holds the decoder against a slow one written from the RFC, whole
// and cut, and against the encoder.
func FuzzDecoder(f *testing.F) {
	for _, s := range []string{"a\r\n..b\r\n.\r\nrest", "a\n.\n", "\r\r\n", ".\r\n", "\r\n.\r", "x\r\n.y\r\n.\r\n"} {
		f.Add([]byte(s), uint8(1))
	}
	f.Fuzz(func(t *testing.T, wire []byte, step uint8) {
		body, used, done, bad := slowDecode(wire)
		var whole, cut BodyDecoder
		n, out, gotDone, err := whole.Decode(nil, wire)
		if gotDone != done || (err != nil) != bad || done && n != used || !bad && string(out) != body {
			t.Fatalf("%q: got %q (%d, %v, %v), want %q (%d, %v, bad %v)", wire, out, n, gotDone, err, body, used, done, bad)
		}
		var pieces []byte
		var cutDone bool
		var cutErr error
		for rest := wire; len(rest) > 0 && !cutDone && cutErr == nil; {
			k := min(len(rest), int(step)%7+1)
			before := len(pieces)
			n, pieces, cutDone, cutErr = cut.Decode(pieces, rest[:k])
			if cutErr == nil && !cutDone && n != k {
				t.Fatalf("%q: consumed %d of %d without an end", wire, n, k)
			}
			if len(pieces)-before > k {
				t.Fatalf("%q: %d octets became %d", wire, k, len(pieces)-before)
			}
			rest = rest[n:]
		}
		if cutDone != done || (cutErr != nil) != bad || !bad && (string(pieces) != body || cut != whole) {
			t.Fatalf("%q cut by %d: got %q %+v, want %q %+v", wire, step%7+1, pieces, cut, body, whole)
		}
		if done {
			var e BodyEncoder
			again, _, _, err := decode(Dotted, string(e.End(e.Append(nil, out))))
			if err != nil || again != string(out) && again != string(out)+"\n" {
				t.Fatalf("%q: encoded and decoded again %q, %v", out, again, err)
			}
		}
	})
}

// slowDecode reads line by line as the RFC describes it.
func slowDecode(wire []byte) (body string, used int, done, bad bool) {
	for {
		i := bytes.IndexAny(wire[used:], "\r\n")
		line := wire[used:]
		if i >= 0 {
			line = line[:i]
		}
		content := bytes.TrimPrefix(line, []byte("."))
		if i < 0 {
			return body + string(content), used, false, false
		}
		end := wire[used+i:]
		if end[0] == '\r' && len(end) == 1 {
			return body + string(content), used, false, false
		}
		if !bytes.HasPrefix(end, []byte("\r\n")) {
			return body, used, false, true
		}
		used += i + 2
		if string(line) == "." {
			return body, used, true, false
		}
		body += string(content) + "\n"
	}
}

func benchmarkLines(octets int) []byte {
	line := strings.Repeat("x", octets) + "\r\n"
	return []byte(strings.Repeat(line, (1<<20)/len(line)))
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range []struct {
		name   string
		octets int
	}{{"line76", 76}, {"line30", 30}, {"line998", 998}} {
		src := benchmarkLines(c.octets)
		b.Run(c.name, func(b *testing.B) {
			dst := make([]byte, 0, len(src))
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				var d BodyDecoder
				for at := 0; at < len(src); at += 32 << 10 {
					if _, _, _, err := d.Decode(dst[:0], src[at:min(at+32<<10, len(src))]); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	src := bytes.ReplaceAll(benchmarkLines(76), []byte("\r"), nil)
	dst := make([]byte, 0, 128<<10)
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		var e BodyEncoder
		for at := 0; at < len(src); at += 32 << 10 {
			dst = e.Append(dst[:0], src[at:min(at+32<<10, len(src))])
		}
	}
}

func BenchmarkCopy(b *testing.B) {
	src := benchmarkLines(76)
	dst := make([]byte, len(src))
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		for at := 0; at < len(src); at += 32 << 10 {
			copy(dst[:32<<10], src[at:min(at+32<<10, len(src))])
		}
	}
}
