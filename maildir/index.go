package maildir

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
)

// barid-index is a header of headerSize octets, which fit into one block of
// any disk, and a log of frames. All numbers are little-endian.
//
//	frame = length(4) kind(4) crc(4) payload
//
// The crc (CRC-32C) covers the crc of the frame before, the length, the kind
// and the payload.
const (
	headerSize  = 512
	headerMagic = "baridix1"
	frameHead   = 12
	recordSize  = 64
)

// The kinds of frames.
const (
	frameImage    = 'I' // everything; the first frame and no other
	frameAdded    = 'A' // messages that came
	frameFlags    = 'F' // modseq, then UIDs and flags
	frameVanished = 'V' // modseq, then UIDs
	framePlaces   = 'P' // UIDs, directories and odd parts of names
	frameLines    = 'L' // UIDs and lines
	frameCached   = 'C' // UIDs, offsets and lengths in barid-cache
	frameKeywords = 'K' // the names of all keywords
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// indexHeader says how things stood when the log was as long as tail says.
type indexHeader struct {
	validity, next uint32
	id             [16]byte
	modseq, floor  int64
	recentFrom     uint32
	tail           int64
	chain          uint32 // crc of the last frame
	newTime        int64  // modification time of new/ in nanoseconds; 0: not in step with it
	curTime        int64
	uidSum         uint64 // of the stamp of dovecot-uidlist
	uidSize        int64
	uidLines       uint32
	keywordsSum    uint64
	cacheEnd       int64
	cacheDead      int64
	counts         counts
}

// counts are what STATUS asks for (RFC 9051 section 6.3.11).
type counts struct {
	messages, unseen, deleted uint32
	recent                    uint32 // only in a header
	unsized                   uint32 // messages whose lines nobody has counted
	bytes, deletedBytes       int64  // with CRLF line ends, as far as they are known
}

func (h *indexHeader) fields() []any {
	return []any{&h.validity, &h.next, &h.id, &h.modseq, &h.floor, &h.recentFrom, &h.tail, &h.chain, &h.newTime, &h.curTime,
		&h.uidSum, &h.uidSize, &h.uidLines, &h.keywordsSum, &h.cacheEnd, &h.cacheDead,
		&h.counts.messages, &h.counts.unseen, &h.counts.recent, &h.counts.deleted, &h.counts.unsized, &h.counts.bytes, &h.counts.deletedBytes}
}

// encode returns the header as it is on the disk.
func (h *indexHeader) encode() []byte {
	out := append(make([]byte, 0, headerSize), headerMagic...)
	for _, field := range h.fields() {
		out, _ = binary.Append(out, binary.LittleEndian, field) // fixed-size types never fail
	}
	out = out[:headerSize-4]
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(out, castagnoli))
}

// decodeHeader reads a header; ok is false when it is damaged.
func decodeHeader(text []byte) (h indexHeader, ok bool) {
	if len(text) < headerSize || string(text[:len(headerMagic)]) != headerMagic ||
		binary.LittleEndian.Uint32(text[headerSize-4:]) != crc32.Checksum(text[:headerSize-4], castagnoli) {
		return h, false
	}
	text = text[len(headerMagic):headerSize]
	for _, field := range h.fields() {
		n, err := binary.Decode(text, binary.LittleEndian, field)
		if err != nil {
			return h, false
		}
		text = text[n:]
	}
	return h, true
}

// appendFrame appends a frame whose payload make appends, and returns its crc
// beside.
func appendFrame(dst []byte, kind uint32, chain uint32, payload func(dst []byte) []byte) ([]byte, uint32) {
	start := len(dst)
	dst = append(dst, make([]byte, frameHead)...)
	dst = payload(dst)
	frame := dst[start:]
	binary.LittleEndian.PutUint32(frame, uint32(len(frame)-frameHead))
	binary.LittleEndian.PutUint32(frame[4:], kind)
	crc := crc32.Update(chain, castagnoli, frame[:8])
	crc = crc32.Update(crc, castagnoli, frame[frameHead:])
	binary.LittleEndian.PutUint32(frame[8:], crc)
	return dst, crc
}

// nextFrame returns the first frame of text; ok is false when it is not as it
// was written.
func nextFrame(text []byte, chain uint32) (kind uint32, payload, rest []byte, crc uint32, ok bool) {
	if len(text) < frameHead {
		return 0, nil, nil, 0, false
	}
	length := uint64(binary.LittleEndian.Uint32(text))
	if length > uint64(len(text)-frameHead) {
		return 0, nil, nil, 0, false
	}
	payload = text[frameHead:][:length]
	crc = crc32.Update(chain, castagnoli, text[:8])
	crc = crc32.Update(crc, castagnoli, payload)
	if crc != binary.LittleEndian.Uint32(text[8:]) {
		return 0, nil, nil, 0, false
	}
	return binary.LittleEndian.Uint32(text[4:]), payload, text[frameHead+length:], crc, true
}

// appendRecord appends a record, with its name at an offset.
func appendRecord(dst []byte, m *record, name uint32) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint64(dst, uint64(m.modseq))
	dst = le.AppendUint64(dst, uint64(m.size))
	dst = le.AppendUint64(dst, uint64(m.date))
	dst = le.AppendUint64(dst, m.email)
	dst = le.AppendUint32(dst, m.uid)
	dst = le.AppendUint32(dst, uint32(m.flags))
	dst = le.AppendUint32(dst, m.lines)
	dst = le.AppendUint32(dst, name)
	dst = le.AppendUint32(dst, m.cacheAt)
	dst = le.AppendUint32(dst, m.cacheLen)
	return append(dst, m.nameLen, m.host, byte(m.state&onDisk), 0, 0, 0, 0, 0)
}

func decodeRecord(text []byte) record {
	le := binary.LittleEndian
	_ = text[recordSize-1]
	return record{
		modseq: int64(le.Uint64(text)), size: int64(le.Uint64(text[8:])), date: int64(le.Uint64(text[16:])), email: le.Uint64(text[24:]),
		uid: le.Uint32(text[32:]), flags: Flags(le.Uint32(text[36:])), lines: le.Uint32(text[40:]), name: le.Uint32(text[44:]),
		cacheAt: le.Uint32(text[48:]), cacheLen: le.Uint32(text[52:]),
		nameLen: text[56], host: text[57], state: recordState(text[58]),
	}
}

// reader takes a payload apart; bad is set once and for all when it is too
// short, and then only zeros come.
type reader struct {
	text []byte
	bad  bool
}

func (r *reader) bytes(n int) []byte {
	if r.bad || n < 0 || n > len(r.text) {
		r.bad = true
		return nil
	}
	piece := r.text[:n]
	r.text = r.text[n:]
	return piece
}

func (r *reader) uint32() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) int64() int64 {
	if b := r.bytes(8); b != nil {
		return int64(binary.LittleEndian.Uint64(b))
	}
	return 0
}

// short is a text of at most 255 octets behind its length.
func (r *reader) short() []byte {
	if b := r.bytes(1); b != nil {
		return r.bytes(int(b[0]))
	}
	return nil
}

func appendShort(dst []byte, text string) []byte {
	text = text[:min(len(text), 255)]
	return append(append(dst, byte(len(text))), text...)
}

// appendImage appends the payload of an image: the next UID, the messages that
// are shown, the history of vanished ones, and the keywords.
func appendImage(dst []byte, r *roster, next uint32, vanished []vanishedRange, keywords []string) []byte {
	le := binary.LittleEndian
	shown := r.messages[:r.shown]
	nameBytes := 0
	for i := range shown {
		nameBytes += int(shown[i].nameLen)
	}
	dst = le.AppendUint32(dst, next)
	for _, n := range []int{len(shown), nameBytes, len(r.hosts), len(vanished), len(keywords)} {
		dst = le.AppendUint32(dst, uint32(n))
	}
	dst = slices.Grow(dst, len(shown)*recordSize+nameBytes)
	at := uint32(0)
	for i := range shown {
		dst = appendRecord(dst, &shown[i], at)
		at += uint32(shown[i].nameLen)
	}
	for i := range shown {
		dst = append(dst, r.names[shown[i].name:][:shown[i].nameLen]...)
	}
	for _, h := range r.hosts {
		dst = appendShort(dst, h)
	}
	for _, v := range vanished {
		dst = le.AppendUint64(dst, uint64(v.modseq))
		dst = le.AppendUint32(dst, v.first)
		dst = le.AppendUint32(dst, v.last)
	}
	for _, k := range keywords {
		dst = appendShort(dst, k)
	}
	for i := range shown {
		if shown[i].state&recOdd != 0 {
			dst = appendShort(dst, r.odd[shown[i].uid])
		}
	}
	return dst
}

// image is what decodeImage finds.
type image struct {
	roster   roster
	next     uint32
	vanished []vanishedRange
	keywords []string
}

// decodeImage is the reverse of appendImage; ok is false when the numbers do
// not fit together.
func decodeImage(payload []byte) (im image, ok bool) {
	in := reader{text: payload}
	im.next = in.uint32()
	count, nameBytes, hosts := int(in.uint32()), int(in.uint32()), int(in.uint32())
	ranges, words := int(in.uint32()), int(in.uint32())
	if count < 0 || count > len(in.text)/recordSize {
		return image{}, false
	}
	text := in.bytes(count * recordSize)
	r := &im.roster
	r.names = slices.Clone(in.bytes(nameBytes))
	if in.bad || hosts > 256 || words > KeywordsMax {
		return image{}, false
	}
	r.messages = make([]record, count)
	for i := range r.messages {
		r.messages[i] = decodeRecord(text[i*recordSize:])
	}
	for range hosts {
		r.hosts = append(r.hosts, string(in.short()))
	}
	for range min(ranges, vanishedMax) {
		im.vanished = append(im.vanished, vanishedRange{in.int64(), in.uint32(), in.uint32()})
	}
	for range words {
		im.keywords = append(im.keywords, string(in.short()))
	}
	r.shown = count
	return im, r.sound(&in) && !in.bad
}

// sound checks what decodeImage has put together, and reads the odd parts.
func (r *roster) sound(in *reader) bool {
	last := uint32(0)
	for i := range r.messages {
		m := &r.messages[i]
		if m.uid <= last || int(m.name)+int(m.nameLen) > len(r.names) || int(m.host) >= max(len(r.hosts), 1) {
			return false
		}
		last = m.uid
		if m.state&recOdd != 0 {
			if r.odd == nil {
				r.odd = map[uint32]string{}
			}
			r.odd[m.uid] = string(in.short())
		}
	}
	if len(r.hosts) == 0 {
		r.hosts = []string{""}
	}
	return true
}
