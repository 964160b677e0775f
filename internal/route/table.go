package route

import (
	"encoding/binary"
	"errors"
	"hash/maphash"
	"math"
)

// table is a map of aliases in memory: keys to encoded elements.
//
// A million entries must neither take many times the room of the file nor be
// walked by the garbage collector, so everything lies in one slice without
// pointers, one record after the other:
//
//	keyLength  uvarint
//	key        canonical form, folded
//	line       uvarint, where the entry stands in the file
//	valueLength uvarint
//	value      encoded elements
//
// index is a hash table with open addressing: 1 + the offset of a record, or
// 0 for a free place; at least half of it is free.
type table struct {
	file    string
	records []byte
	count   int
	index   []uint32
	seed    maphash.Seed
}

// entry is a record of a table. Its slices are part of the table.
type entry struct {
	key, value []byte
	line       int
}

// recordsMax fits an int of 32 bits.
const recordsMax = math.MaxInt32

var errTableSize = errors.New("the map is larger than 2 GiB")

// append adds a record. It cannot be found before build is called.
func (t *table) append(e entry) error {
	if len(t.records) > recordsMax-len(e.key)-len(e.value)-3*binary.MaxVarintLen32 {
		return errTableSize
	}
	r := binary.AppendUvarint(t.records, uint64(len(e.key)))
	r = append(r, e.key...)
	r = binary.AppendUvarint(r, uint64(e.line))
	r = binary.AppendUvarint(r, uint64(len(e.value)))
	t.records = append(r, e.value...)
	t.count++
	return nil
}

// at decodes the record at an offset and gives the offset of the next.
func (t *table) at(offset uint32) (entry, uint32) {
	var e entry
	r := t.records[offset:]
	e.key, r = nextPart(r)
	line, size := binary.Uvarint(r)
	e.line = int(line)
	e.value, r = nextPart(r[size:])
	return e, uint32(len(t.records) - len(r))
}

// build makes all records findable. Of those with one key the first counts;
// the others are handed to twice, with the line of the first.
func (t *table) build(twice func(e entry, first int)) {
	size := 8
	for size < 2*t.count {
		size *= 2
	}
	t.index = make([]uint32, size)
	t.seed = maphash.MakeSeed()
	for offset := uint32(0); int(offset) < len(t.records); {
		e, next := t.at(offset)
		if first, place, found := t.find(e.key); found {
			twice(e, first.line)
		} else {
			t.index[place] = offset + 1
		}
		offset = next
	}
}

// find gives the entry of a key, or the free place for it.
func (t *table) find(key []byte) (e entry, place uint64, found bool) {
	mask := uint64(len(t.index) - 1)
	for place = maphash.Bytes(t.seed, key) & mask; t.index[place] != 0; place = (place + 1) & mask {
		e, _ = t.at(t.index[place] - 1)
		if string(e.key) == string(key) {
			return e, place, true
		}
	}
	return entry{}, place, false
}

// lookup gives the entry of a key. A nil table is empty.
func (t *table) lookup(key []byte) (entry, bool) {
	if t == nil || t.count == 0 {
		return entry{}, false
	}
	e, _, found := t.find(key)
	return e, found
}

// all calls each with every entry that counts, in the order of the file.
func (t *table) all(each func(entry)) {
	for offset := uint32(0); t != nil && int(offset) < len(t.records); {
		e, next := t.at(offset)
		if first, _, found := t.find(e.key); found && first.line == e.line {
			each(e)
		}
		offset = next
	}
}
