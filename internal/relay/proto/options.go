package proto

// A Dialect is the protocol of the next server.
type Dialect uint8

// The dialects.
const (
	SMTP Dialect = iota // RFC 5321; also submission to a smarthost (RFC 6409)
	LMTP                // LHLO, and one reply per recipient (RFC 2033)
)

// A TLSPolicy says what a connection thinks of STARTTLS. Under TLS (see
// Client.Secure) they are all the same. Whether a certificate is good enough
// is for the owner to say: it does the handshake.
type TLSPolicy uint8

// The policies.
const (
	TLSOpportunistic TLSPolicy = iota // where it is offered; a refusal goes on in the clear
	TLSRequired                       // no mail without it
	TLSNever                          // not even where it is offered
)

// Options are the facts about a destination that its connections share. A
// Client reads them until the next Reset; nobody changes them meanwhile.
type Options struct {
	Hostname string // what EHLO says: a host name or an address literal
	Dialect  Dialect
	TLS      TLSPolicy
	Login    Login
	// Ignore are extensions that are not used even where they are offered,
	// for servers that offer what they cannot do.
	Ignore Extension
}

// A Login is an account at a smarthost. (RFC 4954)
type Login struct {
	User     string // empty: do not authenticate
	Password string
	// InClear allows to send the password without TLS.
	InClear bool
}

// An Extension is a service of a server, or a set of them. (RFC 5321 2.2)
type Extension uint16

// The extensions that are made use of.
const (
	Pipelining Extension = 1 << iota // PIPELINING (RFC 2920)
	EightBit                         // 8BITMIME (RFC 6152)
	Size                             // SIZE (RFC 1870)
	Chunking                         // CHUNKING (RFC 3030 2)
	Binary                           // BINARYMIME (RFC 3030 3)
	UTF8                             // SMTPUTF8 (RFC 6531)
	DSN                              // DSN (RFC 3461)
	Limits                           // LIMITS (RFC 9422)
	STARTTLS                         // STARTTLS (RFC 3207)
	AuthPlain                        // AUTH PLAIN (RFC 4954, RFC 4616)
	AuthLogin                        // AUTH LOGIN (never standardized, often the only one)
)
