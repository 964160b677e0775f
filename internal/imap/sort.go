package imap

// SortBy is what messages are sorted by.
type SortBy uint8

// The sort keys (RFC 5256 section 3, RFC 5957).
const (
	SortArrival SortBy = iota
	SortCc
	SortDate
	SortFrom
	SortSize
	SortSubject
	SortTo
	SortDisplayFrom // RFC 5957
	SortDisplayTo   // RFC 5957
)

var sortNames = [...]string{"ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO", "DISPLAYFROM", "DISPLAYTO"}

// SortKey is one criterion of SORT.
type SortKey struct {
	By      SortBy
	Reverse bool
}

// sortKeyMax is how many criteria a SORT may have.
const sortKeyMax = 32

// SortCriteria consumes the criteria of SORT, the first one first.
//
//	sort-criteria  = "(" sort-criterion *(SP sort-criterion) ")"  ; RFC 5256 section 5
//	sort-criterion = ["REVERSE" SP] sort-key
func (p *Parser) SortCriteria() ([]SortKey, Fault) {
	start := len(p.sort)
	fault := p.List("sort criteria were expected", func() Fault {
		key := SortKey{Reverse: p.Word("REVERSE")}
		if key.Reverse {
			if fault := p.SP(); fault != "" {
				return fault
			}
		}
		by, ok := p.sortKey()
		switch {
		case !ok:
			return "there is no such sort key"
		case len(p.sort)-start == sortKeyMax:
			return "too many sort keys"
		}
		key.By = by
		p.sort = append(p.sort, key)
		return ""
	})
	return p.sort[start:len(p.sort):len(p.sort)], fault
}

func (p *Parser) sortKey() (SortBy, bool) {
	word := p.Keyword()
	for i, name := range sortNames {
		if string(word) == name && (SortBy(i) < SortDisplayFrom || p.caps.Has(CapSortDisplay)) {
			return SortBy(i), true
		}
	}
	return 0, false
}

// ThreadAlgorithm is how THREAD makes threads.
type ThreadAlgorithm uint8

// The algorithms (RFC 5256 section 3).
const (
	ThreadOrderedSubject ThreadAlgorithm = iota
	ThreadReferences
)

// ThreadAlgorithm consumes the name of an algorithm.
//
//	thread-alg = "ORDEREDSUBJECT" / "REFERENCES" / thread-alg-ext  ; RFC 5256 section 5
func (p *Parser) ThreadAlgorithm() (ThreadAlgorithm, Fault) {
	switch word := p.Keyword(); {
	case string(word) == "ORDEREDSUBJECT" && p.caps.Has(CapThreadOrderedSubject):
		return ThreadOrderedSubject, ""
	case string(word) == "REFERENCES" && p.caps.Has(CapThreadReferences):
		return ThreadReferences, ""
	}
	return 0, "there is no such thread algorithm"
}
