package proto

import (
	"testing"

	"barid/internal/imap"
)

// repeater is a session with a mailbox selected, whose door does nothing.
type repeater struct {
	t       testing.TB
	s       Session
	command Command
	out     []byte
	body    []byte
}

func newRepeater(t testing.TB) *repeater {
	d := newDoor()
	r := &repeater{t: t}
	r.s.Reset(&d.tls)
	r.run([]byte("a LOGIN alice@example.test wonderland\r\nb SELECT INBOX\r\n"))
	return r
}

// run gives the session commands, and says yes to everything.
func (r *repeater) run(in []byte) {
	r.s.Lend(&r.command)
	r.out = r.out[:0]
	for {
		n, out, next := r.s.Step(in, r.out)
		in, r.out = in[n:], out
		switch next {
		case NeedInput:
			r.s.Reclaim()
			return
		case AskAuth:
			r.out = r.s.Answer(Answer{}, r.out)
		case AskAppend:
			r.out = r.s.Accept(r.out)
		case TakeBody:
			n, body := r.s.TakeBody(in, r.body[:0])
			r.body = body
			in = in[n:]
		case Run:
			r.execute()
		case Close:
			r.t.Fatalf("closed: %s", r.out)
		}
	}
}

var (
	someKeywords = []string{"$Forwarded", "$Junk"}
	someEnvelope = []byte(`("Wed, 17 Jul 1996 02:23:25 -0700" "IMAP4rev1 WG mtg" (("T" NIL "gray" "example")) NIL NIL NIL NIL NIL NIL "<B27397@example>")`)
)

// execute writes about as much as a door would for one message.
func (r *repeater) execute() {
	c := r.s.Command()
	c.Set.Resolve(100)
	if c.Verb == Fetch {
		w := imap.FetchWriter{}
		for n := range c.Set.All() {
			r.out = w.Begin(r.out, n)
			for i := range c.Fetch.Items {
				switch c.Fetch.Items[i].Kind {
				case imap.FetchFlags:
					r.out = w.Flags(r.out, imap.FlagSeen, someKeywords, 3)
				case imap.FetchUID:
					r.out = w.UID(r.out, n)
				case imap.FetchInternalDate:
					r.out = w.InternalDate(r.out, 837596665, -420)
				case imap.FetchSize:
					r.out = w.Size(r.out, 4096)
				case imap.FetchEnvelope:
					r.out = w.Envelope(r.out, someEnvelope)
				case imap.FetchSection:
					r.out = w.Section(r.out, &c.Fetch.Items[i], 0)
				}
			}
			r.out = w.End(r.out)
		}
	}
	r.out = r.s.Done(imap.Reply{}, r.out)
}

var everyDay = []byte("a1 NOOP\r\n" +
	"a2 FETCH 1:10 (FLAGS UID)\r\n" +
	"a3 UID FETCH 1:10,20:*,5 (FLAGS UID INTERNALDATE RFC822.SIZE ENVELOPE BODY.PEEK[HEADER.FIELDS (From To \"Subject\")])\r\n" +
	"a4 STORE 1,2,3 +FLAGS.SILENT (\\Seen $Junk)\r\n" +
	"a5 UID SEARCH RETURN (MIN MAX) OR FROM \"a \\\"b\\\"\" (NOT SEEN SINCE 1-Feb-2024) UID 1:100 1,2,3,7\r\n" +
	"a6 UID COPY 3:* &AOk-t&AOk-\r\n" +
	"a7 SEARCH TEXT {5+}\r\nhello UNSEEN\r\n" +
	"a8 SORT (REVERSE DATE) UTF-8 ALL\r\n" +
	"a9 STATUS INBOX (MESSAGES UNSEEN)\r\n" +
	"b1 LIST \"\" (% *) RETURN (CHILDREN STATUS (MESSAGES))\r\n" +
	"b2 EXPUNGE\r\n" +
	"b3 APPEND INBOX (\\Seen) \"17-Jul-1996 02:44:25 -0700\" {5+}\r\nhello\r\n")

func BenchmarkEveryDay(b *testing.B) {
	r := newRepeater(b)
	b.ReportAllocs()
	for b.Loop() {
		r.run(everyDay)
	}
	b.ReportMetric(float64(b.N)*12/b.Elapsed().Seconds(), "commands/s")
}

func BenchmarkFetchFlags(b *testing.B) {
	r := newRepeater(b)
	in := []byte("a FETCH 1:100 (FLAGS UID)\r\n")
	b.ReportAllocs()
	for b.Loop() {
		r.run(in)
		b.SetBytes(int64(len(r.out)))
	}
	b.ReportMetric(float64(b.N)*100/b.Elapsed().Seconds(), "messages/s")
}

func BenchmarkFetchEnvelope(b *testing.B) {
	r := newRepeater(b)
	in := []byte("a FETCH 1:100 (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)\r\n")
	b.ReportAllocs()
	for b.Loop() {
		r.run(in)
		b.SetBytes(int64(len(r.out)))
	}
	b.ReportMetric(float64(b.N)*100/b.Elapsed().Seconds(), "messages/s")
}

func BenchmarkNoop(b *testing.B) {
	r := newRepeater(b)
	in := []byte("a NOOP\r\n")
	b.ReportAllocs()
	for b.Loop() {
		r.run(in)
	}
}
