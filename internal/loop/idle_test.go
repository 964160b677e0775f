package loop

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The clients of the memory benchmark live in a process of their own, this
// test binary started once more, so that what they cost is not counted.

const clientEnv = "LOOP_IDLE_CLIENT" // "address connections plain|tls"

func TestMain(m *testing.M) {
	if job := os.Getenv(clientEnv); job != "" {
		if err := idleClient(job); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// idleClient opens connections, has a little talk on each, says so, and holds
// them until its standard input ends.
func idleClient(job string) error {
	var addr, kind string
	var n int
	if _, err := fmt.Sscan(job, &addr, &n, &kind); err != nil {
		return err
	}
	bulk := append(bytes.Repeat([]byte("x"), 60000), "\r\n"...)
	for range n {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		if kind != "plain" {
			c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
		}
		r := bufio.NewReader(c)
		if _, err := r.ReadString('\n'); err != nil {
			return err
		}
		line := []byte(pingLine)
		if kind == "tls-after-bulk" {
			line = bulk
		}
		if _, err := c.Write(line); err != nil {
			return err
		}
		if _, err := io.ReadFull(r, make([]byte, len(line))); err != nil {
			return err
		}
		defer c.Close()
	}
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// residentBytes is the memory of this process, after a collection.
func residentBytes(b *testing.B) int {
	for range 3 {
		runtime.GC()
	}
	debug.FreeOSMemory()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		b.Fatal(err)
	}
	return kb << 10
}

// BenchmarkIdle says how much memory an idle connection holds. It measures
// once, whatever b.N is.
func BenchmarkIdle(b *testing.B) {
	server, _ := testTLS(b)
	server.DynamicRecordSizingDisabled = true
	for _, kind := range []string{"plain", "tls", "tls-after-bulk"} {
		b.Run(kind, func(b *testing.B) {
			config := server
			if kind == "plain" {
				config = nil
			}
			clock := make(chan time.Time)
			measureIdle(b, startLoop(b, Options{Clock: clock}, config, pingSession{}), kind, clock)
		})
	}
}

func measureIdle(b *testing.B, addr, kind string, clock chan<- time.Time) {
	const conns = 5000
	before := residentBytes(b)
	var heapBefore, heapAfter runtime.MemStats
	runtime.ReadMemStats(&heapBefore)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %s", clientEnv, addr, conns, kind))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	if said, err := bufio.NewReader(stdout).ReadString('\n'); said != "ready\n" {
		b.Fatalf("client: %q, %v", said, err)
	}
	for i := range 10 { // 50 seconds go by
		clock <- time.Now().Add(time.Duration(i) * 5 * time.Second)
	}
	after := residentBytes(b)
	runtime.ReadMemStats(&heapAfter)
	b.ReportMetric(float64(after-before)/conns, "rss-bytes/conn")
	b.ReportMetric(float64(heapAfter.HeapAlloc-heapBefore.HeapAlloc)/conns, "heap-bytes/conn")
	b.ReportMetric(float64(heapAfter.StackInuse-heapBefore.StackInuse)/conns, "stack-bytes/conn")
	if name := os.Getenv("LOOP_IDLE_PROFILE"); name != "" {
		writeHeapProfile(b, name+"."+kind)
	}
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		b.Fatal(err)
	}
}

func writeHeapProfile(b *testing.B, name string) {
	f, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if err := pprof.Lookup("heap").WriteTo(f, 0); err != nil {
		b.Fatal(err)
	}
}
