// Package route says where an address goes: to which mailboxes of ours, or
// why nowhere.
//
// A recipient is looked up in this order, and the first thing that knows it
// decides:
//
//	domain not ours       550 5.7.1, relay access denied
//	virtual map           user+tag@domain, user@domain, user+tag, user
//	aliases               user+tag, user
//	account               user+tag@domain, user@domain, user+tag, user
//	built-in names        postmaster, abuse, mailer-daemon
//	virtual map           @domain, the catch-all
//	nothing               550 5.1.1, no such user
//
// What a map gives is looked up again in the same way, until only accounts
// are left. docs/routing.md tells a postmaster the same at length.
//
// The catch-all comes last, other than in Postfix, where it hides every mailbox
// that has no entry of its own: here it catches what nothing else knows.
//
// Invariants: an address either goes to all of its targets or is refused
// while its sender still listens (the exception, a member of a list whose
// account is gone, is logged and reported by Check); no two targets of one
// address are the same account; an address that is a plain mailbox costs no
// allocation.
package route

import (
	"log/slog"
	"time"
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
	// AliasFile and VirtualFile are the names of the maps, "" for none.
	AliasFile, VirtualFile string
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

// Kind is what a Verdict comes to. A kind Relay will join when there are
// other hosts to hand mail to.
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
	Dest []byte
	// Account is the name by which Options.Account knew a mailbox of ours;
	// empty when the target is none.
	Account []byte
	// Address is what the message was sent to in the end, after all maps, in
	// canonical form and with its tag: the value of Delivered-To.
	Address []byte
	// Detail is the tag of a subaddress as it was written, without the
	// separator; empty when there is none.
	Detail []byte
}
