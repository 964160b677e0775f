package loop

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// The benchmarks compare the loop with the same server written in the usual
// way, one goroutine and one bufio pair per connection, in the same run:
//
//	go test -run - -bench . ./internal/loop

// pingSession answers each line with the same line.
type pingSession struct{}

func (pingSession) Open(c *Conn) Wait {
	c.SetOut(append(c.Out(), "hello\r\n"...))
	return WaitInput
}

func (pingSession) Step(c *Conn, in []byte) (int, Wait) {
	for i, b := range in {
		if b != '\n' {
			continue
		}
		c.SetPatience(1)
		c.SetOut(append(c.Out(), in[:i+1]...))
		if in[0] == 'Q' {
			return i + 1, WaitClose
		}
		return i + 1, WaitInput
	}
	return 0, WaitInput
}

func (pingSession) Expire(*Conn, Reason) {}
func (pingSession) Close(*Conn, error)   {}

// netServe is the rival.
func netServe(ln net.Listener, config *tls.Config) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			if config != nil {
				c = tls.Server(c, config)
			}
			r, w := bufio.NewReader(c), bufio.NewWriter(c)
			w.WriteString("hello\r\n")
			for w.Flush() == nil {
				line, err := r.ReadSlice('\n')
				if err != nil {
					return
				}
				w.Write(line)
				if line[0] == 'Q' {
					w.Flush()
					return
				}
			}
		}()
	}
}

// startRival gives the address of one of the two servers.
func startRival(b *testing.B, kind string, config *tls.Config) string {
	if kind == "net" {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { ln.Close() })
		go netServe(ln, config)
		return ln.Addr().String()
	}
	return startLoop(b, Options{}, config, pingSession{})
}

func startLoop(b *testing.B, o Options, config *tls.Config, s Session) string {
	l, err := New(o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ln, err := l.Listen(tcp, ListenOptions{
		New: func(*Conn) Session { return s }, TLS: config, Implicit: config != nil,
	})
	if err != nil {
		b.Fatal(err)
	}
	return ln.Addr().String()
}

// benchDial connects and reads the greeting.
func benchDial(b *testing.B, addr string, config *tls.Config) net.Conn {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	if config != nil {
		c = tls.Client(c, config)
	}
	if _, err := io.ReadFull(c, make([]byte, len("hello\r\n"))); err != nil {
		b.Fatal(err)
	}
	return c
}

// cpuMicroseconds is the processor time of this process, clients included.
// On a busy machine it tells more than the rate.
func cpuMicroseconds() int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return (u.Utime.Nano() + u.Stime.Nano()) / 1000
}

const pingLine = "NOOP 0123456789 0123456789\r\n"

// chatter makes n round trips over the connections, all at once.
func chatter(b *testing.B, conns []net.Conn, n int) {
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	for _, c := range conns {
		wg.Go(func() {
			line, got := []byte(pingLine), make([]byte, len(pingLine))
			for left.Add(-1) >= 0 {
				if _, err := c.Write(line); err != nil {
					b.Error(err)
					return
				}
				if _, err := io.ReadFull(c, got); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func benchPing(b *testing.B, conns int, kind string, server, client *tls.Config) {
	addr := startRival(b, kind, server)
	var open []net.Conn
	for range conns {
		open = append(open, benchDial(b, addr, client))
	}
	b.ReportAllocs()
	b.ResetTimer()
	cpu := cpuMicroseconds()
	chatter(b, open, b.N)
	b.StopTimer()
	b.ReportMetric(float64(cpuMicroseconds()-cpu)/float64(b.N), "cpu-us/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "roundtrips/s")
	for _, c := range open {
		c.Close()
	}
}

func BenchmarkPing(b *testing.B) {
	for _, conns := range []int{1, 10, 50, 200} {
		for _, kind := range []string{"net", "loop"} {
			b.Run(fmt.Sprintf("%s/%d", kind, conns), func(b *testing.B) {
				benchPing(b, conns, kind, nil, nil)
			})
		}
	}
}

func BenchmarkPingTLS(b *testing.B) {
	server, client := testTLS(b)
	for _, conns := range []int{1, 10, 50, 200} {
		for _, kind := range []string{"net", "loop"} {
			b.Run(fmt.Sprintf("%s/%d", kind, conns), func(b *testing.B) {
				benchPing(b, conns, kind, server, client)
			})
		}
	}
}

// BenchmarkSession is connect, greeting, one command, its reply, the end.
func BenchmarkSession(b *testing.B) { benchSession(b, nil, nil) }

// BenchmarkSessionTLS is the same with a handshake.
func BenchmarkSessionTLS(b *testing.B) {
	server, client := testTLS(b)
	benchSession(b, server, client)
}

func benchSession(b *testing.B, server, client *tls.Config) {
	for _, conns := range []int{1, 10, 50} {
		for _, kind := range []string{"net", "loop"} {
			b.Run(fmt.Sprintf("%s/%d", kind, conns), func(b *testing.B) {
				addr := startRival(b, kind, server)
				b.ReportAllocs()
				b.ResetTimer()
				cpu := cpuMicroseconds()
				b.SetParallelism(max(1, conns/runtime.GOMAXPROCS(0)))
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						oneSession(b, addr, client)
					}
				})
				b.ReportMetric(float64(cpuMicroseconds()-cpu)/float64(b.N), "cpu-us/op")
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sessions/s")
			})
		}
	}
}

func oneSession(b *testing.B, addr string, config *tls.Config) {
	c := benchDial(b, addr, config)
	io.WriteString(c, "QUIT\r\n")
	io.ReadAll(c)
	tcp, plain := c.(*net.TCPConn)
	if !plain {
		tcp = c.(*tls.Conn).NetConn().(*net.TCPConn)
	}
	tcp.SetLinger(0) // else TIME-WAIT uses up the ports
	c.Close()
}

// bulkSession swallows input.
type bulkSession struct{ pingSession }

func (bulkSession) Step(c *Conn, in []byte) (int, Wait) {
	c.SetPatience(1)
	return len(in), WaitInput
}

// BenchmarkBulk is one client that sends as fast as it can.
func BenchmarkBulk(b *testing.B) {
	server, client := testTLS(b)
	for name, tls := range map[string][2]*tls.Config{"plain": {}, "tls": {server, client}} {
		b.Run(name, func(b *testing.B) {
			addr := startLoop(b, Options{}, tls[0], bulkSession{})
			c := benchDial(b, addr, tls[1])
			piece := make([]byte, 256<<10)
			b.SetBytes(int64(len(piece)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Write(piece); err != nil {
					b.Fatal(err)
				}
			}
			c.Close()
		})
	}
}
