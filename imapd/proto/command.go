package proto

import "barid/internal/imap"

// Command is one command of the client as a value, and the memory of its
// parts. The door lends it to a session with Lend and takes it back with
// Reclaim, so that thousands of idle sessions share a few. The zero value is
// ready; its memory is kept from use to use.
//
// All slices in it live until Done. Mailbox names are in UTF-8, with INBOX in
// capitals. Sets have to be resolved (imap.SeqSet.Resolve) before they are
// asked.
type Command struct {
	p       imap.Parser
	dialect imap.Dialect
	Arguments
}

// Arguments is what a command says. What belongs to other commands is zero.
type Arguments struct {
	Verb Verb
	Tag  []byte
	// UID: the command came as UID ..., and its Set is one of UIDs.
	UID bool
	// Enables is what the command has switched on, which was off before (RFC
	// 7162 section 3.1): with EnabledCondStore in it and a mailbox selected
	// the client has to be told HIGHESTMODSEQ.
	Enables imap.Enabled

	Mailbox []byte      // of every command that names one
	To      []byte      // of RENAME
	Set     imap.SeqSet // of FETCH, STORE, COPY, MOVE, UID EXPUNGE, REPLACE

	Select SelectParams
	Fetch  imap.Fetch
	Store  StoreParams
	Search imap.Search // of SEARCH, SORT and THREAD
	Sort   []imap.SortKey
	Thread imap.ThreadAlgorithm
	List   ListParams
	Status imap.StatusItems
	// Use is what CREATE asks the mailbox to be for; UnknownUse: one of the
	// uses is not known here, to be answered with USEATTR (RFC 6154).
	Use        imap.ListFlag
	UnknownUse bool

	Message Message // of APPEND and REPLACE, the one that AskAppend is about
	Piece   Piece   // of APPEND and REPLACE, the one that AskAppend is about

	Pairs    []Pair   // of ID, SETMETADATA
	Words    [][]byte // tags of CANCELUPDATE, entries of GETMETADATA
	Metadata MetadataOptions
	Quota    QuotaParams
	ACL      ACLParams
	Notify   NotifyParams

	at appendPlace // of APPEND and REPLACE

	asked imap.Enabled // of ENABLE

	mechanism, initial []byte // of AUTHENTICATE; initial is nil when there was none
	name, password     []byte // of LOGIN
}

// Pair is a name and a value; a Value of nil is NIL.
type Pair struct{ Name, Value []byte }

// SelectParams are the parameters of SELECT and EXAMINE (RFC 7162).
type SelectParams struct {
	CondStore, QResync bool
	UIDValidity        uint32
	ModSeq             int64
	KnownUIDs          imap.SeqSet // resolved; empty: all
	// MatchSeqs and MatchUIDs are resolved; empty: none were given (RFC 7162
	// 3.2.5.2).
	MatchSeqs, MatchUIDs imap.SeqSet
}

// StoreOp is what STORE does with its flags.
type StoreOp uint8

// The operations of STORE.
const (
	StoreReplace StoreOp = iota
	StoreAdd
	StoreRemove
)

// StoreParams is what STORE says.
type StoreParams struct {
	Op     StoreOp
	Silent bool
	Flags  imap.Flags
	// UnchangedSince is a mod-sequence, and negative when there is none (RFC
	// 7162 3.1.3).
	UnchangedSince int64
}

// begin forgets the command before and takes a new one.
func (c *Command) begin(text []byte, d *imap.Dialect) {
	pairs, limits, groups := c.Pairs[:0], c.Quota.Limits[:0], c.Notify.Groups[:0]
	c.Arguments = Arguments{}
	c.Pairs, c.Quota.Limits, c.Notify.Groups = pairs, limits, groups
	c.p.Begin(text, d)
}

// Trim lets go of memory that was needed only once.
func (c *Command) Trim() {
	c.p.Trim()
	c.Pairs, c.Notify.Groups = nil, nil
}

// spaced consumes a space and then what f consumes.
func (c *Command) spaced(f func() imap.Fault) imap.Fault {
	if fault := c.p.SP(); fault != "" {
		return fault
	}
	return f()
}

// spacedMailbox consumes a space and a mailbox.
func (c *Command) spacedMailbox(to *[]byte) (fault imap.Fault) {
	if fault = c.p.SP(); fault == "" {
		*to, fault = c.p.Mailbox()
	}
	return fault
}

// spacedString consumes a space and an astring.
func (c *Command) spacedString(to *[]byte) (fault imap.Fault) {
	if fault = c.p.SP(); fault == "" {
		*to, fault = c.p.AString()
	}
	return fault
}

// spacedSet consumes a space and a set.
func (c *Command) spacedSet() (fault imap.Fault) {
	if fault = c.p.SP(); fault == "" {
		c.Set, fault = c.p.SeqSet()
	}
	return fault
}

// oneMailbox is the argument of those commands that have a mailbox only.
func (c *Command) oneMailbox() imap.Fault { return c.spacedMailbox(&c.Mailbox) }
