package imap

// FetchKind is the kind of a FETCH item.
type FetchKind uint8

// The kinds of FETCH items (RFC 9051 6.4.5).
const (
	FetchFlags FetchKind = iota
	FetchUID
	FetchInternalDate
	FetchSize          // RFC822.SIZE
	FetchEnvelope      // ENVELOPE
	FetchBodyStructure // BODYSTRUCTURE
	FetchBody          // BODY without a section: the structure without extension data
	FetchSection       // BODY[...]
	FetchBinary        // BINARY[...]
	FetchBinarySize    // BINARY.SIZE[...]
	FetchRFC822        // RFC 3501: BODY[] under another name
	FetchRFC822Header  // RFC 3501: BODY.PEEK[HEADER] under another name
	FetchRFC822Text    // RFC 3501: BODY[TEXT] under another name
	FetchModSeq        // RFC 7162
	FetchEmailID       // RFC 8474
	FetchThreadID      // RFC 8474
	FetchSaveDate      // RFC 8514
	FetchPreview       // RFC 8970
)

// FetchKinds is a set of kinds.
type FetchKinds uint32

// Has reports whether the kind is in the set.
func (s FetchKinds) Has(k FetchKind) bool { return s&(1<<k) != 0 }

// FetchItem is one item of a FETCH. Section, Offset and Length are of those
// kinds that send a text, also of the three of RFC 3501.
type FetchItem struct {
	Kind FetchKind
	// Peek: \Seen is not to be set. True for everything that does not set it.
	Peek bool
	// Lazy: a PREVIEW that would have to be made can be left out.
	Lazy    bool
	Section Section
	// Offset and Length, in octets, of a partial fetch; Length is 0 when the
	// whole is wanted.
	Offset, Length int64
}

// SectionText is the second part of a section-spec.
type SectionText uint8

// What a section can name in a message or a part.
const (
	SectionAll SectionText = iota // the whole message or part
	SectionHeader
	SectionHeaderFields
	SectionHeaderFieldsNot
	SectionBody // TEXT
	SectionMIME
)

// Section says what of a message is wanted (RFC 9051 6.4.5.1).
type Section struct {
	Part   []uint32 // the numbers of the part; empty: the message
	Text   SectionText
	Fields [][]byte // of HEADER.FIELDS, in the client's spelling
}

// Fetch is what FETCH asks for.
type Fetch struct {
	Items []FetchItem
	Kinds FetchKinds // of Items
	// SetsSeen: one of the items sets \Seen.
	SetsSeen bool
	// Vanished: expunged UIDs are to be told (RFC 7162 3.2.6).
	Vanished bool
	// ChangedSince is a mod-sequence, and 0 when there is none (RFC 7162
	// 3.1.4.1).
	ChangedSince int64
	Partial      PartialRange
}

// fetchItemMax is how many items a FETCH may have.
const fetchItemMax = 128

// FetchAtts consumes what is to be fetched.
//
//	fetch = ... ("ALL" / "FULL" / "FAST" / fetch-att /
//	        "(" fetch-att *(SP fetch-att) ")")      ; RFC 9051 section 9
func (p *Parser) FetchAtts() (f Fetch, fault Fault) {
	start := len(p.items)
	switch {
	case p.Peek() == '(':
		fault = p.List("", p.fetchAtt)
	case p.Word("ALL"):
		p.addItems(FetchFlags, FetchInternalDate, FetchSize, FetchEnvelope)
	case p.Word("FAST"):
		p.addItems(FetchFlags, FetchInternalDate, FetchSize)
	case p.Word("FULL"):
		p.addItems(FetchFlags, FetchInternalDate, FetchSize, FetchEnvelope, FetchBody)
	default:
		fault = p.fetchAtt()
	}
	f.Items = p.items[start:len(p.items):len(p.items)]
	for i := range f.Items {
		f.Kinds |= 1 << f.Items[i].Kind
		f.SetsSeen = f.SetsSeen || !f.Items[i].Peek
	}
	return f, fault
}

func (p *Parser) addItems(kinds ...FetchKind) {
	for _, k := range kinds {
		p.items = append(p.items, FetchItem{Kind: k, Peek: true})
	}
}

// plainItems are the items that have nothing behind their name.
var plainItems = [...]struct {
	name string
	need Caps // any of them
	item FetchItem
}{
	{"FLAGS", 0, FetchItem{Kind: FetchFlags, Peek: true}},
	{"UID", 0, FetchItem{Kind: FetchUID, Peek: true}},
	{"INTERNALDATE", 0, FetchItem{Kind: FetchInternalDate, Peek: true}},
	{"RFC822.SIZE", 0, FetchItem{Kind: FetchSize, Peek: true}},
	{"ENVELOPE", 0, FetchItem{Kind: FetchEnvelope, Peek: true}},
	{"BODYSTRUCTURE", 0, FetchItem{Kind: FetchBodyStructure, Peek: true}},
	{"RFC822", 0, FetchItem{Kind: FetchRFC822}},
	{"RFC822.HEADER", 0, FetchItem{Kind: FetchRFC822Header, Peek: true, Section: Section{Text: SectionHeader}}},
	{"RFC822.TEXT", 0, FetchItem{Kind: FetchRFC822Text, Section: Section{Text: SectionBody}}},
	{"MODSEQ", CapCondStore, FetchItem{Kind: FetchModSeq, Peek: true}},
	{"EMAILID", CapObjectID, FetchItem{Kind: FetchEmailID, Peek: true}},
	{"THREADID", CapObjectID, FetchItem{Kind: FetchThreadID, Peek: true}},
	{"SAVEDATE", CapSaveDate, FetchItem{Kind: FetchSaveDate, Peek: true}},
}

// fetchAtt consumes one item.
//
//	fetch-att = "ENVELOPE" / "FLAGS" / "INTERNALDATE" / "RFC822.SIZE" /
//	            "BODY" ["STRUCTURE"] / "UID" /
//	            "BODY" section [partial] / "BODY.PEEK" section [partial] /
//	            "BINARY" [".PEEK"] section-binary [partial] /
//	            "BINARY.SIZE" section-binary        ; RFC 9051 section 9
func (p *Parser) fetchAtt() (fault Fault) {
	if len(p.items) == fetchItemMax {
		return "too many items"
	}
	name := p.Keyword()
	item := FetchItem{Peek: true}
	switch string(name) {
	case "BODY":
		item.Kind = FetchBody
		if p.Peek() == '[' {
			item.Kind, item.Peek = FetchSection, false
			fault = p.section(&item)
		}
	case "BODY.PEEK":
		item.Kind = FetchSection
		fault = p.section(&item)
	case "BINARY", "BINARY.PEEK":
		item.Kind, item.Peek = FetchBinary, len(name) > len("BINARY")
		fault = p.binarySection(&item)
	case "BINARY.SIZE":
		item.Kind = FetchBinarySize
		fault = p.binarySection(&item)
	case "PREVIEW":
		item.Kind = FetchPreview
		fault = p.previewModifier(&item)
	default:
		return p.plainItem(name)
	}
	p.items = append(p.items, item)
	return fault
}

func (p *Parser) plainItem(name []byte) Fault {
	for i := range plainItems {
		row := &plainItems[i]
		if string(name) == row.name && p.caps.Has(row.need) {
			p.items = append(p.items, row.item)
			return ""
		}
	}
	return "there is no such item to fetch"
}

// previewModifier consumes what may stand behind PREVIEW. An unknown modifier
// is a fault.
//
//	fetch-att   =/ "PREVIEW" [SP "(" preview-mod *(SP preview-mod) ")"]
//	preview-mod =  "LAZY"                           ; RFC 8970 section 6
func (p *Parser) previewModifier(item *FetchItem) Fault {
	if !p.caps.Has(CapPreview) {
		return "there is no such item to fetch"
	}
	if len(p.Text) < 2 || p.Text[0] != ' ' || p.Text[1] != '(' {
		return ""
	}
	p.Byte(' ')
	return p.List("", func() Fault {
		if !p.Word("LAZY") {
			return "there is no such modifier of PREVIEW"
		}
		item.Lazy = true
		return ""
	})
}

// section consumes what stands behind BODY.
//
//	section      = "[" [section-spec] "]"           ; RFC 9051 section 9
//	section-spec = section-msgtext / (section-part ["." section-text])
func (p *Parser) section(item *FetchItem) (fault Fault) {
	if !p.Byte('[') {
		return "a section was expected"
	}
	s := &item.Section
	more := true
	if digit.has(p.Peek()) {
		if s.Part, more, fault = p.sectionPart(); fault != "" {
			return fault
		}
	}
	if more && p.Peek() != ']' {
		fault = p.sectionText(s)
	}
	switch {
	case fault != "":
		return fault
	case more && len(s.Part) > 0 && s.Text == SectionAll:
		return `a section ends in "."`
	case !p.Byte(']'):
		return "a section does not end"
	}
	return p.partial(item)
}

// sectionPart consumes the numbers of a part. more: a dot follows the last one
// and was consumed.
//
//	section-part = nz-number *("." nz-number)       ; RFC 9051 section 9
func (p *Parser) sectionPart() (part []uint32, more bool, fault Fault) {
	start := len(p.parts)
	for {
		n, fault := p.NZNumber()
		if fault != "" {
			return nil, false, fault
		}
		p.parts = append(p.parts, n)
		more = p.Byte('.')
		if !more || !digit.has(p.Peek()) {
			return p.parts[start:len(p.parts):len(p.parts)], more, ""
		}
	}
}

// sectionText consumes the words of a section.
//
//	section-text    = section-msgtext / "MIME"      ; RFC 9051 section 9
//	section-msgtext = "HEADER" / "HEADER.FIELDS" [".NOT"] SP header-list / "TEXT"
func (p *Parser) sectionText(s *Section) Fault {
	switch name := p.Keyword(); string(name) {
	case "HEADER":
		s.Text = SectionHeader
	case "HEADER.FIELDS":
		s.Text = SectionHeaderFields
		return p.headerList(s)
	case "HEADER.FIELDS.NOT":
		s.Text = SectionHeaderFieldsNot
		return p.headerList(s)
	case "TEXT":
		s.Text = SectionBody
	case "MIME":
		if len(s.Part) == 0 {
			return "MIME is of a part, not of the message"
		}
		s.Text = SectionMIME
	default:
		return "there is no such section"
	}
	return ""
}

// headerList consumes the names of header fields.
//
//	header-list     = "(" header-fld-name *(SP header-fld-name) ")"  ; RFC 9051 section 9
//	header-fld-name = astring
func (p *Parser) headerList(s *Section) Fault {
	if fault := p.SP(); fault != "" {
		return fault
	}
	start := len(p.words)
	fault := p.List("a list of header fields was expected", func() Fault {
		name, fault := p.AString()
		if fault == "" && !isFieldName(name) {
			fault = "a header field has a name that none can have"
		}
		p.words = append(p.words, name)
		return fault
	})
	s.Fields = p.words[start:len(p.words):len(p.words)]
	return fault
}

// isFieldName reports whether b may be sent back as the name of a header
// field. (RFC 5322 3.6.8; spaces are left to those who have always sent them.)
func isFieldName(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c >= 0x7F || c == ':' {
			return false
		}
	}
	return true
}

// partial consumes the range of a partial fetch.
//
//	partial = "<" number64 "." nz-number64 ">"      ; RFC 9051 section 9
func (p *Parser) partial(item *FetchItem) (fault Fault) {
	if !p.Byte('<') {
		return ""
	}
	if item.Offset, fault = p.Number64(); fault != "" {
		return fault
	}
	if !p.Byte('.') {
		return "a range is <offset.length>"
	}
	if item.Length, fault = p.NZNumber64(); fault != "" {
		return fault
	}
	if !p.Byte('>') {
		return "a range is <offset.length>"
	}
	return ""
}

// binarySection consumes what stands behind BINARY and BINARY.SIZE.
//
//	section-binary = "[" [section-part] "]"         ; RFC 9051 section 9
func (p *Parser) binarySection(item *FetchItem) (fault Fault) {
	if !p.caps.Has(CapBinary) {
		return "there is no such item to fetch"
	}
	if !p.Byte('[') {
		return "a section was expected"
	}
	if digit.has(p.Peek()) {
		var more bool
		if item.Section.Part, more, fault = p.sectionPart(); more {
			return "a section of BINARY is the number of a part"
		}
	}
	switch {
	case fault != "":
		return fault
	case !p.Byte(']'):
		return "a section of BINARY is the number of a part"
	case item.Kind == FetchBinarySize:
		return ""
	}
	return p.partial(item)
}
