// Package pop3d is the POP3 door: it lets the engine of pop3d/proto talk to
// clients on internal/loop, asks auth who they are, and shows them their
// maildir.
//
// # A session, in order
//
//	Open      greeting                                       server.go, conn.go
//	Step      the engine's needs, one after the other        conn.go
//	            who is it; open the mailbox                  login.go
//	            sizes, unique-ids, message text              visit.go
//	            QUIT: delete, release the mailbox            visit.go
//	Close     whatever happened, the mailbox is released     conn.go
//
// # Invariants
//
//   - A mailbox is open in one session at a time, from the login until QUIT or
//     the end of the connection, whichever comes first.
//   - Messages are deleted at QUIT or not at all (RFC 1939 section 6).
//   - A multi-line reply that was begun is ended, or the connection closes
//     without its last line: half a message never looks like a whole one.
//   - What is queued for a client is bounded by queuedMax, however large the
//     message, the listing or the pipeline of commands.
//   - A session that waits holds no buffer and no open file, unless its client
//     does not read: then it holds the file.
package pop3d

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"barid/auth"
	"barid/internal/loop"
	"barid/internal/tlsconf"
	"barid/maildir"
	"barid/pop3d/proto"
)

// The kinds of patience of a session; see Patience.
const (
	patienceLogin   loop.Patience = iota // from the greeting to the login, all in all
	patienceCommand                      // from one command to the next
)

// AutologoutMin is the least that RFC 1939 section 3 allows for the time
// between two commands.
const AutologoutMin = 10 * time.Minute

// Patience makes the table of a listener with this door: login is the time
// from the greeting to the login, however busy the client is; command the time
// that it may be silent afterwards, AutologoutMin at least.
func Patience(login, command time.Duration) (table [8]time.Duration) {
	table[patienceLogin] = login
	table[patienceCommand] = max(command, AutologoutMin)
	return table
}

// Options are the surroundings of the door and what the postmaster decided.
// Hostname, Auth and Mailbox must be set.
type Options struct {
	// Hostname is shown to clients.
	Hostname string
	// Implementation is shown by CAPA; empty: not shown.
	Implementation string
	// Auth knows the accounts, and where passwords may be sent in the clear.
	Auth *auth.Auth
	// Certificates are those of the listeners, for channel binding; nil
	// without TLS.
	Certificates *tlsconf.Store
	// Mailbox gives the mailbox of an account. It touches no file.
	Mailbox func(auth.Account) maildir.Mailbox
	// STLS offers STLS on connections that are not encrypted: their listener
	// must have a TLS configuration.
	STLS bool
	// ExpireDays is announced by CAPA; negative: never. Nothing here deletes
	// old messages.
	ExpireDays int
	// LoginDelay is the least time between two logins of an account; 0: none.
	LoginDelay time.Duration
	// ErrorsMax is how many bad commands and failed logins a client may send
	// before it has logged in. 0: 10, negative: no limit.
	ErrorsMax int
	// MarkSeen gives messages that were retrieved the flag \Seen at QUIT, which
	// moves them from new/ to cur/.
	MarkSeen bool
	// RawHeaders sends 8-bit headers as they are to clients that did not ask
	// for UTF8; see proto.Options.
	RawHeaders bool
	// Now is time.Now when nil.
	Now func() time.Time
	// Log is slog.Default() when nil.
	Log *slog.Logger
}

// server is what the sessions share.
type server struct {
	Options
	delays  delays
	buffers sync.Pool // *[readSize]byte

	mu    sync.Mutex
	known []*proto.Options // those in use, few: see protocol
}

// New makes the door. Its result is for loop.ListenOptions.New, of as many
// listeners as should share the LoginDelay; their Patience comes from the
// function of that name.
func New(o Options) func(*loop.Conn) loop.Session {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	switch {
	case o.ErrorsMax == 0:
		o.ErrorsMax = 10
	case o.ErrorsMax < 0:
		o.ErrorsMax = 0
	}
	s := &server{Options: o, delays: delays{least: o.LoginDelay}}
	s.buffers.New = func() any { return new([readSize]byte) }
	return func(*loop.Conn) loop.Session { return &session{server: s} }
}

// knownMax bounds the options that are remembered. There is one set for each
// answer that auth.Mechanisms gives, so a handful.
const knownMax = 16

// protocol returns the engine's options for a connection in this state. They
// are shared, so that an idle session does not carry its own.
func (s *server) protocol(state proto.TLS, mechanisms []string) *proto.Options {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.known {
		if o.TLS == state && slices.Equal(o.Mechanisms, mechanisms) {
			return o
		}
	}
	o := &proto.Options{
		Hostname:          s.Hostname,
		Implementation:    s.Implementation,
		TLS:               state,
		User:              slices.Contains(mechanisms, "PLAIN"),
		Mechanisms:        mechanisms,
		UTF8User:          true,
		RawHeaders:        s.RawHeaders,
		ExpireDays:        s.ExpireDays,
		LoginDelaySeconds: int((s.LoginDelay + time.Second - 1) / time.Second),
		ErrorsMax:         s.ErrorsMax,
	}
	if len(s.known) == knownMax {
		s.known = s.known[:0]
	}
	s.known = append(s.known, o)
	return o
}
