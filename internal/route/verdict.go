package route

import (
	"fmt"
	"strings"
)

// The verdicts. Their texts tell a client no more than it can find out by
// asking; a postmaster finds the reason in the log.
//
//	; codes: RFC 5321 4.2.3; enhanced codes: RFC 3463 3

func accept() Verdict {
	return Verdict{Kind: Accept, Code: 250, Status: "2.1.5", Text: "recipient ok"}
}

func relayDenied() Verdict {
	return Verdict{Code: 550, Status: "5.7.1", Text: "relay access denied"}
}

func malformed() Verdict {
	return Verdict{Code: 553, Status: "5.1.3", Text: "malformed address"}
}

func unknown() Verdict {
	return Verdict{Code: 550, Status: "5.1.1", Text: "no such user here"}
}

// fault is a reason why an address cannot be expanded, found at an entry of a
// map.
type fault struct {
	kind faultKind
	at   link   // the entry
	what string // the element, the chain of a loop, or the words of a refusal
	// address is the one that a refusal is about; only of faultRefused,
	// faultNumeric and faultRouted.
	address string
}

type faultKind uint8

const (
	faultNone         faultKind = iota
	faultUnknown                // a target that nothing knows
	faultRefused                // the transport map refuses it
	faultNumeric                // its domain is a number
	faultRouted                 // it might go on from the next host to anywhere
	faultUnsupported            // a program or a file
	faultInclude                // an included file that cannot be used
	faultLoop                   // an entry that leads back to itself
	faultDepth                  // entries nested too deeply
	faultMany                   // too many targets
	faultNoPostmaster           // nobody to get the postmaster's mail
)

// dropped reports whether the other targets get the message all the same.
func (f *fault) dropped() bool { return f.kind == faultUnknown }

// verdict is the answer to a recipient that has the fault.
func (f *fault) verdict() Verdict {
	v := Verdict{Code: 550, Reason: f.String()}
	switch f.kind {
	case faultRefused:
		v.Status, v.Text, _ = strings.Cut(f.what, " ")
		if v.Status[0] == '4' {
			v.Kind, v.Code = Defer, 450
		}
	case faultRouted:
		v.Status, v.Text = "5.7.1", "relay access denied"
	case faultNumeric:
		v.Code, v.Status, v.Text = 553, "5.1.3", "malformed address: a number stands in brackets"
	case faultUnsupported:
		v.Status, v.Text = "5.3.5", "mail for it would go to a program or a file, which is not done here"
	case faultInclude:
		v.Kind, v.Code, v.Status, v.Text = Defer, 450, "4.2.4", "the mailing list cannot be read now"
	case faultLoop:
		v.Status, v.Text = "5.4.6", "its aliases lead back to themselves"
	case faultDepth, faultMany:
		v.Status, v.Text = "5.2.4", "it expands to too many addresses"
	case faultNoPostmaster:
		v.Kind, v.Code, v.Status, v.Text = Defer, 450, "4.3.5", "there is nobody yet to get the mail of postmaster"
	default:
		v.Status, v.Text = "5.1.1", "no such user here"
	}
	return v
}

// text is for the postmaster, and does not say where.
func (f *fault) text() string {
	switch f.kind {
	case faultRefused:
		return fmt.Sprintf("%s: the transport map refuses it: %s", f.address, f.what)
	case faultNumeric:
		return fmt.Sprintf("%s: a number is no domain; an address of a host stands in brackets", f.address)
	case faultRouted:
		return fmt.Sprintf("%s: the next host might send it on to anywhere, and the client may not relay", f.address)
	case faultUnsupported:
		return fmt.Sprintf("%s: mail is not handed to programs or files: %s", f.at.key, f.what)
	case faultInclude:
		return fmt.Sprintf("%s: %s", f.at.key, f.what)
	case faultLoop:
		return "aliases lead back to themselves: " + f.what
	case faultDepth:
		return fmt.Sprintf("%s: aliases are nested more than %d deep", f.at.key, depthMax)
	case faultMany:
		return fmt.Sprintf("%s: expands to more than %d addresses", f.at.key, targetsMax)
	case faultNoPostmaster:
		return "postmaster has no mailbox: set postmaster, add an alias for it, or add an account"
	}
	return fmt.Sprintf("%s: there is no account, alias or virtual entry for %s", f.at.key, f.what)
}

// String is for the postmaster, with file and line.
func (f *fault) String() string { return f.problem().String() }

func (f *fault) problem() Problem {
	if f.kind == faultNoPostmaster { // no entry is to blame
		return Problem{Text: f.text(), Warning: true}
	}
	return Problem{File: f.at.file, Line: f.at.line, Text: f.text(), Warning: f.dropped()}
}
