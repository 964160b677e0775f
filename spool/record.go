package spool

import (
	"encoding/binary"
	"hash/crc32"
	"math"
)

// The layout of a record's header; docs/spool.md draws it.
const (
	headerSize = 40
	alignment  = 8
	// magic is "brd" and the number of the layout of all that is on disk.
	magic = 0x32647262
)

type recordType uint8

const (
	typeOpen     recordType = 1
	typeMessage  recordType = 2
	typeOutcomes recordType = 3
	typeClose    recordType = 4
	typeIndex    recordType = 5
)

// header is what stands before each record.
type header struct {
	kind    recordType
	seq     uint64 // of the segment that it was written for
	durable uint32 // all before this offset of the segment was durable
	headLen uint32
	bodyLen uint32
	headCRC uint32
	bodyCRC uint32
}

// Castagnoli's polynomial has an instruction on amd64 and arm64.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(p []byte) uint32 { return crc32.Checksum(p, castagnoli) }

// put writes the header into the first headerSize bytes of p.
func (h *header) put(p []byte) {
	le := binary.LittleEndian
	le.PutUint32(p, magic)
	p[4], p[5], p[6], p[7] = byte(h.kind), 0, 0, 0
	le.PutUint64(p[8:], h.seq)
	le.PutUint32(p[16:], h.durable)
	le.PutUint32(p[20:], h.headLen)
	le.PutUint32(p[24:], h.bodyLen)
	le.PutUint32(p[28:], h.headCRC)
	le.PutUint32(p[32:], h.bodyCRC)
	le.PutUint32(p[36:], checksum(p[:36]))
}

// parseHeader reads a header of segment seq. It says false for anything that
// is none: nothing of h is then to be used.
func parseHeader(p []byte, seq uint64, h *header) bool {
	le := binary.LittleEndian
	if len(p) < headerSize || le.Uint32(p) != magic || le.Uint64(p[8:]) != seq {
		return false
	}
	*h = header{
		kind:    recordType(p[4]),
		seq:     seq,
		durable: le.Uint32(p[16:]),
		headLen: le.Uint32(p[20:]),
		bodyLen: le.Uint32(p[24:]),
		headCRC: le.Uint32(p[28:]),
		bodyCRC: le.Uint32(p[32:]),
	}
	return le.Uint32(p[36:]) == checksum(p[:36])
}

// otherLayout says whether p is a header of segment seq in another layout than
// ours. That must not pass for a torn tail.
func otherLayout(p []byte, seq uint64) bool {
	le := binary.LittleEndian
	return len(p) >= headerSize && le.Uint32(p)<<8 == magic<<8&math.MaxUint32 && le.Uint32(p) != magic &&
		le.Uint64(p[8:]) == seq && le.Uint32(p[36:]) == checksum(p[:36])
}

// size is the length of the whole record in its segment, padding included.
func (h *header) size() int64 {
	return padded(headerSize + int64(h.headLen) + int64(h.bodyLen))
}

func padded(n int64) int64 { return (n + alignment - 1) &^ (alignment - 1) }
