package maildir

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// blobs reads what the cache has for all messages.
func blobs(t *testing.T, f *Folder) string {
	t.Helper()
	v := mustView(t, f, ViewOptions{})
	defer v.Close()
	r := f.NewCacheReader(make([]byte, 100)) // shorter than some blobs
	defer r.Close()
	var out []string
	for _, m := range v.Messages(make([]StoredMessage, 0, v.Len()), 1) {
		blob := string(r.Get(&m))
		out = append(out, fmt.Sprintf("%d:%.3s/%d", m.UID, blob, len(blob)))
	}
	return strings.Join(out, " ")
}

func TestCacheIsKeptReplacedAndShortened(t *testing.T) {
	_, m := disk(t)
	f := mustFolder(t, m, Inbox)
	var items []CacheItem
	for i := range 4 {
		uid := appendText(t, f, "x\n", Seen)
		items = append(items, CacheItem{uid, []byte(strings.Repeat(fmt.Sprint("b", i), 20*i))})
	}
	must(t, f.CachePut(append(items, CacheItem{99, []byte("of nobody")}, CacheItem{1, make([]byte, CacheBlobMax+1)})))
	want := "1:/0 2:b1b/40 3:b2b/80 4:b3b/120"
	expect(t, "blobs", blobs(t, f), want)
	f.Close()
	f = mustFolder(t, m, Inbox)
	expect(t, "blobs after reopening", blobs(t, f), want)
	for range 3 { // garbage
		must(t, f.CachePut([]CacheItem{{2, []byte(strings.Repeat("x", CacheBlobMax))}}))
	}
	must(t, f.CachePut([]CacheItem{{2, []byte("new")}}))
	_, err := f.Expunge([]uint32{3}, ExpungeOptions{Any: true})
	must(t, err)
	want = "1:/0 2:new/3 4:b3b/120"
	expect(t, "blobs replaced", blobs(t, f), want)
	f.Close()
	info, err := os.Stat(filepath.Join(m.Path(), "barid-cache"))
	must(t, err)
	if info.Size() > 1000 {
		t.Errorf("the cache still has %d octets", info.Size())
	}
	f = mustFolder(t, m, Inbox)
	defer f.Close()
	expect(t, "blobs after shortening", blobs(t, f), want)
}

func TestDamagedBlobIsMissing(t *testing.T) {
	_, m := disk(t)
	f := mustFolder(t, m, Inbox)
	defer f.Close()
	uid := appendText(t, f, "x\n", Seen)
	must(t, f.CachePut([]CacheItem{{uid, []byte("envelope")}}))
	name := filepath.Join(m.Path(), "barid-cache")
	text, err := os.ReadFile(name)
	must(t, err)
	for i := cacheUnit; i < cacheUnit+cacheHead+8; i++ {
		if i >= cacheUnit+12 && i < cacheUnit+cacheHead {
			continue // means nothing
		}
		text[i] ^= 1
		must(t, os.WriteFile(name, text, 0o600))
		expect(t, fmt.Sprint("octet ", i), blobs(t, f), "1:/0")
		text[i] ^= 1
	}
	must(t, os.Remove(name))
	expect(t, "without a file", blobs(t, f), "1:/0")
	must(t, f.CachePut([]CacheItem{{uid, []byte("again")}}))
	expect(t, "made again", blobs(t, f), "1:aga/5")
}

func TestVirtualSizeIsReadOnceAndRemembered(t *testing.T) {
	_, m := disk(t)
	put(t, m, "cur/1700000001.a.h:2,S", "a\nb\r\nc")
	for range 2 {
		f := mustFolder(t, m, Inbox)
		v := mustView(t, f, ViewOptions{})
		size, err := f.VirtualSize(1)
		must(t, err)
		expect(t, "size", size, 7)
		x, _ := v.ByUID(1)
		expect(t, "remembered", fmt.Sprint(x.Size, x.Virtual, f.Status().Bytes, f.Status().Unsized), "6 7 7 0")
		f.Close()
		st, err := m.FolderStatus(Inbox)
		must(t, err)
		expect(t, "status", fmt.Sprint(st.Bytes, st.Unsized), "7 0")
	}
}
