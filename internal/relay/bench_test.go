package relay

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync"
	"testing"

	"barid/spool"
)

// sink takes every message, as fast as it can.
func sink(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			serveSink(conn)
		}()
	}
}

// serveSink answers by what the end of the input is, which is enough for a
// client that waits for its replies.
func serveSink(conn net.Conn) {
	in := make([]byte, 0, 256<<10)
	hello, envelope := []byte("250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n"), []byte("250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 Go on\r\n")
	taken, reply := []byte("250 2.0.0 Ok: queued as 0123456789\r\n"), []byte("220 sink ESMTP\r\n")
	for {
		if _, err := conn.Write(reply); err != nil {
			return
		}
		in = in[:0]
		for reply = nil; reply == nil; {
			if len(in) > cap(in)/2 {
				in = append(in[:0], in[len(in)-8:]...)
			}
			n, err := conn.Read(in[len(in):cap(in)])
			if err != nil {
				return
			}
			in = in[:len(in)+n]
			switch {
			case bytes.HasPrefix(in, []byte("EHLO")):
				reply = hello
			case bytes.HasSuffix(in, []byte("DATA\r\n")):
				reply = envelope
			case bytes.HasSuffix(in, []byte("\r\n.\r\n")):
				reply = taken
			case bytes.HasSuffix(in, []byte("QUIT\r\n")):
				return
			}
		}
	}
}

// A borrower keeps jobs from their spool, so that they can be delivered again
// and again.
type borrower struct {
	jobs chan *spool.Job
	back chan struct{}
}

func (b *borrower) Deliver(_ context.Context, job *spool.Job) {
	b.jobs <- job
	<-b.back
}

func (b *borrower) Sync() error { return nil }

// jobs gives so many jobs for the destination of the scene.
func (s *scene) jobs(n int, body string) (jobs []*spool.Job) {
	b := &borrower{make(chan *spool.Job, n), make(chan struct{})}
	s.openSpool(b, n)
	s.relay = New(s.o)
	s.t.Cleanup(func() { close(b.back) })
	for range n {
		s.commit(body, to("smtp:[127.0.0.1]", "a@example.org"))
	}
	for range n {
		jobs = append(jobs, <-b.jobs)
	}
	return jobs
}

func deliver(tb testing.TB, r *Relay, job *spool.Job) {
	job.Recipients[0].Outcome = spool.Outcome{}
	r.Deliver(context.Background(), job)
	if o := &job.Recipients[0].Outcome; o.Kind != spool.Delivered {
		tb.Fatalf("%+v", *o)
	}
}

func benchmarkDeliver(b *testing.B, sessions, size int) {
	s := newScene(b, "")
	s.o.Idle = 0
	go sink(s.listen("127.0.0.1"))
	jobs := s.jobs(sessions, "Received: from here\n\n"+strings.Repeat(strings.Repeat("x", 70)+"\n", size/71))
	for _, job := range jobs {
		deliver(b, s.relay, job)
	}
	b.SetBytes(jobs[0].Size)
	b.ReportAllocs()
	b.ResetTimer()
	var group sync.WaitGroup
	for i, job := range jobs {
		group.Go(func() {
			for range (b.N + i) / sessions {
				deliver(b, s.relay, job)
			}
		})
	}
	group.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

// A message from the spool's job to the server's reply, over loopback.
func BenchmarkDeliver1Session4KiB(b *testing.B)   { benchmarkDeliver(b, 1, 4<<10) }
func BenchmarkDeliver50Sessions4KiB(b *testing.B) { benchmarkDeliver(b, 50, 4<<10) }
func BenchmarkDeliver1Session1MiB(b *testing.B)   { benchmarkDeliver(b, 1, 1<<20) }
