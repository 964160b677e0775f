package maildir

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"

	"barid/internal/vfs"
)

// indexFile is the state of barid-index on the disk. It belongs to whoever
// holds Folder.work.
type indexFile struct {
	image int64 // octets up to the end of the image
	// next is more than all UIDs that the log tells of. The header, which may
	// reach the disk when the end of the log does not, can know higher ones.
	next uint32
}

// indexLog are frames that are not written yet. mu guards it.
type indexLog struct {
	on      bool // there is an image, so frames make sense
	frames  []byte
	tail    int64 // where frames will be
	chain   uint32
	writing bool
}

const (
	logSlack  = 4 << 10  // so many octets of frames wait before they are written
	imageLess = 64 << 10 // frames may be this much more than half of the image

	indexMax = 1 << 31
)

func (f *Folder) indexPath() string { return f.path + "/barid-index" }

// logFrame appends a frame. mu is held.
func (f *Folder) logFrame(kind uint32, payload func(dst []byte) []byte) {
	if f.log.on {
		f.log.frames, f.log.chain = appendFrame(f.log.frames, kind, f.log.chain, payload)
	}
}

// logAdded appends the frame for messages that came. mu is held.
func (f *Folder) logAdded(uids []uint32) {
	f.logFrame(frameAdded, func(dst []byte) []byte {
		var room [256]byte
		for _, uid := range uids {
			m := f.find(uid)
			dst = appendRecord(dst, m, 0)
			dst = appendShort(dst, string(f.appendBase(room[:0], m)))
			if m.state&recOdd != 0 {
				dst = appendShort(dst, f.odd[uid])
			}
		}
		return dst
	})
}

// logPlaces appends the frame for names that have changed otherwise than by
// flags. mu is held.
func (f *Folder) logPlaces(uids []uint32) {
	f.logFrame(framePlaces, func(dst []byte) []byte {
		for _, uid := range uids {
			m := f.find(uid)
			if m == nil {
				continue
			}
			dst = binary.LittleEndian.AppendUint32(dst, uid)
			dst = append(dst, byte(m.state&(recCur|recOdd)))
			dst = appendShort(dst, f.odd[uid])
		}
		return dst
	})
}

// flushLog writes the frames, if they are more than slack octets. mu is
// not held. What cannot be written makes the file useless until the next
// image; the messages are none the worse for it.
func (f *Folder) flushLog(slack int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for !f.log.writing && len(f.log.frames) > slack {
		frames, tail := f.log.frames, f.log.tail
		f.log.frames, f.log.writing = nil, true
		f.mu.Unlock()
		err := f.writeIndex(frames, tail)
		f.mu.Lock()
		f.log.writing = false
		f.log.tail += int64(len(frames))
		if err != nil {
			f.log = indexLog{}
			f.logger().Warn("cannot write barid-index", "folder", f.path, "error", err)
		}
	}
}

func (f *Folder) writeIndex(text []byte, at int64) error {
	file, err := f.store().fs.OpenWrite(f.indexPath())
	if err != nil {
		return err
	}
	_, err = file.WriteAt(text, at)
	return errors.Join(err, file.Close())
}

// readIndex fills the empty roster from barid-index; ok is false when there is
// none that makes sense. whole says that the log ends where the header says,
// so that what the header says of the directories holds.
func (f *Folder) readIndex() (h indexHeader, ok, whole bool) {
	text, err := vfs.ReadFile(f.store().fs, f.indexPath(), indexMax)
	if err != nil {
		return h, false, false
	}
	if h, ok = decodeHeader(text); !ok {
		return h, false, false
	}
	kind, payload, rest, chain, ok := nextFrame(text[headerSize:], 0)
	if !ok || kind != frameImage {
		return h, false, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	im, ok := decodeImage(payload)
	if !ok {
		return h, false, false
	}
	f.roster, f.history.vanished, f.keywords.names, f.index.next = im.roster, im.vanished, im.keywords, im.next
	f.index.image = int64(len(text) - len(rest))
	for {
		kind, payload, after, crc, ok := nextFrame(rest, chain)
		if !ok || !f.replay(kind, &reader{text: payload}) {
			break
		}
		rest, chain = after, crc
	}
	f.shown = len(f.messages)
	f.log = indexLog{on: true, tail: int64(len(text) - len(rest)), chain: chain}
	return h, true, h.tail == f.log.tail && h.chain == chain
}

// replay takes a frame in; false when it makes no sense.
func (f *Folder) replay(kind uint32, in *reader) bool {
	switch kind {
	case frameAdded:
		for len(in.text) > 0 && !in.bad {
			f.replayAdded(in)
		}
	case frameFlags:
		modseq := in.int64()
		for len(in.text) > 0 && !in.bad {
			if m, flags := f.find(in.uint32()), Flags(in.uint32()); m != nil {
				m.flags, m.modseq = flags, modseq
			}
		}
		f.history.modseq = max(f.history.modseq, modseq)
	case frameVanished:
		f.replayVanished(in)
	case framePlaces:
		for len(in.text) > 0 && !in.bad {
			f.replayPlace(in)
		}
	case frameLines:
		for len(in.text) > 0 && !in.bad {
			if m, lines := f.find(in.uint32()), in.uint32(); m != nil {
				m.lines = lines
			}
		}
	case frameCached:
		for len(in.text) > 0 && !in.bad {
			if m, at, n := f.find(in.uint32()), in.uint32(), in.uint32(); m != nil {
				m.cacheAt, m.cacheLen = at, n
			}
		}
	case frameKeywords:
		f.keywords.names = nil
		for len(in.text) > 0 && !in.bad {
			f.keywords.names = append(f.keywords.names, string(in.short()))
		}
	default:
		return false
	}
	return !in.bad
}

func (f *Folder) replayAdded(in *reader) {
	text := in.bytes(recordSize)
	if text == nil {
		return
	}
	saved := decodeRecord(text)
	base := in.short()
	if in.bad || len(base) == 0 || f.find(saved.uid) != nil {
		in.bad = true
		return
	}
	m := saved
	m.state = saved.state & recCur
	f.setBase(&m, base)
	m.size, m.lines = saved.size, saved.lines
	if saved.state&recOdd != 0 {
		f.setOdd(&m, string(in.short()))
	}
	f.take(m)
	f.index.next = max(f.index.next, m.uid+1)
	f.history.modseq = max(f.history.modseq, m.modseq)
}

func (f *Folder) replayVanished(in *reader) {
	modseq := in.int64()
	var uids []uint32
	for len(in.text) > 0 && !in.bad {
		uids = append(uids, in.uint32())
	}
	for _, uid := range uids {
		if m := f.find(uid); m != nil {
			f.cache.dead += cachedBytes(m)
		}
	}
	f.drop(uids)
	f.history.addVanished(modseq, uids)
	f.history.modseq = max(f.history.modseq, modseq)
}

func (f *Folder) replayPlace(in *reader) {
	uid := in.uint32()
	state := in.bytes(1)
	info := in.short()
	m := f.find(uid)
	if in.bad || m == nil {
		return
	}
	m.state = m.state&^(recCur|recOdd) | recordState(state[0])&recCur
	delete(f.odd, uid)
	if recordState(state[0])&recOdd != 0 {
		f.setOdd(m, string(info))
	}
}

func (r *roster) setOdd(m *record, info string) {
	if r.odd == nil {
		r.odd = map[uint32]string{}
	}
	r.odd[m.uid] = info
	m.state |= recOdd
}

// leave writes what the log lacks and a header that says how things stand, or
// the whole file anew. work is held, and nobody else has the folder.
func (f *Folder) leave() {
	f.shortenUIDs()
	f.compactCache()
	if !f.log.on || f.log.tail-f.index.image > f.index.image/2+imageLess {
		f.writeImage()
		return
	}
	f.flushLog(0)
	if h := f.header(); f.log.on {
		if err := f.writeIndex(h.encode(), 0); err != nil {
			f.logger().Warn("cannot write barid-index", "folder", f.path, "error", err)
		}
	}
}

// header says how things stand, for a log that is written.
func (f *Folder) header() indexHeader {
	f.mu.RLock()
	defer f.mu.RUnlock()
	newTime, curTime := f.inStep()
	h := indexHeader{
		validity: f.uids.validity, next: f.next, id: f.uids.id, modseq: f.history.modseq, floor: f.history.floor, recentFrom: f.recentFrom,
		tail: f.log.tail + int64(len(f.log.frames)), chain: f.log.chain, newTime: newTime, curTime: curTime,
		uidSum: f.uids.stamp.Sum(), uidSize: f.uids.size, uidLines: uint32(f.uids.lines), keywordsSum: f.keywords.stamp.Sum(),
		cacheEnd: f.cache.end, cacheDead: f.cache.dead, counts: f.counts,
	}
	h.counts.recent = f.recents()
	if f.uids.mend || len(f.uids.claims) > 0 {
		h.uidSum = 0
	}
	return h
}

// writeImage writes barid-index anew, beside the old one. It is not synced: one that a
// power cut tears is noticed and made again. work is held.
func (f *Folder) writeImage() {
	f.mu.Lock()
	image, chain := appendFrame(make([]byte, headerSize), frameImage, 0, func(dst []byte) []byte {
		return appendImage(dst, &f.roster, f.next, f.history.vanished, f.keywords.names)
	})
	f.log = indexLog{on: true, tail: int64(len(image)), chain: chain}
	f.mu.Unlock()
	f.index.image = int64(len(image))
	h := f.header()
	if err := f.replaceIndex(slices.Concat(h.encode(), image[headerSize:])); err != nil {
		f.mu.Lock()
		f.log = indexLog{}
		f.mu.Unlock()
		f.logger().Warn("cannot write barid-index", "folder", f.path, "error", err)
	}
}

func (f *Folder) replaceIndex(text []byte) error {
	fs := f.store().fs
	tmp := f.dirs.tmp + "/barid-index." + strconv.FormatUint(rand.Uint64(), 36)
	file, err := fs.Create(tmp, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Close()); err == nil {
		err = fs.Rename(tmp, f.indexPath())
	}
	if err != nil {
		return errors.Join(err, fs.Remove(tmp))
	}
	return nil
}
