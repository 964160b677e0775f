package message

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"mime/multipart"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// numbers returns the section numbers of a part; those of a message within are
// those of the part that it is in.
func numbers(s *Structure, part int) []uint32 {
	p := s.Parts()[part]
	if p.Parent < 0 {
		return nil
	}
	path := numbers(s, int(p.Parent))
	switch {
	case p.Number > 0:
		return append(path, uint32(p.Number))
	case s.Parts()[p.Parent].Number == 0:
		return append(path, 1) // a message that is nothing but a message
	}
	return path
}

func dump(s *Structure) string {
	var b strings.Builder
	for i, p := range s.Parts() {
		media, _ := s.Media(i)
		number := strings.Trim(strings.ReplaceAll(fmt.Sprint(numbers(s, i)), " ", "."), "[]")
		if p.Number == 0 {
			number += "(message)"
		}
		fmt.Fprintf(&b, "%s%s %s/%s kind %d, %d-%d-%d, %d+%d octets, %d lines\n", strings.Repeat("  ", int(p.Depth)), number,
			media.Type, media.Subtype, p.Kind, p.Start, p.Body, p.End, p.HeaderOctets, p.BodyOctets, p.Lines)
	}
	return b.String()
}

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

func TestStructureOfKnownMessages(t *testing.T) {
	var s Structure
	vectors(t, "structure/*.eml", func(msg []byte) string {
		s.Parse(msg)
		return dump(&s)
	})
}

func TestFindFollowsSectionNumbers(t *testing.T) {
	msg, err := os.ReadFile("testdata/structure/01-rfc9051-parts.eml")
	if err != nil {
		t.Fatal(err)
	}
	var s Structure
	s.Parse(msg)
	for _, path := range [][]uint32{{1}, {2}, {3, 1}, {3, 2}, {4, 1}, {4, 2, 1}, {4, 2, 2, 1}, {4, 2, 2, 2}} {
		number := strings.Trim(strings.ReplaceAll(fmt.Sprint(path), " ", "."), "[]")
		part, found := s.Find(path)
		if got := string(s.Body(part)); !found || got != "part "+number {
			t.Errorf("%s: %q", number, got)
		}
	}
	for _, path := range [][]uint32{{0}, {5}, {1, 1}, {3, 3}, {4, 1, 1}, {4, 2, 2, 3}, {4, 2, 2, 1, 1}} {
		if _, found := s.Find(path); found {
			t.Errorf("found %v", path)
		}
	}
	s.Parse([]byte("Subject: x\n\nbody"))
	if part, found := s.Find([]uint32{1}); !found || part != 0 {
		t.Error("1 is not the body of a simple message")
	}
	if _, found := s.Find([]uint32{1, 1}); found {
		t.Error("1.1 is in a simple message")
	}
	s.Parse([]byte("Content-Type: message/rfc822\n\nSubject: x\n\nbody"))
	if part, found := s.Find([]uint32{1, 1}); !found || string(s.Body(part)) != "body" {
		t.Error("1.1 is not the body of the message in a message")
	}
}

func TestHostileNestingIsOpaqueBeyondTheLimits(t *testing.T) {
	var deep bytes.Buffer
	for i := range 1000 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	var s Structure
	s.Parse(deep.Bytes())
	if n := len(s.Parts()); n != depthMax+1 || !s.Parts()[n-1].Opaque {
		t.Errorf("%d levels", n)
	}
	s.Parse(bytes.Repeat([]byte("Content-Type: message/rfc822\n\n"), 1000))
	if n := len(s.Parts()); n != depthMax+1 || !s.Parts()[n-1].Opaque {
		t.Errorf("%d messages in messages", n)
	}
	s.Parse([]byte("Content-Type: multipart/mixed; boundary=b\n" + strings.Repeat("\n--b\n", 3*partsMax)))
	if n := len(s.Parts()); n != partsMax {
		t.Errorf("%d parts", n)
	}
	s.Parse([]byte(strings.Repeat("A:\n", headerFieldsMax+1) + "Content-Type: multipart/mixed; boundary=b\n\n--b\n"))
	if p := s.Parts(); len(p) != 1 || !p[0].Opaque {
		t.Errorf("%d parts behind too many fields", len(p))
	}
}

func checkStructure(t *testing.T, s *Structure, msg []byte) {
	t.Helper()
	parts := s.Parts()
	if parts[0].Start != 0 || parts[0].End != len(msg) || int(parts[0].Next) != len(parts) {
		t.Fatalf("the whole is not the whole: %+v", parts[0])
	}
	for i, p := range parts {
		if p.Start > p.Body || p.Body > p.End || int(p.Next) <= i || int(p.Next) > len(parts) {
			t.Fatalf("part %d: %+v", i, p)
		}
		header := AppendLines(nil, msg, Range{p.Start, p.Body})
		body := AppendLines(nil, msg, Range{p.Body, p.End})
		lines := bytes.Count(body, newline)
		if int64(len(header)) != p.HeaderOctets || int64(len(body)) != p.BodyOctets || int64(lines) != p.Lines {
			t.Fatalf("part %d: %d+%d octets, %d lines: %+v", i, len(header), len(body), lines, p)
		}
		if i == 0 {
			continue
		}
		parent := parts[p.Parent]
		if p.Start < parent.Body || p.End > parent.End || p.Next > parent.Next || p.Depth != parent.Depth+1 || parent.Kind == Leaf {
			t.Fatalf("part %d is not inside its parent: %+v in %+v", i, p, parent)
		}
		if path := numbers(s, i); p.Number > 0 {
			if j, ok := s.Find(path); !ok || j != i {
				t.Fatalf("part %d is not at %v but %d", i, path, j)
			}
		}
		if next := int(p.Next); next < int(parent.Next) && parts[next].Start < p.End {
			t.Fatalf("parts %d and %d overlap", i, next)
		}
	}
}

func FuzzStructureIsNested(f *testing.F) {
	names, _ := filepath.Glob("testdata/structure/*.eml")
	for _, name := range names {
		msg, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(msg)
	}
	var s Structure
	f.Fuzz(func(t *testing.T, msg []byte) {
		s.Parse(msg)
		checkStructure(t, &s, msg)
	})
}

// writeRandom writes a random message with net/mail's sister packages, and
// says what its leaves hold.
func writeRandom(random *rand.Rand, depth int, leaves *[]string) string {
	if depth == 0 || random.IntN(3) == 0 {
		text := strings.Repeat(fmt.Sprintf("text %d\r\n--\r\n", len(*leaves)), random.IntN(4))
		*leaves = append(*leaves, text)
		return "Content-Type: text/plain\r\n\r\n" + text
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for range 1 + random.IntN(3) {
		part := writeRandom(random, depth-1, leaves)
		header, body, _ := strings.Cut(part, "\r\n\r\n")
		pw, err := w.CreatePart(textproto.MIMEHeader{"Content-Type": {strings.TrimPrefix(header, "Content-Type: ")}})
		if err == nil {
			_, err = pw.Write([]byte(body))
		}
		if err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return "Content-Type: multipart/mixed; boundary=" + w.Boundary() + "\r\n\r\n" + b.String()
}

func TestStructureAgreesWithMimeMultipart(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var s Structure
	for range 300 {
		var want, got []string
		crlf := writeRandom(random, 4, &want)
		msg := strings.ReplaceAll(crlf, "\r\n", "\n")
		s.Parse([]byte(msg))
		checkStructure(t, &s, []byte(msg))
		for _, p := range s.Parts() {
			if p.Kind == Leaf {
				got = append(got, string(AppendLines(nil, s.Message(), Range{p.Body, p.End})))
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q: %q, want %q", msg, got, want)
		}
	}
}

func benchmarkStructure(b *testing.B, msg string) {
	var s Structure
	text := []byte(msg)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		s.Parse(text)
	}
}

func BenchmarkStructureOfAMessage(b *testing.B) {
	header := strings.Repeat("Received: from mx.example.org (mx.example.org [192.0.2.1])\n\tby mail.example.test with ESMTPS id 1234;\n\tSat, 22 Nov 2025 10:00:00 +0000\n", 5)
	benchmarkStructure(b, header+"From: a@example.org\nTo: b@example.org\nSubject: x\nContent-Type: text/plain\n\n"+strings.Repeat("Some text that fills a line of sixty characters or so, no more\n", 50))
}

func BenchmarkStructureWithAnAttachment(b *testing.B) {
	benchmarkStructure(b, "Content-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n--b\nContent-Transfer-Encoding: base64\n\n"+strings.Repeat(strings.Repeat("QUJD", 19)+"\n", 14_000)+"--b--\n")
}

// BenchmarkStructureOfDashes is the worst that a message can be.
func BenchmarkStructureOfDashes(b *testing.B) {
	var deep strings.Builder
	for i := range depthMax {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=%02d\n\n--%02d\n", i, i)
	}
	benchmarkStructure(b, deep.String()+"\n"+strings.Repeat("--xx\n", 200_000))
}

func FuzzDelimiterLinesAreToldAlike(f *testing.F) {
	f.Add("--b-- \r", "b", "b--")
	f.Add("--a", "a", "b")
	f.Fuzz(func(t *testing.T, line, outer, inner string) {
		line = "--" + strings.ReplaceAll(line, "\n", "") + "\n"
		var s Structure
		for _, boundary := range []string{outer, inner} {
			if boundary != strings.TrimRight(boundary, " \t\r\n") {
				return // none that is allowed
			}
			start := len(s.room)
			s.room = append(s.room, boundary...)
			s.open = append(s.open, level{boundary: Range{start, len(s.room)}, key: boundaryKey([]byte(boundary))})
		}
		want, wantLast := -1, false
		for i, boundary := range []string{outer, inner} {
			if matches, last := isDelimiter([]byte(line), []byte(boundary)); matches && want < 0 {
				want, wantLast = i, last
			}
		}
		if got, last := s.levelOf([]byte(line)); got != want || last != wantLast {
			t.Fatalf("%q for %q and %q: %d, %v, want %d, %v", line, outer, inner, got, last, want, wantLast)
		}
	})
}
