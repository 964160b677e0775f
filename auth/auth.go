// Package auth says who is who: it holds the accounts of a passwd-file and
// checks passwords, in the clear or by SASL, against what the file has.
//
// How a password is checked, in the order of password.go:
//
//	address locked out?        -> LockedOut, nothing is looked at   lockout.go
//	name -> line of the file   (unknown: go on with a dummy)        users.go
//	right a moment ago?        -> Account, without a hash           verified.go
//	wrong a moment ago?        -> Refused, without a hash
//	wait for CPU and memory    (too many wait: Temporary)           gate.go
//	compute the hash, compare in constant time                      hash.go
//
// Invariants. What a client can see, words and work alike, is the same for a
// wrong password, an unknown user and an account that may not log in; only
// the log learns which. A file that changed is reread; one that is broken
// never replaces one that was not. Memory is bounded: the file's size, plus
// tables whose sizes are options. No password is kept, but for keyed digests
// of those found right during the last minutes.
//
// The formats are Dovecot's (passwd-file, {SCHEME} prefixes), so that an
// existing file can be used as it is; docs/auth.md describes them for users.
package auth

import (
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"barid/internal/vfs"
	"barid/internal/watch"
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
	Random        io.Reader        // nil: crypto/rand.Reader; must be safe for concurrent use
	Log           *slog.Logger     // nil: nothing is logged
	Cleartext     Cleartext
	DefaultDomain string        // "alice" is tried as alice@DefaultDomain when there is no bare account
	CacheTTL      time.Duration // how long a verified password is remembered after its last use; 0: 5 minutes, < 0: no cache
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
	// Binding must be there with TLS, because Mechanisms offers
	// SCRAM-SHA-256-PLUS there.
	Binding Binding
}

// Auth checks accounts. It is safe for concurrent use.
type Auth struct {
	o         Options
	users     atomic.Pointer[users]
	pace      watch.Pace  // of looking at the file
	reloading sync.Mutex  // held while rereading
	tried     watch.Stamp // of the last reading, good or broken; under reloading
	emptied   emptied     // the file was found without accounts; under reloading
	complaint string      // the last error of rereading, said once; under reloading
	digests   *digester
	penalties *penalties
	gate      *gate
	counts    counts
}

type counts struct{ remembered, hashed, refused, lockedOut atomic.Int64 }

// Stats counts since Open.
type Stats struct {
	Accounts   int   // in the file now
	Remembered int64 // passwords answered without a hash
	Hashed     int64 // hashes computed
	Refused    int64 // failures, those below not among them
	LockedOut  int64 // attempts that were not looked at
}

// Open reads the passwd-file. A broken file is an error that names file and
// line.
func Open(o Options) (*Auth, error) {
	o.setDefaults()
	digests, err := newDigester(o.Random)
	if err != nil {
		return nil, err
	}
	a := &Auth{o: o, digests: digests, penalties: newPenalties(o.Lockout), gate: newGate(o.HashesMax, o.HashMemoryMax)}
	a.pace.Due(o.Now()) // the first look was this one
	if err := a.Reload(); err != nil {
		return nil, err
	}
	return a, nil
}

func (o *Options) setDefaults() {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.DefaultDomain = strings.ToLower(o.DefaultDomain)
	orDefault(&o.CacheTTL, 5*time.Minute)
	orDefault(&o.CacheMax, 65536)
	orDefault(&o.HashesMax, runtime.GOMAXPROCS(0))
	orDefault(&o.HashMemoryMax, 256<<20)
	orDefault(&o.Lockout.FailuresMax, 10)
	orDefault(&o.Lockout.ForgetEvery, time.Minute)
	orDefault(&o.Lockout.LockFor, 15*time.Minute)
	orDefault(&o.Lockout.DelayMax, 10*time.Second)
	orDefault(&o.Lockout.AddressesMax, 65536)
}

func orDefault[T comparable](to *T, value T) {
	var zero T
	if *to == zero {
		*to = value
	}
}

// Lookup finds an account by name: exactly as given but for the case of the
// domain, then with the default domain when the name has none, then with the
// local part in lower case. It finds accounts that may not log in as well.
// The strings of the Account share the memory of the loaded file: clone what
// is kept longer than a transaction.
func (a *Auth) Lookup(name []byte) (Account, bool) {
	line, _, ok := a.current(a.o.Now()).resolve(name, a.o.DefaultDomain)
	if !ok {
		return Account{}, false
	}
	e, _ := cutEntry(line)
	account, err := e.account(e.foldedName())
	return account, err == nil
}

// Stats returns the counters.
func (a *Auth) Stats() Stats {
	return Stats{
		Accounts:   a.users.Load().count,
		Remembered: a.counts.remembered.Load(),
		Hashed:     a.counts.hashed.Load(),
		Refused:    a.counts.refused.Load(),
		LockedOut:  a.counts.lockedOut.Load(),
	}
}

// Problems lists accounts of the file that cannot log in although they have a
// password: its scheme is not supported, or costs more than is allowed. At
// most 100 are kept.
func (a *Auth) Problems() []Problem { return a.users.Load().problems }
