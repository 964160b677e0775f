package imapd

import (
	"barid/internal/imap"
	"barid/internal/loop"
	"barid/maildir"
)

// searching is a SEARCH under way (RFC 9051 6.4.4): messages are asked until
// there are no more, then the result is told.
type searching struct {
	*finder
	uid     bool
	tag     []byte
	found   imap.SeqSet // what is told: numbers or UIDs
	uids    imap.SeqSet // the same as UIDs, when it is to be saved
	count   uint32
	modseqs modseqs
	told    int // ranges of the result; -1: it is not known yet
	begun   bool
	at      uint32 // of SEARCH: in the range
}

// modseqs are those of the results: of the first, of the last, and the highest
// (RFC 7162 3.1.5).
type modseqs struct{ first, last, highest int64 }

// search is SEARCH and UID SEARCH.
func (s *session) search(*loop.Conn) (imap.Reply, job) {
	cmd := &s.work.command
	return imap.Reply{}, &searching{finder: s.newFinder(&cmd.Search), uid: cmd.UID, tag: cmd.Tag, told: -1}
}

func (j *searching) goOn(s *session, c *loop.Conn) (imap.Reply, bool) {
	for j.told < 0 {
		m, rests := j.next(s, c)
		switch {
		case rests:
			return imap.Reply{}, false
		case m != nil:
			j.add(m)
			continue
		}
		if r, failed := j.end(s); failed {
			return r, true
		}
		j.told = 0
	}
	if j.search.Extended {
		return imap.Reply{}, j.tellExtended(c)
	}
	return imap.Reply{}, j.tell(c)
}

// add adds a message to the result.
func (j *searching) add(m *maildir.StoredMessage) {
	number := m.Seq
	if j.uid {
		number = m.UID
	}
	j.found.Add(number)
	if j.search.Return&imap.ReturnSave != 0 {
		j.uids.Add(m.UID)
	}
	j.count++
	j.modseqs.add(m.ModSeq)
}

func (q *modseqs) add(modseq int64) {
	if q.first == 0 {
		q.first = modseq
	}
	q.last, q.highest = modseq, max(q.highest, modseq)
}

// end saves the result, when that was asked for (RFC 5182 2.1). What could not
// be searched makes it fail, since nobody knows what is missing.
func (j *searching) end(s *session) (r imap.Reply, failed bool) {
	save := j.search.Return&imap.ReturnSave != 0
	if j.failed != nil {
		if save {
			s.box.saved = imap.SeqSet{}
		}
		return refuse(imap.CodeUnavailable, "some of the messages cannot be read"), true
	}
	if save {
		s.box.saved = j.saved()
	}
	return imap.Reply{}, false
}

// saved is what "$" becomes (RFC 5182 2.4, RFC 9394 3.2).
func (j *searching) saved() (kept imap.SeqSet) {
	wants := j.search.Return
	if wants&(imap.ReturnMin|imap.ReturnMax|imap.ReturnPartial) == 0 || wants&(imap.ReturnAll|imap.ReturnCount) != 0 || j.count == 0 {
		return j.uids
	}
	if wants&imap.ReturnPartial != 0 {
		kept = partOf(j.uids, j.count, j.search.Partial)
	}
	if wants&imap.ReturnMin != 0 {
		kept.Ranges = append(kept.Ranges, single(j.uids.Ranges[0].From))
	}
	if wants&imap.ReturnMax != 0 {
		kept.Ranges = append(kept.Ranges, single(j.uids.Largest()))
	}
	kept.Resolve(j.uids.Largest())
	return kept
}

func single(n uint32) imap.Range { return imap.Range{From: n, To: n} }

// partOf is the part of a result that PARTIAL names (RFC 9394 3.1).
func partOf(all imap.SeqSet, count uint32, p imap.PartialRange) (part imap.SeqSet) {
	from, to := uint64(p.From), uint64(p.To)
	if n := uint64(count); p.FromEnd {
		if from > n {
			return part
		}
		from, to = n+1-min(to, n), n+1-from
	}
	at := uint64(1) // of the first number of a range
	for _, r := range all.Ranges {
		end := at + uint64(r.To-r.From)
		if a, b := max(at, from), min(end, to); a <= b {
			part.Ranges = append(part.Ranges, imap.Range{From: r.From + uint32(a-at), To: r.From + uint32(b-at)})
		}
		at = end + 1
	}
	return part
}

// drop gives back what is held.
func (j *searching) drop() { j.finder.close() }

// tell tells the result as a SEARCH response, as far as the client reads.
//
//	mailbox-data = "SEARCH" *(SP nz-number) ...     ; RFC 3501 section 9
func (j *searching) tell(c *loop.Conn) bool {
	if !j.begun {
		j.begun = true
		c.SetOut(imap.BeginSearch(c.Out()))
	}
	for ; j.told < len(j.found.Ranges); j.told++ {
		r := j.found.Ranges[j.told]
		for j.at = max(j.at, r.From); j.at <= r.To && j.at > 0; j.at++ {
			if unread(c) {
				return false
			}
			c.SetOut(imap.AppendResult(c.Out(), j.at))
		}
	}
	highest := int64(0)
	if j.search.UsesModSeq {
		highest = j.modseqs.highest
	}
	c.SetOut(imap.EndSearch(c.Out(), uint64(highest)))
	return true
}

// tellExtended tells the result as an ESEARCH response, as far as the client
// reads. SAVE alone tells nothing (RFC 5182 2.4).
//
//	esearch-response = "ESEARCH" [search-correlator] [SP "UID"]
//	                   *(SP search-return-data)     ; RFC 9051 section 9
func (j *searching) tellExtended(c *loop.Conn) bool {
	wants := j.search.Return
	if wants == imap.ReturnSave {
		return true
	}
	if !j.begun {
		j.begun = true
		c.SetOut(j.beginExtended(c.Out()))
	}
	const piece = 512
	for j.told < len(j.found.Ranges) {
		if unread(c) {
			return false
		}
		out := c.Out()
		if j.told > 0 {
			out = append(out, ',')
		}
		end := min(j.told+piece, len(j.found.Ranges))
		c.SetOut(imap.SeqSet{Ranges: j.found.Ranges[j.told:end]}.Append(out))
		j.told = end
	}
	out := c.Out()
	if wants&imap.ReturnPartial != 0 {
		out = append(out, ')')
	}
	c.SetOut(append(out, "\r\n"...))
	return true
}

// beginExtended appends everything up to the numbers of the result.
func (j *searching) beginExtended(out []byte) []byte {
	wants := j.search.Return
	out = j.appendNumbers(imap.BeginESearch(out, j.tag, j.uid))
	switch {
	case wants&imap.ReturnAll != 0 && j.count > 0:
		return imap.AppendESearchAll(out)
	case wants&imap.ReturnPartial == 0:
		j.found.Ranges = nil
		return out
	}
	out = imap.AppendESearchPartial(out, j.search.Partial)
	if j.found = partOf(j.found, j.count, j.search.Partial); len(j.found.Ranges) == 0 {
		out = append(out, "NIL"...)
	}
	return out
}

// appendNumbers appends what is told in one number each. Without results only
// COUNT has one (RFC 4731 section 3.1).
func (j *searching) appendNumbers(out []byte) []byte {
	wants := j.search.Return
	if j.count > 0 && wants&imap.ReturnMin != 0 {
		out = imap.AppendESearchNumber(out, "MIN", uint64(j.found.Ranges[0].From))
	}
	if j.count > 0 && wants&imap.ReturnMax != 0 {
		out = imap.AppendESearchNumber(out, "MAX", uint64(j.found.Largest()))
	}
	if wants&imap.ReturnCount != 0 {
		out = imap.AppendESearchNumber(out, "COUNT", uint64(j.count))
	}
	if j.count > 0 && j.search.UsesModSeq {
		out = imap.AppendESearchNumber(out, "MODSEQ", uint64(j.modseqs.of(wants)))
	}
	return out
}

// of is the mod-sequence that belongs to what is told (RFC 7162 3.1.5).
func (q *modseqs) of(wants imap.SearchReturn) int64 {
	switch wants &^ imap.ReturnSave {
	case imap.ReturnMin:
		return q.first
	case imap.ReturnMax:
		return q.last
	case imap.ReturnMin | imap.ReturnMax:
		return max(q.first, q.last)
	}
	return q.highest
}
