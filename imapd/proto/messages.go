package proto

import "barid/internal/imap"

// fetch is FETCH.
//
//	fetch = "FETCH" SP sequence-set SP (...) [fetch-modifiers]  ; RFC 9051 section 9, RFC 4466 section 3
func (c *Command) fetch() (fault imap.Fault) {
	if fault = c.spacedSet(); fault == "" {
		fault = c.p.SP()
	}
	if fault != "" {
		return fault
	}
	if c.Fetch, fault = c.p.FetchAtts(); fault == "" {
		fault = c.p.FetchModifiers(&c.Fetch, c.UID)
	}
	if c.Fetch.Kinds.Has(imap.FetchModSeq) || c.Fetch.ChangedSince > 0 {
		c.Enables |= imap.EnabledCondStore
	}
	return fault
}

// store is STORE.
//
//	store           = "STORE" SP sequence-set [store-modifiers] SP store-att-flags
//	store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP
//	                  (flag-list / (flag *(SP flag)))  ; RFC 9051 section 9, RFC 4466 section 3
func (c *Command) store() (fault imap.Fault) {
	c.Store.UnchangedSince = -1
	if fault = c.spacedSet(); fault == "" {
		fault = c.p.SP()
	}
	if fault == "" && c.p.Peek() == '(' {
		if fault = c.storeModifiers(); fault == "" {
			fault = c.p.SP()
		}
	}
	if fault != "" {
		return fault
	}
	switch {
	case c.p.Byte('+'):
		c.Store.Op = StoreAdd
	case c.p.Byte('-'):
		c.Store.Op = StoreRemove
	}
	switch string(c.p.Keyword()) {
	case "FLAGS":
	case "FLAGS.SILENT":
		c.Store.Silent = true
	default:
		return "STORE changes FLAGS or FLAGS.SILENT, with + or - before it"
	}
	if fault = c.p.SP(); fault != "" {
		return fault
	}
	if c.p.Peek() == '(' {
		c.Store.Flags, fault = c.p.FlagList()
	} else {
		c.Store.Flags, fault = c.p.FlagRow()
	}
	return fault
}

// storeModifiers consumes the modifiers of STORE.
//
//	store-modifier =/ "UNCHANGEDSINCE" SP mod-sequence-valzer  ; RFC 7162 section 7
func (c *Command) storeModifiers() imap.Fault {
	return c.p.List("", func() (fault imap.Fault) {
		if !c.p.Offers(imap.CapCondStore) || !c.p.Word("UNCHANGEDSINCE") || c.Store.UnchangedSince >= 0 {
			return "there is no such modifier"
		}
		c.Enables |= imap.EnabledCondStore
		if fault = c.p.SP(); fault == "" {
			c.Store.UnchangedSince, fault = c.p.Number64()
		}
		return fault
	})
}

// copy is COPY and MOVE.
//
//	copy = "COPY" SP sequence-set SP mailbox        ; RFC 9051 section 9
//	move = "MOVE" SP sequence-set SP mailbox
func (c *Command) copy() (fault imap.Fault) {
	if fault = c.spacedSet(); fault == "" {
		fault = c.spacedMailbox(&c.Mailbox)
	}
	return fault
}

// expunge is EXPUNGE and UID EXPUNGE.
//
//	uid-expunge = "EXPUNGE" SP sequence-set         ; RFC 9051 section 9
func (c *Command) expunge() imap.Fault {
	if c.UID {
		return c.spacedSet()
	}
	return ""
}

// search is SEARCH. A client of IMAP4rev2 gets ESEARCH in any case (RFC 9051
// appendix E, 4).
//
//	search = "SEARCH" [search-return-opts] SP search-program  ; RFC 9051 section 9
func (c *Command) search() (fault imap.Fault) {
	if c.p.Offers(imap.CapESearch) {
		fault = c.p.SearchOptions(&c.Search)
	}
	if fault == "" {
		fault = c.p.SP()
	}
	if fault == "" {
		fault = c.p.SearchProgram(&c.Search)
	}
	if !c.Search.Extended && c.dialect.Enabled.Has(imap.EnabledRev2) {
		c.Search.Extended, c.Search.Return = true, imap.ReturnAll
	}
	return c.searched(fault)
}

// searched notes what a search switches on.
func (c *Command) searched(fault imap.Fault) imap.Fault {
	if c.Search.UsesModSeq {
		c.Enables |= imap.EnabledCondStore
	}
	return fault
}

// sort is SORT.
//
//	sort            = ["UID" SP] "SORT" [search-return-opts] SP sort-criteria
//	                  SP search-criteria            ; RFC 5256 section 5, RFC 5267 section 5
//	search-criteria = charset 1*(SP search-key)
func (c *Command) sort() (fault imap.Fault) {
	if c.p.Offers(imap.CapESort) {
		fault = c.p.SearchOptions(&c.Search)
	}
	if fault == "" {
		fault = c.p.SP()
	}
	if fault == "" {
		c.Sort, fault = c.p.SortCriteria()
	}
	return c.criteria(fault)
}

// thread is THREAD.
//
//	thread = ["UID" SP] "THREAD" SP thread-alg SP search-criteria  ; RFC 5256 section 5
func (c *Command) thread() (fault imap.Fault) {
	if fault = c.p.SP(); fault == "" {
		c.Thread, fault = c.p.ThreadAlgorithm()
	}
	return c.criteria(fault)
}

// criteria consumes the charset and the keys of SORT and THREAD, unless there
// was a fault before.
func (c *Command) criteria(fault imap.Fault) imap.Fault {
	if fault == "" {
		fault = c.p.SP()
	}
	if fault == "" {
		fault = c.p.Charset(&c.Search)
	}
	if fault == "" {
		fault = c.p.SP()
	}
	if fault == "" {
		fault = c.p.SearchKeys(&c.Search)
	}
	return c.searched(fault)
}

// cancelUpdate is CANCELUPDATE, with the tags of searches.
//
//	command-select =/ "CANCELUPDATE" 1*(SP quoted)  ; RFC 5267 section 5
func (c *Command) cancelUpdate() imap.Fault {
	mark := c.p.Words()
	for {
		if fault := c.p.SP(); fault != "" {
			return fault
		}
		tag, fault := c.p.Quoted()
		if fault != "" {
			return fault
		}
		c.p.KeepWord(tag)
		if c.p.Empty() {
			c.Words = c.p.WordsSince(mark)
			return ""
		}
	}
}
