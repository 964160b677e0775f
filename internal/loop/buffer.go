package loop

import (
	"sync"
	"sync/atomic"
)

// Buffers come in four sizes. The smallest keeps a begun line or a short
// reply that could not be sent; the largest is all the input that a Session
// can leave unread.
const (
	sizeMin    = 512
	sizeMax    = 64 << 10
	outRoomMin = 512
)

var sizes = [...]int{sizeMin, 4 << 10, 16 << 10, sizeMax}

// buffer holds data[start:end]. A nil *buffer is empty.
type buffer struct {
	data       []byte
	start, end int
	class      int8 // index into sizes; -1: not from the pool
}

// unread is the number of bytes held.
func (b *buffer) unread() int {
	if b == nil {
		return 0
	}
	return b.end - b.start
}

// bytes is what the buffer holds.
func (b *buffer) bytes() []byte {
	if b == nil {
		return nil
	}
	return b.data[b.start:b.end]
}

// consume drops the first n bytes.
func (b *buffer) consume(n int) {
	if b == nil {
		return
	}
	poison(b.data[b.start : b.start+n])
	b.start += n
	if b.start == b.end {
		b.start, b.end = 0, 0
	}
}

// memory lends buffers and knows how much is lent.
type memory struct {
	pools [len(sizes)]sync.Pool
	lent  atomic.Int64
}

// classFor is the smallest class that holds n bytes; -1 when none does.
func classFor(n int) int {
	for i, size := range sizes {
		if n <= size {
			return i
		}
	}
	return -1
}

// lend gives an empty buffer that holds n bytes.
func (m *memory) lend(n int) *buffer {
	class := classFor(n)
	if class < 0 {
		m.lent.Add(int64(n))
		return &buffer{data: make([]byte, n), class: -1}
	}
	m.lent.Add(int64(sizes[class]))
	if b, ok := m.pools[class].Get().(*buffer); ok {
		return b
	}
	return &buffer{data: make([]byte, sizes[class]), class: int8(class)}
}

// take gets b back; nil is fine.
func (m *memory) take(b *buffer) {
	if b == nil {
		return
	}
	m.lent.Add(-int64(len(b.data)))
	if b.class < 0 {
		return
	}
	poison(b.data)
	b.start, b.end = 0, 0
	m.pools[b.class].Put(b)
}

// resize moves what b holds into a buffer for n bytes.
func (m *memory) resize(b *buffer, n int) *buffer {
	to := m.lend(max(n, b.unread()))
	to.end = copy(to.data, b.bytes())
	m.take(b)
	return to
}

// grow makes room for n bytes after the end of b, which may be nil.
func (m *memory) grow(b *buffer, n int) *buffer {
	if b == nil {
		return m.lend(max(n, sizes[1]))
	}
	if len(b.data)-b.end >= n {
		return b
	}
	n += b.unread()
	if n > sizeMax { // not from a pool: grow by doubling
		n = max(n, 2*len(b.data))
	}
	return m.resize(b, n)
}

// adopt takes over p, which was b.data[:b.end] and has been appended to.
func (m *memory) adopt(b *buffer, p []byte) *buffer {
	if len(p) == 0 {
		return b
	}
	if b != nil && &p[0] == &b.data[0] {
		b.end = len(p)
		return b
	}
	p = p[:len(p):cap(p)]
	n := &buffer{data: p[:cap(p)], end: len(p), class: -1}
	if b != nil {
		n.start = b.start
	}
	m.lent.Add(int64(len(n.data)))
	m.take(b)
	return n
}

// settle is what a parked connection keeps of b: nothing when b is empty, and
// a small buffer for a small rest, so that ten thousand begun lines do not
// hold ten thousand large buffers.
func (m *memory) settle(b *buffer) *buffer {
	n := b.unread()
	switch {
	case b == nil:
	case n == 0:
		m.take(b)
		return nil
	case n <= sizeMin && b.class != 0:
		return m.resize(b, sizeMin)
	}
	return b
}
