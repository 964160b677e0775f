package proto

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"barid/internal/dialog"
	"barid/internal/smtp"
)

// A door answers the questions of an engine in memory, as the real door of
// the same configuration does: host mx.example.test, domain example.test with
// alice and bob (and their subaddresses) and postmaster, accounts
// alice@example.test "wonderland" and bob@example.test "builder".
//
// It is unkind to the engine: every slice that was lent for one call is
// overwritten after it, and Step is called once more than needed.
type door struct {
	s     Session
	t     Transaction
	opts  Options
	in    []byte // not yet consumed
	body  []byte
	login []byte // the exchange of LOGIN: the user so far

	open    bool // a transaction is open here
	auth    bool // an exchange is open here
	boxes   map[string][]message
	log     strings.Builder // replies, questions and committed bodies, in order
	problem string          // the first broken promise
}

type message struct {
	from, body string
}

// newDoor makes a door of the settings of a script, without a greeting.
func newDoor(settings [][2]string) (*door, error) {
	d := &door{boxes: map[string][]message{}, opts: Options{
		Hostname: "mx.example.test",
		Offer:    Everything,
		Reports:  true,
		TLS:      TLSOffered,
	}}
	implicit, cleartext := false, false
	for _, kv := range settings {
		var err error
		switch number, notNumber := strconv.ParseInt(kv[1], 10, 64); kv[0] {
		case "mode":
			modes := map[string]Mode{"mx": MX, "submission": Submission, "lmtp": LMTP}
			mode, known := modes[kv[1]]
			d.opts.Mode, err = mode, unknownUnless(known)
		case "tls":
			policies := map[string]TLSPolicy{"none": TLSAbsent, "offered": TLSOffered, "required": TLSRequired, "implicit": TLSOffered}
			policy, known := policies[kv[1]]
			d.opts.TLS, err = policy, unknownUnless(known)
			implicit = kv[1] == "implicit"
		case "auth-cleartext":
			cleartext = kv[1] == "yes"
		case "trust":
			trusts := map[string]Trust{"xclient": XClient, "xforward": XForward}
			trust, known := trusts[kv[1]]
			d.opts.Trust |= trust
			err = unknownUnless(known)
		case "size-max":
			d.opts.SizeMax, err = number, notNumber
		case "header-max":
			d.opts.HeaderMax, err = number, notNumber
		case "line-max":
			d.opts.BodyLineMax, err = number, notNumber
		case "received-max":
			d.opts.ReceivedMax, err = int(number), notNumber
		case "mail-max":
			d.opts.MailMax, err = int(number), notNumber
		case "rcpt-max":
			d.opts.RcptMax, err = int(number), notNumber
		case "rcpt-domain-max":
			d.opts.RcptDomainMax, err = int(number), notNumber
		case "commands-max":
			d.opts.CommandsMax, err = int(number), notNumber
		case "errors-max":
			d.opts.ErrorsMax, err = int(number), notNumber
		default:
			err = unknownUnless(false)
		}
		if err != nil {
			return nil, fmt.Errorf("setting %s %s: %w", kv[0], kv[1], err)
		}
	}
	if d.opts.Mode == Submission {
		d.opts.MechanismsTLS = []string{"PLAIN", "LOGIN"}
		if cleartext {
			d.opts.Mechanisms = d.opts.MechanismsTLS
		}
	}
	d.s.Reset(&d.opts)
	if implicit {
		d.s.Secure()
	}
	return d, nil
}

func unknownUnless(known bool) error {
	if known {
		return nil
	}
	return fmt.Errorf("not known")
}

func (d *door) broken(format string, args ...any) {
	if d.problem == "" {
		d.problem = fmt.Sprintf(format, args...)
	}
}

// greet gives the greeting.
func (d *door) greet() []byte {
	out := d.s.Greet(nil)
	d.log.Write(out)
	return out
}

// feed gives octets to the session and answers its questions until it waits
// or closes.
func (d *door) feed(p []byte) (replies []byte, open bool) {
	d.in = append(d.in, p...)
	if d.s.t == nil {
		d.s.Lend(&d.t)
	}
	for {
		next, out := d.step()
		replies = append(replies, out...)
		switch next {
		case NeedInput:
			d.reclaim()
			return replies, true
		case More:
		case StartTLS:
			d.log.WriteString("(StartTLS)\n")
			if len(d.in) == 0 {
				return replies, true
			}
			fallthrough // what is unread is plain text: close
		case Close:
			d.log.WriteString("(Close)\n")
			d.in = nil
			return replies, false
		default:
			replies = append(replies, d.serve(next)...)
		}
	}
}

// step calls Step with a copy of the input that is overwritten afterwards,
// and checks what it promises.
func (d *door) step() (Next, []byte) {
	lent := bytes.Clone(d.in)
	n, out, next := d.s.Step(lent, nil)
	if n > len(lent) {
		d.broken("Step consumed %d of %d", n, len(lent))
	}
	poison(lent)
	d.in = d.in[n:]
	checkReplies(d, out)
	if len(out) > moreMax+2*smtp.LineMax {
		d.broken("%d octets of replies in one step", len(out))
	}
	d.log.Write(out)
	if next != Ended && next != TakeBody && next != More {
		lent = bytes.Clone(d.in)
		if next == StartTLS {
			lent = nil // octets here are an attack and have their own test
		}
		if n, out, again := d.s.Step(lent, nil); n != 0 || len(out) != 0 || again != next {
			d.broken("after %d, Step consumed %d, said %q and %d", next, n, out, again)
		}
		poison(lent)
	}
	return next, out
}

func poison(p []byte) {
	for i := range p {
		p[i] = 0xAA
	}
}

// checkReplies: only whole lines that begin with a code.
func checkReplies(d *door, out []byte) {
	for line := range bytes.Lines(out) {
		if len(line) < 5 || len(line) > smtp.LineMax && !bytes.HasPrefix(line, []byte("250-")) || !bytes.HasSuffix(line, []byte("\r\n")) ||
			line[0] < '2' || line[0] > '5' || smtp.FindControl(line[:len(line)-2]) >= 0 {
			d.broken("said %q", line)
		}
	}
}

// reclaim takes the memory back when the session is idle and overwrites it.
func (d *door) reclaim() {
	t := d.s.Reclaim()
	if t == nil {
		if d.s.Idle() {
			d.broken("idle but holds its memory")
		}
		return
	}
	if d.open || d.auth {
		d.broken("idle with something open (transaction %v, exchange %v)", d.open, d.auth)
	}
	if cap(t.arena) > keepMax {
		d.broken("%d octets of memory given back", cap(t.arena))
	}
	poison(t.arena[:cap(t.arena)])
	poison(t.verdict[:cap(t.verdict)])
}

// serve does what the session asks for.
func (d *door) serve(next Next) []byte {
	switch next {
	case TakeBody:
		d.takeBody()
		return nil
	case Ended:
		if !d.open && !d.auth {
			d.broken("Ended, but nothing was begun")
		}
		d.open, d.auth, d.body = false, false, nil
		d.log.WriteString("(Ended)\n")
		return nil
	}
	a := d.decide(next)
	out := d.s.Answer(a, nil)
	poison(a.Reply.Detail)
	poison(a.Data)
	checkReplies(d, out)
	d.log.Write(out)
	return out
}

func (d *door) takeBody() {
	lent := bytes.Clone(d.in)
	buffer := make([]byte, 0, len(lent))
	n, out := d.s.TakeBody(lent, buffer)
	if n == 0 || n > len(lent) || cap(out) != cap(buffer) {
		d.broken("TakeBody consumed %d of %d and made %d of them", n, len(lent), len(out))
	}
	poison(lent)
	d.in, d.body = d.in[n:], append(d.body, out...)
}

// decide is the policy.
func (d *door) decide(next Next) Answer {
	switch next {
	case AskMail:
		m := d.s.Mail()
		fmt.Fprintf(&d.log, "(AskMail %s size %d body %d utf8 %v ret %d envid %q auth %q)\n", m.ReturnPath, m.Size, m.Body, m.UTF8, m.Ret, m.EnvID, m.Auth)
		return d.decideMail(*m)
	case AskRcpt:
		r := d.s.Rcpt()
		fmt.Fprintf(&d.log, "(AskRcpt %s orcpt %q notify %d)\n", r.Address, r.ORcpt, r.Notify)
		return decideRcpt(r.Address)
	case AskData:
		d.log.WriteString("(AskData)\n")
		d.body = nil
		if bytes.HasPrefix(d.s.Helo(), []byte("full.")) {
			return no(452, smtp.Status{4, 3, 1}, "The disk is full")
		}
		return Answer{Verdict: Accept}
	case Commit:
		return d.commit()
	case AskAuth:
		return d.decideAuth(*d.s.Auth())
	case AskXClient, AskXForward:
		fmt.Fprintf(&d.log, "(Client %q)\n", *d.s.Client())
		return Answer{Verdict: Accept}
	}
	d.broken("what is %d?", next)
	return no(451, smtp.Status{4, 3, 0}, "confused")
}

func no(code int, status smtp.Status, text string) Answer {
	return Answer{Verdict: Refuse, Reply: smtp.Reply{Code: code, Status: status, Text: text}}
}

func (d *door) decideMail(m Mail) Answer {
	if d.open {
		d.broken("MAIL within a transaction")
	}
	local, _ := smtp.SplitMailbox(m.ReturnPath)
	if string(local) == "spammer" {
		return no(550, smtp.Status{5, 7, 1}, "Not you")
	}
	d.open = true
	return Answer{Verdict: Accept}
}

func decideRcpt(address []byte) Answer {
	local, domain := smtp.SplitMailbox(address)
	user, _, _ := strings.Cut(strings.ToLower(string(local)), "+")
	switch {
	case len(domain) > 0 && !smtp.EqualFold(domain, "example.test"):
		return no(550, smtp.Status{5, 7, 1}, "Relaying denied")
	case user == "alice", user == "bob", user == "postmaster":
		return Answer{Verdict: Accept}
	case user == "later":
		return no(450, smtp.Status{4, 2, 0}, "Try again")
	}
	a := no(550, smtp.Status{5, 1, 1}, "No such user: ")
	a.Reply.Detail = bytes.Clone(address)
	return a
}

// commit stores the message; in LMTP it is called once per recipient.
func (d *door) commit() Answer {
	t := d.s.Transaction()
	if !d.open || len(t.Recipients) == 0 {
		d.broken("Commit without a transaction")
		return no(451, smtp.Status{4, 3, 0}, "confused")
	}
	facts := d.s.Body()
	if facts.Octets != int64(len(d.body)) || t.Mail.Body != BodyBinary && facts.Lines != int64(bytes.Count(d.body, []byte("\n"))) {
		d.broken("the body has %d octets, not %+v", len(d.body), facts)
	}
	if t.Mail.Body != BodyBinary && bytes.IndexByte(d.body, '\r') >= 0 {
		d.broken("a CR is in the body %q", d.body)
	}
	if d.s.NextRcpt() == 0 {
		fmt.Fprintf(&d.log, "(Commit %s %+v %q)\n", d.s.Protocol(), facts, d.body)
	}
	to := t.Recipients
	if d.opts.Mode == LMTP {
		to = to[d.s.NextRcpt() : d.s.NextRcpt()+1]
	}
	for _, r := range to {
		user, _, _ := strings.Cut(strings.ToLower(string(r.Address)), "@")
		user, _, _ = strings.Cut(user, "+")
		d.boxes[user] = append(d.boxes[user], message{string(t.Mail.ReturnPath), string(d.body)})
	}
	if len(t.Recipients)-d.s.NextRcpt() == 1 || d.opts.Mode != LMTP {
		d.open = false
	}
	return Answer{Verdict: Accept, Reply: smtp.Reply{Code: 250, Status: smtp.Status{2, 0, 0}, Text: "Ok: queued as ", Detail: []byte("0123456789abc")}}
}

// decideAuth knows PLAIN (RFC 4616) and LOGIN.
func (d *door) decideAuth(x Exchange) Answer {
	fmt.Fprintf(&d.log, "(AskAuth %s %v %q)\n", x.Mechanism, x.Begin, x.Response)
	if x.Begin == d.auth {
		d.broken("Begin is %v in the wrong place", x.Begin)
	}
	if x.Begin {
		d.auth, d.login = true, nil
	}
	if x.Mechanism == "PLAIN" {
		if x.Response == nil {
			return Answer{Verdict: Challenge}
		}
		parts := bytes.Split(x.Response, []byte{0})
		return d.check(len(parts) == 3 && known(parts[1], parts[2]))
	}
	switch {
	case x.Response == nil:
		return Answer{Verdict: Challenge, Data: []byte("Username:")}
	case d.login == nil:
		d.login = append([]byte{}, x.Response...)
		return Answer{Verdict: Challenge, Data: []byte("Password:")}
	}
	return d.check(known(d.login, x.Response))
}

func known(user, password []byte) bool {
	return string(user) == "alice@example.test" && string(password) == "wonderland" ||
		string(user) == "bob@example.test" && string(password) == "builder"
}

func (d *door) check(good bool) Answer {
	d.auth = false
	if good {
		return Answer{Verdict: Accept}
	}
	return no(535, smtp.Status{5, 7, 8}, "Authentication failed")
}

// verbs are the checks that a script may ask for.
func (d *door) verbs() dialog.Verbs {
	return dialog.Verbs{
		"MAILBOX": func(text string, _ []string) error {
			user, count, _ := strings.Cut(text, " ")
			if got := len(d.boxes[user]); strconv.Itoa(got) != count {
				return fmt.Errorf("%s has %d messages", user, got)
			}
			return nil
		},
		"MESSAGE": func(user string, block []string) error {
			m, err := d.newest(user)
			if want := strings.Join(block, "\n") + "\n"; err == nil && m.body != want {
				err = fmt.Errorf("the message is\n%q, not\n%q", m.body, want)
			}
			return err
		},
		"RETURN-PATH": func(text string, _ []string) error {
			user, from, _ := strings.Cut(text, " ")
			m, err := d.newest(user)
			if err == nil && "<"+m.from+">" != from {
				err = fmt.Errorf("it is <%s>", m.from)
			}
			return err
		},
	}
}

func (d *door) newest(user string) (message, error) {
	box := d.boxes[user]
	if len(box) == 0 {
		return message{}, fmt.Errorf("the mailbox of %s is empty", user)
	}
	return box[len(box)-1], nil
}
