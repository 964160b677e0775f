package dsn

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"barid/internal/message"
)

var update = flag.Bool("update", false, "write the golden files anew")

const plainMessage = "Received: from client.example by mx.example.test; Mon, 1 Jun 2026 10:00:00 +0000\nFrom: Alice <alice@example.org>\nTo: bob@example.net\nSubject: lunch\nMessage-ID: <1@example.org>\n\nToday?\n-- \nAlice\n"

var (
	day     = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	refused = Recipient{Address: []byte("bob@example.net"), Action: Failed, Status: "5.1.1", Text: "550 5.1.1 <bob@example.net>: no such user", Remote: "mx.example.net"}
)

// report is a report on a message, which the cases below change.
func report(msg string, rs ...Recipient) *Report {
	return &Report{
		Host: "mx.example.test", ID: "0hxqz3k9v1c2d", Boundary: 0x0123456789abcdef, Date: day.Add(time.Hour), To: []byte("alice@example.org"),
		Queue: "0hxqz3k9v1abc", ReceivedFrom: "[192.0.2.1]", Arrived: day, Recipients: rs, Message: strings.NewReader(msg), Size: int64(len(msg)),
	}
}

// golden are the reports in testdata.
var golden = map[string]func() *Report{
	"failed": func() *Report { return report(plainMessage, refused) },
	"failed-full": func() *Report {
		r := report(plainMessage, refused)
		r.Full = true
		return r
	},
	"failed-full-8bit": func() *Report {
		r := report(strings.ReplaceAll(plainMessage, "Today", "Heute schön"), refused)
		r.Full = true
		return r
	},
	"failed-locally": func() *Report {
		r := report(plainMessage, Recipient{Address: []byte("full@example.test"), Action: Failed, Status: "5.2.2", Text: "the mailbox is full", LastAttempt: day})
		r.EnvID, r.ReceivedFrom = []byte("QQ+2B314159"), ""
		r.Recipients[0].ORcpt = []byte("rfc822;full+2Bx@example.test")
		return r
	},
	"expired": func() *Report {
		return report(plainMessage, Recipient{Address: []byte("bob@example.net"), Action: Failed, Status: "4.4.1", Text: "no server of example.net could be reached: connection timed out"})
	},
	"delayed": func() *Report {
		r := refused
		r.Action, r.Status, r.Text, r.RetryUntil = Delayed, "4.2.1", "450-4.2.1 The mailbox is busy\n450 4.2.1 come back later", day.Add(5*24*time.Hour)
		return report(plainMessage, r)
	},
	"delivered": func() *Report {
		return report(plainMessage, Recipient{Address: []byte("bob@example.test"), Action: Delivered, Status: "2.0.0"})
	},
	"relayed": func() *Report {
		return report(plainMessage, Recipient{Address: []byte("bob@example.net"), Action: Relayed, Status: "2.0.0", Text: "250 queued as 42", Remote: "mx.example.net"})
	},
	"expanded": func() *Report {
		return report(plainMessage, Recipient{Address: []byte("list@example.test"), Action: Expanded, Status: "2.0.0"})
	},
	"several": func() *Report {
		r := report(plainMessage, refused, Recipient{Address: []byte(`"a b"@example.test`), Action: Delivered}, refused)
		r.Recipients[2].Status, r.Recipients[2].Text = "5.7.1", "554 5.7.1 Verweigert für Sie\tund alle "+strings.Repeat("weiteren ", 20)
		return r
	},
	"postmaster": func() *Report {
		r := report(plainMessage, refused)
		r.To, r.Postmaster = []byte("postmaster@example.test"), true
		return r
	},
	"utf8-sender": func() *Report {
		r := report(strings.ReplaceAll(plainMessage, "lunch", "déjeuner"), refused)
		r.To, r.UTF8 = []byte("älice@exämple.org"), true
		r.Recipients[0].Address, r.Recipients[0].ORcpt = []byte("bøb@example.net"), []byte(`utf-8;b\x{F8}b@example.net`)
		return r
	},
	"utf8-sender-full": func() *Report {
		r := report(strings.ReplaceAll(plainMessage, "lunch", "déjeuner"), refused)
		r.To, r.UTF8, r.Full = []byte("älice@exämple.org"), true, true
		return r
	},
	"utf8-to-ascii-sender": func() *Report {
		r := report(strings.ReplaceAll(plainMessage, "lunch", "déjeuner"), refused)
		r.UTF8 = true
		r.Recipients[0].Address, r.Recipients[0].ORcpt = []byte("bøb+x@example.net"), []byte("utf-8;bøb@example.net")
		return r
	},
	"utf8-to-ascii-sender-full": func() *Report {
		r := report(strings.ReplaceAll(plainMessage, "lunch", "déjeuner"), refused)
		r.UTF8, r.Full = true, true
		return r
	},
}

func TestReportsAreAsTheyWere(t *testing.T) {
	for name, make := range golden {
		t.Run(name, func(t *testing.T) {
			r := make()
			got, _ := write(t, r)
			path := filepath.Join("testdata", name+".eml")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			check(t, r)
		})
	}
}

func write(t testing.TB, r *Report) (string, Form) {
	t.Helper()
	var b bytes.Buffer
	form, err := Write(&b, r)
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), form
}

// part is a part of a report, decoded.
type part struct {
	header textproto.MIMEHeader
	body   string
}

// read takes a report to pieces with the standard library.
func read(t testing.TB, text string) (*mail.Message, []part) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	typ, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || typ != "multipart/report" {
		t.Fatalf("%s, %v", typ, err)
	}
	var parts []part
	for mr := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := mr.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		body, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, part{p.Header, string(body)})
	}
	if len(parts) != 3 || parts[1].header.Get("Content-Type") != "message/"+params["report-type"] {
		t.Fatalf("%d parts in\n%s", len(parts), text)
	}
	return m, parts
}

// check holds a report against what every report has to be.
func check(t testing.TB, r *Report) {
	t.Helper()
	text, form := write(t, r)
	m, parts := read(t, text)
	checkHeader(t, r, m, form)
	checkEncodings(t, text, parts, form)
	checkStatus(t, r, parts[1].body)
	checkReturned(t, r, parts[2])
	if strings.ContainsAny(text[:strings.LastIndex(text, parts[2].header.Get("Content-Type"))], "\r\x00\x1b") {
		t.Fatalf("control characters in %q", text)
	}
}

func checkHeader(t testing.TB, r *Report, m *mail.Message, form Form) {
	t.Helper()
	if got := m.Header.Get("Auto-Submitted"); got != "auto-replied" {
		t.Errorf("Auto-Submitted is %q", got)
	}
	if from, err := m.Header.AddressList("From"); err != nil || from[0].Address != "MAILER-DAEMON@"+r.Host {
		t.Errorf("From is %v, %v", from, err)
	}
	if date, err := m.Header.Date(); err != nil || !date.Equal(r.Date) {
		t.Errorf("Date is %v, %v", date, err)
	}
	if len(m.Header["To"]) != 1 || len(m.Header["Subject"]) != 1 || len(m.Header) > 11 {
		t.Errorf("the header is %v", m.Header)
	}
	for name, values := range m.Header {
		if !form.SMTPUTF8 && !isASCII([]byte(strings.Join(values, ""))) {
			t.Errorf("%s is not ASCII: %q", name, values)
		}
	}
}

func checkEncodings(t testing.TB, text string, parts []part, form Form) {
	t.Helper()
	if !form.EightBit && !isASCII([]byte(text)) {
		t.Errorf("8 bits in\n%s", text)
	}
	for i, p := range parts {
		encoding := p.header.Get("Content-Transfer-Encoding")
		if !isASCII([]byte(p.body)) && encoding != "8bit" {
			t.Errorf("%d: 8 bits in %v\n%s", i, p.header, p.body)
		}
		if encoding == "8bit" && !form.EightBit {
			t.Errorf("%d is 8bit, the report is not", i)
		}
	}
	for _, p := range parts[:2] {
		for line := range strings.Lines(p.body) {
			if len(line) > lineMost {
				t.Errorf("a line of %d octets", len(line))
			}
		}
		if !utf8.ValidString(p.body) {
			t.Errorf("not UTF-8: %q", p.body)
		}
	}
}

// checkStatus reads the groups of fields back.
func checkStatus(t testing.TB, r *Report, body string) {
	t.Helper()
	groups := strings.Split(strings.TrimSuffix(body, "\n"), "\n\n")
	if len(groups) != 1+len(r.Recipients) {
		t.Fatalf("%d groups of fields for %d recipients in\n%s", len(groups), len(r.Recipients), body)
	}
	for i, group := range groups {
		m, err := mail.ReadMessage(strings.NewReader(group + "\n\n"))
		if err != nil {
			t.Fatalf("%v in\n%q", err, group)
		}
		for name, values := range m.Header {
			if !known[name] || len(values) != 1 {
				t.Errorf("field %s: %q", name, values)
			}
		}
		if i == 0 {
			if got := m.Header.Get("Reporting-MTA"); got != "dns; "+r.Host {
				t.Errorf("Reporting-MTA is %q", got)
			}
			continue
		}
		if got, want := m.Header.Get("Action"), r.Recipients[i-1].Action.String(); got != want || !isStatus(m.Header.Get("Status")) || m.Header.Get("Final-Recipient") == "" {
			t.Errorf("fields are\n%s", group)
		}
	}
}

var known = map[string]bool{
	"Original-Envelope-Id": true, "Reporting-Mta": true, "Received-From-Mta": true, "Arrival-Date": true, "X-Barid-Queue-Id": true,
	"Original-Recipient": true, "Final-Recipient": true, "Action": true, "Status": true, "Remote-Mta": true, "Diagnostic-Code": true,
	"Last-Attempt-Date": true, "Will-Retry-Until": true,
}

// checkReturned finds the message, or its header, in the third part.
func checkReturned(t testing.TB, r *Report, p part) {
	t.Helper()
	var msg strings.Builder
	if _, err := io.Copy(&msg, io.NewSectionReader(r.Message, 0, r.Size)); err != nil {
		t.Fatal(err)
	}
	want := msg.String()
	if !r.Full {
		want, _, _ = strings.Cut("\n"+want, "\n\n")
		want = strings.Trim(want, "\n")
	}
	got := p.body
	if p.header.Get("Content-Transfer-Encoding") == "quoted-printable" {
		body, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(got)))
		if err != nil {
			t.Fatal(err)
		}
		got = string(body)
	}
	if !r.Full {
		got = strings.Trim(got, "\n")
	}
	if got != want && !strings.Contains(want, "\r") && r.Size < headerMax {
		t.Errorf("%v returned\n%q, want\n%q", p.header, got, want)
	}
}

func TestFoldedWordsComeBack(t *testing.T) {
	r := golden["several"]()
	text, _ := write(t, r)
	_, parts := read(t, text)
	unfolded := strings.ReplaceAll(parts[1].body, "\n ", " ")
	if want := "Diagnostic-Code: smtp; 554 5.7.1 Verweigert f?r Sie und alle weiteren weiteren"; !strings.Contains(unfolded, want) {
		t.Errorf("not there: %s\n%s", want, unfolded)
	}
	for line := range strings.Lines(parts[0].body + parts[1].body) {
		if len(line) > lineWanted+1 {
			t.Errorf("a line of %d octets: %s", len(line), line)
		}
	}
}

func TestManyRecipientsAreAllInTheFieldsButNotInTheText(t *testing.T) {
	r := report(plainMessage)
	for i := range 1000 {
		one := refused
		one.Address = fmt.Appendf(nil, "user%d@example.net", i)
		r.Recipients = append(r.Recipients, one)
	}
	check(t, r)
	text, _ := write(t, r)
	_, parts := read(t, text)
	if n := strings.Count(parts[0].body, "could not be delivered"); n != spelledMax || !strings.Contains(parts[0].body, "900 more") {
		t.Errorf("%d recipients in the text", n)
	}
}

func TestReportsGoThroughServersWithout8BITMIME(t *testing.T) {
	for name, make := range golden {
		text, form := write(t, make())
		if form.SMTPUTF8 {
			continue
		}
		plain, err := message.AppendDowngraded(nil, []byte(text))
		if err != nil || !isASCII(plain) {
			t.Errorf("%s: %v\n%s", name, err, plain)
		}
		read(t, string(plain))
	}
}

func TestServersCannotWriteFields(t *testing.T) {
	r := golden["failed"]()
	r.Recipients[0].Text = "550 no\r\nX-Forged: 1\n\n--=_report--\n"
	r.Recipients[0].Remote = "mx\nX-Forged: 2\n\nSubject: x"
	r.Recipients[0].Address = []byte("bob@example.net\n\nX-Forged: 3")
	r.Recipients[0].ORcpt = []byte("rfc822;x+0AX-Forged: 4")
	r.EnvID = []byte("x+0D+0AX-Forged: 5")
	r.To = []byte("alice@example.org>\nX-Forged: <6")
	check(t, r)
}

func TestMessageIDThatIsNoneIsNotQuoted(t *testing.T) {
	for id, want := range map[string]bool{
		"<a@b>": true, "\n <a@b>": true, "a@b": false, "<a>": false, "<a@b> <c@d>": false, "<a@b": false, "<ä@b>": false, "<a@@b>": false,
		"<" + strings.Repeat("x", lineMost) + "@b>": false,
	} {
		text, _ := write(t, report("Message-ID: "+id+"\n\n", refused))
		if got := strings.Contains(text, "\nIn-Reply-To: <a@b>\nReferences: <a@b>\n"); got != want || !want && strings.Contains(text, "In-Reply-To") {
			t.Errorf("%q: %v", id, got)
		}
	}
}

func TestHugeHeaderIsCutAtALine(t *testing.T) {
	r := report("Subject: x\n"+strings.Repeat("X-Filler: "+strings.Repeat("y", 89)+"\n", 1000), refused)
	check(t, r)
	text, _ := write(t, r)
	_, parts := read(t, text)
	if n := len(parts[2].body); n > headerMax || n < headerMax-200 || !strings.HasSuffix(parts[2].body, "yyy\n") {
		t.Errorf("%d octets returned", n)
	}
}

// broken fails after some octets, as a reader and as a writer.
type broken struct {
	r    io.ReaderAt
	left int
}

var errBroken = errors.New("broken")

func (b *broken) ReadAt(p []byte, off int64) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errBroken
	}
	return b.r.ReadAt(p, off)
}

func (b *broken) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

func TestErrorsOfReadingAndWritingAreReturned(t *testing.T) {
	msg := plainMessage + strings.Repeat("a line of text\n", 10_000)
	for _, left := range []int{0, len(plainMessage), headerMax, 2 * headerMax, 4 * headerMax} {
		r := report(msg, refused)
		r.Full = true
		if _, err := Write(&broken{left: min(left, len(msg))}, r); !errors.Is(err, errBroken) {
			t.Errorf("writing broke after %d: %v", left, err)
		}
		r.Message = &broken{r: strings.NewReader(msg), left: left}
		if _, err := Write(io.Discard, r); !errors.Is(err, errBroken) {
			t.Errorf("reading broke after %d: %v", left, err)
		}
		r.Message, r.Size = strings.NewReader(msg), int64(len(msg)+1)
		if _, err := Write(io.Discard, r); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("a message that is shorter than it says: %v", err)
		}
	}
}

func TestStatusThatIsNoneIsReplaced(t *testing.T) {
	for status, want := range map[string]string{
		"5.1.10": "5.1.10", "4.0.0": "4.0.0", "": "5.0.0", "5.1": "5.0.0", "5.01.1": "5.0.0", "5.1.1111": "5.0.0", "9.1.1": "5.0.0", "5.1.1\nX: y": "5.0.0", "2.999.999": "2.999.999", "5..1.": "5.0.0",
	} {
		if got := (&Recipient{Action: Failed, Status: status}).status(); got != want {
			t.Errorf("%q became %q", status, got)
		}
	}
}

func TestUTF8AddressForms(t *testing.T) {
	for plain, xtext := range map[string]string{
		"bøb@x": `b\x{F8}b@x`, "a+b=c@x": `a\x{2B}b\x{3D}c@x`, `"a b"@x`: `"a\x{20}b"@x`, "你@x": `\x{4F60}@x`, "𝒳@x": `\x{1D4B3}@x`, `a\b`: `a\x{5C}b`,
	} {
		if got := string(appendUTF8Xtext(nil, []byte(plain))); got != xtext {
			t.Errorf("%q became %q", plain, got)
		}
		if got := string(appendUTF8Decoded(nil, []byte(xtext))); got != plain && !strings.Contains(plain, " ") {
			t.Errorf("%q became %q", xtext, got)
		}
	}
	for _, odd := range []string{`\x{0A}`, `\x{}`, `\x{1}`, `\x{D800}`, `\x{1234567}`, `\x{41`, `\x41`, `\x{2028}`, `\x{202E}`} {
		if got := string(appendUTF8Decoded(nil, []byte(odd))); got != odd {
			t.Errorf("%q became %q", odd, got)
		}
	}
}

func FuzzAnyWordsMakeAWellFormedReport(f *testing.F) {
	f.Add("bob@example.net", "rfc822;bob+2B@example.net", "550 no", "mx.example.net", "alice@example.org", plainMessage, uint8(0))
	f.Add("bøb@x", `utf-8;b\x{F8}b@x`, "4\r\n.\r\n", "", "älice@example.org", "Subject: ä\n\nö", uint8(7))
	f.Fuzz(func(t *testing.T, address, orcpt, text, remote, to, msg string, bits uint8) {
		r := report(msg, Recipient{Address: []byte(address), ORcpt: []byte(orcpt), Action: Action(bits % 5), Text: text, Remote: remote, Status: remote})
		r.To, r.UTF8, r.Full, r.EnvID, r.ReceivedFrom = []byte(to), bits&8 != 0, bits&16 != 0, []byte(orcpt), text
		if strings.Contains(msg, "\r") || strings.Contains(msg, "=_report") || strings.ContainsAny(msg[:min(len(msg), 200)], "\x00\x1b") {
			return
		}
		if address == "" {
			return
		}
		check(t, r)
	})
}

func BenchmarkWrite(b *testing.B) {
	for _, c := range []struct {
		name string
		size int
	}{{"headers", 0}, {"full64k", 64 << 10}} {
		r := report(plainMessage+strings.Repeat("a line of text that is about as long as lines are\n", c.size/50), refused)
		r.Full = c.size > 0
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(r.Size)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Write(io.Discard, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
