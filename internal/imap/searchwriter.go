package imap

import "strconv"

// BeginSearch begins a SEARCH response (RFC 3501 7.2.5); AppendResult adds to
// it.
func BeginSearch(out []byte) []byte { return append(out, "* SEARCH"...) }

// BeginSort begins a SORT response (RFC 5256 section 4); AppendResult adds to
// it.
func BeginSort(out []byte) []byte { return append(out, "* SORT"...) }

// AppendResult appends one result of SEARCH or SORT, a message number or UID.
func AppendResult(out []byte, number uint32) []byte { return appendNumber(out, uint64(number)) }

// EndSearch ends a SEARCH or SORT response. highest is the highest
// mod-sequence of the results, told when the search asked for MODSEQ and there
// were any; else 0 (RFC 7162 3.1.5).
func EndSearch(out []byte, highest uint64) []byte {
	if highest > 0 {
		out = append(out, " (MODSEQ"...)
		out = append(appendNumber(out, highest), ')')
	}
	return append(out, "\r\n"...)
}

// BeginESearch begins an ESEARCH response (RFC 9051 7.3.4). tag is that of the
// search. uid: the numbers are UIDs.
func BeginESearch(out, tag []byte, uid bool) []byte {
	out = append(out, "* ESEARCH (TAG "...)
	out = AppendString(out, tag, false)
	out = append(out, ')')
	if uid {
		out = append(out, " UID"...)
	}
	return out
}

// AppendESearchNumber appends MIN, MAX, COUNT or MODSEQ with its value.
func AppendESearchNumber(out []byte, name string, n uint64) []byte {
	out = append(out, ' ')
	out = append(out, name...)
	return appendNumber(out, n)
}

// AppendESearchAll appends ALL; the numbers follow, with a SetWriter or
// SeqSet.Append. Where there is none, ALL has to be left out.
func AppendESearchAll(out []byte) []byte { return append(out, " ALL "...) }

// AppendESearchPartial appends PARTIAL with its range; the numbers follow, or
// NIL when there are none, and a closing parenthesis (RFC 9394 section 4).
func AppendESearchPartial(out []byte, r PartialRange) []byte {
	out = append(out, " PARTIAL ("...)
	return append(r.Append(out), ' ')
}

// AppendESearchChange appends ADDTO or REMOVEFROM: the numbers came into or
// left the results of a search that is kept up to date. position is where, as
// RFC 5267 4.3.2 counts, 0 when the order does not matter.
func AppendESearchChange(out []byte, name string, position uint32, set SeqSet) []byte {
	out = append(out, ' ')
	out = append(out, name...)
	out = append(out, " ("...)
	out = strconv.AppendUint(out, uint64(position), 10)
	out = append(out, ' ')
	return append(set.Append(out), ')')
}
