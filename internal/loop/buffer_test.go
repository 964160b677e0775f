package loop

import (
	"bytes"
	"testing"
)

func TestBufferKeepsItsContentsWhileItGrowsAndShrinks(t *testing.T) {
	var m memory
	var b *buffer
	var want []byte
	for i := range 300 {
		part := bytes.Repeat([]byte{byte(i)}, i*7)
		b = m.grow(b, len(part))
		b.end += copy(b.data[b.end:], part)
		want = append(want, part...)
		if n := i % 50; n < b.unread() {
			b.consume(n)
			want = want[n:]
		}
		if !bytes.Equal(b.bytes(), want) {
			t.Fatalf("after %d parts: %d octets, want %d", i, b.unread(), len(want))
		}
	}
	b.consume(b.unread() - 3)
	if b = m.settle(b); len(b.data) != sizeMin || !bytes.Equal(b.bytes(), want[len(want)-3:]) {
		t.Errorf("settled to %d octets in %d", b.unread(), len(b.data))
	}
	b.consume(3)
	if b = m.settle(b); b != nil || m.lent.Load() != 0 {
		t.Errorf("empty buffer: %v, %d octets lent", b, m.lent.Load())
	}
}

func TestAppendedOutputIsAdopted(t *testing.T) {
	var m memory
	b := m.adopt(nil, []byte("made elsewhere "))
	b.consume(5)
	b = m.grow(b, 10)
	b = m.adopt(b, append(b.data[:b.end], "in place "...))
	b = m.adopt(b, append(b.data[:b.end], bytes.Repeat([]byte("x"), 100000)...))
	if got := string(b.bytes()[:20]); got != "elsewhere in place x" || b.unread() != 19+100000 {
		t.Errorf("got %q and %d octets", got, b.unread())
	}
	if m.lent.Load() != int64(len(b.data)) {
		t.Errorf("%d octets lent, the buffer has %d", m.lent.Load(), len(b.data))
	}
	m.take(b)
	if m.lent.Load() != 0 {
		t.Errorf("%d octets still lent", m.lent.Load())
	}
}
