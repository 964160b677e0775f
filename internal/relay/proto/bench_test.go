package proto

import (
	"bytes"
	"strings"
	"testing"

	"barid/internal/smtp"
)

// fast is a connection to a server that says what it is given to say, and
// that is all: the cost of the client alone.
type fast struct {
	c    Client
	t    Transaction
	opts Options
	out  []byte

	from, to, orcpt, body   []byte
	envelope, end, refusals []byte
	rcpts                   int
}

func newFast(tb testing.TB, size, rcpts int) *fast {
	f := &fast{opts: Options{Hostname: "relay.example"}, rcpts: rcpts}
	f.from, f.to, f.orcpt = []byte("someone@client.example"), []byte("alice@example.test"), []byte("rfc822;alice@example.test")
	f.body = []byte("Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\n\n" + strings.Repeat(strings.Repeat("x", 70)+"\n.dot\n", size/76))
	f.envelope = []byte("250 2.1.0 Ok\r\n" + strings.Repeat("250 2.1.5 Ok\r\n", rcpts) + "354 End data with <CR><LF>.<CR><LF>\r\n")
	f.end = []byte("250 2.0.0 Ok: queued as 0123456789abc\r\n")
	f.refusals = []byte("250 2.1.0 Ok\r\n" + strings.Repeat("550 5.1.1 No such user\r\n", rcpts) + "554 5.5.1 No valid recipients\r\n250 2.0.0 Ok\r\n")
	f.c.Reset(&f.opts)
	f.step(tb, []byte("220 mx ESMTP\r\n250-mx\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 1000000\r\n250 DSN\r\n"), Ready)
	return f
}

// step gives octets to the client, which has to want next then.
func (f *fast) step(tb testing.TB, in []byte, want Next) {
	n, out, next := f.c.Step(in, f.out)
	if f.out = out; n != len(in) || next != want {
		tb.Fatalf("consumed %d of %d and wants %d, not %d", n, len(in), next, want)
	}
}

func (f *fast) begin() {
	f.t.Reset()
	f.t.ReturnPath, f.t.Size, f.t.Body, f.t.Ret = f.from, int64(len(f.body)), Body8Bit, smtp.RetHdrs
	for range f.rcpts {
		f.t.Recipients = append(f.t.Recipients, Recipient{Address: f.to, ORcpt: f.orcpt, Notify: smtp.NotifyFailure})
	}
	f.out = f.c.Begin(&f.t, f.out[:0])
}

// message sends one and looks at its last outcome.
func (f *fast) message(tb testing.TB) {
	f.begin()
	f.step(tb, f.envelope, SendBody)
	f.out = f.out[:0]
	for rest := f.body; len(rest) > 0; {
		var n int
		n, f.out = f.c.Body(rest[:min(len(rest), 32<<10)], f.out[:0])
		rest = rest[n:]
	}
	f.out = f.c.EndBody(f.out)
	f.step(tb, f.end, Done)
	if o := f.t.Recipients[f.rcpts-1].Outcome; o.Kind != Delivered || !bytes.HasSuffix(o.Text, []byte("0123456789abc")) || !f.c.Reusable() {
		tb.Fatalf("%+v", o)
	}
	f.step(tb, nil, Ready)
}

// refused sends one that nobody wants.
func (f *fast) refused(tb testing.TB) {
	f.begin()
	n, out, next := f.c.Step(f.refusals, f.out)
	if f.out = out; next != Done || f.t.Recipients[0].Outcome.Kind != Permanent {
		tb.Fatalf("%d, %+v", next, f.t.Recipients[0].Outcome)
	}
	f.step(tb, f.refusals[n:], Ready)
}

func benchmarkMessage(b *testing.B, size, rcpts int) {
	f := newFast(b, size, rcpts)
	b.SetBytes(int64(len(f.body)))
	b.ReportAllocs()
	for b.Loop() {
		f.message(b)
	}
}

// A whole MAIL, RCPT, DATA transaction on the engine.
func BenchmarkMessageEmpty(b *testing.B)   { benchmarkMessage(b, 0, 1) }
func BenchmarkMessage4KiB(b *testing.B)    { benchmarkMessage(b, 4<<10, 1) }
func BenchmarkMessage64KiB(b *testing.B)   { benchmarkMessage(b, 64<<10, 1) }
func BenchmarkMessage100Rcpt(b *testing.B) { benchmarkMessage(b, 0, 100) }
