//go:build !race

package proto

import "testing"

func TestTransactionAllocatesNothing(t *testing.T) {
	d := newFastDoor()
	envelope, data := pipelined(4 << 10)
	chunked := append([]byte("RSET\r\nMAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<\"al\\ice\"@example.test>\r\nBDAT 10\r\n0123456789BDAT 5 LAST\r\n01234"), "NOOP\r\n"...)
	all := append(envelope, data...)
	small := []byte("EHLO client.example\r\nVRFY x\r\nRCPT TO:x\r\nHELP\r\n")
	d.transaction(t, all)
	d.run(chunked)
	if n := testing.AllocsPerRun(200, func() { d.run(all) }); n != 0 {
		t.Errorf("MAIL, RCPT, DATA and 4 KiB: %v allocations", n)
	}
	if n := testing.AllocsPerRun(200, func() { d.run(chunked) }); n != 0 {
		t.Errorf("BDAT: %v allocations", n)
	}
	if n := testing.AllocsPerRun(200, func() { d.run(small) }); n != 0 {
		t.Errorf("EHLO and small commands: %v allocations", n)
	}
}
