// Package smtpd is the SMTP door: it lets the engine of smtpd/proto talk to
// clients on internal/loop, asks route, auth and the spool what the engine
// wants to know, and puts what arrives into the spool.
//
// # A session, in order
//
//	Open      greeting, unless the client talks first         conn.go
//	Step      the engine's needs, one after the other         conn.go
//	            who is it                                     login.go
//	            who says so for whom (XCLIENT, XFORWARD)      trust.go
//	            sender and recipients                         envelope.go
//	            the trace of this hop                         received.go
//	            the body, the commit, the 250                 message.go
//	Close     whatever happened, nothing stays behind         conn.go
//
// What a transaction remembers in between is in transaction.go.
//
// # Invariants
//
//   - 250 for a message is said after spool.Writer.Commit returned nil, and
//     never otherwise.
//   - What a transaction needs (envelope, targets, the spool's writer) is
//     lent when a client speaks and taken back when it waits: a session that
//     waits for a command outside of a transaction, for a handshake, or for
//     the end of a pause is this package's session and a name.
//   - A transaction that goes back has no writer: what was not committed is
//     aborted, whatever ended it.
//   - What is queued for a client is bounded by queuedMax, however many
//     commands it sends at once.
//   - Mail goes only where route accepts it, whoever sends it: never a relay
//     for strangers. Who has authenticated sends only as an address of their own.
//     A client whose proxy does not know its address is a stranger.
package smtpd

import (
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"barid/auth"
	"barid/internal/loop"
	"barid/internal/route"
	"barid/internal/tlsconf"
	"barid/smtpd/proto"
	"barid/spool"
)

// The kinds of patience of a session; see Patience.
const (
	patienceCommand loop.Patience = iota // from one command to the next
	patienceBody                         // for each bodyStride octets of a message
)

// bodyStride is how many octets of a message must arrive within the patience
// for bodies: who sends less than that trickles.
const bodyStride = 16 << 10

// Patience makes the table of a listener with this door: command is how long a
// client may take for its next command, at least 5 minutes by RFC 5321
// 4.5.3.2.7; body how long for every bodyStride octets of a message.
func Patience(command, body time.Duration) (table [8]time.Duration) {
	table[patienceCommand], table[patienceBody] = command, body
	return table
}

// Options are the surroundings of the door and what the postmaster decided.
// Router and Spool must be set.
type Options struct {
	// Engine holds the host's name, the mode, the extensions and the limits.
	// Trust and the mechanisms are filled in for each client.
	Engine proto.Options
	// Auth checks passwords; nil: AUTH is not offered.
	Auth *auth.Auth
	// Certificates are those of the listener, for channel binding to them;
	// nil: bindings are to the connection only.
	Certificates *tlsconf.Store
	// Router says where a recipient goes, and who may send as whom.
	Router *route.Router
	// Spool takes the messages.
	Spool *spool.Spool
	// Quota tells recipients whose mailbox is full at once; nil: nobody is
	// asked before delivery.
	Quota *Quota
	// Relay says from which addresses mail for other hosts is taken without a
	// login; nil: from none. The address is that of the client as PROXY or
	// XCLIENT states it, and the zero Addr on a unix socket. Submission and LMTP
	// do not ask.
	Relay func(netip.Addr) bool
	// XClient and XForward say from which addresses these verbs are believed;
	// nil: from none.
	XClient, XForward func(netip.Addr) bool
	// GreetDelay is how long a client has to be silent before it is greeted.
	// Zero refuses only those who had spoken before they were accepted.
	GreetDelay time.Duration
	// Now is time.Now when nil.
	Now func() time.Time
	// Log is slog.Default() when nil.
	Log *slog.Logger
}

// Quota knows how full mailboxes are.
type Quota struct {
	// Limited reports whether the account has a quota at all. It touches no
	// file.
	Limited func(account []byte) bool
	// Fits returns an error when a message of size octets (0: unknown) would
	// not fit into the account's mailbox. It may read files.
	Fits func(account []byte, size int64) error
	// Permanent says that such recipients are refused for good, with 552
	// instead of 452.
	Permanent bool
}

// server is what the sessions of a door share.
type server struct {
	Options
	transactions sync.Pool // *transaction

	mu    sync.Mutex
	known []*proto.Options // those in use, few: see engineOptions
}

// New makes the door. Its result is for loop.ListenOptions.New.
func New(o Options) func(*loop.Conn) loop.Session {
	s := newServer(o)
	return func(*loop.Conn) loop.Session { return &session{server: s} }
}

func newServer(o Options) *server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &server{Options: o}
	s.transactions.New = func() any { return new(transaction) }
	return s
}

// knownMax bounds the options that are remembered. There is one set for each
// answer of auth.Mechanisms and each kind of trust, so a handful.
const knownMax = 16

// engineOptions returns the engine's options for a client at an address.
// They are shared, so that an idle session does not carry its own.
func (s *server) engineOptions(remote netip.Addr, trust proto.Trust) *proto.Options {
	want := s.Engine
	want.Trust = trust
	if s.Auth != nil {
		want.Mechanisms = s.Auth.Mechanisms(auth.Channel{Remote: remote})
		want.MechanismsTLS = s.Auth.Mechanisms(auth.Channel{Remote: remote, TLS: true})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.known {
		if o.Trust == want.Trust && slices.Equal(o.Mechanisms, want.Mechanisms) && slices.Equal(o.MechanismsTLS, want.MechanismsTLS) {
			return o
		}
	}
	if len(s.known) == knownMax {
		s.known = s.known[:0]
	}
	o := new(proto.Options)
	*o = want
	s.known = append(s.known, o)
	return o
}

// trust is what a client at an address may tell about others. That XCLIENT
// changes its address does not change that: it is still the same proxy.
func (s *server) trust(remote netip.Addr) (t proto.Trust) {
	if s.XClient != nil && s.XClient(remote) {
		t |= proto.XClient
	}
	if s.XForward != nil && s.XForward(remote) {
		t |= proto.XForward
	}
	return t
}
