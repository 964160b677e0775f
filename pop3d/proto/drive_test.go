package proto

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// door plays the owner of a session in memory: a mailbox of texts, one
// account, and the habit of overwriting everything that was lent only for a
// while.
type door struct {
	s        Session
	plain    Options
	tls      Options
	texts    []string // in LF form
	gone     int      // RETR of this message fails
	refuse   Verdict  // the answer to every right password, when not Accept
	broken   bool     // AskUpdate fails
	chunk    int      // octets of text given to AppendBody at a time; 0: all
	in       []byte
	step     int             // of the SASL exchange
	name     string          // that LOGIN has said
	deleted  []int           // by AskUpdate
	journal  strings.Builder // every question and every reply, when on
	keepLogs bool
}

const (
	rightName     = "alice@example.test"
	rightPassword = "wonderland"
)

func newDoor(texts ...string) *door {
	o := Options{
		Hostname: "mail.example.test", Implementation: "barid", TLS: TLSOffered, User: true,
		Mechanisms: []string{"PLAIN", "LOGIN"}, UTF8User: true, ExpireDays: -1, ErrorsMax: 10,
	}
	d := &door{plain: o, tls: o, texts: texts}
	d.tls.TLS = TLSActive
	return d
}

func (d *door) greet() []byte {
	d.s.Reset(&d.plain)
	return d.s.Greet(nil)
}

func (d *door) secure() error {
	if d.s.next != StartTLS {
		return fmt.Errorf("no STLS was accepted")
	}
	if len(d.in) > 0 {
		return fmt.Errorf("plain text behind STLS: %q", d.in)
	}
	d.s.Secured(&d.tls)
	return nil
}

// feed gives the session more input and plays until it needs still more. A
// session that wants TLS is over when plain text follows, as on the loop.
func (d *door) feed(p []byte) (out []byte, open bool) {
	d.in = append(d.in, p...)
	for {
		lent := bytes.Clone(d.in)
		n, o, next := d.s.Step(lent, out)
		out = o
		d.in = d.in[n:]
		if next > More && next < SendBody || next == AskUpdate {
			out = d.s.Answer(d.answer(next), out)
		}
		poison(lent)
		switch next {
		case SendBody:
			out = d.sendBody(out)
		case NeedInput:
			return out, p != nil
		case StartTLS:
			return out, len(d.in) == 0 && p != nil
		case Close:
			return out, false
		}
	}
}

func poison(b []byte) {
	for i := range b {
		b[i] = 0xDB
	}
}

func (d *door) note(format string, args ...any) {
	if d.keepLogs {
		fmt.Fprintf(&d.journal, format+"\n", args...)
	}
}

func (d *door) answer(question Next) Answer {
	number := d.s.Number()
	switch question {
	case AskAuth:
		return d.answerAuth()
	case AskSize:
		d.note("size %d", number)
		return Answer{Octets: wireSize(d.texts[number-1])}
	case AskUID:
		d.note("uid %d", number)
		return Answer{UID: []byte("uid-" + strconv.Itoa(number))}
	case AskMessage:
		d.note("message %d", number)
		if number == d.gone {
			return Answer{Verdict: RefuseTemporary}
		}
		return Answer{Octets: wireSize(d.texts[number-1])}
	}
	for i := range d.texts {
		if d.s.Deleted(i + 1) {
			d.deleted = append(d.deleted, i+1)
		}
	}
	d.note("update %v", d.deleted)
	if d.broken {
		return Answer{Verdict: RefuseTemporary}
	}
	return Answer{}
}

func (d *door) answerAuth() Answer {
	c := d.s.Credentials()
	d.note("auth %q first=%v response=%q name=%q password=%q", c.Mechanism, c.First, c.Response, c.Name, c.Password)
	if c.First {
		d.step = 0
	}
	name, password := string(c.Name), string(c.Password)
	switch c.Mechanism {
	case "PLAIN":
		if c.Response == nil {
			return Answer{Verdict: Challenge}
		}
		fields := strings.Split(string(c.Response), "\x00")
		if len(fields) != 3 {
			return Answer{Verdict: RefuseMalformed}
		}
		name, password = fields[1], fields[2]
	case "LOGIN":
		if c.Response == nil {
			return Answer{Verdict: Challenge, Challenge: []byte("User Name")}
		}
		if d.step++; d.step == 1 {
			d.name = string(c.Response)
			return Answer{Verdict: Challenge, Challenge: []byte("Password")}
		}
		name, password = d.name, string(c.Response)
	}
	if name != rightName || password != rightPassword {
		return Answer{Verdict: RefuseAuth}
	}
	a := Answer{Verdict: d.refuse, Messages: len(d.texts)}
	for _, text := range d.texts {
		a.Octets += wireSize(text)
	}
	return a
}

func (d *door) sendBody(out []byte) []byte {
	text := []byte(d.texts[d.s.Number()-1])
	more := true
	for more && len(text) > 0 {
		n := len(text)
		if d.chunk > 0 {
			n = min(n, d.chunk)
		}
		lent := bytes.Clone(text[:n])
		out, more = d.s.AppendBody(out, lent)
		poison(lent)
		text = text[n:]
	}
	return d.s.EndBody(out)
}

// ended is the text with an end of its last line. A CR that waits for its LF
// there is half of one.
func ended(text string) string {
	if text == "" || strings.HasSuffix(text, "\n") {
		return text
	}
	return strings.TrimSuffix(text, "\r") + "\n"
}

// wireSize is the size of a stored text as RFC 1939 section 11 counts it,
// done in the slowest and plainest way.
func wireSize(text string) int64 {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = ended(text)
	return int64(len(text) + strings.Count(text, "\n"))
}
