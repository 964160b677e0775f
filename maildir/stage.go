package maildir

import (
	"encoding/binary"
	"slices"
	"time"
)

// change is a change of the folder that is in the files and waits to be
// published: to be taken into what clients see, once it is durable. Changes are
// published in the order in which the files were changed.
type change struct {
	kind   changeKind
	uids   []uint32 // ascending; of messages that came: all of them at the end of the roster
	flags  []Flags  // flagsChanged: those of each of uids
	by     *View    // who did it and knows; nil: nobody
	ready  bool     // it is durable, or never will be
	failed error
	out    bool // it has been published
}

type changeKind uint8

const (
	added changeKind = iota
	flagsChanged
	vanished
)

// stage notes a change. work is held, mu is not.
func (f *Folder) stage(c *change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.staged = append(f.staged, c)
	for i, uid := range c.uids {
		m := f.find(uid)
		if m == nil {
			continue
		}
		switch c.kind {
		case flagsChanged:
			f.fly(m, c.flags[i])
		case vanished:
			f.removeKey(m)
			m.state |= recDying
		}
	}
}

// fly notes the flags that a message's name has now.
func (r *roster) fly(m *record, flags Flags) {
	if r.flight == nil {
		r.flight = map[uint32]staying{}
	}
	was := r.flight[m.uid]
	r.flight[m.uid] = staying{flags, was.changes + 1}
	m.state |= recFlight
}

// land is the reverse of fly, for one change.
func (r *roster) land(m *record) {
	s := r.flight[m.uid]
	if s.changes--; s.changes > 0 {
		r.flight[m.uid] = s
		return
	}
	delete(r.flight, m.uid)
	m.state &^= recFlight
}

// settle waits until changes are durable and published. work is not held. An
// error means that the sync failed: messages that came are then taken out
// again by whoever put them there; what else was changed in the files is
// published all the same, for running programs see it.
func (f *Folder) settle(w syncWant, changes ...*change) error {
	return f.settled(f.store().commit(w), changes...)
}

// settled is settle after the sync.
func (f *Folder) settled(err error, changes ...*change) error {
	f.mu.Lock()
	for _, c := range changes {
		c.ready, c.failed = true, err
	}
	told := f.publishReady()
	for _, c := range changes {
		for !c.out {
			f.published.Wait()
		}
	}
	f.mu.Unlock()
	if told {
		f.flushLog(logSlack)
		var by *View
		if len(changes) > 0 {
			by = changes[0].by
		}
		f.notify(by)
	}
	return err
}

// publishReady publishes what is durable, up to the first change that is not.
// mu is held.
func (f *Folder) publishReady() (told bool) {
	n := 0
	for n < len(f.staged) && f.staged[n].ready {
		c := f.staged[n]
		f.publish(c)
		c.out = true
		n++
	}
	if n == 0 {
		return false
	}
	rest := copy(f.staged, f.staged[n:])
	clear(f.staged[rest:])
	f.staged = f.staged[:rest]
	f.published.Broadcast()
	return true
}

// tick is the number of a new change: the time in microseconds, so that what
// comes after a power cut has a higher number than all that was told before,
// or one more than the last.
func (f *Folder) tick(now time.Time) int64 {
	f.history.modseq = max(f.history.modseq+1, now.UnixMicro())
	return f.history.modseq
}

func (f *Folder) publish(c *change) {
	if len(c.uids) == 0 {
		return
	}
	modseq := f.tick(f.store().now())
	switch c.kind {
	case added:
		f.publishAdded(c, modseq)
	case flagsChanged:
		f.publishFlags(c, modseq)
	case vanished:
		f.publishVanished(c, modseq)
	}
}

func (f *Folder) publishAdded(c *change, modseq int64) {
	if c.failed != nil {
		f.drop(c.uids)
		return
	}
	for _, uid := range c.uids {
		m := f.find(uid)
		m.modseq = modseq
		f.counts.count(m, 1)
	}
	f.shown += len(c.uids)
	f.told = max(f.told, c.uids[len(c.uids)-1])
	f.logAdded(c.uids)
}

func (f *Folder) publishFlags(c *change, modseq int64) {
	for i, uid := range c.uids {
		m := f.find(uid)
		if m == nil {
			continue
		}
		f.counts.count(m, -1)
		m.flags, m.modseq = c.flags[i], modseq
		f.counts.count(m, 1)
		f.land(m)
	}
	if len(f.views) > 0 {
		f.history.addEvent(c.by, c.uids)
	}
	f.logFrame(frameFlags, func(dst []byte) []byte {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(modseq))
		for i, uid := range c.uids {
			dst = binary.LittleEndian.AppendUint32(dst, uid)
			dst = binary.LittleEndian.AppendUint32(dst, uint32(c.flags[i]))
		}
		return dst
	})
}

func (f *Folder) publishVanished(c *change, modseq int64) {
	c.uids = slices.DeleteFunc(c.uids, func(uid uint32) bool { return f.find(uid) == nil })
	for _, uid := range c.uids {
		m := f.find(uid)
		f.counts.count(m, -1)
		f.cache.dead += cachedBytes(m)
	}
	for _, v := range f.views {
		v.lose(c.uids)
	}
	f.drop(c.uids)
	f.history.addVanished(modseq, c.uids)
	f.logFrame(frameVanished, func(dst []byte) []byte {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(modseq))
		for _, uid := range c.uids {
			dst = binary.LittleEndian.AppendUint32(dst, uid)
		}
		return dst
	})
}
