package proto

import "barid/internal/imap"

// Verb is a command.
type Verb uint8

// The commands that a door sees with Run and AskAppend. What a session does by
// itself is not among them.
const (
	none Verb = iota
	Noop
	ID
	Namespace
	Enable
	Select
	Examine
	Create
	Delete
	Rename
	Subscribe
	Unsubscribe
	List
	LSUB
	Status
	Append
	Replace
	Check
	CloseMailbox // CLOSE
	Unselect
	Expunge
	Search
	Fetch
	Store
	Copy
	Move
	Sort
	Thread
	CancelUpdate
	Notify
	GetQuota
	GetQuotaRoot
	SetQuota
	GetACL
	SetACL
	DeleteACL
	ListRights
	MyRights
	GetMetadata
	SetMetadata
	Unauthenticate
)

// A demand is something about a command that is true of few.
type demand uint8

const (
	hasUID    demand = 1 << iota // may come as UID ...
	onlyUID                      // is another command as UID ...; needs UIDPLUS
	numbers                      // takes or returns message numbers, unless it comes as UID
	noLiteral                    // nothing in it is a string
	takesBody                    // the text of a message may be in it
)

// A verb is a row of the table: a command, when it may come, which capability
// offers it, how it is parsed, and what the session does then. run is nil
// where the door does it.
type verb struct {
	name    string
	verb    Verb
	in      state
	need    imap.Caps
	demands demand
	parse   func(c *Command) imap.Fault
	run     func(s *Session, out []byte) []byte
}

// verbs are the commands, those of every day first.
var verbs = [...]verb{
	{"FETCH", Fetch, selected, 0, hasUID | numbers, (*Command).fetch, nil},
	{"STORE", Store, selected, 0, hasUID | numbers | noLiteral, (*Command).store, nil},
	{"SEARCH", Search, selected, 0, hasUID | numbers, (*Command).search, nil},
	{"NOOP", Noop, anytime, 0, noLiteral, nil, nil},
	{"IDLE", none, loggedIn, imap.CapIdle, noLiteral, nil, (*Session).idle},
	{"SELECT", Select, loggedIn, 0, 0, (*Command).selectMailbox, nil},
	{"EXAMINE", Examine, loggedIn, 0, 0, (*Command).selectMailbox, nil},
	{"STATUS", Status, loggedIn, 0, 0, (*Command).status, nil},
	{"LIST", List, loggedIn, 0, 0, (*Command).list, nil},
	{"COPY", Copy, selected, 0, hasUID | numbers, (*Command).copy, nil},
	{"MOVE", Move, selected, imap.CapMove, hasUID | numbers, (*Command).copy, nil},
	{"APPEND", Append, loggedIn, 0, takesBody, nil, nil},
	{"EXPUNGE", Expunge, selected, 0, hasUID | onlyUID | noLiteral, (*Command).expunge, nil},
	{"CLOSE", CloseMailbox, selected, 0, noLiteral, nil, nil},
	{"UNSELECT", Unselect, selected, imap.CapUnselect, noLiteral, nil, nil},
	{"LSUB", LSUB, loggedIn, imap.CapRev1, 0, (*Command).lsub, nil},
	{"CHECK", Check, selected, imap.CapRev1, noLiteral, nil, nil},
	{"SORT", Sort, selected, imap.CapSort, hasUID | numbers, (*Command).sort, nil},
	{"THREAD", Thread, selected, 0, hasUID | numbers, (*Command).thread, nil},
	{"REPLACE", Replace, selected, imap.CapReplace, hasUID | numbers | takesBody, nil, nil},
	{"CREATE", Create, loggedIn, 0, 0, (*Command).create, nil},
	{"DELETE", Delete, loggedIn, 0, 0, (*Command).oneMailbox, nil},
	{"RENAME", Rename, loggedIn, 0, 0, (*Command).rename, nil},
	{"SUBSCRIBE", Subscribe, loggedIn, 0, 0, (*Command).oneMailbox, nil},
	{"UNSUBSCRIBE", Unsubscribe, loggedIn, 0, 0, (*Command).oneMailbox, nil},
	{"NAMESPACE", Namespace, loggedIn, imap.CapNamespace, noLiteral, nil, nil},
	{"ENABLE", Enable, loggedIn, imap.CapEnable, noLiteral, (*Command).enable, (*Session).enable},
	{"ID", ID, anytime, imap.CapID, 0, (*Command).id, nil},
	{"CAPABILITY", none, anytime, 0, noLiteral, nil, (*Session).capability},
	{"LOGOUT", none, anytime, 0, noLiteral, nil, (*Session).logout},
	{"STARTTLS", none, notAuthenticated, 0, noLiteral, nil, (*Session).startTLS},
	{"AUTHENTICATE", none, notAuthenticated, 0, noLiteral, (*Command).authenticate, (*Session).authenticate},
	{"LOGIN", none, notAuthenticated, 0, 0, (*Command).login, (*Session).logIn},
	{"COMPRESS", none, loggedIn, imap.CapCompressDeflate, noLiteral, (*Command).compress, (*Session).compress},
	{"CANCELUPDATE", CancelUpdate, selected, imap.CapContextSearch, 0, (*Command).cancelUpdate, nil},
	{"NOTIFY", Notify, loggedIn, imap.CapNotify, 0, (*Command).notify, (*Session).notify},
	{"GETQUOTA", GetQuota, loggedIn, imap.CapQuota, 0, (*Command).getQuota, nil},
	{"GETQUOTAROOT", GetQuotaRoot, loggedIn, imap.CapQuota, 0, (*Command).oneMailbox, nil},
	{"SETQUOTA", SetQuota, loggedIn, imap.CapQuotaSet, 0, (*Command).setQuota, nil},
	{"GETACL", GetACL, loggedIn, imap.CapACL, 0, (*Command).oneMailbox, nil},
	{"SETACL", SetACL, loggedIn, imap.CapACL, 0, (*Command).setACL, nil},
	{"DELETEACL", DeleteACL, loggedIn, imap.CapACL, 0, (*Command).mailboxAndIdentifier, nil},
	{"LISTRIGHTS", ListRights, loggedIn, imap.CapACL, 0, (*Command).mailboxAndIdentifier, nil},
	{"MYRIGHTS", MyRights, loggedIn, imap.CapACL, 0, (*Command).oneMailbox, nil},
	{"GETMETADATA", GetMetadata, loggedIn, imap.CapMetadata, 0, (*Command).getMetadata, nil},
	{"SETMETADATA", SetMetadata, loggedIn, imap.CapMetadata, 0, (*Command).setMetadata, nil},
	{"UNAUTHENTICATE", Unauthenticate, loggedIn, imap.CapUnauthenticate, noLiteral, nil, nil},
}

// tagMax is how many octets a tag may have: those of sessions that idle are
// kept.
const tagMax = 255

// find reads the tag and the name of the command that was begun, and looks it
// up. A Reply with a Text says why it may not come.
//
//	command = tag SP (command-any / command-auth /
//	          command-nonauth / command-select) CRLF  ; RFC 9051 section 9
//	uid     = "UID" SP (copy / move / fetch / search / store / uid-expunge)
func (s *Session) find() (*verb, imap.Reply) {
	c := s.c
	tag := c.p.Tag()
	if len(tag) == 0 || len(tag) > tagMax || c.p.SP() != "" {
		return nil, bad("a command begins with a tag and a space")
	}
	c.Tag = tag
	name := c.p.Keyword()
	if string(name) == "UID" && c.p.Byte(' ') {
		c.UID = true
		name = c.p.Keyword()
	}
	caps := s.understood()
	for i := range verbs {
		if v := &verbs[i]; string(name) == v.name && s.offers(v, caps) {
			c.Verb = v.verb
			return v, s.mayRun(v)
		}
	}
	return nil, bad("unknown command")
}

func bad(text string) imap.Reply { return imap.Reply{Status: imap.BAD, Text: text} }

// understood is what is offered, with what lies within it.
func (s *Session) understood() imap.Caps { return s.options.Caps.Understood() }

// offers reports whether a command is there at all.
func (s *Session) offers(v *verb, caps imap.Caps) bool {
	switch {
	case !caps.Has(v.need):
		return false
	case v.verb == Thread:
		return caps.Any(imap.CapThreadOrderedSubject | imap.CapThreadReferences)
	case s.c.UID && v.demands&onlyUID != 0:
		return caps.Has(imap.CapUIDPlus)
	}
	return !s.c.UID || v.demands&hasUID != 0
}

// mayRun says why a command may not come now.
func (s *Session) mayRun(v *verb) imap.Reply {
	switch {
	case s.state&v.in == 0 && s.state == notAuthenticated:
		return bad("log in first")
	case s.state&v.in == 0 && v.in == notAuthenticated:
		return bad("already logged in")
	case s.state&v.in == 0:
		return bad("select a mailbox first")
	case v.demands&numbers != 0 && !s.c.UID && s.enabled.Has(imap.EnabledUIDOnly):
		return imap.Reply{Status: imap.BAD, Code: imap.CodeUIDRequired, Text: string(imap.UIDRequired)}
	}
	return imap.Reply{}
}

func (s *Session) dialect() *imap.Dialect {
	s.c.dialect = imap.Dialect{Caps: s.options.Caps, Enabled: s.enabled, Separator: s.options.Separator}
	return &s.c.dialect
}

// command parses a command that may come, and runs it.
func (s *Session) command(v *verb, out []byte) []byte {
	c := s.c
	if v.parse != nil {
		if fault := v.parse(c); fault != "" {
			return s.refuse(refusal(fault), out)
		}
	}
	if !c.p.Empty() {
		return s.refuse(bad("there is too much behind the command"), out)
	}
	s.wasGood()
	c.Enables &^= s.enabled
	s.enabled |= c.Enables
	if v.run != nil {
		return v.run(s, out)
	}
	s.next = Run
	return out
}

// wasGood: bad commands of a client that has logged in count in a row.
func (s *Session) wasGood() {
	if s.state != notAuthenticated {
		s.errors = 0
	}
}
