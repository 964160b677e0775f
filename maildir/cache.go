package maildir

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"math/rand/v2"
	"strconv"
	"sync"

	"barid/internal/vfs"
)

// barid-cache holds blobs that the door has made from messages, so that
// FETCH need not read the messages again:
//
//	file = magic(16) *( entry padding )
//	entry = uid(4) length(4) crc(4) zeros(4) blob
//
// Entries begin at multiples of cacheUnit. The crc (CRC-32C) begins with
// UIDVALIDITY and covers uid, length and blob, so an offset that leads to anything
// else finds nothing. Where the entries are stands in the index.
const (
	cacheUnit  = 16
	cacheHead  = 16
	cacheMagic = "baridcache 1\n\n\n\n"
	cacheWaste = 1 << 20 // fewer octets of garbage are left alone

	// CacheBlobMax is the longest blob that is kept, in octets.
	CacheBlobMax = 1 << 20
)

// cacheFile is the state of barid-cache. Folder.mu guards it but for put.
type cacheFile struct {
	put  sync.Mutex // held while entries are added
	end  int64      // where the next entry goes; 0 before that is known
	dead int64      // octets of entries that nobody refers to
}

func (f *Folder) cachePath() string { return f.path + "/barid-cache" }

func padded(n int64) int64 { return (n + cacheUnit - 1) &^ (cacheUnit - 1) }

// cachedBytes is what the entry of a message takes.
func cachedBytes(m *record) int64 {
	if m.cacheAt == 0 {
		return 0
	}
	return cacheHead + padded(int64(m.cacheLen))
}

// CacheItem is a blob that belongs to a message.
type CacheItem struct {
	UID  uint32
	Blob []byte
}

// CachePut keeps blobs for messages, in place of those that they have. It
// should be called for many at once, in the order of UIDs. Blobs longer than
// CacheBlobMax and those of messages that are gone are left out. What cannot be
// written is no loss: the error is for the log.
func (f *Folder) CachePut(items []CacheItem) error {
	f.cache.put.Lock()
	defer f.cache.put.Unlock()
	if err := f.alive(); err != nil {
		return err
	}
	file, end, err := f.openCache()
	if err != nil {
		return err
	}
	var text []byte
	offsets := make([]uint32, len(items))
	for i, item := range items {
		at := (end + int64(len(text))) / cacheUnit
		if len(item.Blob) > CacheBlobMax || at > 1<<32-1 {
			continue
		}
		offsets[i] = uint32(at)
		text = f.appendEntry(text, item)
	}
	_, err = file.WriteAt(text, end)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	f.mu.Lock()
	f.cache.end = end + int64(len(text))
	f.noteCached(items, offsets)
	f.mu.Unlock()
	f.flushLog(logSlack)
	return nil
}

// openCache opens the file, made if need be, and returns where it ends.
func (f *Folder) openCache() (vfs.File, int64, error) {
	fsys := f.store().fs
	file, err := fsys.OpenWrite(f.cachePath())
	if errors.Is(err, fs.ErrNotExist) {
		if file, err = fsys.Create(f.cachePath(), 0o600); err == nil {
			_, err = file.WriteAt([]byte(cacheMagic), 0)
		}
	}
	if err != nil {
		return nil, 0, err
	}
	size, err := file.Size()
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	return file, padded(max(size, f.cache.end, int64(len(cacheMagic)))), nil
}

func (f *Folder) appendEntry(dst []byte, item CacheItem) []byte {
	at := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, item.UID)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(item.Blob)))
	dst = append(append(dst, make([]byte, 8)...), item.Blob...)
	binary.LittleEndian.PutUint32(dst[at+8:], entrySum(f.uids.validity, dst[at:]))
	return append(dst, make([]byte, padded(int64(len(item.Blob)))-int64(len(item.Blob)))...)
}

func entrySum(validity uint32, entry []byte) uint32 {
	return crc32.Update(crc32.Update(validity, castagnoli, entry[:8]), castagnoli, entry[cacheHead:])
}

// noteCached takes the offsets into the roster and the index. mu is held.
func (f *Folder) noteCached(items []CacheItem, offsets []uint32) {
	f.logFrame(frameCached, func(dst []byte) []byte {
		for i, item := range items {
			m := f.find(item.UID)
			if m == nil || offsets[i] == 0 {
				continue
			}
			f.cache.dead += cachedBytes(m)
			m.cacheAt, m.cacheLen = offsets[i], uint32(len(item.Blob))
			dst = binary.LittleEndian.AppendUint32(dst, item.UID)
			dst = binary.LittleEndian.AppendUint32(dst, m.cacheAt)
			dst = binary.LittleEndian.AppendUint32(dst, m.cacheLen)
		}
		return dst
	})
}

// CacheReader reads blobs, quickly in the order in which they were put. It
// belongs to one goroutine.
type CacheReader struct {
	folder *Folder
	file   vfs.File // nil: there is no cache
	window []byte   // what was read ahead
	at     int64    // its offset
	buf    []byte
}

// NewCacheReader begins to read blobs, by pieces as long as buf, which it uses
// until Close; 64 KiB are a good length.
func (f *Folder) NewCacheReader(buf []byte) *CacheReader {
	file, err := f.store().fs.Open(f.cachePath())
	if err != nil {
		file = nil
	}
	return &CacheReader{folder: f, file: file, buf: buf[:cap(buf)]}
}

// Get returns the blob of a message, as Messages described it, until the next
// call; nil when there is none or it is damaged.
func (r *CacheReader) Get(m *StoredMessage) []byte {
	if m.cacheAt == 0 || r.file == nil {
		return nil
	}
	entry := r.read(int64(m.cacheAt)*cacheUnit, cacheHead+int(m.cacheLen))
	if entry == nil || binary.LittleEndian.Uint32(entry) != m.UID || binary.LittleEndian.Uint32(entry[4:]) != m.cacheLen {
		return nil
	}
	if binary.LittleEndian.Uint32(entry[8:]) != entrySum(r.folder.uids.validity, entry) {
		return nil
	}
	return entry[cacheHead:]
}

// read returns a piece of the file, from the window if that has it.
func (r *CacheReader) read(at int64, n int) []byte {
	if n > cacheHead+CacheBlobMax {
		return nil
	}
	if at < r.at || at+int64(n) > r.at+int64(len(r.window)) {
		if n > len(r.buf) {
			r.buf = make([]byte, n)
		}
		got, _ := r.file.ReadAt(r.buf, at) // short at the end of the file
		r.window, r.at = r.buf[:got], at
	}
	if at+int64(n) > r.at+int64(len(r.window)) {
		return nil
	}
	return r.window[at-r.at:][:n]
}

// Close gives the file back.
func (r *CacheReader) Close() {
	if r.file != nil {
		r.file.Close()
	}
}

// compactCache writes the file anew, in the order of UIDs, when more than half
// of it is garbage. work is held, and no view is open.
func (f *Folder) compactCache() {
	if f.cache.dead < cacheWaste || f.cache.dead < f.cache.end/2 {
		return
	}
	r := f.NewCacheReader(make([]byte, 64<<10))
	defer r.Close()
	tmp := f.dirs.tmp + "/barid-cache." + strconv.FormatUint(rand.Uint64(), 36)
	fsys := f.store().fs
	file, err := fsys.Create(tmp, 0o600)
	if err != nil {
		return
	}
	offsets, end, err := f.rewriteCache(r, file)
	if err = errors.Join(err, file.Close()); err == nil {
		err = fsys.Rename(tmp, f.cachePath())
	}
	if err != nil {
		f.logger().Warn("cannot shorten barid-cache", "folder", f.path, "error", errors.Join(err, fsys.Remove(tmp)))
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, at := range offsets {
		f.messages[i].cacheAt = at
	}
	f.cache.end, f.cache.dead = end, 0
	f.log = indexLog{} // all offsets are new: so will be the index
}

func (f *Folder) rewriteCache(r *CacheReader, file vfs.File) (offsets []uint32, end int64, err error) {
	text := append(make([]byte, 0, 128<<10), cacheMagic...)
	offsets = make([]uint32, len(f.messages))
	for i := range f.messages {
		m := &f.messages[i]
		blob := r.Get(&StoredMessage{UID: m.uid, cacheAt: m.cacheAt, cacheLen: m.cacheLen})
		if blob == nil {
			continue
		}
		offsets[i] = uint32((end + int64(len(text))) / cacheUnit)
		text = f.appendEntry(text, CacheItem{m.uid, blob})
		if len(text) >= 64<<10 {
			if _, err := file.WriteAt(text, end); err != nil {
				return nil, 0, err
			}
			end += int64(len(text))
			text = text[:0]
		}
	}
	_, err = file.WriteAt(text, end)
	return offsets, end + int64(len(text)), err
}

// VirtualSize is a message's RFC822.SIZE: its size with CRLF line ends. Where
// its name does not tell it, the file is read, once for all sessions.
func (f *Folder) VirtualSize(uid uint32) (int64, error) {
	file, err := f.OpenMessage(uid)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	buf := f.store().copies.Get().(*[copyBytes]byte)
	defer f.store().copies.Put(buf)
	size, bare, _, err := measure(file, buf[:])
	if err != nil {
		return 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.find(uid)
	if m == nil || m.lines != linesUnknown || m.size != size || bare >= linesUnknown {
		return size + bare, nil
	}
	shown := f.rank(uid) < f.shown
	if shown {
		f.counts.count(m, -1)
	}
	m.lines = uint32(bare)
	if shown {
		f.counts.count(m, 1)
	}
	f.logFrame(frameLines, func(dst []byte) []byte {
		dst = binary.LittleEndian.AppendUint32(dst, uid)
		return binary.LittleEndian.AppendUint32(dst, m.lines)
	})
	return size + bare, nil
}
