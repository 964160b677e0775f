package imap

import "strconv"

// ListFlag is a set of the attributes of a LIST response.
type ListFlag uint32

// The attributes (RFC 9051 7.3.1, RFC 6154).
const (
	ListNonExistent ListFlag = 1 << iota
	ListNoInferiors
	ListNoSelect
	ListHasChildren
	ListHasNoChildren
	ListMarked
	ListUnmarked
	ListSubscribed
	ListRemote
	ListNoAccess // RFC 5465
	UseAll       // RFC 6154 section 2, as all below
	UseArchive
	UseDrafts
	UseFlagged
	UseJunk
	UseSent
	UseTrash

	// Uses are the special uses.
	Uses = UseAll | UseArchive | UseDrafts | UseFlagged | UseJunk | UseSent | UseTrash
)

var listFlagNames = [...]string{
	`\NonExistent`, `\Noinferiors`, `\Noselect`, `\HasChildren`, `\HasNoChildren`, `\Marked`, `\Unmarked`,
	`\Subscribed`, `\Remote`, `\NoAccess`, `\All`, `\Archive`, `\Drafts`, `\Flagged`, `\Junk`, `\Sent`, `\Trash`,
}

// Append appends the attributes with spaces between them.
func (f ListFlag) Append(out []byte) []byte {
	first := true
	for i, name := range listFlagNames {
		if f&(1<<i) == 0 {
			continue
		}
		if !first {
			out = append(out, ' ')
		}
		first = false
		out = append(out, name...)
	}
	return out
}

// UseAttr consumes a special use; ok is false for one that is not known.
//
//	use-attr = "\All" / "\Archive" / "\Drafts" / "\Flagged" /
//	           "\Junk" / "\Sent" / "\Trash" / use-attr-ext  ; RFC 6154 section 6
//	use-attr-ext = "\" atom
func (t *Text) UseAttr() (use ListFlag, ok bool, fault Fault) {
	if !t.Byte('\\') {
		return 0, false, "a special use was expected"
	}
	name := t.Atom()
	if len(name) == 0 {
		return 0, false, "a special use was expected"
	}
	for i, known := range listFlagNames {
		if bit := ListFlag(1) << i; bit&Uses != 0 && equalFoldAny(name, known[1:]) {
			return bit, true, ""
		}
	}
	return 0, false, ""
}

// ListEntry is what a LIST or LSUB response says of a mailbox.
type ListEntry struct {
	Flags     ListFlag
	Separator byte   // 0: the name has no levels
	Name      []byte // in UTF-8
	// ChildInfo: a subscribed mailbox is below it (RFC 5258 section 3.5).
	ChildInfo bool
	// OldName is the name that it had, in UTF-8; nil: it had none (RFC 9051
	// section 9, oldname-extended-item).
	OldName []byte
	LSUB    bool // it answers LSUB (RFC 3501 7.2.3)
}

// Append appends the response. utf8 as in Enabled.UTF8.
func (e *ListEntry) Append(out []byte, utf8 bool) []byte {
	if e.LSUB {
		out = append(out, "* LSUB ("...)
	} else {
		out = append(out, "* LIST ("...)
	}
	out = append(e.Flags.Append(out), ") "...)
	if e.Separator == 0 {
		out = append(out, "NIL "...)
	} else {
		out = append(AppendQuoted(out, []byte{e.Separator}), ' ')
	}
	out = e.appendExtended(AppendMailbox(out, e.Name, utf8), utf8)
	return append(out, "\r\n"...)
}

// appendExtended appends the extended data, if there is any.
//
//	mbox-list-extended = "(" [mbox-list-extended-item
//	                     *(SP mbox-list-extended-item)] ")"  ; RFC 9051 section 9
func (e *ListEntry) appendExtended(out []byte, utf8 bool) []byte {
	if !e.ChildInfo && e.OldName == nil {
		return out
	}
	out = append(out, " ("...)
	if e.ChildInfo {
		out = append(out, `"CHILDINFO" ("SUBSCRIBED")`...)
	}
	if e.ChildInfo && e.OldName != nil {
		out = append(out, ' ')
	}
	if e.OldName != nil {
		out = AppendMailbox(append(out, `"OLDNAME" (`...), e.OldName, utf8)
		out = append(out, ')')
	}
	return append(out, ')')
}

// StatusItems is a set of what STATUS can tell.
type StatusItems uint16

// The items of STATUS (RFC 9051 6.3.11, RFC 3501 6.3.10).
const (
	StatusMessages StatusItems = 1 << iota
	StatusRecent
	StatusUIDNext
	StatusUIDValidity
	StatusUnseen
	StatusDeleted        // RFC 9208
	StatusDeletedStorage // RFC 9208
	StatusSize           // RFC 8438
	StatusHighestModSeq  // RFC 7162
	StatusMailboxID      // RFC 8474
	StatusAppendLimit    // RFC 7889
)

// statusItems are the items that are numbers first, by their bits.
var statusItems = [...]struct {
	name string
	need Caps // any of them; 0: none
}{
	{"MESSAGES", 0}, {"RECENT", 0}, {"UIDNEXT", 0}, {"UIDVALIDITY", 0}, {"UNSEEN", 0},
	{"DELETED", CapRev2 | CapQuotaMessage | CapQuotaStorage}, {"DELETED-STORAGE", CapQuotaStorage}, {"SIZE", CapStatusSize},
	{"HIGHESTMODSEQ", CapCondStore}, {"MAILBOXID", CapObjectID}, {"APPENDLIMIT", 0},
}

// StatusItems consumes the items of STATUS.
//
//	status     = ... "(" status-att *(SP status-att) ")"  ; RFC 9051 section 9
//	status-att = "MESSAGES" / "UIDNEXT" / "UIDVALIDITY" /
//	             "UNSEEN" / "DELETED" / "SIZE"
func (p *Parser) StatusItems() (items StatusItems, fault Fault) {
	fault = p.List("a list of status items was expected", func() Fault {
		word := p.Keyword()
		for i, row := range statusItems {
			if string(word) == row.name && (row.need == 0 || p.caps.Any(row.need)) {
				items |= 1 << i
				return ""
			}
		}
		return "there is no such status item"
	})
	return items, fault
}

// MailboxStatus is what STATUS tells of a mailbox.
type MailboxStatus struct {
	Messages, Recent, UIDNext, UIDValidity, Unseen, Deleted uint32
	DeletedStorage, Size                                    int64 // octets
	HighestModSeq                                           uint64
	MailboxID                                               []byte
	AppendLimit                                             int64 // octets; negative: NIL, there is none
}

// Append appends a STATUS response with the items (RFC 9051 7.3.2). utf8 as in
// Enabled.UTF8.
func (s *MailboxStatus) Append(out, name []byte, items StatusItems, utf8 bool) []byte {
	out = AppendMailbox(append(out, "* STATUS "...), name, utf8)
	out = append(out, " ("...)
	first := true
	for i, row := range statusItems {
		if items&(1<<i) == 0 {
			continue
		}
		if !first {
			out = append(out, ' ')
		}
		first = false
		out = append(out, row.name...)
		out = s.appendValue(append(out, ' '), 1<<i)
	}
	return append(out, ")\r\n"...)
}

func (s *MailboxStatus) appendValue(out []byte, item StatusItems) []byte {
	var n uint64
	switch item {
	case StatusMessages:
		n = uint64(s.Messages)
	case StatusRecent:
		n = uint64(s.Recent)
	case StatusUIDNext:
		n = uint64(s.UIDNext)
	case StatusUIDValidity:
		n = uint64(s.UIDValidity)
	case StatusUnseen:
		n = uint64(s.Unseen)
	case StatusDeleted:
		n = uint64(s.Deleted)
	case StatusDeletedStorage:
		n = uint64(s.DeletedStorage)
	case StatusSize:
		n = uint64(s.Size)
	case StatusHighestModSeq:
		n = s.HighestModSeq
	case StatusMailboxID:
		return append(append(append(out, '('), s.MailboxID...), ')')
	case StatusAppendLimit:
		if s.AppendLimit < 0 {
			return append(out, "NIL"...)
		}
		n = uint64(s.AppendLimit)
	}
	return strconv.AppendUint(out, n, 10)
}
