package smtp

import "bytes"

// Ret says how much of a message a report of its failure returns.
type Ret uint8

// The values of the RET parameter. (RFC 3461 4.3)
const (
	RetUnset Ret = iota // the sender did not say
	RetFull             // FULL: the whole message
	RetHdrs             // HDRS: its header only
)

// ParseRet reads the value of RET.
func ParseRet(p []byte) (Ret, bool) {
	switch {
	case EqualFold(p, "FULL"):
		return RetFull, true
	case EqualFold(p, "HDRS"):
		return RetHdrs, true
	}
	return RetUnset, false
}

// String returns the value as it is written; empty for RetUnset.
func (r Ret) String() string {
	switch r {
	case RetFull:
		return "FULL"
	case RetHdrs:
		return "HDRS"
	}
	return ""
}

// Notify is the set of occasions on which the sender wants a report. The
// zero value means that the sender did not say, which is the same as failure
// and delay.
type Notify uint8

// The members of a Notify. (RFC 3461 4.1)
const (
	NotifyNever Notify = 1 << iota // stands alone
	NotifySuccess
	NotifyFailure
	NotifyDelay
)

// ParseNotify reads the value of NOTIFY. (RFC 3461 4.1)
//
//	notify-esmtp-value  = "NEVER" / 1#notify-list-element
//	notify-list-element = "SUCCESS" / "FAILURE" / "DELAY"
func ParseNotify(p []byte) (Notify, bool) {
	if EqualFold(p, "NEVER") {
		return NotifyNever, true
	}
	var n Notify
	for {
		element, rest, more := bytes.Cut(p, []byte(","))
		switch {
		case EqualFold(element, "SUCCESS"):
			n |= NotifySuccess
		case EqualFold(element, "FAILURE"):
			n |= NotifyFailure
		case EqualFold(element, "DELAY"):
			n |= NotifyDelay
		default:
			return 0, false
		}
		if !more {
			return n, true
		}
		p = rest
	}
}

// Append appends the value as it is written; nothing for the zero value.
func (n Notify) Append(dst []byte) []byte {
	start := len(dst)
	for i, name := range [...]string{"NEVER", "SUCCESS", "FAILURE", "DELAY"} {
		if n>>i&1 == 0 {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(dst, name...)
	}
	return dst
}

// The longest values that RFC 3461 allows, in octets.
const (
	EnvIDMax = 100 // 4.4
	ORcptMax = 500 // 4.2
)

// IsORcpt reports whether p is the value of an ORCPT parameter. An address
// of the type utf-8 may be written in UTF-8. (RFC 3461 4.2, RFC 6533 3)
//
//	original-recipient-address = addr-type ";" xtext
//	addr-type = atom
func IsORcpt(p []byte) bool {
	rest := Text(p)
	kind := rest.run(atext)
	if len(p) > ORcptMax || len(kind) == 0 || !rest.Byte(';') {
		return false
	}
	if EqualFold(kind, "utf-8") {
		return len(rest) > 0 && FindControl(rest) < 0
	}
	return IsXtext(rest)
}
