package imap

import "strconv"

// PartialRange is a part of a result by position in it (RFC 9394): the first
// is 1. The zero value is none.
type PartialRange struct {
	From, To uint32 // From is not larger than To
	FromEnd  bool   // counted from the last, which is 1
}

// Given reports whether there is a range.
func (r PartialRange) Given() bool { return r.From != 0 }

// PartialRange consumes a range.
//
//	partial-range-first = nz-number ":" nz-number   ; RFC 9394 section 4
//	partial-range-last  = MINUS nz-number ":" MINUS nz-number
//	partial-range       = partial-range-first / partial-range-last
func (t *Text) PartialRange() (r PartialRange, fault Fault) {
	r.FromEnd = t.Byte('-')
	if r.From, fault = t.NZNumber(); fault != "" {
		return r, fault
	}
	if !t.Byte(':') || t.Byte('-') != r.FromEnd {
		return r, "a range of PARTIAL is from:to, both with or without a minus"
	}
	if r.To, fault = t.NZNumber(); fault != "" {
		return r, fault
	}
	if r.From > r.To {
		r.From, r.To = r.To, r.From
	}
	if r.From == 0 {
		return r, "a range of PARTIAL begins with 1"
	}
	return r, ""
}

// Append appends the range as a response names it.
func (r PartialRange) Append(out []byte) []byte {
	sign := ""
	if r.FromEnd {
		sign = "-"
	}
	out = append(out, sign...)
	out = strconv.AppendUint(out, uint64(r.From), 10)
	out = append(out, ':')
	out = append(out, sign...)
	return strconv.AppendUint(out, uint64(r.To), 10)
}

// FetchModifiers consumes the modifiers of a FETCH, if there are any. uid:
// it is a UID FETCH.
//
//	fetch-modifiers =  SP "(" fetch-modifier *(SP fetch-modifier) ")"  ; RFC 4466 section 3
//	fetch-modifier  =/ "CHANGEDSINCE" SP mod-sequence-value            ; RFC 7162 section 7
//	fetch-modifier  =/ "VANISHED"
//	fetch-modifier  =/ "PARTIAL" SP partial-range                      ; RFC 9394 section 4
func (p *Parser) FetchModifiers(f *Fetch, uid bool) Fault {
	if p.Empty() {
		return ""
	}
	if fault := p.SP(); fault != "" {
		return fault
	}
	fault := p.List("a list of modifiers was expected", func() Fault { return p.fetchModifier(f, uid) })
	if fault == "" && f.Vanished && f.ChangedSince == 0 {
		fault = "VANISHED needs CHANGEDSINCE"
	}
	return fault
}

func (p *Parser) fetchModifier(f *Fetch, uid bool) (fault Fault) {
	switch {
	case p.caps.Has(CapCondStore) && p.Word("CHANGEDSINCE"):
		if fault = p.SP(); fault == "" {
			f.ChangedSince, fault = p.NZNumber64()
		}
		return fault
	case p.caps.Has(CapQResync) && p.Word("VANISHED"):
		if !uid || !p.qresync {
			return "VANISHED is for UID FETCH after ENABLE QRESYNC"
		}
		f.Vanished = true
		return ""
	case p.caps.Has(CapPartial) && p.Word("PARTIAL"):
		if !uid || f.Partial.Given() {
			return "PARTIAL is for UID FETCH, once"
		}
		if fault = p.SP(); fault == "" {
			f.Partial, fault = p.PartialRange()
		}
		return fault
	}
	return "there is no such modifier"
}
