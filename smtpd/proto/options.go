package proto

// A Mode is the dialect of a listener.
type Mode uint8

// The modes.
const (
	MX         Mode = iota // mail from anybody (port 25)
	Submission             // mail from our users: MAIL needs authentication (RFC 6409)
	LMTP                   // LHLO, and one reply per recipient (RFC 2033)
)

// An Extension is a service that is offered only when Options.Offer has it.
// PIPELINING, 8BITMIME, SIZE and ENHANCEDSTATUSCODES are always offered.
type Extension uint8

// The extensions to choose.
const (
	Chunking Extension = 1 << iota // CHUNKING: BDAT (RFC 3030 2)
	Binary                         // BINARYMIME, of use only with Chunking (RFC 3030 3)
	UTF8                           // SMTPUTF8 (RFC 6531)
	DSN                            // RET, ENVID, NOTIFY, ORCPT are taken (RFC 3461); see Options.Reports
	Limits                         // LIMITS: MAILMAX, RCPTMAX, RCPTDOMAINMAX (RFC 9422)

	Everything = Chunking | Binary | UTF8 | DSN | Limits
)

// A TLSPolicy says what a listener thinks of STARTTLS.
type TLSPolicy uint8

// The policies. Under TLS (see Session.Secure) they are all the same.
const (
	TLSAbsent   TLSPolicy = iota // no STARTTLS
	TLSOffered                   // the client may
	TLSRequired                  // 530 until the client has (RFC 3207 4); never on a public MX
)

// A Trust is a set of privileged verbs that a client may use.
type Trust uint8

// The privileged verbs.
const (
	XClient Trust = 1 << iota
	XForward
)

// Options are the facts about a listener that its sessions share. A session
// reads them until the next Reset; nobody changes them meanwhile. A limit of
// zero is no limit.
type Options struct {
	Hostname string // in the greeting and in the reply to EHLO
	Banner   string // follows the host name and ESMTP in the greeting; may be empty
	Mode     Mode
	Offer    Extension
	TLS      TLSPolicy
	Trust    Trust
	// Reports says that delivery reports are sent, so that DSN is announced.
	// Without it the parameters are taken, checked and kept all the same.
	Reports bool

	// Mechanisms are the SASL mechanisms in the clear, MechanismsTLS those
	// under TLS, in the order in which they are shown. AUTH is offered where
	// there are any.
	Mechanisms    []string
	MechanismsTLS []string

	SizeMax       int64 // octets of a message as SIZE counts them (RFC 1870 5)
	HeaderMax     int64 // octets of the header of a message
	BodyLineMax   int64 // octets of a line of a message; real mail breaks the 998 of RFC 5322
	ReceivedMax   int   // Received header fields before it is a loop (RFC 5321 6.3)
	MailMax       int   // transactions in a session
	RcptMax       int   // recipients in a transaction; at least 100 (RFC 5321 4.5.3.1.8)
	RcptDomainMax int   // domains among the recipients of a transaction
	CommandsMax   int   // commands in a session
	ErrorsMax     int   // commands that got a 5xx reply in a session
}

func (o *Options) offers(e Extension) bool { return o.Offer&e != 0 }
