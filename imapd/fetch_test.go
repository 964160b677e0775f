package imapd

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"barid/internal/dialog"
)

// reader is a client that understands literals.
type reader struct {
	t   testing.TB
	raw net.Conn
	in  *bufio.Reader
	n   int
}

// read dials, logs alice in and selects INBOX.
func (h *house) read(first ...string) *reader {
	h.t.Helper()
	raw, err := net.Dial("tcp", h.plain.String())
	must(h.t, err)
	h.t.Cleanup(func() { raw.Close() })
	r := &reader{t: h.t, raw: raw, in: bufio.NewReaderSize(raw, 64<<10)}
	r.line()
	r.ok("LOGIN alice@example.test wonderland")
	for _, command := range first {
		r.ok(command)
	}
	r.ok("SELECT INBOX")
	return r
}

// line reads a response with its literals, without the last CRLF.
func (r *reader) line() []byte {
	r.t.Helper()
	var all []byte
	for {
		line, err := r.in.ReadBytes('\n')
		if err != nil {
			r.t.Fatalf("%v behind %.200q", err, all)
		}
		all = append(all, bytes.TrimSuffix(line, []byte("\r\n"))...)
		n, found := announced(all)
		if !found {
			return all
		}
		all = append(all, "\r\n"...)
		at := len(all)
		all = append(all, make([]byte, n)...)
		if _, err := io.ReadFull(r.in, all[at:]); err != nil {
			r.t.Fatal(err)
		}
	}
}

func announced(line []byte) (octets int, found bool) {
	if !bytes.HasSuffix(line, []byte("}")) {
		return 0, false
	}
	n, err := strconv.Atoi(string(line[bytes.LastIndexByte(line, '{')+1 : len(line)-1]))
	return n, err == nil
}

func (r *reader) do(command string) (untagged []string, reply string) {
	r.t.Helper()
	r.n++
	tag := fmt.Sprintf("r%d ", r.n)
	if _, err := io.WriteString(r.raw, tag+command+"\r\n"); err != nil {
		r.t.Fatal(err)
	}
	for {
		line := string(r.line())
		if reply, found := strings.CutPrefix(line, tag); found {
			return untagged, reply
		}
		untagged = append(untagged, line)
	}
}

func (r *reader) ok(command string) []string {
	r.t.Helper()
	untagged, reply := r.do(command)
	if !strings.HasPrefix(reply, "OK ") {
		r.t.Fatalf("%s: %s", command, reply)
	}
	return untagged
}

// text is what FETCH of one message gives for one item that sends a text;
// NIL is "NIL".
func (r *reader) text(seq int, item string) string {
	r.t.Helper()
	untagged := r.ok(fmt.Sprintf("FETCH %d %s", seq, strings.Replace(item, "BODY[", "BODY.PEEK[", 1)))
	if len(untagged) != 1 {
		r.t.Fatalf("%s: %q", item, untagged)
	}
	all := untagged[0]
	if i := strings.Index(all, "}\r\n"); i >= 0 {
		return all[i+3 : len(all)-1]
	}
	if strings.HasSuffix(all, " NIL)") {
		return "NIL"
	}
	r.t.Fatalf("%s: %q", item, all)
	return ""
}

func crlf(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
}

// randomMessage is a message of random parts; with some chance one of many
// octets.
func randomMessage(rng *rand.Rand, depth int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Subject: %s\n", randomWords(rng, 3))
	randomPart(rng, &b, depth)
	return b.String()
}

func randomPart(rng *rand.Rand, b *strings.Builder, depth int) {
	switch kind := rng.IntN(6); {
	case kind < 3 && depth > 0:
		boundary := fmt.Sprintf("b%d", rng.Uint32())
		fmt.Fprintf(b, "Content-Type: multipart/mixed; boundary=%s\n\npreamble\n", boundary)
		for range 1 + rng.IntN(3) {
			fmt.Fprintf(b, "--%s\n", boundary)
			randomPart(rng, b, depth-1)
			b.WriteString("\n")
		}
		fmt.Fprintf(b, "--%s--\nepilogue\n", boundary)
	case kind == 3 && depth > 0:
		b.WriteString("Content-Type: message/rfc822\n\n")
		b.WriteString(randomMessage(rng, depth-1))
	default:
		b.WriteString("Content-Type: text/plain\nX-Folded: a\n b\n\n")
		lines := rng.IntN(20)
		if rng.IntN(8) == 0 {
			lines = 3000
		}
		for range lines {
			b.WriteString(randomWords(rng, 8))
			b.WriteString([]string{"\n", "\n", "\n", "\r\n", "\n\n"}[rng.IntN(5)])
		}
	}
}

func randomWords(rng *rand.Rand, n int) string {
	words := make([]string, n)
	for i := range words {
		words[i] = []string{"horse", "post", "letter", "caravan", "relay", "\xc3\xa9t\xc3\xa9"}[rng.IntN(6)]
	}
	return strings.Join(words, " ")
}

// TestATextIsWhatItsFileHolds fetches random messages whole, in halves and in
// pieces.
func TestATextIsWhatItsFileHolds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	h := newHouse(t, nil)
	var texts []string
	for i := range 40 {
		text := randomMessage(rng, 3)
		texts = append(texts, text)
		size := ""
		if i%2 == 0 {
			size = fmt.Sprintf(",S=%d,W=%d", len(text), len(crlf(text)))
		}
		h.deposit(fmt.Sprintf("%d.M1P%d.example%s", 1700000000+i, i, size), text)
	}
	r := h.read()
	for i, text := range texts {
		want := crlf(text)
		if got := r.text(i+1, "BODY[]"); got != want {
			t.Fatalf("message %d: %d octets instead of %d", i+1, len(got), len(want))
		}
		if got := r.text(i+1, "BODY[HEADER]") + r.text(i+1, "BODY[TEXT]"); got != want {
			t.Fatalf("message %d: the halves are not the whole", i+1)
		}
		if got := r.ok(fmt.Sprintf("FETCH %d RFC822.SIZE", i+1)); got[0] != fmt.Sprintf("* %d FETCH (RFC822.SIZE %d)", i+1, len(want)) {
			t.Fatalf("message %d: %q, want %d", i+1, got, len(want))
		}
		for range 20 {
			at, n := rng.IntN(len(want)+10), 1+rng.IntN(len(want))
			item := fmt.Sprintf("BODY[]<%d.%d>", at, n)
			if got, part := r.text(i+1, item), want[min(at, len(want)):min(at+n, len(want))]; got != part {
				t.Fatalf("message %d, %s: got %.80q, want %.80q", i+1, item, got, part)
			}
		}
	}
}

// TestEveryCutOfASectionFits fetches a small message in all ranges.
func TestEveryCutOfASectionFits(t *testing.T) {
	h := newHouse(t, nil)
	text := "Subject: x\r\nA: b\n c\n\none\r\n\n\ntwo\rthree\n"
	h.deposit("1700000000.M1P1.example", text)
	r := h.read()
	want := crlf(text)
	for at := range len(want) + 1 {
		for n := 1; n <= len(want)-at+1; n++ {
			part := want[at:min(at+n, len(want))]
			if got := r.text(1, fmt.Sprintf("BODY[]<%d.%d>", at, n)); got != part {
				t.Fatalf("<%d.%d>: got %q, want %q", at, n, got, part)
			}
		}
	}
}

const multipart = `From: Nobody <nobody@example.test>
Subject: parts
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=outer

preamble
--outer
Content-Type: text/plain

first
--outer
Content-Type: multipart/alternative; boundary=inner

--inner
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

caf=C3=A9 =
and more
--inner
Content-Type: application/octet-stream
Content-Transfer-Encoding: base64

AAEC
AwQF
--inner--
--outer
Content-Type: message/rfc822

Subject: within
X-Other: y
Content-Type: multipart/mixed; boundary=deep

--deep

deep one
--deep
Content-Type: text/html

<p>deep two
--deep--
--outer
Content-Transfer-Encoding: x-odd

odd
--outer--
`

// TestSectionsOfAMultipart asks for every kind of section (RFC 9051 6.4.5.1).
func TestSectionsOfAMultipart(t *testing.T) {
	h := newHouse(t, nil)
	h.deposit("1700000000.M1P1.example", multipart)
	h.deposit("1700000001.M1P1.example", "Subject: plain\n\nbody\n")
	r := h.read()
	for _, row := range [][2]string{
		{"BODY[1]", "first"},
		{"BODY[1.MIME]", "Content-Type: text/plain\r\n\r\n"},
		{"BODY[2.1]", "caf=C3=A9 =\r\nand more"},
		{"BODY[2.2]", "AAEC\r\nAwQF"},
		{"BODY[2.2]<2.5>", "EC\r\nA"},
		{"BODY[2.1.1]", "NIL"},
		{"BODY[2.3]", "NIL"},
		{"BODY[5]", "NIL"},
		{"BODY[1.HEADER]", "NIL"},
		{"BODY[3.HEADER]", "Subject: within\r\nX-Other: y\r\nContent-Type: multipart/mixed; boundary=deep\r\n\r\n"},
		{"BODY[3.HEADER.FIELDS (SUBJECT)]", "Subject: within\r\n\r\n"},
		{"BODY[3.HEADER.FIELDS.NOT (subject Content-Type)]", "X-Other: y\r\n\r\n"},
		{"BODY[3.TEXT]", "--deep\r\n\r\ndeep one\r\n--deep\r\nContent-Type: text/html\r\n\r\n<p>deep two\r\n--deep--"},
		{"BODY[3.1]", "deep one"},
		{"BODY[3.2.MIME]", "Content-Type: text/html\r\n\r\n"},
		{"BODY[HEADER.FIELDS (From nothing)]", "From: Nobody <nobody@example.test>\r\n\r\n"},
	} {
		for range 2 { // made, and then from the cache
			if got := r.text(1, row[0]); got != row[1] {
				t.Errorf("%s: got %q, want %q", row[0], got, row[1])
			}
		}
	}
	if got := r.text(2, "BODY[1]"); got != "body\r\n" {
		t.Errorf("BODY[1] of a plain message: %q", got)
	}
	if got := r.text(2, "BODY[1.MIME]"); got != "Subject: plain\r\n\r\n" {
		t.Errorf("BODY[1.MIME] of a plain message: %q", got)
	}
}

func TestAFetchSetsSeenAndSaysSo(t *testing.T) {
	h := newHouse(t, nil)
	h.fill(2, "Subject: x\n\ntext\n")
	r := h.read()
	if got := r.ok("FETCH 1 (UID BODY.PEEK[TEXT])"); got[0] != "* 1 FETCH (UID 1 BODY[TEXT] {6}\r\ntext\r\n)" {
		t.Errorf("%q", got)
	}
	if got := r.ok("FETCH 1:2 BODY[TEXT]<0.2>"); got[0] != "* 1 FETCH (BODY[TEXT]<0> {2}\r\nte FLAGS (\\Seen \\Recent))" {
		t.Errorf("%q", got)
	}
	if got := r.ok("FETCH 1 RFC822.TEXT"); got[0] != "* 1 FETCH (RFC822.TEXT {6}\r\ntext\r\n)" {
		t.Errorf("%q", got)
	}
	if got := r.ok("EXAMINE INBOX"); len(got) == 0 {
		t.Fatal("nothing")
	}
}

func TestMessagesThatAreGoneAreNotFetched(t *testing.T) {
	h := newHouse(t, nil)
	h.fill(3, "Subject: x\n\ntext\n")
	r, other := h.read(), h.open("INBOX")
	other.ok(`STORE 2 +FLAGS.SILENT (\Deleted)`)
	other.ok("EXPUNGE")
	got, reply := r.do("FETCH 1:3 (UID BODY.PEEK[TEXT])")
	if len(got) != 2 || !dialog.Match("NO [EXPUNGEISSUED] *", reply) {
		t.Errorf("%q, %s", got, reply)
	}
	got, reply = r.do("UID FETCH 1:* (RFC822.SIZE)")
	if len(got) != 3 || got[2] != "* 2 EXPUNGE" || !dialog.Match("OK [EXPUNGEISSUED] *", reply) {
		t.Errorf("%q, %s", got, reply)
	}
	// A file that another program takes away is noticed when it is opened.
	names, err := filepath.Glob(filepath.Join(h.dir, "alice@example.test", "cur", "*"))
	must(t, err)
	slices.Sort(names)
	must(t, os.Remove(names[0]))
	got, _ = r.do("UID FETCH 1:* (BODY.PEEK[])")
	if len(got) == 0 || strings.Contains(got[0], "UID 1 ") {
		t.Errorf("%q", got)
	}
}

// TestSetsNameTheMessagesThatAreThere fetches random sets from a mailbox with
// holes, also while another session makes more of them.
func TestSetsNameTheMessagesThatAreThere(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	h := newHouse(t, nil)
	const last = 600
	h.fill(last, letter)
	other, r := h.open("INBOX"), h.read()
	there := map[int]bool{}
	for uid := 1; uid <= last; uid++ {
		there[uid] = true
	}
	for range 30 {
		from, to := 1+rng.IntN(last), 1+rng.IntN(last)
		from, to = min(from, to), min(max(from, to), min(from, to)+5)
		other.ok(fmt.Sprintf(`UID STORE %d:%d +FLAGS.SILENT (\Deleted)`, from, to))
		other.ok("EXPUNGE")
		for uid := from; uid <= to; uid++ {
			delete(there, uid)
		}
		var set []string
		wanted := map[int]bool{}
		for range 1 + rng.IntN(4) {
			a := 1 + rng.IntN(last)
			b := a + rng.IntN(1+rng.IntN(last))
			set = append(set, fmt.Sprintf("%d:%d", a, b))
			for uid := a; uid <= b; uid++ {
				wanted[uid] = there[uid]
			}
		}
		var want, got []string
		for uid := 1; uid <= last; uid++ {
			if wanted[uid] {
				want = append(want, fmt.Sprintf("UID %d)", uid))
			}
		}
		for _, line := range r.ok("UID FETCH " + strings.Join(set, ",") + " (UID)") {
			if _, uid, found := strings.Cut(line, " FETCH ("); found {
				got = append(got, uid)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q: got %q, want %q", set, got, want)
		}
	}
}

func TestTheModSeqOfASeenMessageIsTold(t *testing.T) {
	h := newHouse(t, nil)
	h.fill(2, "Subject: x\n\ntext\n")
	r := h.read("ENABLE CONDSTORE")
	for _, items := range []string{"BODY[TEXT]", "(FLAGS BODY[TEXT])"} {
		got := r.ok("UID FETCH 1 " + items)
		if !strings.Contains(got[0], "MODSEQ (") || !strings.Contains(got[0], `\Seen`) {
			t.Errorf("%q", got)
		}
		r.ok(`STORE 1 -FLAGS.SILENT (\Seen)`)
	}
}
