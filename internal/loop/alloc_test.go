//go:build !race

package loop

import (
	"io"
	"reflect"
	"testing"
)

func TestRoundTripAllocatesNothing(t *testing.T) {
	srv := serveTest(t, ListenOptions{New: func(*Conn) Session { return pingSession{} }})
	c := srv.dial(t)
	c.want("hello")
	line, got := []byte(pingLine), make([]byte, len(pingLine))
	if n := testing.AllocsPerRun(1000, func() {
		c.Conn.Write(line)
		io.ReadFull(c.Conn, got)
	}); n != 0 {
		t.Errorf("%v allocations per round trip", n)
	}
}

func TestConnIsSmall(t *testing.T) {
	// 256 is the size class that the allocator rounds up to.
	if n := reflect.TypeFor[Conn]().Size(); n > 256 {
		t.Errorf("an idle connection costs %d octets", n)
	}
}
