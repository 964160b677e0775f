package pop3d

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
)

// raw is a connection whose client costs as little as it can.
type raw struct {
	b    *testing.B
	conn net.Conn
	buf  []byte
}

func benchHouse(b *testing.B, messages, size int) *house {
	h := newHouse(b, func(s *settings) { s.door.Log = slog.New(slog.DiscardHandler) })
	text := "Subject: a message\n\n" + strings.Repeat(strings.Repeat("a", 63)+"\n", size/64)
	for i := range messages {
		h.deposit(fmt.Sprintf("%d.M%06dP1.example,S=%d,W=%d", 1700000000+i/100, i, len(text), wireSize(text)), text)
	}
	return h
}

// raw connects. buf may be used again when the last connection that used it is
// closed.
func (h *house) raw(b *testing.B, buf []byte) *raw {
	conn, err := net.Dial("tcp", h.plain.String())
	must(b, err)
	r := &raw{b: b, conn: conn, buf: buf}
	r.until("\r\n")
	return r
}

// until reads to the end of a reply, which is all that is sent.
func (r *raw) until(end string) (octets int) {
	for {
		n, err := r.conn.Read(r.buf)
		must(r.b, err)
		octets += n
		if bytes.HasSuffix(r.buf[:n], []byte(end)) {
			return octets
		}
	}
}

func (r *raw) say(text string) {
	if _, err := r.conn.Write([]byte(text)); err != nil {
		r.b.Fatal(err)
	}
}

func (r *raw) login() {
	r.say("USER alice@example.test\r\n")
	r.until("\r\n")
	r.say("PASS wonderland\r\n")
	r.until("\r\n")
}

const benchMessages = 10_000

func BenchmarkRetrLockStep(b *testing.B) {
	r := benchHouse(b, benchMessages, 4096).raw(b, make([]byte, 256<<10))
	r.login()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.say(fmt.Sprintf("RETR %d\r\n", i%benchMessages+1))
		b.SetBytes(int64(r.until("\r\n.\r\n")))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "retr/s")
}

func BenchmarkRetrPipelined(b *testing.B) {
	r := benchHouse(b, benchMessages, 4096).raw(b, make([]byte, 256<<10))
	r.login()
	r.say("RETR 1\r\n")
	each := r.until("\r\n.\r\n")
	b.SetBytes(int64(each))
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		var batch []byte
		for i := range b.N {
			batch = fmt.Appendf(batch, "RETR %d\r\n", i%benchMessages+1)
			if i%100 == 99 || i == b.N-1 {
				r.conn.Write(batch)
				batch = batch[:0]
			}
		}
	}()
	_, err := io.CopyN(io.Discard, struct{ io.Reader }{r.conn}, int64(each)*int64(b.N))
	must(b, err)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "retr/s")
}

func BenchmarkUIDL10000(b *testing.B) {
	r := benchHouse(b, benchMessages, 64).raw(b, make([]byte, 256<<10))
	r.login()
	b.ReportAllocs()
	for b.Loop() {
		r.say("UIDL\r\n")
		b.SetBytes(int64(r.until("\r\n.\r\n")))
	}
}

func BenchmarkRetr50MB(b *testing.B) {
	r := benchHouse(b, 1, 50<<20).raw(b, make([]byte, 256<<10))
	r.login()
	b.ReportAllocs()
	for b.Loop() {
		r.say("RETR 1\r\n")
		b.SetBytes(int64(r.until("\r\n.\r\n")))
	}
}

func BenchmarkLoginStatQuit(b *testing.B) {
	h, buf := benchHouse(b, 10, 4096), make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		r := h.raw(b, buf)
		r.login()
		r.say("STAT\r\n")
		r.until("\r\n")
		r.say("QUIT\r\n")
		r.until("\r\n")
		r.conn.Close()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "logins/s")
}
