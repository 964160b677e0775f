package imap

import "strconv"

// Status is the condition of a response (RFC 9051 7.1).
type Status uint8

// The conditions.
const (
	OK Status = iota
	NO
	BAD
	BYE
	PREAUTH
)

var statusNames = [...]string{"OK", "NO", "BAD", "BYE", "PREAUTH"}

// String returns the condition as it is written.
func (s Status) String() string { return statusNames[s] }

// A Code is a response code without its arguments (RFC 9051 7.1, RFC 5530);
// "" is none. Codes that are only ever whole are constants here.
type Code string

// The response codes that have no arguments, and the names of those that have.
const (
	CodeNone                 Code = ""
	CodeAlert                Code = "ALERT"
	CodeAlreadyExists        Code = "ALREADYEXISTS"
	CodeAppendUID            Code = "APPENDUID"
	CodeAuthenticationFailed Code = "AUTHENTICATIONFAILED"
	CodeAuthorizationFailed  Code = "AUTHORIZATIONFAILED"
	CodeBadCharset           Code = "BADCHARSET"
	CodeBadEvent             Code = "BADEVENT" // RFC 5465
	CodeBadURL               Code = "BADURL"   // RFC 4469
	CodeCannot               Code = "CANNOT"
	CodeClientBug            Code = "CLIENTBUG"
	CodeClosed               Code = "CLOSED"
	CodeCompressionActive    Code = "COMPRESSIONACTIVE" // RFC 4978
	CodeContactAdmin         Code = "CONTACTADMIN"
	CodeCopyUID              Code = "COPYUID"
	CodeCorruption           Code = "CORRUPTION"
	CodeExpired              Code = "EXPIRED"
	CodeExpungeIssued        Code = "EXPUNGEISSUED"
	CodeHasChildren          Code = "HASCHILDREN"
	CodeHighestModSeq        Code = "HIGHESTMODSEQ" // RFC 7162
	CodeInProgress           Code = "INPROGRESS"    // RFC 9585
	CodeInUse                Code = "INUSE"
	CodeLimit                Code = "LIMIT"
	CodeMailboxID            Code = "MAILBOXID" // RFC 8474
	CodeMetadata             Code = "METADATA"  // RFC 5464
	CodeModified             Code = "MODIFIED"  // RFC 7162
	CodeNoModSeq             Code = "NOMODSEQ"  // RFC 7162
	CodeNonExistent          Code = "NONEXISTENT"
	CodeNoPerm               Code = "NOPERM"
	CodeNotificationOverflow Code = "NOTIFICATIONOVERFLOW" // RFC 5465
	CodeNotSaved             Code = "NOTSAVED"
	CodeNoUpdate             Code = "NOUPDATE" // RFC 5267
	CodeOverQuota            Code = "OVERQUOTA"
	CodeParse                Code = "PARSE"
	CodePermanentFlags       Code = "PERMANENTFLAGS"
	CodePrivacyRequired      Code = "PRIVACYREQUIRED"
	CodeReadOnly             Code = "READ-ONLY"
	CodeReadWrite            Code = "READ-WRITE"
	CodeServerBug            Code = "SERVERBUG"
	CodeTooBig               Code = "TOOBIG" // RFC 4469
	CodeTryCreate            Code = "TRYCREATE"
	CodeUIDNext              Code = "UIDNEXT"
	CodeUIDNotSticky         Code = "UIDNOTSTICKY"
	CodeUIDRequired          Code = "UIDREQUIRED" // RFC 9586
	CodeUIDValidity          Code = "UIDVALIDITY"
	CodeUnavailable          Code = "UNAVAILABLE"
	CodeUnknownCTE           Code = "UNKNOWN-CTE"
	CodeUseAttr              Code = "USEATTR" // RFC 6154
)

// Reply is a status response without its tag.
type Reply struct {
	Status Status
	Code   Code
	Args   []byte // what stands behind the code, without the space before it; nil: nothing
	Text   string // for a person; printable US-ASCII
}

// Append appends a status response (RFC 9051 7.1), with the tag, or "*" when
// there is none.
func (r Reply) Append(out, tag []byte) []byte {
	if len(tag) == 0 {
		out = append(out, '*')
	}
	out = append(out, tag...)
	out = append(out, ' ')
	out = append(out, statusNames[r.Status]...)
	out = append(out, ' ')
	if r.Code != "" {
		out = append(out, '[')
		out = append(out, r.Code...)
		if len(r.Args) > 0 {
			out = append(out, ' ')
			out = append(out, r.Args...)
		}
		out = append(out, "] "...)
	}
	out = append(out, r.Text...)
	return append(out, "\r\n"...)
}

// AppendNumberCode appends an untagged OK whose code has one number, such as
// UIDNEXT, UIDVALIDITY and HIGHESTMODSEQ.
func AppendNumberCode(out []byte, code Code, n uint64, text string) []byte {
	out = append(out, "* OK ["...)
	out = append(out, code...)
	out = appendNumber(out, n)
	out = append(out, "] "...)
	out = append(out, text...)
	return append(out, "\r\n"...)
}

// AppendAppendUID appends the arguments of CodeAppendUID: UIDVALIDITY and a
// set of UIDs in the order of the messages (RFC 9051 7.1, RFC 4315 section 3).
func AppendAppendUID(out []byte, uidValidity uint32, uids SeqSet) []byte {
	out = strconv.AppendUint(out, uint64(uidValidity), 10)
	out = append(out, ' ')
	return uids.Append(out)
}

// AppendInProgress appends the whole of an INPROGRESS response (RFC 9585): how
// far a long command is. goal 0 is unknown, and then so is done.
func AppendInProgress(out, tag []byte, done, goal uint32) []byte {
	out = append(out, "* OK [INPROGRESS ("...)
	out = AppendString(out, tag, false)
	if goal == 0 {
		return append(out, " NIL NIL)] still working\r\n"...)
	}
	out = appendNumber(out, uint64(done))
	out = appendNumber(out, uint64(goal))
	return append(out, ")] still working\r\n"...)
}

// appendNumbered appends "* n name", such as EXISTS, RECENT and EXPUNGE.
func appendNumbered(out []byte, n uint32, name string) []byte {
	out = append(out, '*')
	out = appendNumber(out, uint64(n))
	out = append(out, ' ')
	out = append(out, name...)
	return append(out, "\r\n"...)
}

// AppendExists appends EXISTS (RFC 9051 7.4.1).
func AppendExists(out []byte, messages uint32) []byte {
	return appendNumbered(out, messages, "EXISTS")
}

// AppendRecent appends RECENT, which IMAP4rev2 has not (RFC 3501 7.3.2).
func AppendRecent(out []byte, messages uint32) []byte {
	return appendNumbered(out, messages, "RECENT")
}

// AppendExpunge appends EXPUNGE (RFC 9051 7.5.1).
func AppendExpunge(out []byte, number uint32) []byte {
	return appendNumbered(out, number, "EXPUNGE")
}

// AppendVanished begins a VANISHED response; the UIDs and CRLF follow, with a
// SetWriter or SeqSet.Append (RFC 7162 3.2.10). earlier: they were gone before
// this session.
func AppendVanished(out []byte, earlier bool) []byte {
	out = append(out, "* VANISHED "...)
	if earlier {
		out = append(out, "(EARLIER) "...)
	}
	return out
}

// AppendFlagsResponse appends a FLAGS response (RFC 9051 7.3.5); the arguments
// are those of AppendFlags.
func AppendFlagsResponse(out []byte, names []string, set uint64) []byte {
	out = AppendFlags(append(out, "* FLAGS "...), FlagsAll, names, set)
	return append(out, "\r\n"...)
}

// AppendPermanentFlags appends PERMANENTFLAGS. may: these can be set; more:
// so can keywords that do not exist yet (RFC 9051 7.1).
func AppendPermanentFlags(out []byte, may Flag, names []string, set uint64, more bool) []byte {
	out = AppendFlags(append(out, "* OK [PERMANENTFLAGS "...), may, names, set)
	if more {
		out = out[:len(out)-1]
		if out[len(out)-1] != '(' {
			out = append(out, ' ')
		}
		out = append(out, `\*)`...)
	}
	return append(out, "] flags that can be set\r\n"...)
}
