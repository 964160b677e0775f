package imap

import (
	"cmp"
	"slices"
	"strconv"
)

// Star is "*" as an end of a Range: the largest number in use.
const Star = 0

// Range is all numbers between its ends, both included. In a set that was not
// resolved yet an end may be Star, and they stand as they came.
type Range struct{ From, To uint32 }

// SeqSet is a set of message numbers or UIDs (RFC 9051 section 9,
// sequence-set). What a Parser returns has to be resolved before it is asked.
type SeqSet struct {
	// Ranges are, once resolved, in ascending order, with gaps between them.
	Ranges []Range
	// Saved: it is "$", the result of the last search that was saved (RFC
	// 5182), and Ranges is empty.
	Saved bool
}

// SeqSet consumes a set. Neighbours are joined as they come, so that a client
// that counts takes as much memory as one that says 1:*.
//
//	sequence-set     =  (seq-number / seq-range) ["," sequence-set]
//	sequence-set     =/ seq-last-command            ; RFC 9051 section 9
//	seq-last-command =  "$"
func (p *Parser) SeqSet() (s SeqSet, fault Fault) {
	if p.caps.Has(CapSearchRes) && p.Byte('$') {
		return SeqSet{Saved: true}, ""
	}
	start := len(p.ranges)
	for {
		r, fault := p.seqRange()
		if fault != "" {
			return s, fault
		}
		if last := len(p.ranges) - 1; last >= start && p.ranges[last].extend(r) {
			p.ranges[last].To = max(r.To, p.ranges[last].To)
		} else {
			p.ranges = append(p.ranges, r)
		}
		if !p.Byte(',') {
			break
		}
	}
	s.Ranges = p.ranges[start:len(p.ranges):len(p.ranges)]
	return s, ""
}

// extend reports whether b continues a, or lies within it.
func (a Range) extend(b Range) bool {
	return a.From != Star && a.To >= a.From && b.From >= a.From && b.To >= b.From && uint64(b.From) <= uint64(a.To)+1
}

// seqRange consumes an element of a set.
//
//	seq-range  = seq-number ":" seq-number          ; RFC 9051 section 9
//	seq-number = nz-number / "*"
func (t *Text) seqRange() (r Range, fault Fault) {
	if r.From, fault = t.seqNumber(); fault != "" {
		return r, fault
	}
	r.To = r.From
	if t.Byte(':') {
		r.To, fault = t.seqNumber()
	}
	return r, fault
}

func (t *Text) seqNumber() (uint32, Fault) {
	if t.Byte('*') {
		return Star, ""
	}
	if !digit.has(t.Peek()) {
		return 0, "a sequence set was expected"
	}
	return t.NZNumber()
}

// UIDSet consumes a set in which "*" and "$" are not allowed, as QRESYNC wants
// it (RFC 7162 section 7).
func (p *Parser) UIDSet() (SeqSet, Fault) {
	s, fault := p.SeqSet()
	if fault == "" && (s.Saved || s.HasStar()) {
		return s, `neither "*" nor "$" is allowed in this set`
	}
	return s, fault
}

// HasStar reports whether "*" stands in a set that was not resolved.
func (s SeqSet) HasStar() bool {
	return slices.ContainsFunc(s.Ranges, func(r Range) bool { return r.From == Star || r.To == Star })
}

// Resolve puts largest for "*", orders the ends of each range, and the ranges,
// and joins those that touch. For message numbers largest is their count, for
// UIDs the last one, or UIDNEXT where there is none (RFC 9051 section 9,
// seq-number). It works where the ranges stand.
func (s *SeqSet) Resolve(largest uint32) {
	for i := range s.Ranges {
		r := &s.Ranges[i]
		if r.From == Star {
			r.From = largest
		}
		if r.To == Star {
			r.To = largest
		}
		if r.From > r.To {
			r.From, r.To = r.To, r.From
		}
	}
	s.normalize()
}

func (s *SeqSet) normalize() {
	byFrom := func(a, b Range) int { return cmp.Compare(a.From, b.From) }
	if !slices.IsSortedFunc(s.Ranges, byFrom) {
		slices.SortFunc(s.Ranges, byFrom)
	}
	n := 0
	for _, r := range s.Ranges {
		if n > 0 && s.Ranges[n-1].extend(r) {
			s.Ranges[n-1].To = max(s.Ranges[n-1].To, r.To)
			continue
		}
		s.Ranges[n] = r
		n++
	}
	s.Ranges = s.Ranges[:n]
}

// Contains reports whether n is in a resolved set.
func (s SeqSet) Contains(n uint32) bool {
	lo, hi := 0, len(s.Ranges)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if s.Ranges[mid].To < n {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo < len(s.Ranges) && s.Ranges[lo].From <= n
}

// Count is how many numbers a resolved set has.
func (s SeqSet) Count() uint64 {
	var n uint64
	for _, r := range s.Ranges {
		n += uint64(r.To-r.From) + 1
	}
	return n
}

// Largest is the largest number of a resolved set, 0 when it is empty.
func (s SeqSet) Largest() uint32 {
	if len(s.Ranges) == 0 {
		return 0
	}
	return s.Ranges[len(s.Ranges)-1].To
}

// All yields the numbers of a resolved set in ascending order. A set may have
// four thousand million of them: who walks UIDs walks the mailbox instead, and
// asks Contains.
func (s SeqSet) All() func(yield func(uint32) bool) {
	return func(yield func(uint32) bool) {
		for _, r := range s.Ranges {
			for n := r.From; ; n++ {
				if !yield(n) {
					return
				}
				if n == r.To {
					break
				}
			}
		}
	}
}

// Add adds a number to a resolved set that has none larger.
func (s *SeqSet) Add(n uint32) {
	if last := len(s.Ranges) - 1; last >= 0 && s.Ranges[last].extend(Range{n, n}) {
		s.Ranges[last].To = max(n, s.Ranges[last].To)
		return
	}
	s.Ranges = append(s.Ranges, Range{n, n})
}

// Append appends the set in its shortest form. An empty set appends nothing.
func (s SeqSet) Append(out []byte) []byte {
	if s.Saved {
		return append(out, '$')
	}
	for i, r := range s.Ranges {
		if i > 0 {
			out = append(out, ',')
		}
		out = r.append(out)
	}
	return out
}

func (r Range) append(out []byte) []byte {
	out = appendSeqNumber(out, r.From)
	if r.To != r.From {
		out = append(out, ':')
		out = appendSeqNumber(out, r.To)
	}
	return out
}

func appendSeqNumber(out []byte, n uint32) []byte {
	if n == Star {
		return append(out, '*')
	}
	return strconv.AppendUint(out, uint64(n), 10)
}

// SetWriter appends a set of numbers that come one at a time, in its shortest
// form, and holds no more than one range: a SEARCH of a large mailbox, COPYUID
// and VANISHED need no list. The zero value is ready.
type SetWriter struct {
	run  Range // begun; From is 0 when there is none
	some bool  // something was appended
}

// Add appends what n completes. Numbers that ascend by one become ranges; in
// any other order they stand as they come, as COPYUID needs it.
func (w *SetWriter) Add(out []byte, n uint32) []byte {
	if w.run.From != 0 && n == w.run.To+1 {
		w.run.To = n
		return out
	}
	out = w.End(out)
	w.run = Range{n, n}
	return out
}

// End appends what is left. The set goes on if there is more.
func (w *SetWriter) End(out []byte) []byte {
	if w.run.From == 0 {
		return out
	}
	if w.some {
		out = append(out, ',')
	}
	w.some = true
	out = w.run.append(out)
	w.run = Range{}
	return out
}

// Empty reports whether nothing was added.
func (w *SetWriter) Empty() bool { return !w.some && w.run.From == 0 }
