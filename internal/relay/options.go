package relay

import (
	"crypto/tls"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"barid/dnsres"
	"barid/internal/relay/proto"
)

// Options are the agent's surroundings. Resolver and Hostname are needed; a
// zero value of the others means what stands beside it.
type Options struct {
	Resolver *dnsres.Resolver
	Hostname string // what EHLO says (RFC 5321 4.1.1.1)
	// Policy says what is special about a next hop (see Key.NextHop); nil:
	// nothing.
	Policy func(nextHop string) Policy
	// Login is the account for a next hop, perhaps one for mail of this
	// sender; nil: none.
	Login func(nextHop string, returnPath []byte) (proto.Login, bool)
	// Rewrite gives the return path for a recipient, such as a rewritten one
	// for mail that is forwarded; nil: it stays. original is what RCPT TO
	// said where that differs from address, else empty. The result is valid
	// for as long as the agent has the job. An error defers the recipient.
	Rewrite func(returnPath, original, address []byte) ([]byte, error)
	// Self reports whether a server that was found is this one, so that mail
	// would go in a circle; nil: never. It is asked about each address, and
	// about a name before its addresses are known: at has a port only then.
	Self func(host string, at netip.AddrPort) bool
	// Bind are the addresses that connections come from, in turn; those of
	// the family of the server count. None: what the system chooses.
	Bind []netip.Addr
	TLS  *tls.Config // RootCAs and what else is to be used; the roots of the system
	Port uint16      // of servers where the key does not say; 25

	Timeouts       Timeouts
	Idle           time.Duration // how long a connection is kept for the next message; 2 s, < 0: not at all
	ConnectionsMax int           // connections at a time, those that are kept included; 256
	MessagesMax    int           // messages on a connection; 1000
	AgeMax         time.Duration // after which a connection gets no further message; 5 min

	Now func() time.Time // for the log; time.Now
	Log *slog.Logger     // discards
}

// Timeouts are how long a server may take; 0 means what stands beside it. (RFC
// 5321 4.5.3.2)
type Timeouts struct {
	Connect  time.Duration // 30 s
	Greeting time.Duration // 5 min
	Hello    time.Duration // EHLO, and each step of STARTTLS and AUTH; 5 min
	Mail     time.Duration // MAIL and RSET; 5 min
	Rcpt     time.Duration // RCPT; 5 min
	Data     time.Duration // DATA, until the body may begin; 2 min
	Body     time.Duration // each piece of the body; 3 min
	End      time.Duration // the final dot; 10 min
	// Job bounds everything that is done for one job, together with a second
	// for each 4 KiB of the message; 1 h.
	Job time.Duration
}

// A Level says what TLS has to be.
type Level uint8

// The levels.
const (
	Opportunistic Level = iota // where it is offered, whoever it is; in the clear when it fails (RFC 7435)
	Required                   // with a certificate for the server's name, or no mail
	RequiredAny                // with any certificate, or no mail
	Never                      // not even where it is offered
)

var levelNames = [...]string{"opportunistic", "required", "required-any", "never"}

// String is the level as it is written in files.
func (l Level) String() string { return levelNames[l] }

// ParseLevel reads what String writes.
func ParseLevel(s string) (Level, bool) {
	i := slices.Index(levelNames[:], s)
	return Level(max(i, 0)), i >= 0
}

// Policy is what is special about a next hop.
type Policy struct {
	TLS Level
	// Names are accepted in a certificate when TLS is Required, in place of
	// the name of the server and the domain of the key. ".example.org" is any
	// name below.
	Names      []string
	MinVersion uint16          // of TLS, as package crypto/tls numbers them; 0: 1.2, or any where it is Opportunistic
	Ignore     proto.Extension // offered, but not to be used
	// ClearLogin allows to send a password without TLS.
	ClearLogin bool
	// Concurrency and Interval are for the spool, which decides when
	// (spool.DestinationLimits).
	Concurrency int
	Interval    time.Duration
}

// equal reports whether a connection made under one policy serves another.
func (p *Policy) equal(q *Policy) bool {
	return p.TLS == q.TLS && p.MinVersion == q.MinVersion && p.Ignore == q.Ignore && p.ClearLogin == q.ClearLogin && slices.Equal(p.Names, q.Names)
}

func orDefault[T int | uint16 | time.Duration](v, byDefault T) T {
	if v == 0 {
		return byDefault
	}
	return v
}

// withDefaults fills in what is not said.
func (o Options) withDefaults() Options {
	t := &o.Timeouts
	t.Connect = orDefault(t.Connect, 30*time.Second)
	t.Greeting = orDefault(t.Greeting, 5*time.Minute)
	t.Hello = orDefault(t.Hello, 5*time.Minute)
	t.Mail = orDefault(t.Mail, 5*time.Minute)
	t.Rcpt = orDefault(t.Rcpt, 5*time.Minute)
	t.Data = orDefault(t.Data, 2*time.Minute)
	t.Body = orDefault(t.Body, 3*time.Minute)
	t.End = orDefault(t.End, 10*time.Minute)
	t.Job = orDefault(t.Job, time.Hour)
	o.Port = orDefault(o.Port, 25)
	o.Idle = orDefault(o.Idle, 2*time.Second)
	o.ConnectionsMax = orDefault(o.ConnectionsMax, 256)
	o.MessagesMax = orDefault(o.MessagesMax, 1000)
	o.AgeMax = orDefault(o.AgeMax, 5*time.Minute)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.TLS == nil {
		o.TLS = &tls.Config{}
	}
	return o
}

// of is how long a reply to a command may take.
func (t *Timeouts) of(s proto.Stage) time.Duration {
	switch s {
	case proto.AtGreeting:
		return t.Greeting
	case proto.AtMail, proto.AtReset:
		return t.Mail
	case proto.AtRcpt:
		return t.Rcpt
	case proto.AtData:
		return t.Data
	case proto.AtBody:
		return t.Body
	case proto.AtEnd:
		return t.End
	}
	return t.Hello
}
