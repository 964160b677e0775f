package imapd

import (
	"fmt"
	"runtime"
	"testing"
)

// BenchmarkCommands measures round trips over loopback, client included, in a
// mailbox of 1,000 messages.
func BenchmarkCommands(b *testing.B) {
	for _, command := range []string{
		"NOOP", "STATUS INBOX (MESSAGES UNSEEN)", `LIST "" *`, `UID STORE 500 +FLAGS.SILENT (\Seen)`,
		"UID FETCH 1:50 (FLAGS)", "SELECT INBOX", "APPEND INBOX {18+}\r\nSubject: x\r\n\r\ntext",
	} {
		b.Run(command[:min(len(command), 10)], func(b *testing.B) {
			h := newHouse(b, nil)
			h.fill(1000, letter)
			c := h.open("INBOX")
			c.ok("UNSELECT")
			c.ok("SELECT INBOX")
			b.ReportAllocs()
			for b.Loop() {
				c.do(command)
			}
		})
	}
}

// BenchmarkIdle measures what a session takes in memory that has a mailbox of
// 1,000 messages selected and waits in IDLE, the loop's part and the client's
// side included.
func BenchmarkIdle(b *testing.B) {
	const sessions = 500
	h := newHouse(b, nil)
	h.fill(1000, letter)
	h.open("INBOX")
	before := inUse()
	var all []*client
	for range sessions {
		c := h.open("INBOX")
		c.send("i IDLE")
		c.want("+ *")
		all = append(all, c)
	}
	after := inUse()
	for b.Loop() {
	}
	b.ReportMetric(float64(after-before)/sessions, "B/session")
	runtime.KeepAlive(all)
}

func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// BenchmarkNews measures how long it takes until a flag that one session sets
// is told to another in IDLE.
func BenchmarkNews(b *testing.B) {
	h := newHouse(b, nil)
	h.fill(10, letter)
	a, idle := h.open("INBOX"), h.open("INBOX")
	idle.send("i IDLE")
	idle.want("+ *")
	for i := 0; b.Loop(); i++ {
		a.ok(fmt.Sprintf(`STORE 1 %cFLAGS.SILENT (\Flagged)`, "+-"[i%2]))
		idle.want("* 1 FETCH *")
	}
}
