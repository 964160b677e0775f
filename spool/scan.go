package spool

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"barid/internal/vfs"
)

// scanner reads the records of a segment, where nothing can be trusted.
type scanner struct {
	file  vfs.File
	seq   uint64
	limit int64 // nothing of the segment is behind it

	// bodies makes record check the bodies too.
	bodies bool
	buf    []byte // what was read last, from offset bufAt
	bufAt  int64
	head   []byte
}

const scanChunk = 64 << 10

// record reads the record at offset at; errBadRecord if there is no good one.
// The head is valid until the next call.
func (sc *scanner) record(at int64) (h header, head []byte, err error) {
	p := sc.peek(at, headerSize)
	if !parseHeader(p, sc.seq, &h) || h.size() > sc.limit-at {
		return h, nil, errBadRecord
	}
	if sc.head = append(sc.head[:0], sc.peek(at+headerSize, int(h.headLen))...); len(sc.head) != int(h.headLen) {
		return h, nil, errBadRecord
	}
	if checksum(sc.head) != h.headCRC || sc.bodies && !sc.goodBody(at, &h) {
		return h, nil, errBadRecord
	}
	return h, sc.head, nil
}

func (sc *scanner) goodBody(at int64, h *header) bool {
	at += headerSize + int64(h.headLen)
	sum := uint32(0)
	for rest := int(h.bodyLen); rest > 0; {
		p := sc.peek(at, min(rest, scanChunk))
		if len(p) == 0 {
			return false
		}
		sum = crc32.Update(sum, castagnoli, p)
		at += int64(len(p))
		rest -= len(p)
	}
	return sum == h.bodyCRC
}

// peek returns the n bytes at offset at, or fewer at the limit and where the
// disk cannot be read: such a place is as good as damaged.
func (sc *scanner) peek(at int64, n int) []byte {
	n = int(min(int64(n), sc.limit-at))
	if n <= 0 {
		return nil
	}
	if at < sc.bufAt || at+int64(n) > sc.bufAt+int64(len(sc.buf)) {
		sc.fill(at, n)
	}
	p := sc.buf[min(at-sc.bufAt, int64(len(sc.buf))):]
	return p[:min(n, len(p))]
}

// fill reads from offset at, at least n bytes. It reads a whole chunk only when
// it goes on where it left off; a record's head is often all that is wanted.
func (sc *scanner) fill(at int64, n int) {
	want := max(n, 1024)
	if at <= sc.bufAt+int64(len(sc.buf)) {
		want = max(n, scanChunk)
	}
	want = int(min(int64(want), sc.limit-at))
	if cap(sc.buf) < want {
		sc.buf = make([]byte, want)
	}
	sc.bufAt = at
	got, err := sc.file.ReadAt(sc.buf[:want], at)
	if err != nil && !errors.Is(err, io.EOF) {
		// Once more: an error of the moment shall not pass for damage.
		got, _ = sc.file.ReadAt(sc.buf[:want], at)
	}
	sc.buf = sc.buf[:got]
}

// nextHeader is the offset of the first good header at or behind offset at, or
// the limit.
func (sc *scanner) nextHeader(at int64) int64 {
	for at = padded(at); at < sc.limit; at += alignment {
		p := sc.peek(at, headerSize)
		if len(p) < headerSize {
			return sc.limit
		}
		if binary.LittleEndian.Uint32(p) != magic {
			continue
		}
		var h header
		if parseHeader(p, sc.seq, &h) && h.size() <= sc.limit-at {
			return at
		}
	}
	return sc.limit
}

// wasDurable says whether any record behind offset at tells that the place was
// durable once.
func (sc *scanner) wasDurable(at int64) bool {
	for q := sc.nextHeader(at + alignment); q < sc.limit; {
		var h header
		parseHeader(sc.peek(q, headerSize), sc.seq, &h)
		if int64(h.durable) > at {
			return true
		}
		q = sc.nextHeader(q + h.size())
	}
	return false
}
