package proto

import (
	"bytes"
	"fmt"
	"strings"

	"barid/internal/imap"
)

// door plays the owner of a session in memory, with the habit of overwriting
// everything that was lent only for a while. It executes commands on a toy
// store, or, as a mirror, answers each with what it understood.
type door struct {
	s       Session
	plain   Options
	tls     Options
	command Command
	mirror  bool
	box     *toy
	in      []byte
	step    int // of the SASL exchange
	name    string
	taken   []string // texts of the messages of an APPEND
	dates   []imap.DateTime
	flags   []string
	cut     int // octets given to TakeBody at a time; 0: all
	dropped int
}

const (
	rightName     = "alice@example.test"
	rightPassword = "wonderland"

	everything = imap.Caps(1)<<50 - 1
)

func newDoor() *door {
	o := Options{
		Hostname: "mail.example.test", Caps: everything &^ imap.CapLiteralMinus &^ imap.CapQuotaMessage, TLS: TLSOffered, Login: true,
		Mechanisms: []string{"PLAIN", "LOGIN"}, ErrorsMax: 10, Separator: '/', AppendMax: 100_000,
	}
	d := &door{plain: o, tls: o, box: newToy()}
	d.tls.TLS = TLSActive
	return d
}

func (d *door) greet() []byte {
	d.s.Reset(&d.plain)
	return d.s.Greet(nil)
}

func (d *door) secure() error {
	if d.s.next != StartTLS {
		return fmt.Errorf("no STARTTLS was accepted")
	}
	if len(d.in) > 0 {
		return fmt.Errorf("plain text behind STARTTLS: %q", d.in)
	}
	d.s.Secured(&d.tls)
	return nil
}

func poison(b []byte) {
	for i := range b {
		b[i] = 0xDB
	}
}

// feed gives the session more input and plays until it needs still more.
func (d *door) feed(p []byte) (out []byte, open bool) {
	d.in = append(d.in, p...)
	for {
		d.s.Lend(&d.command)
		lent := bytes.Clone(d.in)
		n, o, next := d.s.Step(lent, out)
		out = o
		d.in = d.in[n:]
		poison(lent)
		switch next {
		case NeedInput, Idle:
			if d.s.Reclaim() != nil {
				d.command = Command{}
			}
			return out, p != nil
		case AskAuth:
			out = d.s.Answer(d.answerAuth(), out)
		case StartTLS:
			return out, len(d.in) == 0 && p != nil
		case Compress:
			d.s.Compressed()
		case Run:
			out = d.run(out)
		case AskAppend:
			out = d.askAppend(out)
		case TakeBody:
			if len(d.in) == 0 {
				return out, p != nil
			}
			out = d.takeBody(out)
		case Dropped:
			d.taken, d.dropped = nil, d.dropped+1
		case Close:
			return out, false
		}
	}
}

func (d *door) answerAuth() Answer {
	c := d.s.Credentials()
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
	switch {
	case name == "busy":
		return Answer{Verdict: RefuseTemporary}
	case name != rightName || password != rightPassword:
		return Answer{Verdict: RefuseAuth}
	}
	return Answer{}
}

func (d *door) askAppend(out []byte) []byte {
	c := d.s.Command()
	if c.Piece.First {
		if !d.mirror && d.box.find(c.Mailbox) == nil {
			return d.s.Done(imap.Reply{Status: imap.NO, Code: imap.CodeTryCreate, Text: "there is no such mailbox"}, out)
		}
		d.taken = append(d.taken, "")
		d.dates = append(d.dates[:c.Message.Number-1], c.Message.Date)
		d.flags = append(d.flags[:c.Message.Number-1], string(appendFlags(nil, c.Message.Flags)))
	}
	if d.mirror {
		out = fmt.Appendf(out, "* piece of %d: %s\r\n", c.Message.Number, describePiece(&c.Piece))
	}
	if c.Piece.URL != nil {
		u, fault := imap.ParseURL(bytes.Clone(c.Piece.URL))
		if fault != "" || u.UID == 0 {
			return d.s.Done(imap.Reply{Status: imap.NO, Code: imap.CodeBadURL, Args: imap.AppendURLArg(nil, c.Piece.URL), Text: "there is no such text"}, out)
		}
		d.taken[len(d.taken)-1] += fmt.Sprintf("<%s %d %s>", u.Mailbox, u.UID, u.Section)
	}
	return d.s.Accept(out)
}

func describePiece(p *Piece) string {
	return fmt.Sprintf("first=%v last=%v url=%q size=%d binary=%v utf8=%v", p.First, p.Last, p.URL, p.Size, p.Binary, p.UTF8)
}

func (d *door) takeBody(out []byte) []byte {
	in := d.in
	if d.cut > 0 {
		in = in[:min(len(in), d.cut)]
	}
	lent := bytes.Clone(in)
	n, text := d.s.TakeBody(lent, nil)
	d.taken[len(d.taken)-1] += string(text)
	poison(lent)
	d.in = d.in[n:]
	if strings.Contains(d.taken[len(d.taken)-1], "DISKFULL") && d.s.next == TakeBody {
		d.taken = nil
		return d.s.Done(imap.Reply{Status: imap.NO, Code: imap.CodeOverQuota, Text: "no room"}, out)
	}
	return out
}

func appendFlags(out []byte, f imap.Flags) []byte {
	out = imap.AppendFlags(out, f.System, nil, 0)
	for _, k := range f.Keywords {
		if len(out) > 2 {
			out = append(out[:len(out)-1], ' ')
		} else {
			out = out[:len(out)-1]
		}
		out = append(append(out, k...), ')')
	}
	return out
}

func (d *door) run(out []byte) []byte {
	c := d.s.Command()
	if d.mirror {
		out = append(out, "* "...)
		out = append(out, strings.TrimSpace(describe(c, d.taken))...)
		out = append(out, "\r\n"...)
		d.taken = nil
		return d.s.Done(imap.Reply{Text: "mirrored"}, out)
	}
	out, r := d.execute(c, out)
	d.taken = nil
	return d.s.Done(r, out)
}
