package proto

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"barid/internal/smtp"
	server "barid/smtpd/proto"
)

// A peer is our own server's engine with a door that decides by the local
// part of an address: no is refused, later is deferred, full is refused in
// LMTP when the message is there; everything else is welcome. A message that
// begins with "refuse" is not.
type peer struct {
	s    server.Session
	t    server.Transaction
	opts server.Options
	in   []byte
	body []byte
	next server.Next
	box  []arrival // what was accepted
	odd  string    // the first syntax error that the client was told
}

// An arrival is a message as it has arrived.
type arrival struct {
	from, body string
	to         []string
	mail       server.Mail
}

func (p *peer) feed(in []byte) (said []byte, open bool) {
	p.in = append(p.in, in...)
	for {
		n, out, next := p.s.Step(p.in, nil)
		p.in, p.next = p.in[n:], next
		said = append(said, out...)
		switch next {
		case server.NeedInput, server.StartTLS:
			return said, true
		case server.Close:
			return said, false
		case server.More, server.Ended:
		case server.TakeBody:
			n, p.body = p.s.TakeBody(p.in, p.body)
			p.in = p.in[n:]
		default:
			said = append(said, p.s.Answer(p.decide(next), nil)...)
		}
	}
}

func (p *peer) decide(next server.Next) server.Answer {
	yes := server.Answer{Verdict: server.Accept}
	switch next {
	case server.AskRcpt:
		return p.welcome(p.s.Rcpt().Address)
	case server.AskData:
		p.body = nil
	case server.AskAuth:
		if x := p.s.Auth(); x.Mechanism == "LOGIN" && len(x.Response) != len("password") {
			return server.Answer{Verdict: server.Challenge, Data: []byte("?")}
		}
	case server.Commit:
		return p.commit()
	}
	return yes
}

func no(code int, status smtp.Status) server.Answer {
	return server.Answer{Verdict: server.Refuse, Reply: smtp.Reply{Code: code, Status: status, Text: "no,\nnot this one"}}
}

func (p *peer) welcome(address []byte) server.Answer {
	switch local, _ := smtp.SplitMailbox(address); string(local) {
	case "no":
		return no(550, smtp.Status{5, 1, 1})
	case "later":
		return no(450, smtp.Status{4, 2, 1})
	}
	return server.Answer{Verdict: server.Accept}
}

func (p *peer) commit() server.Answer {
	to := p.s.Transaction().Recipients
	if p.opts.Mode == server.LMTP {
		i := p.s.NextRcpt()
		if to = to[i : i+1]; strings.HasPrefix(string(to[0].Address), "full@") {
			return no(452, smtp.Status{4, 2, 2})
		}
	}
	if bytes.HasPrefix(p.body, []byte("refuse")) {
		return no(554, smtp.Status{5, 7, 1})
	}
	a := arrival{from: string(p.s.Mail().ReturnPath), body: string(p.body), mail: *p.s.Mail()}
	for _, r := range to {
		a.to = append(a.to, string(r.Address))
	}
	p.box = append(p.box, a)
	return server.Answer{Verdict: server.Accept}
}

// random makes everything of a conversation.
type random struct{ *rand.Rand }

func (r random) yes() bool { return r.IntN(2) == 0 }

func (r random) serverOptions() server.Options {
	o := server.Options{Hostname: "mx.example", Reports: r.yes(), TLS: server.TLSPolicy(r.IntN(3)), Mode: server.Mode(r.IntN(3))}
	o.Offer = server.Everything
	if r.yes() {
		o.Offer = server.Extension(r.IntN(32))
	}
	o.Mechanisms = [][]string{nil, {"PLAIN"}, {"LOGIN"}}[r.IntN(3)]
	o.MechanismsTLS = [][]string{{"PLAIN", "LOGIN"}, {"LOGIN"}}[r.IntN(2)]
	if r.yes() {
		o.SizeMax = []int64{0, 1000, 5000}[r.IntN(3)]
		o.MailMax, o.RcptMax, o.RcptDomainMax = r.IntN(4)*2, r.IntN(4)*2, r.IntN(3)
	}
	return o
}

func (r random) address() string {
	local := []string{"no", "later", "full", `"x y"`, "j\u00f8", "bad bad", "a+b", "a"}[min(r.IntN(12), 7)]
	return local + "@" + []string{"h.example", "[192.0.2.1]", "bl\u00e5.example", "d.example"}[min(r.IntN(8), 3)]
}

func (r random) text() []byte {
	if r.IntN(8) == 0 {
		return []byte("refuse this\n")
	}
	var b []byte
	for range r.IntN(60) {
		b = append(b, []string{".", "..", "\n", "\n", "text", "\r\n", strings.Repeat("long ", 30), "\xff\x00"}[r.IntN(8)]...)
	}
	return b
}

func (r random) job() job {
	j := job{text: r.text()}
	if r.IntN(5) > 0 {
		j.t.ReturnPath = []byte(r.address())
	}
	j.t.Body = Body(r.IntN(3))
	j.t.UTF8 = r.IntN(6) == 0
	j.t.Ret = smtp.Ret(r.IntN(3))
	if r.yes() {
		j.t.EnvID = []byte("QQ+2B")
	}
	for range 1 + r.IntN(5)*r.IntN(2) + 200*(r.IntN(40)/39) {
		a := Recipient{Address: []byte(r.address()), Notify: smtp.Notify(r.IntN(2) * int(smtp.NotifySuccess|smtp.NotifyDelay))}
		if r.yes() {
			a.ORcpt = []byte("rfc822;c+2B@d.example")
		}
		j.t.Recipients = append(j.t.Recipients, a)
	}
	if j.t.Body != BodyBinary && r.yes() {
		j.t.Size = int64(len(wire(j)))
	}
	return j
}

// wire is a body as SIZE counts it: with its line ends as CRLF, the last one
// also when it was not there.
func wire(j job) string {
	text := string(j.text)
	if j.t.Body == BodyBinary {
		return text
	}
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\r\n"
	}
	return text
}

// meet lets a client and a server talk, with everything cut at random, until
// one of them closes.
func (r random) meet(o *owner, p *peer) error {
	toClient, toServer := p.s.Greet(nil), []byte(nil)
	for turn := 0; ; turn++ {
		if turn > 1e5 {
			return fmt.Errorf("there is no end")
		}
		switch {
		case o.next == StartTLS && p.next == server.StartTLS && len(toClient)+len(toServer) == 0:
			p.s.Secure()
			toServer = append(toServer, o.secured()...)
		case len(toClient) > 0:
			k := 1 + r.IntN(len(toClient))
			said, open := o.feed(toClient[:k], false)
			toClient, toServer = toClient[k:], append(toServer, said...)
			if !open {
				return nil
			}
		case len(toServer) > 0:
			k := 1 + r.IntN(len(toServer))
			said, open := p.feed(toServer[:k])
			p.complain(said)
			toServer, toClient = toServer[k:], append(toClient, said...)
			if !open {
				toServer = nil
			}
		default:
			return fmt.Errorf("both wait: the client (%d) for %v, the server for %d", o.next, o.c.Awaits(), p.next)
		}
	}
}

// complain notes what a client should never be told.
func (p *peer) complain(said []byte) {
	for line := range bytes.Lines(said) {
		for _, code := range []string{"421", "500", "501", "502", "504", "521", "538", "555"} {
			if bytes.HasPrefix(line, []byte(code)) && p.odd == "" {
				p.odd = string(line)
			}
		}
	}
}

// TestClientAndServerUnderstandEachOther: in random conversations what one
// sends the other accepts, and a message arrives byte for byte at those for
// whom it is called delivered, and at nobody else.
func TestClientAndServerUnderstandEachOther(t *testing.T) {
	delivered, promised := 0, 0
	for seed := range uint64(3000) {
		r := random{rand.New(rand.NewPCG(seed, 1))}
		p := &peer{opts: r.serverOptions()}
		o := &owner{piece: 1 + r.IntN(50), opts: Options{Hostname: "client.example", TLS: TLSPolicy(r.IntN(3))}}
		if p.opts.Mode == server.LMTP {
			o.opts.Dialect = LMTP
		}
		if p.opts.Mode == server.Submission || r.yes() {
			o.opts.Login = Login{User: "x", Password: "password", InClear: r.yes()}
		}
		if r.IntN(4) == 0 {
			o.opts.Ignore = Extension(r.IntN(1 << 11))
		}
		for range r.IntN(5) {
			o.queue = append(o.queue, r.job())
		}
		queue := append([]job(nil), o.queue...)
		p.s.Reset(&p.opts)
		p.s.Lend(&p.t)
		o.c.Reset(&o.opts)
		err := r.meet(o, p)
		n, sure, why := o.judge(queue, p)
		promised += sure
		if delivered += n; err != nil || o.problem != "" || why != "" || p.odd != "" {
			t.Fatalf("seed %d: %v %s %s %s\n%s", seed, err, o.problem, why, p.odd, o.log.String())
		}
	}
	if delivered < 4000 || promised < 1000 {
		t.Errorf("%d recipients got something, %d for certain: the test tests nothing", delivered, promised)
	}
}

// judge compares the outcomes with what has arrived, and says how many were
// delivered, how many of them could not but be, and what is wrong.
func (o *owner) judge(queue []job, p *peer) (delivered, sure int, why string) {
	var want []arrival
	for i, recipients := range o.over {
		j := queue[i]
		a := arrival{from: string(j.t.ReturnPath), body: wire(j)}
		if j.t.Body != BodyBinary {
			a.body = strings.ReplaceAll(a.body, "\r\n", "\n")
		}
		for k := range recipients {
			r := &recipients[k]
			generous := p.generous(o, j, r)
			if generous {
				sure++
			}
			if r.Outcome.Kind != Delivered && generous {
				return 0, 0, fmt.Sprintf("message %d is %v for %s, why?", i, r.Outcome.Kind, r.Address)
			}
			if r.Outcome.Kind != Delivered {
				continue
			}
			delivered++
			if a.to = append(a.to, string(r.Address)); p.opts.Mode == server.LMTP {
				want = append(want, a)
				a.to = nil
			}
		}
		if len(a.to) > 0 {
			want = append(want, a)
		}
	}
	if len(want) != len(p.box) {
		return 0, 0, fmt.Sprintf("%d messages have arrived, not %d", len(p.box), len(want))
	}
	for i, a := range p.box {
		w := want[i]
		if a.from != w.from || a.body != w.body || strings.Join(a.to, " ") != strings.Join(w.to, " ") {
			return 0, 0, fmt.Sprintf("what has arrived is %+q, not %+q", a.body, w.body)
		}
		if size := int64(len(w.body) + strings.Count(w.body, "\n")); a.mail.Size != 0 && a.mail.Size != size {
			return 0, 0, fmt.Sprintf("it has %d octets, not %d", size, a.mail.Size)
		}
	}
	return delivered, sure, ""
}

// generous reports whether nothing stands in the way of the message to this
// recipient.
func (p *peer) generous(o *owner, j job, r *Recipient) bool {
	s := &p.opts
	limited := s.MailMax+s.RcptMax+s.RcptDomainMax+int(s.SizeMax) > 0 || s.Offer&server.Everything != server.Everything
	plain := func(address []byte) bool {
		_, good := mailbox(address)
		return good || len(address) == 0
	}
	local, _ := smtp.SplitMailbox(r.Address)
	welcome := !slices.Contains([]string{"no", "later", "full"}, string(local))
	return !limited && welcome && plain(r.Address) && plain(j.t.ReturnPath) && o.opts.Ignore == 0 &&
		(s.TLS != server.TLSRequired || o.opts.TLS != TLSNever) && !bytes.HasPrefix(j.text, []byte("refuse"))
}
