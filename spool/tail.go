package spool

// keepTail notes what was read behind the place up to which the segment is
// known to be durable. When the program crashed, or closed after a sync had failed,
// this may be in the page cache only, where no sync finds it any more. So it is
// written again.
func (r *recovery) keepTail(sc *scanner, seg *segment, end int64) {
	for at := seg.end; at < end; {
		h, head, err := sc.record(at)
		if err != nil {
			at = sc.nextHeader(at + alignment)
			continue
		}
		if h.kind == typeMessage || h.kind == typeOutcomes {
			t := &record{kind: h.kind, head: make([]byte, headerSize, int(h.size()))}
			t.head = append(t.head, head...)
			for rest, p := int64(h.bodyLen), at+headerSize+int64(h.headLen); rest > 0; {
				piece := sc.peek(p, int(min(rest, scanChunk)))
				t.body = append(t.body, piece...)
				p += int64(len(piece))
				rest -= int64(len(piece))
			}
			t.seal()
			t.bodyCRC = h.bodyCRC
			r.tail = append(r.tail, t)
		}
		at += h.size()
	}
}

// settleTail notes where the records of the tail lie now.
func (r *recovery) settleTail() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.tail {
		if t.kind == typeOutcomes {
			r.entriesDurable(t)
			continue
		}
		var h messageHead
		if _, err := parseHeadFixed(t.head[headerSize:], &h); err != nil {
			panic("spool: a message in the tail has no head")
		}
		if m := r.messages[h.id]; m != nil {
			r.relocate(m, t.segment, t.offset, uint32(t.size()))
		}
		r.stateDurable(t)
	}
}
