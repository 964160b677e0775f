// Package route says where an address goes: to which mailboxes of ours, to
// which other hosts, or why nowhere.
//
// A recipient in a domain of ours is looked up in this order, and the first
// thing that knows it decides:
//
//	virtual map           user+tag@domain, user@domain, user+tag, user
//	transport map         a way to another host, as a gateway has it
//	aliases               user+tag, user
//	account               user+tag@domain, user@domain, user+tag, user
//	built-in names        postmaster, abuse, mailer-daemon
//	virtual map           @domain, the catch-all
//	nothing               550 5.1.1, no such user
//
// What a map gives is looked up again in the same way, until only accounts
// and addresses at other hosts are left. For those the first of these says
// which host gets them:
//
//	transport map         user+tag@domain, user@domain, domain, .domain, *
//	sender map            user@domain, @domain of the sender
//	smarthost
//	MX of the domain
//
// docs/routing.md tells a postmaster the same at length.
//
// The catch-all comes last, other than in Postfix, where it hides every mailbox
// that has no entry of its own: here it catches what nothing else knows.
//
// Never an open relay: mail for others is taken from a client that may relay
// (Sender), for a domain that we relay for, for an alias of ours that leads
// there, and for an address that we have signed ourselves (package srs); from
// others it is refused. What a stranger names may not make the next host a relay
// either.
//
// Invariants: an address either goes to all of its targets or is refused
// while its sender still listens (the exception, a member of a list whose
// account is gone, is logged and reported by Check); no two targets of one
// address are the same; an address that is a plain mailbox, and a plain one
// elsewhere, cost no allocation.
package route

import (
	"log/slog"
	"net/netip"
	"time"

	"barid/internal/srs"
)

// Options are what New needs to know.
type Options struct {
	// Domains are the domains whose mail is ours. The first one is the
	// primary domain: names without a domain belong to it.
	Domains []string
	// Hostname is this host's name. It and "localhost" are ours too: an
	// address there is a name without a domain.
	Hostname string
	// Separators are the characters that may divide user and tag, any of
	// them; none means that there are no subaddresses. The usual one is "+".
	Separators string
	// Postmaster is the account or address that gets the mail of postmaster
	// where the maps do not say. Empty: see FirstAccount.
	Postmaster string
	// FirstAccount names the account that stands in for an empty Postmaster,
	// "" when there is none; nil when it is not known.
	FirstAccount func() string
	// Literal says whether an address is one of this host's: mail to an
	// address literal with it is mail to a name without a domain. nil: none is.
	Literal func(netip.Addr) bool
	// AliasFile and VirtualFile are the names of the maps, "" for none.
	AliasFile, VirtualFile string
	// RelayDomains are domains of others whose mail is taken from anybody and
	// handed on. ".example.org" stands for all domains within example.org.
	RelayDomains []string
	// RelayRecipientFile is the name of the map of the addresses that exist
	// where mail is handed on from anybody; "": all do.
	RelayRecipientFile string
	// TransportFile is the name of the map of ways, SenderFile that of the
	// smarthosts of senders; "" for none.
	TransportFile, SenderFile string
	// Smarthost is the next hop of mail to others for which nothing else is
	// said, such as [smtp.example.net]:587; "": the MX of each domain.
	Smarthost string
	// SRS signs the senders of mail that is forwarded, and knows its own
	// again; nil: senders stay as they are.
	SRS *srs.Scheme
	// Account finds the mailbox account that a name means, and gives the
	// account's own name for it. The name asked for is either a canonical
	// address (package addr) or a bare canonical local part; it must not be
	// kept, and the answer is copied.
	Account func(name []byte) (account string, ok bool)
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log gets what a postmaster should know: maps reread, maps broken, list
	// members that do not exist. nil discards.
	Log *slog.Logger
}

// Kind is what a Verdict comes to.
type Kind uint8

// The kinds of verdict.
const (
	// Reject is a permanent refusal.
	Reject Kind = iota
	// Defer is a temporary refusal: the address may be good later.
	Defer
	// Accept means that the Targets are complete and not empty.
	Accept
)

// Verdict is the answer to a recipient. Code, Status and Text are meant for
// the client; Reason is for the log only and empty when Text says it all.
type Verdict struct {
	Kind   Kind
	Code   int    // SMTP reply code, RFC 5321 4.2
	Status string // enhanced status code, RFC 3463, such as "5.1.1"
	Text   string
	Reason string
}

// Sender is what Resolve has to know of who sends.
type Sender struct {
	// Address is the reverse-path of MAIL FROM, empty for the null sender.
	Address []byte
	// MayRelay says that he may send to other hosts through this one: he has
	// authenticated, or his host is one that we relay for.
	MayRelay bool
}

// Target is a place that the message goes to.
type Target struct {
	// Dest is the key of the destination, agent and place:
	//
	//	local:ACCOUNT
	//	smtp:example.org            to its MX
	//	smtp:[mx.example.org]:587   to the host itself; with or without a port both
	//	smtp:[2001:db8::1]
	//	lmtp:unix:/run/dovecot/lmtp
	//	lmtp:[host]:24
	//	discard:REASON
	Dest []byte
	// Account is the name by which Options.Account knew a mailbox of ours;
	// empty when the target is none.
	Account []byte
	// Address is what the message was sent to in the end, after all maps, in
	// canonical form and with its tag: the value of Delivered-To. The case of
	// the local part is kept in an address that is not ours.
	Address []byte
	// Detail is the tag of a subaddress as it was written, without the
	// separator; empty when there is none.
	Detail []byte

	key []byte // no two targets have the same
}
