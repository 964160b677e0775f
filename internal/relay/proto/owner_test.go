package proto

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"barid/internal/dialog"
	"barid/internal/smtp"
)

// An owner drives a client in memory, as the relay does: it has messages, and
// sends them one after the other.
//
// It is unkind to the client: every slice that was lent for one call is
// overwritten after it, and Step is called once more than needed.
type owner struct {
	c     Client
	t     Transaction
	opts  Options
	queue []job
	keep  bool // stay connected when the queue is empty
	piece int  // octets of the body that are given at once

	in      []byte // not yet consumed
	rest    []byte // of the body
	open    bool   // a transaction is open here
	next    Next   // what Step has said last
	results []string
	over    [][]Recipient   // of the transactions that are over
	log     strings.Builder // all that was said and what became of it, in order
	problem string          // the first broken promise
}

// A job is a message with its envelope, as a script or a test writes it.
type job struct {
	t    Transaction
	text []byte
}

func newOwner(settings [][2]string) (*owner, error) {
	o := &owner{piece: 7, queue: make([]job, 1), opts: Options{Hostname: "relay.example"}}
	implicit := false
	for _, kv := range settings {
		if err := o.set(kv[0], kv[1], &implicit); err != nil {
			return nil, err
		}
	}
	if len(o.queue[0].t.Recipients) == 0 {
		o.queue = nil
	}
	o.c.Reset(&o.opts)
	if implicit {
		o.c.Secure(nil)
	}
	return o, nil
}

// set takes a setting; testdata/README describes them.
func (o *owner) set(key, value string, implicit *bool) error {
	j := &o.queue[len(o.queue)-1]
	known := true
	switch key {
	case "dialect":
		o.opts.Dialect, known = map[string]Dialect{"smtp": SMTP, "lmtp": LMTP}[value], true
	case "tls":
		o.opts.TLS, known = map[string]TLSPolicy{"required": TLSRequired, "never": TLSNever}[value], true
		*implicit = value == "implicit"
	case "login":
		o.opts.Login.User, o.opts.Login.Password, known = strings.Cut(value, " ")
	case "clear":
		o.opts.Login.InClear = value == "yes"
	case "ignore":
		for i := range keywords {
			if strings.EqualFold(keywords[i].name, value) {
				o.opts.Ignore |= keywords[i].e
			}
		}
		if value == "auth" {
			o.opts.Ignore |= AuthPlain | AuthLogin
		}
		known = o.opts.Ignore != 0
	case "keep":
		o.keep = value == "yes"
	case "message":
		o.queue = append(o.queue, job{})
	case "text":
		text, err := strconv.Unquote(`"` + value + `"`)
		j.text = append(j.text, text...)
		return err
	default:
		known = j.set(key, value)
	}
	if !known {
		return fmt.Errorf("setting %s %s is not known", key, value)
	}
	return nil
}

// set takes a setting of the message.
func (j *job) set(key, value string) (known bool) {
	t := &j.t
	switch key {
	case "from":
		t.ReturnPath = unquoted(value)
	case "size":
		t.Size, _ = strconv.ParseInt(value, 10, 64)
	case "body":
		t.Body, known = map[string]Body{"7bit": Body7Bit, "8bit": Body8Bit, "binary": BodyBinary}[value], true
		return known
	case "utf8":
		t.UTF8 = value == "yes"
	case "ret":
		t.Ret, known = smtp.ParseRet([]byte(value))
		return known
	case "envid":
		t.EnvID = unquoted(value)
	case "to":
		address, rest, _ := strings.Cut(value, " ")
		r := Recipient{Address: unquoted(address)}
		notify, orcpt, _ := strings.Cut(rest, " ")
		if notify != "" && notify != "-" {
			if r.Notify, known = smtp.ParseNotify([]byte(notify)); !known {
				return false
			}
		}
		if orcpt != "" {
			r.ORcpt = unquoted(orcpt)
		}
		t.Recipients = append(t.Recipients, r)
	default:
		return false
	}
	return true
}

func unquoted(s string) []byte {
	if u, err := strconv.Unquote(`"` + s + `"`); err == nil {
		s = u
	}
	return []byte(s)
}

func (o *owner) broken(format string, args ...any) {
	if o.problem == "" {
		o.problem = fmt.Sprintf(format, args...)
	}
}

// feed gives octets of the server to the client, or its end when p is nil,
// and does what the client asks for until it waits or closes. When more of
// the same turn of the server is to come, the owner only listens.
func (o *owner) feed(p []byte, more bool) (said []byte, open bool) {
	if p == nil {
		o.c.Hangup(smtp.Reply{Text: "the server has closed the connection"})
	}
	o.in = append(o.in, p...)
	for {
		said = append(said, o.step()...)
		switch o.next {
		case NeedInput:
			return said, true
		case Close:
			o.log.WriteString("(Close)\n")
			o.in = nil
			return said, false
		case Done:
			o.done()
			continue
		}
		if more || o.next == StartTLS || o.next == Ready && len(o.queue) == 0 && o.keep {
			return said, true
		}
		out := o.serve()
		o.log.Write(out)
		said = append(said, out...)
	}
}

// step calls Step with a copy of the input that is overwritten afterwards,
// and checks what it promises.
func (o *owner) step() []byte {
	lent := bytes.Clone(o.in)
	n, out, next := o.c.Step(lent, nil)
	if n > len(lent) {
		o.broken("Step consumed %d of %d", n, len(lent))
	}
	poison(lent)
	o.in, o.next = o.in[n:], next
	o.log.Write(out)
	if next != Done {
		lent = bytes.Clone(o.in)
		if n, out, again := o.c.Step(lent, nil); n != 0 || len(out) != 0 || again != next {
			o.broken("after %d, Step consumed %d, said %q and %d", next, n, out, again)
		}
		poison(lent)
	}
	return out
}

func poison(p []byte) {
	for i := range p {
		p[i] = 0xAA
	}
}

// serve does what the client has asked for.
func (o *owner) serve() []byte {
	switch {
	case o.next == Ready && len(o.queue) == 0:
		return o.c.Quit(nil)
	case o.next == Ready:
		o.begin()
		return o.c.Begin(&o.t, nil)
	case o.next == SendBody && len(o.rest) == 0:
		return o.c.EndBody(nil)
	case o.next == SendBody:
		lent := bytes.Clone(o.rest[:min(o.piece, len(o.rest))])
		n, out := o.c.Body(lent, nil)
		if n == 0 || n > len(lent) {
			o.broken("Body consumed %d of %d", n, len(lent))
		}
		poison(lent)
		o.rest = o.rest[n:]
		return out
	}
	o.broken("what is %d?", o.next)
	return nil
}

// begin takes the next job from the queue.
func (o *owner) begin() {
	j := &o.queue[0]
	o.t.Reset()
	arena, recipients := o.t.arena, o.t.Recipients
	o.t = j.t
	o.t.arena, o.t.Recipients = arena, append(recipients, j.t.Recipients...)
	o.rest, o.queue = j.text, o.queue[1:]
	o.open = true
}

// done notes the outcomes.
func (o *owner) done() {
	if !o.open {
		o.broken("Done without a transaction")
	}
	o.open = false
	o.over = append(o.over, slices.Clone(o.t.Recipients))
	for i := range o.t.Recipients {
		r := &o.t.Recipients[i]
		out := &r.Outcome
		if out.Kind == Undecided || out.Status == (smtp.Status{}) || len(out.Text) == 0 && out.Code == 0 || smtp.FindControl(out.Text) >= 0 {
			o.broken("%s ends as %+v", r.Address, *out)
		}
		if out.Kind == Delivered && (out.Stage != AtEnd || out.Code/100 != 2) || out.Kind != Untried && o.t.Uncertain && out.Kind == Delivered && o.opts.Dialect == SMTP {
			o.broken("%s is delivered by %+v", r.Address, *out)
		}
		o.result("%s %s", r.Address, show(*out))
	}
	if o.t.Uncertain {
		o.result("uncertain")
	}
}

func (o *owner) result(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	o.results = append(o.results, line)
	fmt.Fprintf(&o.log, "(%s)\n", line)
}

// show is an outcome in the form of the scripts.
func show(out Outcome) string {
	return fmt.Sprintf("%s %d %v %s: %s", out.Kind, out.Code, out.Status, out.Stage, out.Text)
}

// secured is called when TLS is up.
func (o *owner) secured() []byte {
	o.log.WriteString("(TLS)\n")
	out := o.c.Secure(nil)
	o.log.Write(out)
	return out
}

// verbs are the checks that a script may ask for.
func (o *owner) verbs() dialog.Verbs {
	return dialog.Verbs{
		"OUTCOMES": func(_ string, block []string) error {
			got := o.results
			o.results = nil
			for i := range max(len(got), len(block)) {
				if i >= len(got) || i >= len(block) || !dialog.Match(block[i], got[i]) {
					return fmt.Errorf("they are\n%s", strings.Join(got, "\n"))
				}
			}
			return nil
		},
		"FAILURE": func(want string, _ []string) error {
			got := "none"
			if f := o.c.Failure(); f.Kind != Undecided {
				got = show(f)
			}
			if !dialog.Match(want, got) {
				return fmt.Errorf("it is %s", got)
			}
			return nil
		},
		"WAITS": func(want string, _ []string) error {
			names := map[Next]string{NeedInput: "for " + o.c.Awaits().String(), StartTLS: "tls", Ready: "ready", SendBody: "body", Close: "closed"}
			if got := names[o.next]; got != want {
				return fmt.Errorf("it waits %s", got)
			}
			return nil
		},
	}
}
