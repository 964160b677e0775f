// Package wire reads and writes DNS messages (RFC 1035 4, RFC 6891).
//
//	+--------------------+
//	| header     12      |  ID, flags, four counts
//	| question           |  name, type 2, class 2
//	| answer             |  records: name, type 2, class 2, TTL 4, length 2, data
//	| authority          |
//	| additional         |  the OPT record of EDNS is here
//	+--------------------+
//
// Reading copies nothing: a Message is a view of the bytes it was parsed
// from, and so are the Records and Names that it hands out; all of them are
// valid until those bytes change. Parse looks at every octet once, so that
// what comes after it cannot fail: counts tell the truth, names end and are
// no longer than names may be, the data of known types has the form of its
// type, and nothing follows the last record.
//
// Bounds on hostile input: a compression pointer leads to an earlier place
// than the labels before it, so there are no loops, and a name has at most
// pointersMax of them, so that many long chains cost no time either. Memory
// is the caller's buffer and nothing else.
//
// Names have two canonical forms. In octets it is the uncompressed form in
// lower case (RFC 4034 6.2), which AppendName and Name.AppendWire make. As
// text it is lower case without the final dot, with a backslash before a dot
// or a backslash that is part of a label, and with \DDD for octets that are
// not printable ASCII (RFC 1035 5.1); the root is ".".
//
// Of writing there is no more than questions: a stub resolver sends nothing
// else.
package wire

import (
	"errors"
	"strconv"
	"strings"
)

// Type is the type of a record or of a question (RFC 1035 3.2.2).
type Type uint16

// The types whose data this package knows.
const (
	A     Type = 1
	NS    Type = 2
	CNAME Type = 5
	SOA   Type = 6
	PTR   Type = 12
	MX    Type = 15
	TXT   Type = 16
	AAAA  Type = 28 // RFC 3596
	SRV   Type = 33 // RFC 2782
	OPT   Type = 41 // RFC 6891 6.1
	TLSA  Type = 52 // RFC 6698
)

// typeName is a row of the list of types.
type typeName struct {
	t    Type
	name string
}

// typeNames lists the types that may be asked for; OPT is none of them.
func typeNames() [10]typeName {
	return [...]typeName{{A, "A"}, {NS, "NS"}, {CNAME, "CNAME"}, {SOA, "SOA"}, {PTR, "PTR"}, {MX, "MX"}, {TXT, "TXT"}, {AAAA, "AAAA"}, {SRV, "SRV"}, {TLSA, "TLSA"}}
}

// String gives the mnemonic, or TYPE and the number (RFC 3597 5).
func (t Type) String() string {
	for _, n := range typeNames() {
		if n.t == t {
			return n.name
		}
	}
	if t == OPT {
		return "OPT"
	}
	return "TYPE" + strconv.Itoa(int(t))
}

// ParseType finds a type by its mnemonic, in upper or lower case.
func ParseType(s string) (Type, bool) {
	for _, n := range typeNames() {
		if strings.EqualFold(n.name, s) {
			return n.t, true
		}
	}
	return 0, false
}

// Class is the class of a record; only the Internet's is in use.
type Class uint16

// IN is the class of the Internet.
const IN Class = 1

// RCode is the response code, with the upper octet from EDNS (RFC 6891
// 6.1.3).
type RCode uint16

// The response codes that a resolver tells apart (RFC 1035 4.1.1, RFC 6891
// 9).
const (
	NoError  RCode = 0
	FormErr  RCode = 1 // the server did not understand the question
	ServFail RCode = 2 // the server could not find the answer
	NXDomain RCode = 3 // the name does not exist
	NotImp   RCode = 4
	Refused  RCode = 5
	BadVers  RCode = 16 // EDNS version not supported
)

// String gives the mnemonic, or RCODE and the number.
func (r RCode) String() string {
	switch r {
	case NoError:
		return "NOERROR"
	case FormErr:
		return "FORMERR"
	case ServFail:
		return "SERVFAIL"
	case NXDomain:
		return "NXDOMAIN"
	case NotImp:
		return "NOTIMP"
	case Refused:
		return "REFUSED"
	case BadVers:
		return "BADVERS"
	}
	return "RCODE" + strconv.Itoa(int(r))
}

// What Parse and AppendName find wrong.
var (
	ErrShort    = errors.New("the message ends in the middle")
	ErrTrailing = errors.New("octets follow the last record")
	ErrCounts   = errors.New("more than one question")
	ErrPointer  = errors.New("a compression pointer that leads nowhere")
	ErrLabel    = errors.New("a label of unknown kind")
	ErrName     = errors.New("not a domain name")
	ErrLength   = errors.New("a name or label that is too long")
	ErrData     = errors.New("record data that does not have the form of its type")
	ErrOPT      = errors.New("an OPT record out of place")
)

// Sizes of RFC 1035 2.3.4 and 4.1.1, in octets.
const (
	HeaderSize = 12
	NameMax    = 255 // of a name, with the length octets and the root
	LabelMax   = 63
	TCPMax     = 65535 // of a message, over TCP (4.2.2)
	UDPMax     = 512   // of a message over UDP without EDNS (4.2.1)
)
