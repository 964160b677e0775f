// Package auth says who is who: it holds the accounts of a passwd-file and
// checks passwords against their hashes.
package auth

import (
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"barid/internal/vfs"
)

// Cleartext says where passwords may be sent without TLS.
type Cleartext uint8

const (
	// Never: mechanisms are offered on TLS only.
	Never Cleartext = iota
	// Loopback: also to clients on a loopback address or a unix socket.
	Loopback
	// Always: everywhere. For closed networks and tests.
	Always
)

// ParseCleartext reads the configuration's never, loopback or always.
func ParseCleartext(s string) (Cleartext, error) {
	for i, name := range [...]string{"never", "loopback", "always"} {
		if s == name {
			return Cleartext(i), nil
		}
	}
	return Never, errors.New("want never, loopback or always")
}

// Options of Open. Zero values of the limits mean the defaults named here.
type Options struct {
	File          string           // the passwd-file
	FS            vfs.FS           // where it lives
	Now           func() time.Time // nil: time.Now
	Random        io.Reader        // nil: crypto/rand.Reader
	Log           *slog.Logger     // nil: slog.DiscardHandler
	Cleartext     Cleartext
	DefaultDomain string        // "alice" is tried as alice@DefaultDomain when there is no bare account
	CacheTTL      time.Duration // how long a verified password is remembered; 0: 5 minutes, < 0: no cache
	CacheMax      int           // accounts in the cache; 0: 65,536
	HashesMax     int           // hashes computed at once; 0: the number of CPUs
	HashMemoryMax int64         // bytes for all hashes at once, and the most that one may ask for; 0: 256 MiB
	Lockout       Lockout
}

// Lockout limits guessing. Zero values mean the defaults named here.
type Lockout struct {
	FailuresMax  int            // failures of one address (IPv6: /64) before it is locked out; 0: 10, < 0: never
	ForgetEvery  time.Duration  // one failure is forgotten each; 0: 1 minute
	LockFor      time.Duration  // how long an address stays locked out; 0: 15 minutes
	DelayMax     time.Duration  // longest delay of a failure's answer; 0: 10 seconds, < 0: no delays
	AddressesMax int            // entries remembered; 0: 65,536
	Exempt       []netip.Prefix // addresses that are delayed but never locked out (webmail, proxies, loopback)
}

// Channel is what a client's connection offers.
type Channel struct {
	TLS    bool
	Remote netip.Addr // the zero Addr is a unix socket
}

// Binding gives the channel binding data of a TLS connection for one of the
// types "tls-exporter" (RFC 9266), "tls-unique" and "tls-server-end-point"
// (RFC 5929); nil when the connection has none of that type.
type Binding func(kind string) []byte

// Client is who wants to authenticate.
type Client struct {
	Channel
	Binding Binding // nil without TLS
}

// Auth checks accounts. It is safe for concurrent use.
type Auth struct{ o Options }

// Open reads the passwd-file. A broken file is an error that names file and
// line.
func Open(o Options) (*Auth, error) { return &Auth{o: o}, nil }

// Reload rereads the file if it changed. A broken file leaves the accounts as
// they are and is an error that names file and line.
func (a *Auth) Reload() error { return nil }

// Lookup finds an account by name: exactly as given but for the case of the
// domain, then with the default domain when the name has none. The strings
// of the Account share the memory of the loaded file: clone what is kept
// longer than a transaction.
func (a *Auth) Lookup(name []byte) (Account, bool) { return Account{}, false }

// Password checks a user's password for a client at from (the zero Addr: a
// unix socket). It may block for as long as a password hash takes: call
// loop.Conn.Blocking before. The error is an *Error.
func (a *Auth) Password(user, password []byte, from netip.Addr) (Account, error) {
	return Account{}, &Error{Class: Temporary, Detail: "not open"}
}

// Mechanisms lists the SASL mechanisms that a client on this channel may
// use, strongest first; none when the channel needs TLS first. The slice
// must not be modified.
func (a *Auth) Mechanisms(c Channel) []string { return nil }

// Start begins an exchange of the named mechanism (any case). The error is an
// *Error of class NoMechanism or NeedsTLS.
func (a *Auth) Start(mechanism string, c Client) (*Exchange, error) {
	return nil, &Error{Class: NoMechanism, Detail: "not open"}
}

// Exchange is one authentication by SASL.
type Exchange struct{ account Account }

// Step takes the client's decoded response: nil when the command carried no
// initial response, non-nil (perhaps empty) otherwise. Until done it returns
// the challenge to send, not yet in base 64 and perhaps empty, valid until
// the next call. It may block like Password. The error is an *Error and ends the
// exchange.
func (x *Exchange) Step(response []byte) (challenge []byte, done bool, err error) {
	return nil, false, &Error{Class: Temporary, Detail: "not open"}
}

// Account is who authenticated, once Step said done.
func (x *Exchange) Account() Account { return x.account }

// User is the name that the client claimed, for the log; "" before it is known.
func (x *Exchange) User() string { return "" }
