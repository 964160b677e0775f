package maildir

import (
	"bytes"
	"math"
	"slices"
	"sort"
	"strings"
)

// record is one message of a folder in memory: 64 octets, and the part of its
// name that others do not share.
type record struct {
	modseq   int64 // of the last change
	size     int64 // octets of the file
	date     int64 // INTERNALDATE, seconds since 1970
	email    uint64
	uid      uint32
	flags    Flags  // as clients have been told; see roster.flight
	lines    uint32 // line ends without CR; linesUnknown before they were counted
	name     uint32 // offset in roster.names
	cacheAt  uint32 // where in barid-cache its blob is, in units of cacheUnit; 0: nowhere
	cacheLen uint32 // octets
	nameLen  uint8
	host     uint8 // in roster.hosts
	state    recordState
	round    uint8 // the latest scan that met its file
	_        [4]byte
}

// linesUnknown stands for a number of lines that nobody has counted.
const linesUnknown = math.MaxUint32

type recordState uint8

const (
	recCur     recordState = 1 << iota // in cur/, not in new/
	recSize                            // the name has the field S
	recVirtual                         // the name has the field W as well
	recInline                          // names has the whole base: it is none of the usual forms
	recOdd                             // roster.odd has the part behind the base
	recFlight                          // roster.flight has the flags that the name has now
	recDying                           // its file is gone, which clients are still to be told
)

// onDisk are the facts that the index keeps.
const onDisk = recCur | recSize | recVirtual | recInline | recOdd

// roster is a folder's messages, ordered by UID. Those before shown are what
// clients see; the others wait for a sync.
//
// Names are taken apart, because they are most of what a message costs: the
// host's part stands once in hosts, sizes are numbers anyway, and flags are
// bits, so that a name in memory never changes.
type roster struct {
	messages []record
	shown    int
	names    []byte
	hosts    []string           // hosts[0] is ""
	odd      map[uint32]string  // by UID: what stands behind the base, where it is not the usual form
	flight   map[uint32]staying // by UID: flags in names that clients have not been told yet
	keys     []uint32           // hash table of UIDs by key; nil until needed
	keysUsed int                // slots in use, removed ones included
}

// staying is what a name's flags are while changes of them are on their way.
type staying struct {
	flags   Flags
	changes int
}

const (
	keyEmpty   = 0
	keyRemoved = math.MaxUint32
)

// uidMax is the last UID that is given.
const uidMax = math.MaxUint32 - 1

// rank is the number of messages with a UID below uid.
func (r *roster) rank(uid uint32) int {
	return sort.Search(len(r.messages), func(i int) bool { return r.messages[i].uid >= uid })
}

// find returns the message with a UID, also one that is not shown yet; nil if
// there is none.
func (r *roster) find(uid uint32) *record {
	if i := r.rank(uid); i < len(r.messages) && r.messages[i].uid == uid {
		return &r.messages[i]
	}
	return nil
}

// setName takes a name apart into m. The size is that of the field S if the
// name has one.
func (r *roster) setName(m *record, name []byte, inCur bool) {
	base, info := name[:baseLen(name)], name[baseLen(name):]
	flags, _ := splitInfo(info)
	r.setBase(m, base)
	m.flags, m.lines = flags, linesOf(base)
	r.setPlace(m, info, inCur)
}

// linesOf is the number of lines that a base tells by its sizes.
func linesOf(base []byte) uint32 {
	size, virtual := field(base, 'S'), field(base, 'W')
	if size >= 0 && virtual >= size && virtual-size < linesUnknown {
		return uint32(virtual - size)
	}
	return linesUnknown
}

// setPlace notes the directory and what stands behind the base, when flags
// are set already.
func (r *roster) setPlace(m *record, info []byte, inCur bool) {
	m.state &^= recCur | recOdd
	if inCur {
		m.state |= recCur
	}
	delete(r.odd, m.uid)
	if !usualInfo(info, r.diskFlags(m), inCur) {
		if r.odd == nil {
			r.odd = map[uint32]string{}
		}
		r.odd[m.uid] = string(info)
		m.state |= recOdd
	}
}

func (r *roster) setBase(m *record, base []byte) {
	m.state &^= recSize | recVirtual | recInline
	m.size = field(base, 'S')
	var room [256]byte
	key := base[:keyLen(base)]
	switch {
	case m.size >= 0 && bytes.Equal(base, appendSizes(append(room[:0], key...), m.size, -1)):
		m.state |= recSize
	case m.size >= 0 && linesOf(base) != linesUnknown && bytes.Equal(base, appendSizes(append(room[:0], key...), m.size, int64(linesOf(base)))):
		m.state |= recSize | recVirtual
	case len(key) < len(base):
		m.state |= recInline
	}
	stored := base
	m.host = 0
	if m.state&recInline == 0 {
		m.host = r.hostOf(key)
		stored = key[:len(key)-len(r.hosts[m.host])]
	}
	m.name, m.nameLen = uint32(len(r.names)), uint8(len(stored))
	r.names = append(r.names, stored...)
}

// hostOf finds or makes the entry for the host's part of a key: what follows
// the second dot. Keys without one, and those of the 256th host, have none.
func (r *roster) hostOf(key []byte) uint8 {
	if len(r.hosts) == 0 {
		r.hosts = []string{""}
	}
	first := bytes.IndexByte(key, '.')
	second := bytes.IndexByte(key[first+1:], '.')
	if first < 0 || second < 0 {
		return 0
	}
	host := key[first+1+second:]
	for i, h := range r.hosts {
		if h == string(host) {
			return uint8(i)
		}
	}
	if len(r.hosts) > math.MaxUint8 {
		return 0
	}
	r.hosts = append(r.hosts, string(host))
	return uint8(len(r.hosts) - 1)
}

// appendKeyOf appends the key of a message's name.
func (r *roster) appendKeyOf(dst []byte, m *record) []byte {
	stored := r.names[m.name:][:m.nameLen]
	if m.state&recInline != 0 {
		return append(dst, stored[:keyLen(stored)]...)
	}
	return append(append(dst, stored...), r.hosts[m.host]...)
}

// appendBase appends a message's name without flags.
func (r *roster) appendBase(dst []byte, m *record) []byte {
	stored := r.names[m.name:][:m.nameLen]
	dst = append(dst, stored...)
	if m.state&recInline != 0 {
		return dst
	}
	dst = append(dst, r.hosts[m.host]...)
	switch {
	case m.state&recVirtual != 0:
		return appendSizes(dst, m.size, int64(m.lines))
	case m.state&recSize != 0:
		return appendSizes(dst, m.size, -1)
	}
	return dst
}

// appendName appends a message's name as it is on the disk now.
func (r *roster) appendName(dst []byte, m *record) []byte {
	dst = r.appendBase(dst, m)
	switch {
	case m.state&recOdd != 0:
		return append(dst, r.odd[m.uid]...)
	case m.state&recCur != 0:
		return appendInfo(dst, r.diskFlags(m), "")
	}
	return dst
}

// diskFlags are the flags in a message's name.
func (r *roster) diskFlags(m *record) Flags {
	if m.state&recFlight != 0 {
		return r.flight[m.uid].flags
	}
	return m.flags
}

// take puts a message at its place by UID, which is the end but when a folder
// is read.
func (r *roster) take(m record) {
	r.messages = slices.Insert(r.messages, r.rank(m.uid), m)
	if r.keys != nil {
		r.addKey(m.uid, r.hashOf(&m))
	}
}

// drop removes the messages of ascending UIDs.
func (r *roster) drop(uids []uint32) {
	kept := r.messages[:0]
	shown := r.shown
	for i := range r.messages {
		m := &r.messages[i]
		for len(uids) > 0 && uids[0] < m.uid {
			uids = uids[1:]
		}
		if len(uids) > 0 && uids[0] == m.uid {
			r.forget(m)
			if i < r.shown {
				shown--
			}
			continue
		}
		kept = append(kept, *m)
	}
	clear(r.messages[len(kept):])
	r.messages, r.shown = kept, shown
}

// forget removes what the side tables have on a message.
func (r *roster) forget(m *record) {
	r.removeKey(m)
	delete(r.odd, m.uid)
	delete(r.flight, m.uid)
}

// byKey returns the message with a key, nil if there is none.
func (r *roster) byKey(key []byte) *record {
	if r.keys == nil {
		r.buildKeys()
	}
	var room [256]byte
	for i := r.slot(hashKey(key, nil)); r.keys[i] != keyEmpty; i = r.next(i) {
		if r.keys[i] == keyRemoved {
			continue
		}
		if m := r.find(r.keys[i]); m != nil && bytes.Equal(r.appendKeyOf(room[:0], m), key) {
			return m
		}
	}
	return nil
}

func (r *roster) slot(hash uint64) int { return int(hash & uint64(len(r.keys)-1)) }
func (r *roster) next(slot int) int    { return (slot + 1) & (len(r.keys) - 1) }

// buildKeys makes the hash table, with room for a third more.
func (r *roster) buildKeys() {
	size := 16
	for size < len(r.messages)*4/3+8 {
		size *= 2
	}
	r.keys, r.keysUsed = make([]uint32, size), 0
	for i := range r.messages {
		if m := &r.messages[i]; m.state&recDying == 0 {
			r.addKey(m.uid, r.hashOf(m))
		}
	}
}

func (r *roster) addKey(uid uint32, hash uint64) {
	if (r.keysUsed+1)*8 > len(r.keys)*7 {
		r.buildKeys() // takes uid along
		return
	}
	i := r.slot(hash)
	for r.keys[i] != keyEmpty {
		i = r.next(i)
	}
	r.keys[i] = uid
	r.keysUsed++
}

// removeKey makes a message unknown by its name, because its file is gone.
func (r *roster) removeKey(m *record) {
	if r.keys == nil {
		return
	}
	for i := r.slot(r.hashOf(m)); r.keys[i] != keyEmpty; i = r.next(i) {
		if r.keys[i] == m.uid {
			r.keys[i] = keyRemoved
			return
		}
	}
}

func (r *roster) hashOf(m *record) uint64 {
	stored := r.names[m.name:][:m.nameLen]
	if m.state&recInline != 0 {
		return hashKey(stored[:keyLen(stored)], nil)
	}
	h := r.hosts[m.host]
	return hashKey(stored, []byte(h))
}

// hashKey is FNV-1a over a key in two parts. Keys come from programs of the
// account's owner, who has nobody to attack but himself.
func hashKey(key, rest []byte) uint64 {
	h := fnv1a(fnv1a(fnvStart, key), rest)
	return h ^ h>>29
}

const fnvStart = 0xcbf29ce484222325

func fnv1a(h uint64, text []byte) uint64 {
	for _, c := range text {
		h = (h ^ uint64(c)) * 0x100000001b3
	}
	return h
}

// emailIDOf is the id of a message that has the Dovecot GUID text; a GUID
// that we made is the id itself.
func emailIDOf(guid []byte) uint64 {
	if id, ok := parseEmailID(guid); ok {
		return id
	}
	return fnv1a(fnvStart, guid)
}

// AppendEmailID appends the form in which a StoredMessage's EmailID is told
// (RFC 8474 section 4): "M" and 16 digits.
func AppendEmailID(dst []byte, id uint64) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, 'M')
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, digits[id>>shift&15])
	}
	return dst
}

func parseEmailID(text []byte) (id uint64, ok bool) {
	if len(text) != 17 || text[0] != 'M' {
		return 0, false
	}
	for _, c := range text[1:] {
		digit := strings.IndexByte("0123456789abcdef", c)
		if digit < 0 {
			return 0, false
		}
		id = id<<4 | uint64(digit)
	}
	return id, true
}
