package proto

import "barid/internal/imap"

// selectMailbox is SELECT and EXAMINE.
//
//	select       = "SELECT" SP mailbox [select-params]
//	select-params = SP "(" select-param *(SP select-param) ")"  ; RFC 4466 section 3
func (c *Command) selectMailbox() imap.Fault {
	if fault := c.spacedMailbox(&c.Mailbox); fault != "" || c.p.Empty() {
		return fault
	}
	return c.spaced(func() imap.Fault {
		return c.p.List("a list of parameters was expected", c.selectParam)
	})
}

// selectParam consumes one parameter.
//
//	select-param =/ condstore-param                 ; RFC 7162 section 7
//	select-param =/ "QRESYNC" SP "(" uidvalidity SP mod-sequence-value
//	                [SP known-uids] [SP seq-match-data] ")"
func (c *Command) selectParam() imap.Fault {
	switch {
	case c.p.Offers(imap.CapCondStore) && c.p.Word("CONDSTORE"):
		c.Select.CondStore = true
		c.Enables |= imap.EnabledCondStore
		return ""
	case c.p.Offers(imap.CapQResync) && c.p.Word("QRESYNC") && !c.Select.QResync:
		if !c.dialect.Enabled.Has(imap.EnabledQResync) {
			return "QRESYNC has to be enabled first" // RFC 7162 3.2.5
		}
		return c.spaced(c.qresync)
	}
	return "there is no such parameter"
}

func (c *Command) qresync() (fault imap.Fault) {
	q := &c.Select
	q.QResync = true
	if !c.p.Byte('(') {
		return "QRESYNC has a list behind it"
	}
	if q.UIDValidity, fault = c.p.NZNumber(); fault == "" {
		fault = c.p.SP()
	}
	if fault == "" {
		q.ModSeq, fault = c.p.NZNumber64()
	}
	known := false
	for fault == "" && c.p.Byte(' ') {
		if c.p.Peek() == '(' {
			fault = c.seqMatch()
			break
		}
		if known {
			return "QRESYNC has one set of known UIDs"
		}
		known = true
		q.KnownUIDs, fault = c.p.UIDSet()
		q.KnownUIDs.Resolve(0)
	}
	if fault == "" && !c.p.Byte(')') {
		fault = "the list of QRESYNC does not end"
	}
	return fault
}

// seqMatch consumes what a client knows of message numbers.
//
//	seq-match-data = "(" known-sequence-set SP known-uid-set ")"  ; RFC 7162 section 7
func (c *Command) seqMatch() (fault imap.Fault) {
	q := &c.Select
	if c.dialect.Enabled.Has(imap.EnabledUIDOnly) {
		return imap.UIDRequired
	}
	c.p.Byte('(')
	if q.MatchSeqs, fault = c.p.UIDSet(); fault == "" {
		fault = c.p.SP()
	}
	if fault == "" {
		q.MatchUIDs, fault = c.p.UIDSet()
	}
	if fault != "" {
		return fault
	}
	q.MatchSeqs.Resolve(0)
	q.MatchUIDs.Resolve(0)
	switch {
	case !c.p.Byte(')'):
		return "the numbers and UIDs of QRESYNC do not end"
	case q.MatchSeqs.Count() != q.MatchUIDs.Count():
		return "QRESYNC has as many message numbers as UIDs"
	}
	return ""
}

// create is CREATE.
//
//	create       = "CREATE" SP mailbox [create-params]  ; RFC 4466 section 3
//	create-param =/ "USE" SP "(" [use-attr *(SP use-attr)] ")"  ; RFC 6154 section 6
func (c *Command) create() imap.Fault {
	if fault := c.spacedMailbox(&c.Mailbox); fault != "" || c.p.Empty() {
		return fault
	}
	return c.spaced(func() imap.Fault {
		return c.p.List("a list of parameters was expected", func() imap.Fault {
			if !c.p.Offers(imap.CapCreateSpecialUse) || !c.p.Word("USE") {
				return "there is no such parameter"
			}
			return c.spaced(c.uses)
		})
	})
}

func (c *Command) uses() imap.Fault {
	if c.p.EmptyList() {
		return ""
	}
	return c.p.List("a list of special uses was expected", func() imap.Fault {
		use, known, fault := c.p.UseAttr()
		c.Use |= use
		c.UnknownUse = c.UnknownUse || !known
		return fault
	})
}

// rename is RENAME.
//
//	rename = "RENAME" SP mailbox SP mailbox         ; RFC 9051 section 9
func (c *Command) rename() (fault imap.Fault) {
	if fault = c.spacedMailbox(&c.Mailbox); fault == "" {
		fault = c.spacedMailbox(&c.To)
	}
	return fault
}

// status is STATUS.
//
//	status = "STATUS" SP mailbox SP
//	         "(" status-att *(SP status-att) ")"    ; RFC 9051 section 9
func (c *Command) status() (fault imap.Fault) {
	if fault = c.spacedMailbox(&c.Mailbox); fault == "" {
		fault = c.p.SP()
	}
	if fault == "" {
		c.Status, fault = c.p.StatusItems()
	}
	if c.Status&imap.StatusHighestModSeq != 0 {
		c.Enables |= imap.EnabledCondStore
	}
	return fault
}

// ListOptions is a set of options of LIST.
type ListOptions uint16

// The options of LIST (RFC 9051 6.3.9, RFC 5258, RFC 5819, RFC 6154).
const (
	SelectSubscribed ListOptions = 1 << iota
	SelectRemote
	SelectRecursive // RECURSIVEMATCH
	SelectSpecialUse
	ReturnSubscribed
	ReturnChildren
	ReturnSpecialUse
	ReturnStatus
)

// ListParams is what LIST and LSUB say.
type ListParams struct {
	Options ListOptions
	// Extended: the syntax of RFC 5258 was used, and patterns that are empty
	// have no special meaning.
	Extended  bool
	Reference []byte           // in UTF-8
	Patterns  [][]byte         // in UTF-8; for imap.MatchPattern
	Status    imap.StatusItems // of ReturnStatus
}

// lsub is LSUB.
//
//	lsub = "LSUB" SP mailbox SP list-mailbox        ; RFC 3501 section 9
func (c *Command) lsub() (fault imap.Fault) {
	if fault = c.reference(); fault != "" {
		return fault
	}
	mark := c.p.Words()
	fault = c.spaced(c.pattern)
	c.List.Patterns = c.p.WordsSince(mark)
	return fault
}

// list is LIST.
//
//	list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat
//	       [SP list-return-opts]                    ; RFC 9051 section 9
func (c *Command) list() (fault imap.Fault) {
	extended := c.p.Offers(imap.CapListExtended)
	if extended {
		if fault = c.listSelection(); fault != "" {
			return fault
		}
	}
	if fault = c.reference(); fault == "" {
		fault = c.p.SP()
	}
	if fault != "" {
		return fault
	}
	if fault = c.patterns(extended); fault != "" || c.p.Empty() {
		return fault
	}
	if fault = c.p.SP(); fault != "" {
		return fault
	}
	if !c.p.Word("RETURN") || !extended && !c.p.Offers(imap.CapSpecialUse) && !c.p.Offers(imap.CapListStatus) {
		return "there is too much behind the pattern"
	}
	c.List.Extended = true
	return c.spaced(c.listReturns)
}

// reference consumes a space and the reference name.
func (c *Command) reference() (fault imap.Fault) {
	if fault = c.p.SP(); fault == "" {
		c.List.Reference, fault = c.p.ListMailbox()
	}
	return fault
}

// patterns consumes the patterns.
//
//	mbox-or-pat = list-mailbox / patterns           ; RFC 9051 section 9
//	patterns    = "(" list-mailbox *(SP list-mailbox) ")"  ; RFC 5258 section 6
func (c *Command) patterns(extended bool) (fault imap.Fault) {
	mark := c.p.Words()
	if extended && c.p.Peek() == '(' {
		c.List.Extended = true
		fault = c.p.List("", c.pattern)
	} else {
		fault = c.pattern()
	}
	c.List.Patterns = c.p.WordsSince(mark)
	return fault
}

func (c *Command) pattern() imap.Fault {
	pattern, fault := c.p.ListMailbox()
	c.p.KeepWord(pattern)
	return fault
}

// listSelection consumes the selection options with the space before them, if
// there are any.
//
//	list-select-opts = "(" [...] ")"                ; RFC 9051 section 9
func (c *Command) listSelection() imap.Fault {
	if !c.p.AfterSpace('(') {
		return ""
	}
	c.p.Byte(' ')
	c.List.Extended = true
	if c.p.EmptyList() {
		return ""
	}
	fault := c.p.List("", func() imap.Fault {
		switch word := c.p.Keyword(); {
		case string(word) == "SUBSCRIBED":
			c.List.Options |= SelectSubscribed
		case string(word) == "REMOTE":
			c.List.Options |= SelectRemote
		case string(word) == "RECURSIVEMATCH":
			c.List.Options |= SelectRecursive
		case string(word) == "SPECIAL-USE" && c.p.Offers(imap.CapSpecialUse):
			c.List.Options |= SelectSpecialUse
		default:
			return "there is no such selection option"
		}
		return ""
	})
	if fault == "" && c.List.Options&SelectRecursive != 0 && c.List.Options&SelectSubscribed == 0 {
		fault = "RECURSIVEMATCH needs SUBSCRIBED"
	}
	return fault
}

// listReturns consumes the return options.
//
//	list-return-opts = "RETURN" SP "(" [list-return-opt *(SP list-return-opt)] ")"
//	return-option    = "SUBSCRIBED" / "CHILDREN" / status-option / option-extension
//	status-option    = "STATUS" SP "(" status-att *(SP status-att) ")"  ; RFC 9051 section 9
func (c *Command) listReturns() imap.Fault {
	if c.p.EmptyList() {
		return ""
	}
	return c.p.List("a list of return options was expected", func() (fault imap.Fault) {
		switch word := c.p.Keyword(); {
		case string(word) == "SUBSCRIBED":
			c.List.Options |= ReturnSubscribed
		case string(word) == "CHILDREN":
			c.List.Options |= ReturnChildren
		case string(word) == "SPECIAL-USE" && c.p.Offers(imap.CapSpecialUse):
			c.List.Options |= ReturnSpecialUse
		case string(word) == "STATUS" && c.p.Offers(imap.CapListStatus):
			c.List.Options |= ReturnStatus
			if fault = c.p.SP(); fault == "" {
				c.List.Status, fault = c.p.StatusItems()
			}
		default:
			fault = "there is no such return option"
		}
		return fault
	})
}
