// Package config reads barid.conf.
//
// The file is flat: one "key = value" a line. One table (keys.go and its
// sections) names every key with its type, its default and a line of
// documentation; from it the file is parsed, printed and documented
// (docs/config.md), so that the three cannot disagree. The result is a plain
// struct: those who use it never look a key up.
//
// A name is group.thing: the group is a place in the program, and the last
// word of the thing tells what its value measures: -max counts, -size-max and
// -size are bytes, -timeout, -time, -delay and -interval are durations, .dir,
// .file and .socket are paths.
//
//	file    = *line
//	line    = [ key *WSP "=" value ] [ comment ] LF
//	        ; one that starts with white space continues the line before
//	key     = name [ "." name ]
//	comment = "#" *CHAR           ; at the start of a line or after white space
//	value   = *CHAR / DQUOTE *CHAR DQUOTE
//	        ; white space around a value does not count, and quotes keep
//	        ; everything between them as it is
//
// All errors of a file are reported at once, sorted by line, each with the
// nearest thing that would have been right.
package config

import (
	"log/slog"
	"net/netip"
	"time"
)

// Config is everything that can be set. Load fills it; nobody changes it
// afterwards.
type Config struct {
	Hostname   string
	Domains    []string // never empty after Load
	User       string
	Postmaster string

	Data       Data
	Memory     Memory
	Log        Log
	Message    Message
	SMTP       SMTP
	Submission Submission
	LMTP       LMTP
	POP3       POP3
	IMAP       IMAP
	TLS        TLS
	Auth       Auth
	Trusted    Trusted
	Map        Map
	Mailbox    Mailbox
	Spool      Spool
	Queue      Queue
	DNS        DNS
	Relay      Relay
	Bounce     Bounce
	SRS        SRS
	Socket     Socket
	Metrics    Metrics

	cert, key string            // tls.cert and tls.key,
	certs     []Pair            // and tls.certs, make TLS.Certificates
	set       map[string]source // what was set, and where
}

// Data is where barid keeps what it writes.
type Data struct{ Dir string }

// Memory bounds the process.
type Memory struct{ Limit int64 } // bytes, 0 for none

// Log says what is logged and where.
type Log struct {
	Level  slog.Level
	Format string // "text" or "json"
	File   string // "" for standard error
}

// Message bounds one message, at every door.
type Message struct {
	SizeMax       int64 // bytes, 0 for no limit
	RecipientsMax int
	ReceivedMax   int
}

// Limits bound the connections of one protocol.
type Limits struct {
	ConnectionsMax           int
	ConnectionsPerAddressMax int
}

// SMTP is the door for mail from other hosts. Its timeouts and counts hold for
// submission and LMTP too.
type SMTP struct {
	Listen         []Address
	Limits         Limits
	CommandTimeout time.Duration
	BodyTimeout    time.Duration
	GreetDelay     time.Duration
	ErrorsMax      int
	CommandsMax    int
}

// Submission is the door for our own users. Listen starts in the clear and
// offers STARTTLS, ListenTLS speaks TLS at once.
type Submission struct {
	Listen    []Address
	ListenTLS []Address // submissions.listen
	Limits    Limits
}

// LMTP is the door for mail handed over locally.
type LMTP struct {
	Listen []Address
	Limits Limits
}

// POP3 is the door to the mailboxes. Listen starts in the clear and offers
// STLS, ListenTLS speaks TLS at once.
type POP3 struct {
	Listen      []Address
	ListenTLS   []Address // pop3s.listen
	Limits      Limits
	IdleTimeout time.Duration
	AuthTimeout time.Duration
	LoginDelay  time.Duration
	ExpireDays  int // -1 for never
	MarkSeen    bool
}

// IMAP is the door to the mailboxes for those who leave their mail there. Listen
// starts in the clear and offers STARTTLS, ListenTLS speaks TLS at once.
type IMAP struct {
	Listen      []Address
	ListenTLS   []Address // imaps.listen
	Limits      Limits
	IdleTimeout time.Duration
	AuthTimeout time.Duration
	Separator   string // "/" or "."
}

// Pair names a certificate and its key, PEM files both.
type Pair struct{ CertFile, KeyFile string }

// TLS names the certificates, the one for clients that ask for no name first.
type TLS struct {
	Certificates []Pair
	MinVersion   string // "1.2" or "1.3"

}

// Auth says who may log in and how.
type Auth struct {
	File           string
	Cleartext      string // "never", "loopback" or "always"
	DefaultDomain  string
	CacheTime      time.Duration // 0 for no cache
	DelayMax       time.Duration
	FailuresMax    int // 0 for no lock-out
	ForgetInterval time.Duration
	LockoutTime    time.Duration
	LockoutExempt  Networks
}

// Trusted lists the networks whose word about the client is taken.
type Trusted struct {
	Proxy, XClient, XForward Networks
}

// Map says how addresses become mailboxes.
type Map struct {
	Alias, Virtual, Transport string // "" for none
	Separators                string // any of its characters
}

// Mailbox says where mailboxes are and how much they hold.
type Mailbox struct {
	Dir          string // a pattern, see Path
	QuotaDefault int64  // bytes, 0 for no limit
	QuotaOver    string // "defer" or "reject"
}

// Spool bounds what is accepted and not delivered yet.
type Spool struct {
	Dir         string
	SegmentSize int64 // bytes
	SpillSize   int64 // bytes
	Reserve     int64 // bytes
}

// Queue says when delivery is tried again.
type Queue struct {
	Lifetime time.Duration
	Retry    []time.Duration
	Workers  int // of local delivery; 0: as many as fit the machine
	// WarnAfter is the age at which a sender is told that a message is late;
	// 0: never.
	WarnAfter time.Duration
}

// DNS says how names are looked up.
type DNS struct {
	Servers   []netip.AddrPort // nil: those of resolv.conf
	Timeout   time.Duration    // 0: what resolv.conf says
	CacheSize int64            // bytes, 0 for no cache
	StaleTime time.Duration    // 0 for never
	TrustAD   bool
}

// Relay says what mail goes to other hosts, and how.
type Relay struct {
	Allow        Networks
	Domains      []string
	RecipientMap string // files, "" for none
	SenderMap    string
	Passwords    string
	Policy       string
	Host         string // the smarthost as a next hop, "" for none

	TLS      string // "opportunistic", "required" or "never"
	TLSRoots string // a file, "" for the system's authorities
	Bind     []netip.Addr
	Port     int

	ConnectionsMax            int
	DestinationConnectionsMax int
	DestinationRate           Rate
	ConnectTimeout            time.Duration
	IdleTimeout               time.Duration // 0: a connection is not kept
}

// Bounce says how much of a message a report returns.
type Bounce struct {
	Return     string // "headers" or "full"
	SizeMax    int64  // bytes, 0 for no limit
	Postmaster string // "" for nobody
}

// SRS says how the senders of forwarded mail are rewritten.
type SRS struct {
	Domain     string // "" for not at all
	SecretFile string
}

// Metrics says where metrics are read.
type Metrics struct{ Listen []Address }

// Socket names the unix sockets that local programs talk to.
type Socket struct {
	Control, Sendmail string
}
