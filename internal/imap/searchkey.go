package imap

import "unicode/utf8"

// searchArg is what stands behind the name of a key.
type searchArg uint8

const (
	argNone searchArg = iota
	argText
	argFlagKeyword
	argDay
	argSize
	argInterval
	argUIDs
	argObjectID
	argField
	argModSeq
)

// searchLeaves are the keys that have no keys below them.
var searchLeaves = [...]struct {
	name string
	need Caps
	arg  searchArg
	key  SearchKey
	flag Flag
}{
	{"ALL", 0, argNone, SearchAll, 0},
	{"ANSWERED", 0, argNone, SearchFlag, FlagAnswered},
	{"BCC", 0, argText, SearchBcc, 0},
	{"BEFORE", 0, argDay, SearchBefore, 0},
	{"BODY", 0, argText, SearchBody, 0},
	{"CC", 0, argText, SearchCc, 0},
	{"DELETED", 0, argNone, SearchFlag, FlagDeleted},
	{"DRAFT", 0, argNone, SearchFlag, FlagDraft},
	{"FLAGGED", 0, argNone, SearchFlag, FlagFlagged},
	{"FROM", 0, argText, SearchFrom, 0},
	{"HEADER", 0, argField, SearchHeader, 0},
	{"KEYWORD", 0, argFlagKeyword, SearchKeyword, 0},
	{"LARGER", 0, argSize, SearchLarger, 0},
	{"OLD", 0, argNone, SearchUnflag, FlagRecent},
	{"ON", 0, argDay, SearchOn, 0},
	{"RECENT", 0, argNone, SearchFlag, FlagRecent},
	{"SEEN", 0, argNone, SearchFlag, FlagSeen},
	{"SENTBEFORE", 0, argDay, SearchSentBefore, 0},
	{"SENTON", 0, argDay, SearchSentOn, 0},
	{"SENTSINCE", 0, argDay, SearchSentSince, 0},
	{"SINCE", 0, argDay, SearchSince, 0},
	{"SMALLER", 0, argSize, SearchSmaller, 0},
	{"SUBJECT", 0, argText, SearchSubject, 0},
	{"TEXT", 0, argText, SearchText, 0},
	{"TO", 0, argText, SearchTo, 0},
	{"UID", 0, argUIDs, SearchUID, 0},
	{"UNANSWERED", 0, argNone, SearchUnflag, FlagAnswered},
	{"UNDELETED", 0, argNone, SearchUnflag, FlagDeleted},
	{"UNDRAFT", 0, argNone, SearchUnflag, FlagDraft},
	{"UNFLAGGED", 0, argNone, SearchUnflag, FlagFlagged},
	{"UNKEYWORD", 0, argFlagKeyword, SearchUnkeyword, 0},
	{"UNSEEN", 0, argNone, SearchUnflag, FlagSeen},
	{"MODSEQ", CapCondStore, argModSeq, SearchModSeq, 0},
	{"OLDER", CapWithin, argInterval, SearchOlder, 0},
	{"YOUNGER", CapWithin, argInterval, SearchYounger, 0},
	{"EMAILID", CapObjectID, argObjectID, SearchEmailID, 0},
	{"THREADID", CapObjectID, argObjectID, SearchThreadID, 0},
	{"SAVEDBEFORE", CapSaveDate, argDay, SearchSavedBefore, 0},
	{"SAVEDON", CapSaveDate, argDay, SearchSavedOn, 0},
	{"SAVEDSINCE", CapSaveDate, argDay, SearchSavedSince, 0},
	{"SAVEDATESUPPORTED", CapSaveDate, argNone, SearchSaveDates, 0},
}

// searchLeaf consumes the argument of a key and adds its node.
//
//	search-key = "ALL" / "ANSWERED" / "BCC" SP astring / "BEFORE" SP date /
//	             "BODY" SP astring / "CC" SP astring / "DELETED" / "FLAGGED" /
//	             "FROM" SP astring / "KEYWORD" SP flag-keyword / "ON" SP date /
//	             "SEEN" / "SINCE" SP date / "SUBJECT" SP astring /
//	             "TEXT" SP astring / "TO" SP astring / "UNANSWERED" /
//	             "UNDELETED" / "UNFLAGGED" / "UNKEYWORD" SP flag-keyword /
//	             "UNSEEN" / "DRAFT" / "HEADER" SP header-fld-name SP astring /
//	             "LARGER" SP number64 / "SENTBEFORE" SP date / "SENTON" SP date /
//	             "SENTSINCE" SP date / "SMALLER" SP number64 /
//	             "UID" SP sequence-set / "UNDRAFT" / ...  ; RFC 9051 section 9
func (p *Parser) searchLeaf(start int, name []byte) Fault {
	for i := range searchLeaves {
		row := &searchLeaves[i]
		if string(name) != row.name || !p.caps.Has(row.need) {
			continue
		}
		n := SearchNode{Key: row.key, Flag: row.flag}
		if row.arg != argNone {
			if fault := p.SP(); fault != "" {
				return fault
			}
			if fault := p.searchArg(row.arg, &n); fault != "" {
				return fault
			}
		}
		return p.addLeaf(start, n)
	}
	return "there is no such search key"
}

func (p *Parser) searchArg(arg searchArg, n *SearchNode) (fault Fault) {
	switch arg {
	case argText:
		n.Text, fault = p.searchString()
	case argField:
		if n.Name, fault = p.AString(); fault == "" {
			fault = p.SP()
		}
		if fault == "" {
			n.Text, fault = p.searchString()
		}
	case argFlagKeyword:
		if n.Text = p.Atom(); len(n.Text) == 0 {
			fault = "a keyword was expected"
		}
	case argDay:
		n.Day, fault = p.Date()
	case argSize:
		n.Number, fault = p.Number64()
	case argInterval:
		var seconds uint32
		seconds, fault = p.NZNumber()
		n.Number = int64(seconds)
	case argUIDs:
		n.Set, fault = p.SeqSet()
	case argObjectID:
		n.Text, fault = p.objectID()
	case argModSeq:
		n.Number, fault = p.searchModSeq()
	}
	return fault
}

// searchString consumes a string to search for, which has to be UTF-8.
func (p *Parser) searchString() ([]byte, Fault) {
	b, fault := p.AString()
	if fault == "" && !utf8.Valid(b) {
		fault = "a string is not UTF-8"
	}
	return b, fault
}

// objectID consumes an object identifier.
//
//	objectid = 1*255(ALPHA / DIGIT / "_" / "-")     ; RFC 8474 section 7
func (p *Parser) objectID() ([]byte, Fault) {
	b, fault := p.AString()
	if fault == "" && (len(b) > 255 || !IsObjectID(b)) {
		fault = "an object identifier has letters, digits, - and _"
	}
	return b, fault
}

// IsObjectID reports whether b has the characters of an object identifier (RFC
// 8474 section 7).
func IsObjectID(b []byte) bool {
	for _, c := range b {
		if !keywordChar.has(c) || c == '.' || c == '=' {
			return false
		}
	}
	return len(b) > 0
}

// searchModSeq consumes the argument of MODSEQ. All flags have one
// mod-sequence here, so that an entry is checked and makes no difference.
//
//	search-modsequence = "MODSEQ" [search-modseq-ext] SP mod-sequence-valzer
//	search-modseq-ext  = SP entry-name SP entry-type-req  ; RFC 7162 section 7
//	entry-name         = DQUOTE "/flags/" attr-flag DQUOTE
//	entry-type-req     = "priv" / "shared" / "all"
func (p *Parser) searchModSeq() (int64, Fault) {
	if p.Peek() == '"' {
		name, fault := p.Quoted()
		const flags = "/FLAGS/"
		switch {
		case fault != "":
			return 0, fault
		case len(name) <= len(flags) || !EqualFold(name[:len(flags)], flags):
			return 0, `an entry of MODSEQ begins with "/flags/"`
		case !p.Byte(' ') || !p.Word("PRIV") && !p.Word("SHARED") && !p.Word("ALL"):
			return 0, "the type of an entry is priv, shared or all"
		}
		if fault = p.SP(); fault != "" {
			return 0, fault
		}
	}
	return p.Number64()
}
