package maildir

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"math"
	"slices"
)

// list is a listing of new/ and cur/, made for mailboxes of a million
// messages: all names in one piece of memory, 32 octets per message beside.
type list struct {
	names   []byte
	entries []entry
	skipped int
}

// entry is one message of a list.
type entry struct {
	when    int64 // arrival, microseconds since 1970
	size    int64 // -1: not known yet
	virtual int64 // size with CRLF line ends; -1: not known yet
	name    uint32
	nameLen uint8 // a name on disk has at most 255 octets
	baseLen uint8
	keyLen  uint8
	state   state
}

// state is a set of facts about a message of a list.
type state uint8

const (
	inCur   state = 1 << iota // in cur/, not in new/
	gone                      // vanished while the list was in use
	twin                      // another message has the same key
	removed                   // deleted by us
)

func (l *list) name(e *entry) []byte { return l.names[e.name:][:e.nameLen] }
func (l *list) base(e *entry) []byte { return l.names[e.name:][:e.baseLen] }
func (l *list) key(e *entry) []byte  { return l.names[e.name:][:e.keyLen] }

// read lists a folder. new/ comes first: a message that a reader moves to
// cur/ in between is then seen twice, and once is dropped, where the other
// order would miss it.
func (s *Store) read(dirNew, dirCur string) (*list, error) {
	l := &list{}
	for _, dir := range []string{dirNew, dirCur} {
		entries, err := s.fs.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		var where state
		if dir == dirCur {
			where = inCur
		}
		l.entries = slices.Grow(l.entries, len(entries))
		for _, e := range entries {
			l.add(e, where)
		}
	}
	l.sort()
	return l, nil
}

// add takes one directory entry in, or counts it as skipped: links, pipes and
// directories are never followed, and no mail program writes control
// characters into names. Hidden names are not counted; they mean nothing.
func (l *list) add(e fs.DirEntry, where state) {
	name := e.Name()
	if name[0] == '.' {
		return
	}
	if !e.Type().IsRegular() || !plain(name) || len(name) > math.MaxUint8 || !l.room(len(name)) {
		l.skipped++
		return
	}
	at := len(l.names)
	l.names = append(l.names, name...)
	text := l.names[at:]
	base := text[:baseLen(text)]
	l.entries = append(l.entries, entry{
		when: arrival(text), size: field(base, 'S'), virtual: field(base, 'W'),
		name: uint32(at), nameLen: uint8(len(text)), baseLen: uint8(len(base)), keyLen: uint8(keyLen(base)), state: where,
	})
}

// room reports whether another name can be reached by an offset of 32 bits.
func (l *list) room(n int) bool { return uint64(len(l.names))+uint64(n) <= math.MaxUint32 }

// sort brings the list into the order of arrival, drops all but one of the
// entries with the same base, and marks messages that share a key.
func (l *list) sort() {
	slices.SortFunc(l.entries, func(a, b entry) int {
		return cmp.Or(l.order(&a, &b), cmp.Compare(b.state&inCur, a.state&inCur), bytes.Compare(l.name(&a), l.name(&b)))
	})
	l.entries = slices.CompactFunc(l.entries, func(a, b entry) bool { return l.order(&a, &b) == 0 })
	for i := 1; i < len(l.entries); i++ {
		a, b := &l.entries[i-1], &l.entries[i]
		if a.when == b.when && bytes.Equal(l.key(a), l.key(b)) {
			a.state |= twin
			b.state |= twin
		}
	}
}

// order compares by arrival, then key, then base. It is the same order in
// every listing, whatever the flags have become.
func (l *list) order(a, b *entry) int { return compareEntries(l, a, l, b) }

func compareEntries(la *list, a *entry, lb *list, b *entry) int {
	return cmp.Or(cmp.Compare(a.when, b.when), bytes.Compare(la.key(a), lb.key(b)), bytes.Compare(la.base(a), lb.base(b)))
}

// follow takes from a fresh listing where the messages of l are now. Those
// that are no longer there are marked as gone; new ones are left out.
func (l *list) follow(fresh *list) {
	j := 0
	for i := range l.entries {
		e := &l.entries[i]
		for j < len(fresh.entries) && compareEntries(fresh, &fresh.entries[j], l, e) < 0 {
			j++
		}
		if j == len(fresh.entries) || compareEntries(fresh, &fresh.entries[j], l, e) != 0 {
			e.state |= gone
			continue
		}
		l.rename(e, fresh.name(&fresh.entries[j]), fresh.entries[j].state&inCur)
	}
}

// rename notes a message's new name, which has the same base.
func (l *list) rename(e *entry, name []byte, where state) {
	e.state = e.state&^(inCur|gone) | where
	if bytes.Equal(l.name(e), name) {
		return
	}
	if !l.room(len(name)) {
		e.state |= gone
		return
	}
	e.name = uint32(len(l.names))
	e.nameLen = uint8(len(name))
	l.names = append(l.names, name...)
}
