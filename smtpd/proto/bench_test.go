package proto

import (
	"bytes"
	"strings"
	"testing"
	"unsafe"

	"barid/internal/smtp"
)

// pipelined is a whole transaction as smtp clients send it, in two packets.
func pipelined(body int) (envelope, data []byte) {
	envelope = []byte("MAIL FROM:<someone@client.example> SIZE=5000 BODY=8BITMIME\r\n" +
		"RCPT TO:<alice@example.test> NOTIFY=FAILURE ORCPT=rfc822;alice@example.test\r\nDATA\r\n")
	var b bytes.Buffer
	b.WriteString("Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\r\nFrom: <someone@client.example>\r\n" +
		"To: <alice@example.test>\r\nSubject: a message\r\nMessage-ID: <1@client.example>\r\n\r\n")
	for b.Len() < body {
		b.WriteString(strings.Repeat("x", 70) + "\r\n..dot\r\n")
	}
	b.WriteString(".\r\n")
	return envelope, b.Bytes()
}

// fastDoor accepts everything, as fast as a door can.
type fastDoor struct {
	s    Session
	t    Transaction
	opts Options
	out  []byte
	body []byte
	id   []byte
}

func newFastDoor() *fastDoor {
	d := &fastDoor{opts: Options{Hostname: "mx.example.test", Offer: Everything, SizeMax: 1 << 30, RcptMax: 1000, ReceivedMax: 50, HeaderMax: 1 << 20}}
	d.id = []byte("0123456789abc")
	d.s.Reset(&d.opts)
	d.out = d.s.Greet(d.out[:0])
	d.run([]byte("EHLO client.example\r\n"))
	return d
}

func (d *fastDoor) run(in []byte) {
	d.out = d.out[:0]
	d.s.Lend(&d.t)
	for {
		n, out, next := d.s.Step(in, d.out)
		in, d.out = in[n:], out
		switch next {
		case NeedInput:
			d.s.Reclaim()
			return
		case More:
		case TakeBody:
			n, d.body = d.s.TakeBody(in, d.body)
			in = in[n:]
		case AskData:
			d.body = d.body[:0]
			d.out = d.s.Answer(Answer{Verdict: Accept}, d.out)
		case Commit:
			d.out = d.s.Answer(Answer{Verdict: Accept, Reply: smtp.Reply{Code: 250, Status: smtp.Status{2, 0, 0}, Text: "Ok: queued as ", Detail: d.id}}, d.out)
		default:
			d.out = d.s.Answer(Answer{Verdict: Accept}, d.out)
		}
	}
}

// transaction runs a whole one and fails unless it was accepted.
func (d *fastDoor) transaction(tb testing.TB, all []byte) {
	d.run(all)
	if !bytes.HasSuffix(d.out, []byte("250 2.0.0 Ok: queued as 0123456789abc\r\n")) {
		tb.Fatalf("%q", d.out)
	}
}

func benchmarkTransaction(b *testing.B, size int) {
	d := newFastDoor()
	envelope, data := pipelined(size)
	all := append(envelope, data...)
	b.SetBytes(int64(len(all)))
	b.ReportAllocs()
	for b.Loop() {
		d.transaction(b, all)
	}
}

// A whole MAIL, RCPT, DATA transaction on the engine.
func BenchmarkTransaction4KiB(b *testing.B)  { benchmarkTransaction(b, 4<<10) }
func BenchmarkTransaction64KiB(b *testing.B) { benchmarkTransaction(b, 64<<10) }
func BenchmarkTransactionEmpty(b *testing.B) { benchmarkTransaction(b, 0) }
func BenchmarkTransaction100Rcpt(b *testing.B) {
	d := newFastDoor()
	_, data := pipelined(0)
	all := []byte("MAIL FROM:<someone@client.example>\r\n" + strings.Repeat("RCPT TO:<alice@example.test>\r\n", 100) + "DATA\r\n")
	all = append(all, data...)
	b.SetBytes(int64(len(all)))
	b.ReportAllocs()
	for b.Loop() {
		d.transaction(b, all)
	}
}

func TestIdleSessionIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(Session{}); size > 128 {
		t.Errorf("a session that waits has %d bytes", size)
	}
}
