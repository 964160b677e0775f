//go:build !race

package imapd

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"
)

// drain sends a command and reads up to its reply, without allocating.
func drain(t testing.TB, conn net.Conn, command []byte, buf []byte) (octets int) {
	t.Helper()
	if _, err := conn.Write(command); err != nil {
		t.Fatal(err)
	}
	kept := 0
	for {
		n, err := conn.Read(buf[kept:])
		if err != nil {
			t.Fatal(err)
		}
		octets += n
		kept += n
		if bytes.HasSuffix(buf[:kept], []byte("\r\n")) {
			line := buf[:kept-2]
			if i := bytes.LastIndexByte(line, '\n'); bytes.HasPrefix(line[i+1:], []byte("x ")) {
				return octets
			}
		}
		if keep := 512; kept > keep {
			copy(buf, buf[kept-keep:kept])
			kept = keep
		}
	}
}

// TestFetchAllocatesNothingPerMessageAlloc compares a FETCH of few messages with
// one of many.
func TestFetchAllocatesNothingPerMessageAlloc(t *testing.T) {
	h := newHouse(t, nil)
	h.fill(1100, "Subject: x\nFrom: Anna <anna@example.test>\nTo: bob@example.test\nDate: Fri, 3 Nov 2023 10:00:00 +0000\n\ntext\n")
	r := h.read("SELECT INBOX", "FETCH 1:* BODYSTRUCTURE")
	buf := make([]byte, 1<<20)
	for _, items := range []string{"(FLAGS UID)", "(ENVELOPE)", "(UID FLAGS INTERNALDATE RFC822.SIZE BODYSTRUCTURE)"} {
		least := func(n int) uint64 {
			command := fmt.Appendf(nil, "x FETCH 1:%d %s\r\n", n, items)
			best := ^uint64(0)
			for range 8 {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				drain(t, r.raw, command, buf)
				runtime.ReadMemStats(&after)
				best = min(best, after.Mallocs-before.Mallocs)
			}
			return best
		}
		few, many := least(100), least(1100)
		if many > few+50 {
			t.Errorf("%s: %d allocations for 100 messages, %d for 1100", items, few, many)
		}
	}
}

var benchLetter = "Subject: the relay post of the caliphates\nFrom: Anna <anna@example.test>\nTo: bob@example.test\n" +
	"Message-ID: <1@example.test>\nDate: Fri, 3 Nov 2023 10:00:00 +0000\nMIME-Version: 1.0\n" +
	"Content-Type: text/plain; charset=utf-8\n\n" + string(bytes.Repeat([]byte("fresh horses at every station, so that a letter never waits\n"), 60))

// BenchmarkMailbox asks for all of 10,000 messages of 4 KiB, over loopback.
func BenchmarkMailbox(b *testing.B) {
	h := newHouse(b, nil)
	h.fill(10_000, benchLetter)
	r := h.read("SELECT INBOX")
	buf := make([]byte, 1<<20)
	for _, command := range []string{
		"FETCH 1:* (UID FLAGS)",
		"FETCH 1:* ENVELOPE",
		"FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)",
		"FETCH 1:* BODY.PEEK[]",
		"FETCH 1:* BODY.PEEK[HEADER.FIELDS (From Subject)]",
		"UID SEARCH UNSEEN",
		"SEARCH SUBJECT nowhere",
		"SEARCH FROM anna",
		"SEARCH TEXT nowhere",
		"SORT (SUBJECT REVERSE DATE) UTF-8 ALL",
		"THREAD REFERENCES UTF-8 ALL",
	} {
		b.Run(command, func(b *testing.B) {
			b.ReportAllocs()
			line := []byte("x " + command + "\r\n")
			drain(b, r.raw, line, buf)
			b.ResetTimer()
			octets := 0
			for range b.N {
				octets = drain(b, r.raw, line, buf)
			}
			b.SetBytes(int64(octets))
		})
	}
	io.WriteString(r.raw, "x LOGOUT\r\n")
}
