package imapd

import (
	"slices"

	"barid/imapd/proto"
	"barid/internal/imap"
	"barid/internal/loop"
)

// result is what a SEARCH or SORT has found, and how much of it was told. An
// extended SORT is told as a SEARCH is, in its order (RFC 5267 section 3).
type result struct {
	want    *imap.Search
	uid     bool // UIDs are told
	sorted  bool
	tag     []byte
	known   bool        // nothing is added any more
	found   imap.SeqSet // what is told; of SORT not in ascending order
	uids    imap.SeqSet // the same as UIDs, when it is to be saved
	count   uint32
	modseqs modseqs
	begun   bool
	told    int    // ranges of found
	at      uint32 // the next number of the range
}

func newResult(c *proto.Command) result {
	return result{want: &c.Search, uid: c.UID, sorted: c.Verb == proto.Sort, tag: c.Tag}
}

// add adds the next message.
func (j *result) add(seq, uid uint32, modseq int64) {
	number := seq
	if j.uid {
		number = uid
	}
	j.found.Add(number)
	if j.want.Return&imap.ReturnSave != 0 {
		j.uids.Add(uid)
	}
	j.count++
	j.modseqs.add(modseq)
}

// modseqs are those of the results: of the first, of the last, and the highest
// (RFC 7162 3.1.5).
type modseqs struct{ first, last, highest int64 }

func (q *modseqs) add(modseq int64) {
	if q.first == 0 {
		q.first = modseq
	}
	q.last, q.highest = modseq, max(q.highest, modseq)
}

// end ends the command when all was told. The result is saved, when that was
// asked for (RFC 5182 2.1). What could not be searched makes it fail, since
// nobody knows what is missing.
func (j *result) end(s *session, c *loop.Conn, failed error) (r imap.Reply, done bool) {
	save := j.want.Return&imap.ReturnSave != 0
	if failed != nil {
		if save {
			s.box.saved = imap.SeqSet{}
		}
		return refuse(imap.CodeUnavailable, "some of the messages cannot be read"), true
	}
	if save && !j.begun {
		s.box.saved = j.saved()
	}
	if j.want.Extended {
		return r, j.tellExtended(c)
	}
	return r, j.tell(c)
}

// saved is what "$" becomes (RFC 5182 2.4, RFC 9394 3.2).
func (j *result) saved() (kept imap.SeqSet) {
	wants := j.want.Return
	switch {
	case wants&(imap.ReturnMin|imap.ReturnMax|imap.ReturnPartial) == 0 || wants&(imap.ReturnAll|imap.ReturnCount) != 0 || j.count == 0:
		kept.Ranges = slices.Clone(j.uids.Ranges)
		kept.Resolve(0) // of SORT it is not in order
		return kept
	case wants&imap.ReturnPartial != 0:
		kept = partOf(j.uids, j.count, j.want.Partial)
	}
	if wants&imap.ReturnMin != 0 {
		kept.Ranges = append(kept.Ranges, single(j.uids.Ranges[0].From))
	}
	if wants&imap.ReturnMax != 0 {
		kept.Ranges = append(kept.Ranges, single(j.uids.Largest()))
	}
	kept.Resolve(0)
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

// pieceMax is how many numbers are told in one piece.
const pieceMax = 512

// tell tells the result as a SEARCH or SORT response, as far as the client
// reads.
//
//	mailbox-data = "SEARCH" *(SP nz-number) ...     ; RFC 3501 section 9
//	sort-data    = "SORT" *(SP nz-number)           ; RFC 5256 section 5
func (j *result) tell(c *loop.Conn) bool {
	if !j.begun {
		j.begun = true
		if j.sorted {
			c.SetOut(imap.BeginSort(c.Out()))
		} else {
			c.SetOut(imap.BeginSearch(c.Out()))
		}
	}
	for j.told < len(j.found.Ranges) {
		if unread(c) {
			return false
		}
		r := j.found.Ranges[j.told]
		from := max(j.at, r.From)
		to := min(r.To-from, pieceMax) + from
		out := c.Out()
		for n := from; ; n++ {
			if out = imap.AppendResult(out, n); n == to {
				break
			}
		}
		c.SetOut(out)
		if j.at = to + 1; to == r.To {
			j.told, j.at = j.told+1, 0
		}
	}
	highest := int64(0)
	if j.want.UsesModSeq {
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
func (j *result) tellExtended(c *loop.Conn) bool {
	wants := j.want.Return
	if wants == imap.ReturnSave {
		return true
	}
	if !j.begun {
		j.begun = true
		c.SetOut(j.beginExtended(c.Out()))
	}
	for j.told < len(j.found.Ranges) {
		if unread(c) {
			return false
		}
		out := c.Out()
		if j.told > 0 {
			out = append(out, ',')
		}
		end := min(j.told+pieceMax, len(j.found.Ranges))
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
func (j *result) beginExtended(out []byte) []byte {
	wants := j.want.Return
	out = j.appendNumbers(imap.BeginESearch(out, j.tag, j.uid))
	switch {
	case wants&imap.ReturnAll != 0 && j.count > 0:
		return imap.AppendESearchAll(out)
	case wants&imap.ReturnPartial == 0:
		j.found.Ranges = nil
		return out
	}
	out = imap.AppendESearchPartial(out, j.want.Partial)
	if j.found = partOf(j.found, j.count, j.want.Partial); len(j.found.Ranges) == 0 {
		out = append(out, "NIL"...)
	}
	return out
}

// appendNumbers appends what is told in one number each. Without results only
// COUNT has one (RFC 4731 section 3.1).
func (j *result) appendNumbers(out []byte) []byte {
	wants := j.want.Return
	if j.count > 0 && wants&imap.ReturnMin != 0 {
		out = imap.AppendESearchNumber(out, "MIN", uint64(j.found.Ranges[0].From))
	}
	if j.count > 0 && wants&imap.ReturnMax != 0 {
		out = imap.AppendESearchNumber(out, "MAX", uint64(j.found.Largest()))
	}
	if wants&imap.ReturnCount != 0 {
		out = imap.AppendESearchNumber(out, "COUNT", uint64(j.count))
	}
	if j.count > 0 && j.want.UsesModSeq {
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
