package smtpd

import (
	"bytes"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"barid/internal/vfs"
	"barid/spool"
)

// shredder is an agent that delivers nothing as fast as one can.
type shredder struct{}

func (shredder) Deliver(_ context.Context, job *spool.Job) {
	for i := range job.Recipients {
		job.Recipients[i].Outcome.Kind = spool.Delivered
	}
}

func (shredder) Sync() error { return nil }

// quickHouse is a house that does nothing but its work: its spool is on the
// real disk, nothing is logged, and what is accepted is thrown away.
func quickHouse(t testing.TB, change func(*settings)) *house {
	return newHouse(t, func(s *settings) {
		s.door.Log = slog.New(slog.DiscardHandler)
		s.spool.FS, s.spool.Dir = vfs.Disk{}, t.TempDir()
		s.spool.SegmentSize, s.spool.SpillSize = 0, 0
		s.spool.Agents = map[string]spool.Agent{"local": shredder{}}
		if change != nil {
			change(s)
		}
	})
}

// quick is a client that costs as little as it can.
type quick struct {
	t    testing.TB
	conn net.Conn
	buf  []byte
}

func (h *house) quick(t testing.TB, implicit bool) *quick {
	address := h.plain
	if implicit {
		address = h.tls
	}
	conn, err := net.Dial("tcp", address.String())
	must(t, err)
	if implicit {
		conn = tls.Client(conn, h.roots)
	}
	q := &quick{t: t, conn: conn, buf: make([]byte, 4096)}
	q.until("220 ")
	return q
}

// quickMessage is a whole transaction as a client sends it that pipelines.
func quickMessage(octets int) []byte {
	line := strings.Repeat("x", 62) + "\r\n"
	return []byte("MAIL FROM:<alice@example.test> SIZE=5000 BODY=8BITMIME\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n" +
		"Subject: quick\r\n\r\n" + strings.Repeat(line, octets/len(line)) + ".\r\n")
}

var queued = "250 2.0.0 Ok: queued as "

// transaction sends a message. A client that sends the text before it has seen
// 354 saves a round trip; here it is sure of the answer.
func (q *quick) transaction(message []byte) { q.exchange(message, queued) }

func (q *quick) ask(command, reply string) { q.exchange([]byte(command), reply) }

// exchange sends something and reads up to the reply.
func (q *quick) exchange(out []byte, reply string) {
	if _, err := q.conn.Write(out); err != nil {
		q.t.Fatal(err)
	}
	q.until(reply)
}

// until reads up to the line that begins with reply.
func (q *quick) until(reply string) {
	n := 0
	for {
		more, err := q.conn.Read(q.buf[n:])
		if err != nil {
			q.t.Fatalf("%v after %q", err, q.buf[:n])
		}
		n += more
		last := q.buf[:n]
		if !bytes.HasSuffix(last, []byte("\r\n")) {
			continue
		}
		last = last[bytes.LastIndexByte(last[:n-2], '\n')+1:]
		if bytes.HasPrefix(last, []byte(reply)) {
			return
		}
	}
}

func benchmarkMessages(b *testing.B, sessions, octets int) {
	h := quickHouse(b, nil)
	message := quickMessage(octets)
	b.ReportAllocs()
	b.SetBytes(int64(len(message)))
	b.ResetTimer()
	var all sync.WaitGroup
	for i := range sessions {
		all.Go(func() {
			q := h.quick(b, false)
			defer q.conn.Close()
			q.ask("EHLO client.example\r\n", "250 ")
			for range b.N/sessions + min(1, max(0, b.N%sessions-i)) {
				q.transaction(message)
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

// Many messages on each connection.
func BenchmarkMessages1Session4KiB(b *testing.B)    { benchmarkMessages(b, 1, 4<<10) }
func BenchmarkMessages50Sessions4KiB(b *testing.B)  { benchmarkMessages(b, 50, 4<<10) }
func BenchmarkMessages50Sessions64KiB(b *testing.B) { benchmarkMessages(b, 50, 64<<10) }

// One message on each connection, in lock step.
func benchmarkConnections(b *testing.B, sessions int) {
	h := quickHouse(b, nil)
	text := quickMessage(4 << 10)
	text = text[bytes.Index(text, []byte("Subject")):]
	b.ReportAllocs()
	b.ResetTimer()
	var all sync.WaitGroup
	for i := range sessions {
		all.Go(func() {
			for range b.N/sessions + min(1, max(0, b.N%sessions-i)) {
				q := h.quick(b, false)
				q.ask("EHLO client.example\r\n", "250 ")
				q.ask("MAIL FROM:<alice@example.test>\r\n", "250 ")
				q.ask("RCPT TO:<bob@example.test>\r\n", "250 ")
				q.ask("DATA\r\n", "354 ")
				q.transaction(text)
				q.ask("QUIT\r\n", "221 ")
				q.conn.Close()
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

func BenchmarkConnections1(b *testing.B)  { benchmarkConnections(b, 1) }
func BenchmarkConnections50(b *testing.B) { benchmarkConnections(b, 50) }
