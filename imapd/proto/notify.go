package proto

import "barid/internal/imap"

// MailboxFilter says which mailboxes events are wanted of (RFC 5465 section 6).
type MailboxFilter uint8

// The filters.
const (
	FilterSelected MailboxFilter = iota
	FilterSelectedDelayed
	FilterInboxes
	FilterPersonal
	FilterSubscribed
	FilterSubtree   // of the Mailboxes
	FilterMailboxes // the Mailboxes
)

var filterNames = [...]string{"SELECTED", "SELECTED-DELAYED", "INBOXES", "PERSONAL", "SUBSCRIBED", "SUBTREE", "MAILBOXES"}

// Events is a set of what NOTIFY can tell (RFC 5465 section 5).
type Events uint8

// The events. AnnotationChange is none: there are no annotations.
const (
	EventMessageNew Events = 1 << iota
	EventMessageExpunge
	EventFlagChange
	EventMailboxName
	EventSubscriptionChange
	EventMailboxMetadataChange
	EventServerMetadataChange

	messageEvents = EventMessageNew | EventMessageExpunge | EventFlagChange
)

var eventNames = [...]string{
	"MESSAGENEW", "MESSAGEEXPUNGE", "FLAGCHANGE", "MAILBOXNAME", "SUBSCRIPTIONCHANGE", "MAILBOXMETADATACHANGE", "SERVERMETADATACHANGE",
}

// EventGroup is a filter and the events that are wanted of its mailboxes.
type EventGroup struct {
	Filter    MailboxFilter
	Mailboxes [][]byte // in UTF-8
	Events    Events   // 0: NONE, also where a later group matches
	// Fetch is what is to be told of new messages, beside their UID.
	Fetch imap.Fetch
}

// NotifyParams is what NOTIFY says.
type NotifyParams struct {
	None   bool // cancel everything; no Groups
	Status bool // tell the status of the mailboxes first
	Groups []EventGroup

	unknown bool // an event is not known
}

// groupsMax is how many groups a NOTIFY may have.
const groupsMax = 32

// notify is NOTIFY.
//
//	notify       = "NOTIFY" SP (notify-set / notify-none)  ; RFC 5465 section 8
//	notify-set   = "SET" [SP "STATUS"] SP event-groups
//	event-groups = event-group *(SP event-group)
func (c *Command) notify() imap.Fault {
	if fault := c.p.SP(); fault != "" {
		return fault
	}
	if c.p.Word("NONE") {
		c.Notify.None = true
		return ""
	}
	if !c.p.Word("SET") {
		return "NOTIFY is SET or NONE"
	}
	if c.p.AfterSpace('S') || c.p.AfterSpace('s') {
		c.p.Byte(' ')
		if c.Notify.Status = c.p.Word("STATUS"); !c.Notify.Status {
			return "a group of events was expected"
		}
	}
	for {
		if fault := c.spaced(c.eventGroup); fault != "" {
			return fault
		}
		if c.p.Empty() {
			return c.checkGroups()
		}
	}
}

// checkGroups: the selected mailbox is in one group at most (RFC 5465 section
// 6.1).
func (c *Command) checkGroups() imap.Fault {
	n := 0
	for i := range c.Notify.Groups {
		if c.Notify.Groups[i].Filter <= FilterSelectedDelayed {
			n++
		}
	}
	if n > 1 {
		return "the selected mailbox is in one group at most"
	}
	return ""
}

// eventGroup consumes a group.
//
//	event-group = "(" filter-mailboxes SP events ")"  ; RFC 5465 section 8
func (c *Command) eventGroup() (fault imap.Fault) {
	if len(c.Notify.Groups) == groupsMax {
		return "too many groups of events"
	}
	if !c.p.Byte('(') {
		return "a group of events was expected"
	}
	var g EventGroup
	if fault = c.filter(&g); fault == "" {
		fault = c.p.SP()
	}
	if fault == "" {
		fault = c.events(&g)
	}
	switch {
	case fault != "":
		return fault
	case !c.p.Byte(')'):
		return "a group of events does not end"
	}
	c.Notify.Groups = append(c.Notify.Groups, g)
	return ""
}

// filter consumes a filter.
//
//	filter-mailboxes-other = "inboxes" / "personal" / "subscribed" /
//	                         ( "subtree" SP one-or-more-mailbox ) /
//	                         ( "mailboxes" SP one-or-more-mailbox )
//	one-or-more-mailbox    = mailbox / many-mailboxes  ; RFC 5465 section 8
func (c *Command) filter(g *EventGroup) imap.Fault {
	word := c.p.Keyword()
	found := false
	for i, name := range filterNames {
		if string(word) == name {
			g.Filter, found = MailboxFilter(i), true
		}
	}
	if !found {
		return "there is no such filter for mailboxes"
	}
	if g.Filter < FilterSubtree {
		return ""
	}
	if fault := c.p.SP(); fault != "" {
		return fault
	}
	mark := c.p.Words()
	one := func() imap.Fault {
		name, fault := c.p.Mailbox()
		c.p.KeepWord(name)
		return fault
	}
	var fault imap.Fault
	if c.p.Peek() == '(' {
		fault = c.p.List("", one)
	} else {
		fault = one()
	}
	g.Mailboxes = c.p.WordsSince(mark)
	return fault
}

// events consumes the events of a group.
//
//	events = ( "(" event *(SP event) ")" ) / "NONE"  ; RFC 5465 section 8
func (c *Command) events(g *EventGroup) imap.Fault {
	if c.p.Word("NONE") {
		return ""
	}
	fault := c.p.List("a list of events was expected", func() imap.Fault { return c.event(g) })
	const both = EventMessageNew | EventMessageExpunge
	switch {
	case fault != "":
		return fault
	case g.Events&both != 0 && g.Events&both != both:
		return "MessageNew and MessageExpunge go together"
	case g.Events&EventFlagChange != 0 && g.Events&both != both:
		return "FlagChange goes with MessageNew and MessageExpunge"
	case g.Filter <= FilterSelectedDelayed && g.Events&^messageEvents != 0:
		return "the selected mailbox has events of messages only"
	}
	return ""
}

// event consumes one event.
//
//	message-event = ( "MessageNew" [SP "(" fetch-att *(SP fetch-att) ")" ] ) /
//	                "MessageExpunge" / "FlagChange" / "AnnotationChange"
//	mailbox-event = "MailboxName" / "SubscriptionChange" / "MailboxMetadataChange"
//	user-event    = "ServerMetadataChange"          ; RFC 5465 section 8
func (c *Command) event(g *EventGroup) (fault imap.Fault) {
	word := c.p.Keyword()
	if len(word) == 0 {
		return "an event was expected"
	}
	var event Events
	for i, name := range eventNames {
		if string(word) == name {
			event = 1 << i
		}
	}
	if !c.knows(event) {
		c.Notify.unknown = true
		return ""
	}
	g.Events |= event
	if event == EventMessageNew && c.p.AfterSpace('(') {
		if g.Filter > FilterSelectedDelayed {
			return "what to fetch can be said for the selected mailbox only"
		}
		c.p.Byte(' ')
		g.Fetch, fault = c.p.FetchAtts()
	}
	return fault
}

// knows reports whether an event can happen here.
func (c *Command) knows(event Events) bool {
	switch event {
	case 0:
		return false
	case EventMailboxMetadataChange:
		return c.p.Offers(imap.CapMetadata)
	case EventServerMetadataChange:
		return c.p.Offers(imap.CapMetadata) || c.p.Offers(imap.CapMetadataServer)
	}
	return true
}

// notify refuses events that cannot happen here, and names those that can (RFC
// 5465 section 5).
func (s *Session) notify(out []byte) []byte {
	if !s.c.Notify.unknown {
		s.next = Run
		return out
	}
	r := imap.Reply{Status: imap.NO, Code: imap.CodeBadEvent, Text: "there is no such event here"}
	args := "(MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange)"
	if s.c.knows(EventMailboxMetadataChange) {
		args = "(MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange)"
	}
	r.Args = []byte(args)
	return r.Append(out, s.c.Tag)
}
