package maildir

import (
	"math"
	"sort"
)

// history is what happened to a folder: which UIDs have vanished, and, for the
// views that have not been told yet, which flags have changed.
type history struct {
	modseq   int64 // the highest that was given
	floor    int64 // what vanished at or before this change is forgotten
	vanished []vanishedRange

	events  []event // the latest changes of flags
	first   int64   // number of events[0]
	waiting int     // UIDs in events
}

// vanishedRange is a run of UIDs that are gone since a change.
type vanishedRange struct {
	modseq      int64
	first, last uint32
}

// event is one change of flags.
type event struct {
	by   *View // who made it and needs not be told; nil: somebody else
	uids []uint32
}

const (
	vanishedMax = 8192
	waitingMax  = 65536
)

// addVanished remembers UIDs, which ascend, as gone.
func (h *history) addVanished(modseq int64, uids []uint32) {
	for i := 0; i < len(uids); {
		j := i + 1
		for j < len(uids) && uids[j] == uids[j-1]+1 {
			j++
		}
		h.vanished = append(h.vanished, vanishedRange{modseq, uids[i], uids[j-1]})
		i = j
	}
	if over := len(h.vanished) - vanishedMax; over > 0 {
		over = max(over, vanishedMax/4) // not for every single one
		h.floor = h.vanished[over-1].modseq
		h.vanished = append([]vanishedRange(nil), h.vanished[over:]...)
	}
}

// addEvent remembers a change of flags for the views. UIDs must ascend and
// are kept.
func (h *history) addEvent(by *View, uids []uint32) {
	h.events = append(h.events, event{by, uids})
	h.waiting += len(uids)
	for h.waiting > waitingMax && len(h.events) > 0 {
		h.forgetEvent()
	}
}

func (h *history) forgetEvent() {
	h.waiting -= len(h.events[0].uids)
	h.events[0] = event{}
	h.events = h.events[1:]
	h.first++
	if len(h.events) == 0 {
		h.events = nil
	}
}

// position is the number of the event that comes next.
func (h *history) position() int64 { return h.first + int64(len(h.events)) }

// trim forgets the events that all views know.
func (h *history) trim(views []*View) {
	known := int64(math.MaxInt64)
	for _, v := range views {
		known = min(known, v.position)
	}
	for len(h.events) > 0 && h.first < known {
		h.forgetEvent()
	}
}

// UIDRange is a run of UIDs, both ends included.
type UIDRange struct{ First, Last uint32 }

// Vanished appends the UIDs up to the folder's last that have been expunged
// after the change modseq (RFC 7162 section 3.2.5.1), as ascending ranges that do
// not touch. Where that is forgotten, it is all UIDs that no message has.
func (f *Folder) Vanished(dst []UIDRange, modseq int64) []UIDRange {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if modseq < f.history.floor {
		return f.appendGaps(dst)
	}
	start := len(dst)
	after := sort.Search(len(f.history.vanished), func(i int) bool { return f.history.vanished[i].modseq > modseq })
	for _, v := range f.history.vanished[after:] {
		dst = append(dst, UIDRange{v.first, v.last})
	}
	return dst[:start+len(mergeRanges(dst[start:]))]
}

func (f *Folder) appendGaps(dst []UIDRange) []UIDRange {
	free := uint32(1)
	for i := range f.messages[:f.shown] {
		if uid := f.messages[i].uid; uid > free {
			dst = append(dst, UIDRange{free, uid - 1})
		}
		free = f.messages[i].uid + 1
	}
	if last := f.told; last >= free {
		dst = append(dst, UIDRange{free, last})
	}
	return dst
}

// mergeRanges sorts ranges and joins those that touch, in place.
func mergeRanges(r []UIDRange) []UIDRange {
	sort.Slice(r, func(i, j int) bool { return r[i].First < r[j].First })
	out := r[:0]
	for _, x := range r {
		if n := len(out); n > 0 && x.First <= out[n-1].Last+1 {
			out[n-1].Last = max(out[n-1].Last, x.Last)
			continue
		}
		out = append(out, x)
	}
	return out
}
