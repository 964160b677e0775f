//go:build !race

package maildir

import "testing"

func TestAllocFreeReadingOfMessagesAndBlobs(t *testing.T) {
	_, m := disk(t)
	f := mustFolder(t, m, Inbox)
	defer f.Close()
	for range 20 {
		appendText(t, f, "x\n", Seen)
	}
	v := mustView(t, f, ViewOptions{})
	var items []CacheItem
	for _, uid := range f.allUIDs() {
		items = append(items, CacheItem{uid, []byte("envelope")})
	}
	must(t, f.CachePut(items))
	room := make([]StoredMessage, 0, 8)
	r := f.NewCacheReader(make([]byte, 4096))
	defer r.Close()
	changes := make([]Change, 0, 8)
	if n := testing.AllocsPerRun(100, func() {
		for seq := 1; seq <= 20; seq += len(room) {
			room = v.Messages(room[:0], seq)
			for i := range room {
				if string(r.Get(&room[i])) != "envelope" {
					t.Fatal("no blob")
				}
			}
		}
		changes, _ = v.Sync(changes[:0], SyncOptions{})
		v.Seq(7)
		v.ByUID(9)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
