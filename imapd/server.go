// Package imapd is the IMAP door: it lets the engine of imapd/proto talk to
// clients on internal/loop, asks auth who they are, and shows them their
// maildir through the views that package maildir has for many sessions at a
// time.
//
// # A session, in order
//
//	Open      greeting                                       server.go, session.go
//	Step      the engine's needs, one after the other        session.go
//	            who is it                                    login.go
//	            a command, in as many steps as it takes      command.go, table.go
//	            what others have changed                     changes.go
//	            the text of a message                        append.go
//	Close     whatever happened, view and files are closed   session.go
//
// # Invariants
//
//   - A command is executed by one function of the table in table.go; one that
//     may have much to say goes on as a job, between whose steps the client
//     reads.
//   - What is queued for a client is bounded by queuedMax and one step.
//   - A client is told what others did only where RFC 9051 section 7.5.1 allows
//     it: before the tagged reply of a command, and in IDLE.
//   - A session that waits for a command holds its view (about 150 octets) and
//     no buffer, no file but the folder's, no memory of the engine.
//   - A capability is in the list of caps.go once all of it is there.
package imapd

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"barid/auth"
	"barid/imapd/proto"
	"barid/internal/imap"
	"barid/internal/loop"
	"barid/internal/tlsconf"
	"barid/maildir"
)

// The kinds of patience of a session; see Patience.
const (
	patienceLogin   loop.Patience = iota // from the greeting to the login, all in all
	patienceCommand                      // from one command to the next, IDLE too
)

// AutologoutMin is the least that RFC 9051 section 5.4 allows for the time
// between two commands.
const AutologoutMin = 30 * time.Minute

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
	// Version is shown by ID; empty: not shown.
	Version string
	// Auth knows the accounts, and where passwords may be sent in the clear.
	Auth *auth.Auth
	// Certificates are those of the listeners, for channel binding; nil
	// without TLS.
	Certificates *tlsconf.Store
	// Mailbox gives the mailbox of an account. It touches no file.
	Mailbox func(auth.Account) maildir.Mailbox
	// StartTLS offers STARTTLS on connections that are not encrypted: their
	// listener must have a TLS configuration.
	StartTLS bool
	// Separator stands between the levels of mailbox names: "/" when 0, or ".".
	Separator byte
	// MessageMax is how many octets a message may have that a client puts into
	// a mailbox. 0: no limit.
	MessageMax int64
	// ErrorsMax is how many bad commands and failed logins a client may send
	// before it has logged in, and bad commands in a row afterwards. 0: 10,
	// negative: no limit.
	ErrorsMax int
	// Now is time.Now when nil.
	Now func() time.Time
	// Log is slog.Default() when nil.
	Log *slog.Logger
}

// server is what the sessions share.
type server struct {
	Options
	works   sync.Pool  // *work
	buffers sync.Pool  // *[readSize]byte
	large   sync.Mutex // held while a large message is in memory as a whole

	idlers idlers

	mu    sync.Mutex
	known []*proto.Options // those in use, few: see protocol
}

// New makes the door. Its result is for loop.ListenOptions.New; the Patience
// of its listeners comes from the function of that name.
func New(o Options) func(*loop.Conn) loop.Session { return newServer(o).session }

// session makes the session of a connection.
func (s *server) session(*loop.Conn) loop.Session { return &session{server: s} }

func newServer(o Options) *server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Separator == 0 {
		o.Separator = '/'
	}
	switch {
	case o.ErrorsMax == 0:
		o.ErrorsMax = 10
	case o.ErrorsMax < 0:
		o.ErrorsMax = 0
	}
	s := &server{Options: o, idlers: idlers{every: lookEvery}}
	s.works.New = func() any { return new(work) }
	s.buffers.New = func() any { return new([readSize]byte) }
	return s
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
		Hostname:   s.Hostname,
		Caps:       offered,
		TLS:        state,
		Login:      slices.Contains(mechanisms, "PLAIN"),
		Mechanisms: mechanisms,
		AppendMax:  s.MessageMax,
		ErrorsMax:  s.ErrorsMax,
		Separator:  s.Separator,
	}
	if len(s.known) == knownMax {
		s.known = s.known[:0]
	}
	s.known = append(s.known, o)
	return o
}

// utf8 reports whether names and strings are in UTF-8 for the client.
func (s *session) utf8() bool { return s.engine.Enabled().UTF8() }

// rev2 reports whether the client has asked for IMAP4rev2, which has no
// \Recent.
func (s *session) rev2() bool { return s.engine.Enabled().Has(imap.EnabledRev2) }
