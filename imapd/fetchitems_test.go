package imapd

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"barid/internal/dialog"
)

// rfcLetter is the message of RFC 9051 section 8, so far as it is shown there.
const rfcLetter = `Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)
From: Terry Gray <gray@cac.washington.edu>
Subject: IMAP4rev2 WG mtg summary and minutes
To: imap@cac.washington.edu
cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>
Message-Id: <B27397-0100000@cac.washington.edu>
MIME-Version: 1.0
Content-Type: TEXT/PLAIN; CHARSET=US-ASCII

text
`

// TestItems asks for each item of a message (RFC 9051 6.4.5 and 7.5.2).
func TestItems(t *testing.T) {
	h := newHouse(t, nil)
	name := "1700000000.M1P1.example"
	h.deposit(name, rfcLetter)
	h.deposit("1700000001.M1P1.example", multipart)
	at := time.Unix(1700000000, 0)
	must(t, os.Chtimes(filepath.Join(h.dir, "alice@example.test", "new", name), at, at))
	r := h.read()
	envelope := `ENVELOPE ("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev2 WG mtg summary and minutes" ` +
		`(("Terry Gray" NIL "gray" "cac.washington.edu")) (("Terry Gray" NIL "gray" "cac.washington.edu")) ` +
		`(("Terry Gray" NIL "gray" "cac.washington.edu")) ((NIL NIL "imap" "cac.washington.edu")) ` +
		`((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU")) NIL NIL ` +
		`"<B27397-0100000@cac.washington.edu>")`
	size := fmt.Sprintf("RFC822.SIZE %d", wireSize(rfcLetter))
	date := `INTERNALDATE "14-Nov-2023 22:13:20 +0000"`
	body := `BODY ("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7bit" 6 1)`
	for _, row := range [][2]string{
		{"FLAGS", `FLAGS (\Recent)`},
		{"UID", "UID 1"},
		{"INTERNALDATE", date},
		{"RFC822.SIZE", size},
		{"ENVELOPE", envelope},
		{"BODYSTRUCTURE", `BODYSTRUCTURE ("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7bit" 6 1 NIL NIL NIL NIL)`},
		{"BODY", body},
		{"FAST", `FLAGS (\Recent) ` + date + " " + size},
		{"ALL", `FLAGS (\Recent) ` + date + " " + size + " " + envelope},
		{"FULL", `FLAGS (\Recent) ` + date + " " + size + " " + envelope + " " + body},
		{"(UID ENVELOPE UID)", "UID 1 " + envelope},
		{"EMAILID", "EMAILID (*)"},
		{"THREADID", "THREADID NIL"},
		{"SAVEDATE", `SAVEDATE "14-Nov-2023 22:13:20 +0000"`},
		{"RFC822.HEADER", "RFC822.HEADER {*"},
		{"(RFC822.HEADER UID)", "UID 1 RFC822.HEADER {*"},
		{"BODY.PEEK[TEXT]<1.3>", "BODY[TEXT]<1> {3}\r\next"},
		{"BODY.PEEK[TEXT]<10.3>", "BODY[TEXT]<10> {0}\r\n"},
		{"BODY.PEEK[TEXT]<0.4000000000>", "BODY[TEXT]<0> {6}\r\ntext\r\n"},
	} {
		got := r.ok("FETCH 1 " + row[0])
		if want := "* 1 FETCH (" + row[1] + ")"; len(got) != 1 || !dialog.Match(want, got[0]) {
			t.Errorf("%s: got %q, want %q", row[0], got, want)
		}
	}
	if got := r.ok("FETCH 1 MODSEQ"); !dialog.Match("* OK [HIGHESTMODSEQ *", got[0]) || !dialog.Match("* 1 FETCH (MODSEQ (*))", got[1]) {
		t.Errorf("MODSEQ: %q", got)
	}
}

func TestAPreviewIsMadeOnceOrLeftOut(t *testing.T) {
	h := newHouse(t, nil)
	h.deposit("1700000000.M1P1.example", rfcLetter)
	c := h.open("INBOX")
	c.exactly("FETCH 1 PREVIEW (LAZY)", "* 1 FETCH (PREVIEW NIL)")
	c.exactly("FETCH 1 PREVIEW", `* 1 FETCH (PREVIEW "text")`)
	c.exactly("FETCH 1 PREVIEW (LAZY)", `* 1 FETCH (PREVIEW "text")`)
}

// largeMessage has a header section, a text and an attachment that do not fit
// into what is read at once.
func largeMessage(rng *rand.Rand) (all, text, attachment string) {
	text = strings.Repeat(randomWords(rng, 9)+"\n", 9000)
	attachment = strings.Repeat("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3\n", 5000)
	fields := strings.Repeat("X-Trace: "+strings.Repeat("x", 900)+"\n", 30)
	all = "Subject: large\n" + fields + "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n" + text +
		"\n--b\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n" + attachment + "\n--b--\n"
	return all, text, attachment
}

func TestALargeMessageIsReadInPieces(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	all, text, attachment := largeMessage(rng)
	h := newHouse(t, nil)
	h.deposit("1700000000.M1P1.example", all)
	r := h.read()
	for range 2 {
		for _, row := range [][2]string{{"BODY[]", all}, {"BODY[1]", text}, {"BODY[2]", attachment}} {
			want := crlf(row[1])
			if got := r.text(1, row[0]); got != want {
				t.Errorf("%s: %d octets instead of %d", row[0], len(got), len(want))
			}
			for range 5 {
				at, n := rng.IntN(len(want)), 1+rng.IntN(100_000)
				if got := r.text(1, fmt.Sprintf("%s<%d.%d>", row[0], at, n)); got != want[at:min(at+n, len(want))] {
					t.Errorf("%s<%d.%d> differs", row[0], at, n)
				}
			}
		}
	}
	if got := r.text(1, "BODY[HEADER]") + r.text(1, "BODY[TEXT]"); got != crlf(all) {
		t.Error("the halves are not the whole")
	}
	if got := r.text(1, "BODY[HEADER.FIELDS.NOT (X-Trace content-type)]"); got != "Subject: large\r\n\r\n" {
		t.Errorf("fields: %q", got)
	}
	if got := r.ok("SEARCH BODY relay SUBJECT large"); got[0] != "* SEARCH 1" {
		t.Errorf("%q", got)
	}
}

func TestAMessageThatWasCutEndsTheConnection(t *testing.T) {
	all, _, _ := largeMessage(rand.New(rand.NewPCG(7, 8)))
	h := newHouse(t, nil)
	h.deposit(fmt.Sprintf("1700000000.M1P1.example,S=%d,W=%d", len(all), wireSize(all)), all)
	c := h.open("INBOX")
	names, err := filepath.Glob(filepath.Join(h.dir, "alice@example.test", "cur", "*"))
	must(t, err)
	must(t, os.Truncate(names[0], 200_000))
	c.send("a FETCH 1 BODY.PEEK[]")
	for {
		line, err := c.conn.Line()
		if err != nil {
			break
		}
		if strings.HasPrefix(string(line), "a ") {
			t.Fatal("it was answered as if all had come")
		}
	}
}

func TestChangesSinceAndWhatHasVanished(t *testing.T) {
	h := newHouse(t, nil)
	h.fill(5, letter)
	c := h.enter()
	c.ok("ENABLE QRESYNC")
	selected := c.ok("SELECT INBOX")
	modseq := ""
	for _, line := range selected {
		if rest, found := strings.CutPrefix(line, "* OK [HIGHESTMODSEQ "); found {
			modseq, _, _ = strings.Cut(rest, "]")
		}
	}
	other := h.open("INBOX")
	other.ok(`STORE 2,3 +FLAGS.SILENT (\Deleted)`)
	other.ok("EXPUNGE")
	other.ok(`STORE 3 +FLAGS.SILENT (\Seen)`)
	c.ok("NOOP")
	c.exactly("UID FETCH 1:* (FLAGS) (CHANGEDSINCE "+modseq+" VANISHED)", "* VANISHED (EARLIER) 2:3", `* 3 FETCH (UID 5 FLAGS (\Seen \Recent) MODSEQ (*))`)
	c.exactly("UID FETCH 1:2 (FLAGS) (CHANGEDSINCE "+modseq+" VANISHED)", "* VANISHED (EARLIER) 2")
	c.exactly("FETCH 1:* (UID) (CHANGEDSINCE "+modseq+")", `* 3 FETCH (UID 5 MODSEQ (*))`)
}

func TestAPartOfAFetch(t *testing.T) {
	h := newHouse(t, nil)
	h.fill(5, letter)
	c := h.open("INBOX")
	c.exactly("UID FETCH 1:* (UID) (PARTIAL 2:3)", "* 2 FETCH (UID 2)", "* 3 FETCH (UID 3)")
	c.exactly("UID FETCH 2:* (UID) (PARTIAL -1:-2)", "* 4 FETCH (UID 4)", "* 5 FETCH (UID 5)")
	c.exactly("UID FETCH 1:* (UID) (PARTIAL 9:10)")
	c.exactly("UID FETCH 1:* (UID) (PARTIAL -9:-10)")
}

func TestBinaryIsTheContentOfAPart(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	large, _, attachment := largeMessage(rng)
	quoted := strings.Repeat("caf=C3=A9 =\nau lait   \n", 9000)
	decoded := strings.Repeat("caf\xc3\xa9 au lait\r\n", 9000)
	h := newHouse(t, nil)
	h.deposit("1700000000.M1P1.example", multipart)
	h.deposit("1700000001.M1P1.example", large)
	h.deposit("1700000002.M1P1.example", "Content-Transfer-Encoding: quoted-printable\n\n"+quoted)
	r := h.read()
	content, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(attachment, "\n", ""))
	must(t, err)
	for _, row := range []struct {
		seq        int
		part, want string
	}{
		{1, "1", "first"},
		{1, "2.1", "caf\xc3\xa9 and more"},
		{1, "2.2", "\x00\x01\x02\x03\x04\x05"},
		{1, "3.1", "deep one"},
		{1, "", crlf(multipart)},
		{2, "2", string(content)},
		{3, "1", decoded},
	} {
		if got := r.text(row.seq, "BINARY.PEEK["+row.part+"]"); got != row.want {
			t.Errorf("BINARY[%s] of %d: %d octets, %.80q, want %d, %.80q", row.part, row.seq, len(got), got, len(row.want), row.want)
		}
		at, n := rng.IntN(len(row.want)), 1+rng.IntN(len(row.want))
		item := fmt.Sprintf("BINARY.PEEK[%s]<%d.%d>", row.part, at, n)
		if got, want := r.text(row.seq, item), row.want[at:min(at+n, len(row.want))]; got != want {
			t.Errorf("%s of %d: %.80q, want %.80q", item, row.seq, got, want)
		}
		size := fmt.Sprintf("* %d FETCH (BINARY.SIZE[%s] %d)", row.seq, row.part, len(row.want))
		if got := r.ok(fmt.Sprintf("FETCH %d BINARY.SIZE[%s]", row.seq, row.part)); got[0] != size {
			t.Errorf("got %q, want %q", got, size)
		}
	}
	if _, reply := r.do("FETCH 1 BINARY.PEEK[4]"); !dialog.Match("NO [UNKNOWN-CTE] *", reply) {
		t.Error(reply)
	}
	if got := r.text(1, "BINARY.PEEK[9]"); got != "NIL" {
		t.Errorf("%q", got)
	}
}

// TestPartsInTheirOrderMakeTheWhole fetches as clients do that show how far
// they are.
func TestPartsInTheirOrderMakeTheWhole(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	var b strings.Builder
	for b.Len() < 300_000 {
		b.WriteString(strings.Repeat("x", rng.IntN(40)) + []string{"\n", "\r\n", "\r", "\n\n"}[rng.IntN(4)])
	}
	text := "Subject: x\n\n" + b.String()
	h := newHouse(t, nil)
	h.deposit("1700000000.M1P1.example", text)
	h.deposit("1700000001.M1P1.example", text+"y")
	r := h.read()
	for _, size := range []int{4001, 16384, 65536} {
		var got strings.Builder
		for at := 0; at < len(crlf(text)); at += size {
			got.WriteString(r.text(1, fmt.Sprintf("BODY[]<%d.%d>", at, size)))
			if rng.IntN(8) == 0 {
				r.text(2, fmt.Sprintf("BODY[TEXT]<%d.%d>", at, size)) // of another message in between
			}
		}
		if got.String() != crlf(text) {
			t.Errorf("parts of %d octets are not the whole", size)
		}
	}
}
