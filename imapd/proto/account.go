package proto

import "barid/internal/imap"

const (
	// idPairsMax and the lengths are what RFC 2971 3.3 allows. Longer values
	// are cut: a client that is proud of its name is none the worse for it.
	idPairsMax = 30
	idNameMax  = 30
	idValueMax = 1024
)

// id is ID.
//
//	id             = "ID" SP id_params_list         ; RFC 2971 section 4
//	id_params_list = "(" #(string SP nstring) ")" / nil
func (c *Command) id() imap.Fault {
	if fault := c.p.SP(); fault != "" {
		return fault
	}
	if c.p.Word("NIL") || c.p.EmptyList() {
		return ""
	}
	return c.p.List("ID has a list or NIL", func() imap.Fault {
		name, fault := c.p.String()
		if fault == "" {
			fault = c.p.SP()
		}
		if fault != "" {
			return fault
		}
		value, fault := c.p.NString()
		switch {
		case fault != "":
			return fault
		case len(name) > idNameMax:
			return "a field of ID has a name that is too long"
		case len(c.Pairs) == idPairsMax:
			return "ID has too many fields"
		}
		c.Pairs = append(c.Pairs, Pair{name, value[:min(len(value), idValueMax)]})
		return ""
	})
}

// enable is ENABLE. Names that are not known are passed over.
//
//	enable = "ENABLE" 1*(SP capability)             ; RFC 9051 section 9
func (c *Command) enable() imap.Fault {
	for {
		if fault := c.p.SP(); fault != "" {
			return fault
		}
		name := c.p.Atom()
		if len(name) == 0 {
			return "the name of a capability was expected"
		}
		c.asked |= imap.EnabledBy(name, c.dialect.Caps)
		c.Enables = c.asked
		if c.p.Empty() {
			return ""
		}
	}
}

// enable tells what was switched on. The door has to tell more where a mailbox
// is selected, and ends the command.
func (s *Session) enable(out []byte) []byte {
	s.next = Run
	return imap.AppendEnabled(out, s.c.asked)
}

// QuotaLimit is the limit of one resource (RFC 9208 section 3).
type QuotaLimit struct {
	Resource []byte // in capitals
	Limit    int64  // in units of the resource
}

// QuotaParams is what the quota commands say.
type QuotaParams struct {
	Root   []byte
	Limits []QuotaLimit // of SETQUOTA
}

// quotaLimitMax is how many resources SETQUOTA may name.
const quotaLimitMax = 16

// getQuota is GETQUOTA.
//
//	getquota = "GETQUOTA" SP quota-root-name        ; RFC 9208 section 7
func (c *Command) getQuota() imap.Fault { return c.spacedString(&c.Quota.Root) }

// setQuota is SETQUOTA.
//
//	setquota         = "SETQUOTA" SP quota-root-name SP setquota-list  ; RFC 9208 section 7
//	setquota-list    = "(" [setquota-resource *(SP setquota-resource)] ")"
//	setquota-resource = resource-name SP resource-limit
func (c *Command) setQuota() imap.Fault {
	fault := c.spacedString(&c.Quota.Root)
	if fault == "" {
		fault = c.p.SP()
	}
	if fault != "" || c.p.EmptyList() {
		return fault
	}
	return c.p.List("a list of limits was expected", func() imap.Fault {
		name := c.p.Keyword()
		if len(name) == 0 {
			return "the name of a resource was expected"
		}
		if fault := c.p.SP(); fault != "" {
			return fault
		}
		limit, fault := c.p.Number64()
		switch {
		case fault != "":
			return fault
		case len(c.Quota.Limits) == quotaLimitMax:
			return "too many limits"
		}
		c.Quota.Limits = append(c.Quota.Limits, QuotaLimit{name, limit})
		return ""
	})
}

// mailboxAndIdentifier is what DELETEACL and LISTRIGHTS say.
//
//	deleteacl  = "DELETEACL" SP mailbox SP identifier  ; RFC 4314 section 7
//	listrights = "LISTRIGHTS" SP mailbox SP identifier
//	identifier = astring
func (c *Command) mailboxAndIdentifier() (fault imap.Fault) {
	if fault = c.spacedMailbox(&c.Mailbox); fault == "" {
		fault = c.spacedString(&c.ACL.Identifier)
	}
	return fault
}

// ACLParams is what the commands about rights say.
type ACLParams struct {
	Identifier []byte
	Op         StoreOp // of SETACL
	Rights     imap.Rights
}

// setACL is SETACL. A right that is not known is an error (RFC 4314 3.1).
//
//	setacl     = "SETACL" SP mailbox SP identifier SP mod-rights  ; RFC 4314 section 7
//	mod-rights = astring
//	             ;; +rights to add, -rights to remove, rights to replace
func (c *Command) setACL() (fault imap.Fault) {
	var rights []byte
	if fault = c.mailboxAndIdentifier(); fault == "" {
		fault = c.spacedString(&rights)
	}
	if fault != "" {
		return fault
	}
	if len(rights) > 0 {
		switch rights[0] {
		case '+':
			c.ACL.Op, rights = StoreAdd, rights[1:]
		case '-':
			c.ACL.Op, rights = StoreRemove, rights[1:]
		}
	}
	var known bool
	if c.ACL.Rights, known = imap.ParseRights(rights); !known {
		return "there is no such right"
	}
	return ""
}

// Depth is how far below an entry GETMETADATA looks (RFC 5464 4.2.2).
type Depth uint8

// The depths.
const (
	DepthZero Depth = iota
	DepthOne
	DepthInfinity
)

// MetadataOptions is what GETMETADATA says besides the entries.
type MetadataOptions struct {
	MaxSize int64 // octets; negative: no limit (RFC 5464 4.2.1)
	Depth   Depth
}

// getMetadata is GETMETADATA. The grammar has the options before the mailbox
// and the examples behind it; both are understood. An empty mailbox is the
// server.
//
//	getmetadata = "GETMETADATA" [SP getmetadata-options] SP mailbox SP entries
//	entries     = entry / "(" entry *(SP entry) ")"  ; RFC 5464 section 5
func (c *Command) getMetadata() (fault imap.Fault) {
	c.Metadata.MaxSize = -1
	options := c.p.AfterSpace('(')
	if options {
		fault = c.metadataOptions()
	}
	if fault == "" {
		fault = c.spacedMailbox(&c.Mailbox)
	}
	if fault == "" && !options && c.p.AfterSpace('(') && c.optionsBehind() {
		fault = c.metadataOptions()
	}
	if fault == "" {
		fault = c.p.SP()
	}
	if fault != "" {
		return fault
	}
	mark := c.p.Words()
	if c.p.Peek() == '(' {
		fault = c.p.List("", c.entry)
	} else {
		fault = c.entry()
	}
	c.Words = c.p.WordsSince(mark)
	return fault
}

// optionsBehind reports whether the list that comes next is one of options:
// entries begin with a slash.
func (c *Command) optionsBehind() bool {
	b := c.p.Text[2:]
	return len(b) > 0 && b[0] != '/' && b[0] != '"' && b[0] != '{'
}

// metadataOptions consumes a space and the options.
//
//	getmetadata-options = "(" getmetadata-option *(SP getmetadata-option) ")"
//	maxsize-opt         = "MAXSIZE" SP number       ; RFC 5464 section 5
//	scope-opt           = "DEPTH" SP ("0" / "1" / "infinity")
func (c *Command) metadataOptions() imap.Fault {
	c.p.Byte(' ')
	return c.p.List("", func() (fault imap.Fault) {
		word := c.p.Keyword()
		if fault = c.p.SP(); fault != "" {
			return fault
		}
		switch string(word) {
		case "MAXSIZE":
			var size uint32
			size, fault = c.p.Number()
			c.Metadata.MaxSize = int64(size)
		case "DEPTH":
			fault = c.depth()
		default:
			fault = "there is no such option of GETMETADATA"
		}
		return fault
	})
}

func (c *Command) depth() imap.Fault {
	switch {
	case c.p.Word("0"):
		c.Metadata.Depth = DepthZero
	case c.p.Word("1"):
		c.Metadata.Depth = DepthOne
	case c.p.Word("INFINITY"):
		c.Metadata.Depth = DepthInfinity
	default:
		return "the depth is 0, 1 or infinity"
	}
	return ""
}

// entry consumes the name of an entry and keeps it.
func (c *Command) entry() imap.Fault {
	name, fault := c.entryName()
	c.p.KeepWord(name)
	return fault
}

// entryName consumes the name of an entry.
//
//	entry = astring  ; slash-separated path to entry
//	                 ; MUST NOT contain "*" or "%"  ; RFC 5464 section 5
func (c *Command) entryName() ([]byte, imap.Fault) {
	name, fault := c.p.AString()
	if fault == "" && !isEntry(name) {
		fault = "this is not the name of an entry"
	}
	return name, fault
}

// isEntry reports whether a name is one that RFC 5464 section 3.1 allows: a
// path of US-ASCII without wildcards, controls and empty components.
func isEntry(name []byte) bool {
	if len(name) < 2 || name[0] != '/' || name[len(name)-1] == '/' {
		return false
	}
	for i, b := range name {
		if b < ' ' || b >= 0x7F || b == '*' || b == '%' || b == '/' && i > 0 && name[i-1] == '/' {
			return false
		}
	}
	return true
}

// setMetadata is SETMETADATA. A value of nil removes its entry.
//
//	setmetadata  = "SETMETADATA" SP mailbox SP entry-values
//	entry-values = "(" entry-value *(SP entry-value) ")"
//	entry-value  = entry SP value                   ; RFC 5464 section 5
//	value        = nstring / literal8
func (c *Command) setMetadata() (fault imap.Fault) {
	if fault = c.spacedMailbox(&c.Mailbox); fault == "" {
		fault = c.p.SP()
	}
	if fault != "" {
		return fault
	}
	return c.p.List("a list of entries and values was expected", func() imap.Fault {
		name, fault := c.entryName()
		if fault == "" {
			fault = c.p.SP()
		}
		if fault != "" {
			return fault
		}
		var value []byte
		if c.p.Peek() == '~' {
			value, fault = c.p.Literal8()
		} else {
			value, fault = c.p.NString()
		}
		c.Pairs = append(c.Pairs, Pair{name, value})
		return fault
	})
}
